"""How is a bundle written? Elsewhere, and then renamed: it is complete or absent."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from polyculture.errors import FileError

from .bundle import Bundle, open_bundle
from .manifest import MANIFEST, Manifest


def write_bundle(folder: str | Path, manifest: Manifest, contents: Mapping[str, bytes]) -> Bundle:
    """Write a bundle and open it again; a bundle that is there already is replaced.

    Parameters
    ----------
    folder : where; its parent folder is made if there is none.
    manifest : its fields `files` and `version` are filled in.
    contents : by path the bytes of every file but the manifest.

    Raises FileError for a folder that cannot be written, and one that holds something else than a bundle.
    """
    folder = Path(folder)
    check_target(folder)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    manifest = replace(manifest, files=digests)
    manifest.check(str(folder / MANIFEST))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=f".half-{folder.name}-", dir=folder.parent))
        try:
            half.chmod(0o755)
            for name, content in contents.items():
                (half / name).parent.mkdir(parents=True, exist_ok=True)
                (half / name).write_bytes(content)
            (half / MANIFEST).write_bytes(manifest.to_json().encode("utf-8"))
            open_bundle(half)
            _put(half, folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot write {folder}: {error.strerror}", "a folder with room to write in") from error
    return open_bundle(folder, verify=False)


def check_target(folder: Path) -> None:
    """Refuse to write over anything but a bundle or an empty folder, and where nothing can be written."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FileError(f"{folder} is no folder", "a folder that can be written", "name another with --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise FileError(f"{folder} holds something else than a bundle", "a new folder", "name another with --out")
    ancestor = next(path for path in folder.absolute().parents if path.exists())
    try:
        Path(tempfile.mkdtemp(prefix=".try-", dir=ancestor)).rmdir()
    except OSError as error:
        raise FileError(
            f"cannot write to {ancestor}: {error.strerror}", "a folder that can be written", "name another with --out"
        ) from error


def _put(half: Path, folder: Path) -> None:
    """Rename; what was there is moved away first, and back where that fails."""
    if not folder.exists():
        half.rename(folder)
        return
    former = folder.with_name(f".former-{folder.name}-{os.getpid()}")
    folder.rename(former)
    try:
        half.rename(folder)
    except OSError:
        former.rename(folder)
        raise
    shutil.rmtree(former, ignore_errors=True)
