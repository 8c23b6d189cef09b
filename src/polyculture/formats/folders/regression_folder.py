"""How are predicted numbers of several test sets stored? A folder with a table for each, which `read` takes back.

test.csv, selection.csv, train.csv, shifted/NAME.csv   instance, target, columns of the instance, a column per model
models.csv                                  one row per model: its id, then what it is made of
columns.json                                which columns are the cluster and the groups
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import pandas as pd

from polyculture.errors import FileError, InputError
from polyculture.predictions import Predictions, PredictionSets

from ..json_lines import BadLines
from ..tables.column_roles import ColumnOptions, check_model_names, find_roles, matching, no_label
from ..tables.files import open_table
from ..tables.model_factors import factors_of, read_factors
from ..tables.regression import regression_from
from .atomic_folder import replacing

MODELS, COLUMNS = "models.csv", "columns.json"
TEST, SELECTION, TRAIN, SHIFTED = "test", "selection", "train", "shifted"
_SAFE = "@=+, "


def write_values(sets: PredictionSets, folder: str | Path) -> Path:
    """Store predictions of numbers as a folder that `read_value_sets` takes back; returns it.

    It appears whole or not at all; an older one is replaced, a folder with anything else in it is left alone and is an
    error.

    Raises FileError if the folder cannot be written and InputError if two columns would have the same name.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()) and values_folder(folder) != folder:
        raise FileError(f"{folder} holds other files", "a new folder, or values to replace")
    parts = {TEST: sets.test, SELECTION: sets.selection, TRAIN: sets.train}
    tables = {name: _table(part) for name, part in parts.items() if part is not None}
    tables |= {f"{SHIFTED}/{quote(name, safe=_SAFE)}": _table(shift) for name, shift in sets.shifted.items()}
    with replacing(folder) as new_folder:
        (new_folder / SHIFTED).mkdir()
        sets.test.models.to_csv(new_folder / MODELS, index_label="model")
        (new_folder / COLUMNS).write_text(json.dumps({"cluster": sets.cluster, "groups": list(sets.groups)}))
        for name, table in tables.items():
            table.to_csv(new_folder / f"{name}.csv", index_label="instance")
    return folder


def values_folder(path: str | Path) -> Path | None:
    """The folder that `write_values` made: this one, or ``values`` in this one; None where there is none."""
    files = (MODELS, COLUMNS, f"{TEST}.csv")
    folders = (Path(path), Path(path, "values"))
    return next((folder for folder in folders if all((folder / file).is_file() for file in files)), None)


def read_value_sets(folder: str | Path, models: Sequence[str] = ()) -> PredictionSets:
    """The predictions of a folder that `write_values` made.

    Parameters
    ----------
    models : names or patterns of the models to read; all if left out.

    Raises FileError if it cannot be read, InputError if a file in it does not fit the others.
    """
    folder = Path(folder)
    try:
        roles = json.loads((folder / COLUMNS).read_text(encoding="utf-8"))
        cluster, groups = str(roles["cluster"]), tuple(map(str, roles["groups"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{folder / COLUMNS} cannot be read", "the file that run writes", "run it again") from error

    def part(name: str) -> Predictions | None:
        return read_values_file(folder, name, models) if (folder / f"{name}.csv").is_file() else None

    return PredictionSets(
        read_values_file(folder, TEST, models),
        part(SELECTION),
        {
            unquote(file.stem): read_values_file(folder, f"{SHIFTED}/{file.stem}", models)
            for file in sorted((folder / SHIFTED).glob("*.csv"))
        },
        cluster,
        groups,
        part(TRAIN),
    )


def read_values_file(folder: Path, name: str = TEST, models: Sequence[str] = ()) -> Predictions:
    """The predictions on one of the sets of instances of such a folder."""
    factors = read_factors(folder / MODELS)
    ids = list(matching(map(str, factors.index), tuple(models), str(folder), factors.get("id")))
    table = open_table(folder / f"{name}.csv")
    groups = [column for column in table.names if column not in ("instance", "target", *factors.index)]
    return regression_from(table, "target", ids, instance="instance", groups=groups, factors=factors.loc[ids])


def read_values(
    path: str | Path,
    *,
    label: str | None = None,
    instance: str | None = None,
    models: Sequence[str] = (),
    groups: Sequence[str] = (),
    factors: str | Path | None = None,
) -> Predictions:
    """Predictions of numbers from a table, even where `read` would take them for classes because they are whole.

    Takes CSV and TSV (also gzipped) and Parquet. Columns are found as by `read`; empty cells are nan.

    Parameters
    ----------
    path : of the table.
    label, instance, models, groups, factors : as in `read`.
    """
    table = open_table(Path(path), bad=BadLines(cure="mend the line"))
    roles = find_roles(table, ColumnOptions(label, instance, tuple(models), tuple(groups)))
    if roles.long:
        raise InputError(f"{path} has a row per answer", "a row per instance and a column per model", "make it wide")
    check_model_names(roles, ColumnOptions(models=tuple(models)))
    if roles.label is None:
        raise no_label(table, cells_are_binary=False)
    model_table = None if factors is None else factors_of(list(roles.models), Path(factors))
    return regression_from(
        table, roles.label, roles.models, instance=roles.instance, groups=roles.groups, factors=model_table
    )


def _table(predictions: Predictions) -> pd.DataFrame:
    assert predictions.values is not None
    instances, ids = predictions.instances, predictions.model_ids
    names = ["target", *map(str, instances.columns), *ids]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None or "instance" in names:
        raise InputError(
            f"two columns called {repeated or 'instance'!r}", "a name of its own for every model and column"
        )
    values = dict(zip(ids, predictions.values, strict=True))
    table = pd.DataFrame({"target": predictions.targets, **values}, index=instances.index)
    return pd.concat([table[["target"]], instances, table[ids]], axis=1)
