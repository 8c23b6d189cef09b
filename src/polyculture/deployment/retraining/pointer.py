"""Which bundle is served? The one that a link names: promoting moves it in one step, and rolling back moves it back."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polyculture.errors import FileError, InputError

from ..bundle.bundle import open_bundle
from ..bundle.manifest import MANIFEST

POINTER = "current"
"""Name of the link in a folder of bundles."""


def pointer_of(path: Path) -> Path | None:
    """The link itself, or the one in a folder of bundles; None where the folder is a bundle."""
    if path.is_symlink() and path.name == POINTER:
        return path
    pointer = path / POINTER
    return pointer if not (path / MANIFEST).exists() and (pointer.is_symlink() or pointer.exists()) else None


def target_of(pointer: Path) -> Path | None:
    """The bundle that the link leads to; None where there is no link yet.

    Raises FileError for a pointer that leads to no folder.
    """
    if not (pointer.is_symlink() or pointer.exists()):
        return None
    if pointer.is_symlink():
        target = pointer.parent / pointer.readlink()
    elif pointer.is_file():
        try:
            target = pointer.parent / pointer.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise FileError(f"cannot read {pointer}", "a link to a bundle, or a file with its name") from error
    else:
        raise FileError(f"{pointer} is a folder", "a link to a bundle, or a file with its name", "name another pointer")
    if not target.is_dir():
        raise FileError(f"{pointer} leads to {target}, which is no folder", "a bundle", "point at one that is there")
    return target


def move(pointer: Path, bundle: Path, reason: str) -> None:
    """Make the link lead to this bundle, in one step: a server sees the one or the other.

    Parameters
    ----------
    bundle : in the same folder as the link.
    reason : for the history next to the link.

    Raises InputError for a bundle elsewhere, FileError where the link cannot be written.
    """
    check_place(pointer, bundle)
    former = target_of(pointer)
    entry = {"from": former.name if former else None, "to": bundle.name, "time": _now(), "why": reason}
    part = pointer.with_name(f".{pointer.name}.{os.getpid()}")
    try:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        part.symlink_to(bundle.name)
        part.replace(pointer)
    except OSError as error:
        raise FileError(
            f"cannot write {pointer}: {error.strerror or error}", "a folder that can hold a link", "name another"
        ) from error
    write_whole(_history_file(pointer), json.dumps([*history(pointer), entry], indent=1))


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or what was there before; FileError where that cannot be done."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FileError(f"cannot write {path}: {error.strerror or error}", "a folder that can be written") from error


def check_place(pointer: Path, bundle: Path) -> None:
    """Refuse a bundle that does not lie next to the link: the link has its name only, so the folder can be moved."""
    if bundle.parent.resolve() != pointer.parent.resolve():
        raise InputError(
            f"{bundle} does not lie next to {pointer}", f"a bundle in {pointer.parent}", "name one there with --out"
        )


def roll_back(path: str | Path) -> Path:
    """Point at the bundle that was served before, and return it; once more goes one bundle further back.

    Parameters
    ----------
    path : the link, or the folder that it lies in.

    Raises InputError where nothing was served before, FileError where the earlier bundle is gone or damaged, and where
    the link cannot be written.
    """
    pointer = Path(path)
    pointer = pointer / POINTER if pointer.is_dir() and not pointer.is_symlink() else pointer
    current = target_of(pointer)
    entries = history(pointer)
    steps = _steps_back(entries)
    former = steps[-1] if steps else None
    if current is None or not former:
        raise InputError(f"{pointer} has no earlier bundle", "a link that retrain has moved", "move it by hand")
    bundle = pointer.parent / former
    open_bundle(bundle)
    move(pointer, bundle, f"rolled back from {current.name}")
    return bundle


def history(pointer: Path) -> list[dict[str, Any]]:
    """Every move of the link, oldest first: from, to, time, why."""
    path = _history_file(pointer)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(entry, dict) and {"from", "to", "why"} <= set(entry) for entry in entries):
            raise ValueError("no entries")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise FileError(f"{path} cannot be read", "the history that retrain writes", "move it away") from error
    return list(entries)


def _steps_back(entries: list[dict[str, Any]]) -> list[str]:
    """Bundles that were left by promotions which have not been rolled back, oldest first."""
    steps: list[str] = []
    for entry in entries:
        if entry["why"].startswith("rolled back"):
            steps = steps[:-1]
        elif entry["from"]:
            steps.append(str(entry["from"]))
    return steps


def _history_file(pointer: Path) -> Path:
    return pointer.with_name(f"{pointer.name}.history.json")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
