"""How is public data downloaded? Once, checked against its SHA-256 before it is read, and stored in a cache."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from polyculture.errors import FileError

CACHE = "POLYCULTURE_CACHE"
TIMEOUT = 60
"""Seconds to wait for a server."""


@dataclass(frozen=True)
class Download:
    """A public file.

    Parameters
    ----------
    name : its path in the cache folder.
    address : its URL.
    sha256 : of its bytes, 64 hexadecimal digits.
    """

    name: str
    address: str
    sha256: str


def cache_folder() -> Path:
    """Folder of downloads: ``$POLYCULTURE_CACHE``, or else polyculture in the user's cache folder."""
    if folder := os.environ.get(CACHE):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "polyculture"


def fetch(download: Download) -> Path:
    """The file in the cache, downloaded if it is not there; its checksum is correct whenever this returns.

    Raises FileError if it cannot be downloaded, if its bytes are not the expected ones (they are then discarded), or
    if another file lies in the cache under its name.
    """
    path = cache_folder() / download.name
    if path.is_file():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != download.sha256:
            raise FileError(
                f"{path} has the SHA-256 {digest}",
                download.sha256,
                "delete it and run again: it is downloaded again",
            )
        return path
    content = _downloaded(download, path)
    digest = hashlib.sha256(content).hexdigest()
    if digest != download.sha256:
        raise FileError(
            f"the file from {download.address} has the SHA-256 {digest}",
            download.sha256,
            f"try again later, or get the file elsewhere and put it at {path}",
        )
    _store(content, path)
    return path


def _downloaded(download: Download, path: Path) -> bytes:
    try:
        with urllib.request.urlopen(download.address, timeout=TIMEOUT) as response:
            content: bytes = response.read()
            return content
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # the error is the server's response, too, and holds its socket
        reason = getattr(error, "reason", "") or error
        raise FileError(
            f"cannot fetch {download.address} ({reason})",
            "a connection to it",
            f"or put that file at {path} by hand",
        ) from error


def _store(content: bytes, path: Path) -> None:
    """Write to a temporary file, then rename it: the cache never holds half a file."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".half-", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise FileError(
            f"cannot write {path}: {error.strerror}", "a cache with room to write in", f"name another by {CACHE}"
        ) from error
