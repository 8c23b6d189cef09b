"""How are Explanations stored? As a folder of standard npy, CSV, Parquet and JSON files; nothing is unpickled.

values.npy          m × n × d attributions, in the order of models.csv and instances.parquet
targets.npy         m × n codes of the classes that are explained
words.npy, inputs.npy   where there are some
models.csv          one row per model, instances.parquet one per instance
meta.json           method, target, baseline, scale, classes, names and shape of the features, seconds
parts/              while explaining: one file per model that is finished, so that an interrupted run is resumed
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32

from polyculture.errors import FileError, PolycultureError
from polyculture.explanations import Explanations
from polyculture.formats.arrays import load_npy
from polyculture.formats.folders.atomic_folder import replacing
from polyculture.formats.tables.model_factors import read_factors

VALUES, MODELS, INSTANCES, META, PARTS = "values.npy", "models.csv", "instances.parquet", "meta.json", "parts"
ARRAYS = ("targets", "words", "inputs")
TEXTS = ("method", "target", "baseline", "scale", "modality")
FORMAT = 1
Part = tuple[Float32[np.ndarray, "n d"], float]
"""Attributions of one model, and the seconds that they took."""


def write_explanations(explanations: Explanations, folder: str | Path, keys: tuple[str, ...] = ()) -> Path:
    """Store explanations as a folder that `read_explanations` takes back; returns it.

    The folder is written next to its place and then moved there, so it is never incomplete. An older folder of
    explanations is replaced.

    Parameters
    ----------
    explanations : what to store.
    folder : where.
    keys : of each model what its attributions depend on, by which a later call recognises them.

    Raises FileError for a folder that holds other files, or cannot be written.
    """
    folder = Path(folder)
    names = {VALUES, MODELS, INSTANCES, META, PARTS, *(f"{name}.npy" for name in ARRAYS)}
    foreign = {path.name for path in folder.iterdir()} - names if folder.is_dir() else set()
    if foreign:
        raise FileError(f"{folder} holds other files, such as {min(foreign)!r}", "a new folder, or one of explanations")
    meta: dict[str, Any] = {"format": FORMAT} | {name: getattr(explanations, name) for name in TEXTS}
    meta |= {name: list(getattr(explanations, name)) for name in ("feature_shape", "features", "classes")}
    seconds = [None if np.isnan(value) else value for value in explanations.seconds]
    meta |= {"seed": explanations.seed, "seconds": seconds, "keys": list(keys)}
    with replacing(folder) as new_folder:
        np.save(new_folder / VALUES, explanations.values)
        for name in ARRAYS:
            array = getattr(explanations, name)
            if array is not None:
                np.save(new_folder / f"{name}.npy", array.astype(str) if array.dtype.kind == "O" else array)
        explanations.models.to_csv(new_folder / MODELS, index_label="model")
        explanations.instances.to_parquet(new_folder / INSTANCES)
        text = json.dumps(meta, indent=1, ensure_ascii=False, allow_nan=False)
        (new_folder / META).write_text(text + "\n", encoding="utf-8")
    return folder


def read_explanations(folder: str | Path) -> Explanations:
    """Explanations from a folder that `write_explanations` made; attributions stay on disk until they are used.

    Raises FileError if it cannot be read, and where its files do not fit each other.
    """
    folder = Path(folder)
    meta = _read_meta(folder)
    try:
        instances = pd.read_parquet(folder / INSTANCES)
        arrays = {name: load_npy(folder / f"{name}.npy", name) for name in ARRAYS if (folder / f"{name}.npy").is_file()}
        fields: dict[str, Any] = {name: tuple(meta[name]) for name in ("feature_shape", "features", "classes")}
        fields |= {name: str(meta[name]) for name in TEXTS} | arrays
        seconds = tuple(float("nan") if value is None else float(value) for value in meta["seconds"])
        return Explanations(
            read_factors(folder / MODELS),
            instances,
            load_npy(folder / VALUES, "m × n × d floats"),
            seconds=seconds,
            seed=int(meta["seed"]),
            **fields,
        )
    except PolycultureError as error:
        raise FileError(f"{folder} holds damaged explanations ({error})", "what `explain` wrote there") from error
    except Exception as error:  # readers of damaged bytes raise anything
        raise _unreadable(folder, error) from error


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads((folder / META).read_text(encoding="utf-8"))
        number = meta["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder, error) from error
    if number != FORMAT:
        raise FileError(f"{folder} has the format {number!r}", f"{FORMAT}", "read it with the version that wrote it")
    return meta


def _unreadable(folder: Path, error: Exception) -> FileError:
    reason = " ".join(str(error).split())
    return FileError(
        f"cannot read explanations from {folder} ({type(error).__name__}: {reason})", "what `explain` wrote there"
    )


def read_parts(folder: Path) -> dict[str, Part]:
    """Attributions that are in the folder by their keys: those of a finished explanation and of an interrupted one.

    What cannot be read is left out, so that it is computed again.
    """
    parts: dict[str, Part] = {}
    if (folder / META).is_file():
        explanations, keys = read_explanations(folder), _read_meta(folder).get("keys", [])
        parts |= dict(zip(keys, zip(explanations.values, explanations.seconds, strict=True), strict=False))
    for path in sorted((folder / PARTS).glob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as arrays:
                parts[path.stem] = arrays["values"], float(arrays["seconds"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
    return parts


def write_part(folder: Path, key: str, part: Part) -> None:
    """Keep the attributions of one model, at once or not at all; FileError where the folder cannot be written."""
    path = folder / PARTS / f"{key}.npz"
    half = path.with_name(f".{key}.{os.getpid()}")
    try:
        half.parent.mkdir(parents=True, exist_ok=True)
        with half.open("wb") as file:
            np.savez(file, values=part[0], seconds=part[1])
        half.replace(path)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}", "a folder that can be written") from error
    finally:
        half.unlink(missing_ok=True)
