"""What do the models of a run predict on every part and every shift, as its folder keeps it?"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from polyculture.errors import FileError, InputError
from polyculture.formats import read, read_value_sets, values_folder, write
from polyculture.predictions import Predictions, PredictionSets

from .run_folder import PARTS, PREDICTIONS, RUN, VALUES

SHIFTED = "shifted"
FORMAT = 1
"""Version of run.json."""
_SAFE = "@=+, "


@dataclass(frozen=True, eq=False)
class StoredRun:
    """What the folder of a run holds.

    Parameters
    ----------
    sets : predictions on every part and shift.
    source : what to call them in reports.
    missing : what a folder of an earlier version lacks, as a sentence; empty where it lacks nothing.
    origin : of its problem, with which it can be loaded again; empty where that is not known.
    """

    sets: PredictionSets
    source: str
    missing: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)


def is_run(path: str | Path) -> bool:
    """Whether this is the folder of a run."""
    folder = Path(path)
    return (folder / PREDICTIONS / "answers.parquet").is_file() or values_folder(folder) == folder / VALUES


def write_part(predictions: Predictions, parts: Path, name: str, *, shifted: bool) -> None:
    """Store the predictions on one part in a folder of parts; probabilities with few bits."""
    folder = parts / SHIFTED / quote(name, safe=_SAFE) if shifted else parts / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    write(predictions, folder, compact=True)


def write_facts(folder: Path, source: str, sets: PredictionSets, origin: Mapping[str, Any]) -> None:
    """Store what is known about the run; with it the folder is complete.

    Parameters
    ----------
    origin : of the problem, with which it can be loaded again.
    """
    facts = {"format": FORMAT, "source": source, "cluster": sets.cluster, "groups": [*sets.groups]}
    facts |= {"shifted": [*sets.shifted], "problem": dict(origin)}
    temporary = folder / f".{RUN}.{os.getpid()}"
    temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    temporary.replace(folder / RUN)


def read_run(folder: str | Path, models: Sequence[str] = (), *, probabilities: bool = True) -> StoredRun:
    """The predictions in the folder of a run.

    Parameters
    ----------
    folder : of the run.
    models : names or patterns of the models to read; all if left out.
    probabilities : whether to read the probabilities on the parts and shifts, too.

    Raises FileError and InputError where the folder is damaged, or of a newer version.

    Examples
    --------
    >>> options = pc.RunOptions(recipes=[pc.Recipe("logistic"), pc.Recipe("knn"), pc.Recipe("naive-bayes")], workers=1)
    >>> result = pc.run("iris", options, out="iris-kept")
    >>> sets = pc.read_run("iris-kept").sets
    >>> sets.train.shape, sets.selection.shape, sets.test.shape
    ((3, 66), (3, 24), (3, 60))
    """
    folder = Path(folder)
    facts = _read_facts(folder / RUN)
    source, origin = facts.get("source", str(folder)), facts.get("problem", {})
    values = values_folder(folder)
    if values is not None:
        sets = read_value_sets(values, models)
        return StoredRun(sets, source, "" if sets.train is not None else _missing(folder, "the training part"), origin)
    test = read(folder / PREDICTIONS, models=list(models) or None)
    if not facts or not (folder / PARTS).is_dir():
        return StoredRun(PredictionSets(test), source, _missing(folder, "the selection part and the shifted tests"))

    def part(*names: str) -> Predictions:
        return _read_part(folder.joinpath(PARTS, *names), test, probabilities)

    stored = [path.name for path in sorted((folder / PARTS / SHIFTED).glob("*"))]
    names = facts.get("shifted", [unquote(name) for name in stored])
    sets = PredictionSets(
        test,
        part("selection"),
        {name: part(SHIFTED, quote(name, safe=_SAFE)) for name in names},
        facts.get("cluster", ""),
        tuple(facts.get("groups", ())),
        part("train"),
    )
    return StoredRun(sets, source, origin=origin)


def _missing(folder: Path, what: str) -> str:
    return f"{folder} was written by an earlier version and lacks {what}; the same polyculture run adds them."


def _read_facts(path: Path) -> dict[str, Any]:
    """What run.json says; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        version = int(facts["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} cannot be read", "the file that run writes", "run it again") from error
    if version > FORMAT:
        raise InputError(f"{path} is of format {version}", f"{FORMAT} or lower", "update polyculture")
    return dict(facts)


def _read_part(folder: Path, test: Predictions, probabilities: bool) -> Predictions:
    """One part, of the models of the test set."""
    if not folder.is_dir():
        raise FileError(f"{folder} is missing", "every part that run writes", "the same polyculture run adds it")
    stored = read(folder)
    stored = stored if probabilities else replace(stored, probabilities=None)
    return replace(stored.take_models(test.model_ids), models=test.models)
