"""Which bundle is to be served now? A folder, or the one that a pointer names: rolling back is to point at another."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from polyculture.errors import FileError, PolycultureError

from .refusals import sentence

log = logging.getLogger("polyculture.serve")

POINTER = "current"
"""In a folder of bundles: a link to one of them, or a file with its name."""
ORDER = "bundle"
"""In the folder that the workers of a server share: the bundle that one of them was told to serve."""
SECONDS = 0.5
"""Between two looks."""


def current_bundle(path: Path) -> Path:
    """The folder of the bundle itself: the path, or where the pointer in it leads.

    Raises FileError for a folder with neither a manifest nor a pointer, and for a pointer that leads out of it.
    """
    pointer = path / POINTER
    if (path / "manifest.json").exists() or not (pointer.is_symlink() or pointer.exists()):
        return path.resolve()
    if pointer.is_symlink() or pointer.is_dir():
        folder = pointer.resolve()
    else:
        try:
            name = pointer.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise FileError(f"cannot read {pointer}", "the name of a folder next to it") from error
        folder = (path / name).resolve()
        if not name or folder.parent != path.resolve():
            raise FileError(f"{pointer} names {name[:80]!r}", "the name of a folder next to it")
    if not folder.is_dir():
        raise FileError(f"{pointer} leads to {folder}, which is no folder", "a bundle", "point at one that is there")
    return folder


class BundleSwitch:
    """Follows what is to be served, and says so to the other workers.

    Parameters
    ----------
    path : the bundle, or a folder with a pointer.
    shared : folder that the workers of the server share; None where there is only one.
    """

    def __init__(self, path: Path, shared: Path | None) -> None:
        self._path, self._order = path, shared / ORDER if shared is not None else None
        self._pointed: Path | None = None
        self._ordered = ""
        self._fault = ""

    def first(self) -> Path:
        """The bundle to begin with."""
        self._pointed = current_bundle(self._path)
        self._ordered = self._read_order()
        return Path(self._ordered.splitlines()[0]) if self._ordered else self._pointed

    def tell(self, path: Path) -> None:
        """Have the other workers serve this bundle, too."""
        if self._order is not None:
            self._ordered = f"{path.resolve()}\n{os.getpid()} {time.time_ns()}"
            half = self._order.with_name(f"{ORDER}-{os.getpid()}")
            half.write_text(self._ordered, encoding="utf-8")
            half.replace(self._order)

    def _read_order(self) -> str:
        try:
            return self._order.read_text(encoding="utf-8") if self._order is not None else ""
        except FileNotFoundError:
            return ""

    def changed(self) -> Path | None:
        """The bundle to serve from now on, if that is another one than at the last look."""
        order = self._read_order()
        if order != self._ordered:
            self._ordered = order
            return Path(order.splitlines()[0])
        pointed = current_bundle(self._path)
        if pointed != self._pointed:
            self._pointed = pointed
            return pointed
        return None

    async def follow(self, swap: Callable[[Path], Awaitable[str]]) -> None:
        """Look again and again, for as long as the server runs."""
        while True:
            await asyncio.sleep(SECONDS)
            try:
                path = self.changed()
                if path is not None:
                    await swap(path)
                self._fault = ""
            except PolycultureError as error:
                self._report(str(error))
            except Exception as error:  # the server goes on, whatever is wrong with the new bundle
                self._report(f"{type(error).__name__}: {sentence(error)}")

    def _report(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            log.error("still serving the bundle before: %s", fault)
