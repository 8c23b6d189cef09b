"""How does public data get here? Fetched once, checked against its SHA-256 before it is read, kept in a cache."""

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
PATIENCE = 60
"""Seconds without an answer after which a server is given up."""


@dataclass(frozen=True)
class Download:
    """A public file.

    Parameters
    ----------
    name : where it is kept, below the cache folder.
    address : where it comes from.
    sha256 : of its bytes, 64 hexadecimal digits.
    """

    name: str
    address: str
    sha256: str


def cache_folder() -> Path:
    """Where downloads are kept: ``$POLYCULTURE_CACHE``, or else polyculture in the user's cache folder."""
    chosen = os.environ.get(CACHE)
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "polyculture"


def fetch(download: Download) -> Path:
    """The file in the cache, fetched if it is not there; its checksum is right whenever this returns.

    Raises FileError if it cannot be fetched, if its bytes are not the expected ones (they are then thrown away), or
    if what lies in the cache is another file.
    """
    path = cache_folder() / download.name
    if path.is_file():
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != download.sha256:
            raise FileError(
                f"{path} has the SHA-256 {found}",
                download.sha256,
                "delete it and run again: it is fetched anew",
            )
        return path
    content = _fetched(download, path)
    found = hashlib.sha256(content).hexdigest()
    if found != download.sha256:
        raise FileError(
            f"what {download.address} sent has the SHA-256 {found}",
            download.sha256,
            f"try again later, or get the file elsewhere and put it at {path}",
        )
    _keep(content, path)
    return path


def _fetched(download: Download, path: Path) -> bytes:
    try:
        with urllib.request.urlopen(download.address, timeout=PATIENCE) as response:
            content: bytes = response.read()
            return content
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # it is the server's answer, too, and holds its socket
        reason = getattr(error, "reason", "") or error
        raise FileError(
            f"cannot fetch {download.address} ({reason})",
            "a connection to it",
            f"or put that file at {path} by hand",
        ) from error


def _keep(content: bytes, path: Path) -> None:
    """Write beside, then rename: whoever looks sees the whole file or none."""
    half = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".half-", dir=path.parent)
        half = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        half.replace(path)
    except OSError as error:
        if half is not None:
            half.unlink(missing_ok=True)
        raise FileError(
            f"cannot write {path}: {error.strerror}", "a cache with room to write in", f"name another by {CACHE}"
        ) from error
