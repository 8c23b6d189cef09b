"""How does a folder appear whole or not at all? It is written next to its place and then moved there."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from polyculture.errors import FileError


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when all went well, and vanishes when it did not.

    Raises FileError where it cannot be written.
    """
    new_folder = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    old_folder = new_folder.with_suffix(".old")
    try:
        new_folder.mkdir(parents=True)
        yield new_folder
        if folder.exists():
            folder.rename(old_folder)
        new_folder.rename(folder)
        shutil.rmtree(old_folder, ignore_errors=True)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot write {folder}: {error.strerror or error}", "a folder that can be written") from error
    finally:
        shutil.rmtree(new_folder, ignore_errors=True)
