"""How is a population stored on disk? One subfolder per model, written elsewhere and then renamed: complete or absent.

folder/lenet-1a2b3c4d/recipe.json            recipe, problem, versions, training curve: the same in every run
folder/lenet-1a2b3c4d/cost.json              seconds, when and where: what differs between two runs
folder/lenet-1a2b3c4d/weights.safetensors    or weights.skops; nothing is ever pickled
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError, PolycultureError
from polyculture.population import Population
from polyculture.recipe import Recipe

from .fitted import Fitted

RECORD, COST = "recipe.json", "cost.json"

Loader = Callable[[Recipe, Dataset, Path], Fitted]
"""From recipe, training set and folder to the model that was saved there, as `Architecture.load`."""
_CURE = "delete that subfolder and train again: only what is missing is fitted"


def read_population(
    folder: Path, made_for: Mapping[str, str], train: Dataset, load: Loader, recipes: Sequence[Recipe] | None = None
) -> Population:
    """The models in a folder, with the recipe and the cost of each.

    Parameters
    ----------
    folder : one subfolder per model.
    made_for : name and fingerprint of the problem that they were trained on.
    train : its training set.
    load : reads one model.
    recipes : which models, in which order; None for all, in the order of their ids.

    The table `factors` has the levels of each recipe, its seed, the seconds of its fit (nan without ``cost.json``) and
    the number of parameters of the fit. Raises FileError for a folder, a model or a weights file that cannot be read
    or trusted, and InputError for a folder made for another problem or split.
    """
    records = read_records(folder, made_for)
    for recipe in recipes or ():
        if recipe.id not in records:
            raise FileError(f"{folder} has no model {recipe.id!r}", "every recipe trained", "train it first")
    names = list(records) if recipes is None else [recipe.id for recipe in recipes]
    failed = {name: records[name]["failed"] for name in names if records[name]["failed"]}
    trained = {name: Recipe.from_dict(records[name]["recipe"]) for name in names if name not in failed}
    if not trained:
        raise FileError(f"{folder} holds no trained model", "one subfolder per model", "train some first")
    rows = [
        recipe.factors() | {"seconds": read_cost(folder / name), "parameters": records[name]["parameters"]}
        for name, recipe in trained.items()
    ]
    factors = pd.DataFrame(rows, index=pd.Index(list(trained), name="model"))
    if "compression" in factors:
        factors["compression"] = factors["compression"].fillna("none")
    return Population(
        models={name: _load(load, recipe, train, folder / name) for name, recipe in trained.items()},
        classes=train.classes,
        factors=factors,
        failed=failed,
    )


def read_records(folder: Path, made_for: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The ``recipe.json`` of each model in the folder, by model id, sorted; empty if there is no folder.

    Raises FileError for a record that cannot be read, InputError for one of another problem or split.
    """
    records = all_records(folder)
    for record in records.values():
        name, fingerprint = record["problem"]["name"], record["problem"]["fingerprint"]
        if fingerprint != made_for["fingerprint"]:
            raise InputError(
                f"{folder} was made for another problem or split: {name} {fingerprint}",
                f"{made_for['name']} {made_for['fingerprint']}",
                "name another folder",
            )
    return records


def all_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The same, of any problem; null in the file is read as nan."""
    return {path.parent.name: _read(path) for path in sorted(folder.glob(f"[!.]*/{RECORD}"))}


def read_cost(folder: Path) -> float:
    """Seconds that the fit of the model in this folder took; nan if not recorded."""
    path = folder / COST
    return float(_read(path)["seconds"]) if path.is_file() else float("nan")


def _read(path: Path) -> dict[str, Any]:
    """A record or a cost with the required fields; FileError if it cannot be read."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if path.name == COST:
            float(record["seconds"])
        else:
            _ = record["problem"]["name"], record["problem"]["fingerprint"], record["failed"]
            record["curve"] = [float("nan") if loss is None else loss for loss in record.get("curve", [])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise FileError(f"cannot read {path} ({reason})", "what training wrote there", _CURE) from error
    return record


def open_folder(folder: Path) -> None:
    """Create the folder if there is none, check that it can be written, remove half-written models of a killed run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        Path(tempfile.mkdtemp(prefix=".try-", dir=folder)).rmdir()
    except OSError as error:
        raise FileError(
            f"cannot write to {folder}: {error.strerror}", "a folder that can be written", "name another one"
        ) from error
    for leftover in folder.glob(".half-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def write_model(
    folder: Path, name: str, record: Mapping[str, Any], cost: Mapping[str, Any], fitted: Fitted | None
) -> None:
    """Write one model, or with None the record of a failure, in one step.

    A model that another process has written stays; the record of a failure is replaced.
    """
    try:
        half = Path(tempfile.mkdtemp(prefix=f".half-{name}-", dir=folder))
        try:
            half.chmod(0o755)
            if fitted is not None:
                fitted.save(half)
            _write(half / RECORD, record)
            _write(half / COST, cost)
            _put(half, folder / name)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    except Exception as error:  # writers of weights have errors of their own for a full disk
        message = isinstance(error, OSError) and error.strerror
        reason = message or " ".join(str(error).split())
        raise FileError(f"cannot write {folder / name}: {reason}", "a folder with room to write in") from error


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(_finite(values), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    """The same with null for numbers that are not finite, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _put(half: Path, folder: Path) -> None:
    if folder.is_dir():
        if not _read(folder / RECORD)["failed"]:
            return
        shutil.rmtree(folder)
    half.rename(folder)


def _load(load: Loader, recipe: Recipe, train: Dataset, folder: Path) -> Fitted:
    try:
        return load(recipe, train, folder)
    except PolycultureError:
        raise
    except Exception as error:  # readers of damaged bytes raise anything
        reason = " ".join(str(error).split())
        raise FileError(
            f"cannot read the weights in {folder} ({type(error).__name__}: {reason})", "those of that model", _CURE
        ) from error
