"""What is in the folder of a study, and can it be written?

page.html, audit.json, portfolio.json   what was found; compression.json where models were compressed
models/                                 the trained models
predictions/ or values/                 predictions on the test set; of numbers on every set
parts/                                  of classes: predictions on train, selection and shifted/NAME, a folder each
run.json                                what the models learned; written last, so the parts are complete where it is
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from polyculture.errors import FileError, InputError

if TYPE_CHECKING:
    from polyculture.results import Audit

COMPARISON, SCALING, DESIGN, RECIPES = "compare.json", "scaling.json", "design.json", "recipes.toml"
"""What compare, scaling and design store next to their page."""
COMPRESSION = "compression.json"
"""What compress stores next to its page."""
PAGE, AUDIT, PORTFOLIO, PREDICTIONS, VALUES, MODELS, PARTS, RUN = (
    *("page.html", "audit.json", "portfolio.json", "predictions", "values", "models", "parts", "run.json"),
)


def writable_folder(folder: Path) -> Path:
    """The folder, after a check before any work that results can be written there; a new one is made by the first."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    probe = folder / f".{os.getpid()}.try"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FileError(
            f"cannot write to {folder}: {error.strerror}", "a folder that can be written", "name another with --out"
        ) from error
    finally:
        _remove_empty(new)
    return folder


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, innermost first, as far as there is nothing in them."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def read_audit(path: Path) -> Audit:
    """The audit stored in this file, or in this folder."""
    from polyculture.results import Audit

    path = path / AUDIT if path.is_dir() else path
    try:
        return Audit.from_json(path.read_text(encoding="utf-8"))
    except InputError as error:
        raise InputError(f"{path}: {error.wrong}", error.expected, error.cure) from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", f"the {AUDIT} that run and audit write") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is a damaged audit: {error!r}", f"the {AUDIT} that run and audit write") from error
