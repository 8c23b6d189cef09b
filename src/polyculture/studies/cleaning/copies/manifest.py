"""What does a cleaned copy consist of? Its files with their checksums, which prove that nothing has changed since."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from polyculture.errors import FileError, InputError

CLEAN, REMOVED, LOG, MANIFEST, ORIGINAL = "clean", "removed", "removed.csv", "copy.json", "original"
"""The cleaned copy; rows that a table cannot hold; the rows that were left out; the manifest; what undo gives back."""
FORMAT = 1


@dataclass(frozen=True)
class CopiedFile:
    """One file of the copy.

    Parameters
    ----------
    name : under `CLEAN`, and again under `ORIGINAL`.
    original, clean, removed : checksums of the content that it had with fields hidden, that it has now, and of its
        file under `REMOVED`; empty where there is none or where it is not known.
    rows : places of the rows that were left out, by array of an archive, or under ``""``.
    """

    name: str
    original: str = ""
    clean: str = ""
    removed: str = ""
    rows: Mapping[str, list[int]] | None = None


@dataclass(frozen=True)
class CopyManifest:
    """A cleaned copy.

    Parameters
    ----------
    layout : how its files keep rows.
    files : that it consists of.
    log : checksum of the table of rows that were left out.
    masked : fields that were hidden, and how: undo does not give them back.
    """

    layout: str
    files: tuple[CopiedFile, ...]
    log: str
    masked: Mapping[str, str]


def checksum(content: bytes) -> str:
    """Checksum of a content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def packed(content: bytes, path: Path) -> bytes:
    """The bytes of a file with this content: gzipped where its name says so, always in the same way."""
    return gzip.compress(content, mtime=0) if path.suffix == ".gz" else content


def manifest_text(manifest: CopyManifest) -> bytes:
    """The manifest as it is stored."""
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1, ensure_ascii=False).encode()


def read_manifest(folder: Path) -> CopyManifest:
    """The manifest in a folder of clean; FileError where there is none, or it cannot be read."""
    try:
        stored: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version = int(stored.pop("format"))
        if version > FORMAT:
            raise InputError(f"{folder / MANIFEST} is of format {version}", f"{FORMAT} or lower", "update polyculture")
        files = tuple(CopiedFile(**file) for file in stored.pop("files"))
        return CopyManifest(files=files, **stored)
    except FileNotFoundError as error:
        raise FileError(
            f"{folder} holds no cleaned copy", "a folder of polyculture clean --apply", "check the path"
        ) from error
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{folder / MANIFEST} cannot be read", "the file that clean writes", "clean again") from error
