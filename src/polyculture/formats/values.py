"""How are predicted numbers kept, and read back? A table of numbers, or a folder with one for every test set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.errors import FileError, InputError
from polyculture.values import Values

from .json_lines import BadLines
from .model_factors import factors_of, read_factors
from .predictions_folder import replacing
from .tables.column_roles import ColumnOptions, find_roles, matching, no_label
from .tables.files import ColumnTable, open_table

MODELS, COLUMNS = "models.csv", "columns.json"
TEST, SELECTION, SHIFTED = "test", "selection", "shifted"
_SAFE = "@=+, "


@dataclass(frozen=True, eq=False)
class ValueSets:
    """What models of numbers predicted on every test set.

    Parameters
    ----------
    test : where they were made for.
    selection : for the instances to choose on; None where there are none.
    shifted : on other test sets, by name.
    cluster, groups : instance columns: what was sampled together, and what is worth comparing.
    """

    test: Values
    selection: Values | None = None
    shifted: Mapping[str, Values] = field(default_factory=dict)
    cluster: str = ""
    groups: tuple[str, ...] = ()


def write_values(sets: ValueSets, folder: str | Path) -> Path:
    """Store values as a folder that `read_value_sets` takes back; returns it.

    ``test.csv``, ``selection.csv`` and ``shifted/NAME.csv`` (instance, target, what is known of the instance, a column
    per model), ``models.csv``, and ``columns.json`` with the cluster and the groups. It appears whole or not at all; an
    older one is replaced, a folder with anything else in it is left alone and is an error.

    Raises FileError if the folder cannot be written and InputError if two columns would have the same name.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()) and values_folder(folder) != folder:
        raise FileError(f"{folder} holds other files", "a new folder, or values to replace")
    tables = {TEST: _table(sets.test)} | ({} if sets.selection is None else {SELECTION: _table(sets.selection)})
    tables |= {f"{SHIFTED}/{quote(name, safe=_SAFE)}": _table(there) for name, there in sets.shifted.items()}
    try:
        with replacing(folder) as fresh:
            (fresh / SHIFTED).mkdir()
            sets.test.made_of.to_csv(fresh / MODELS, index_label="model")
            (fresh / COLUMNS).write_text(json.dumps({"cluster": sets.cluster, "groups": list(sets.groups)}))
            for name, table in tables.items():
                table.to_csv(fresh / f"{name}.csv", index_label="instance")
    except OSError as error:
        raise FileError(f"cannot write {folder}: {error.strerror or error}", "a folder that can be written") from error
    return folder


def values_folder(path: str | Path) -> Path | None:
    """Where a folder of values is: this one, or ``values`` in this one; None where there is none."""
    here = Path(path)
    return next((f for f in (here, here / "values") if (f / MODELS).is_file() and (f / f"{TEST}.csv").is_file()), None)


def read_value_sets(folder: str | Path, models: Sequence[str] = ()) -> ValueSets:
    """The values of a folder that `write_values` made.

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
    factors = read_factors(folder / MODELS)
    everyone = tuple(map(str, factors.index))
    ids = matching(everyone, tuple(models), str(folder))
    factors = factors.loc[list(ids)]

    def values(file: Path) -> Values:
        table = open_table(file)
        known = [name for name in table.names if name not in ("instance", "target", *everyone)]
        return _values(table, "instance", "target", ids, known, factors)

    selection = folder / f"{SELECTION}.csv"
    shifted = {unquote(file.stem): values(file) for file in sorted((folder / SHIFTED).glob("*.csv"))}
    chosen_on = values(selection) if selection.is_file() else None
    return ValueSets(values(folder / f"{TEST}.csv"), chosen_on, shifted, cluster, groups)


def read_values(
    path: str | Path,
    *,
    label: str | None = None,
    instance: str | None = None,
    models: Sequence[str] = (),
    groups: Sequence[str] = (),
    factors: str | Path | None = None,
) -> Values:
    """Values from a table with a row per instance: its id, the true number, and a column per model.

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
    if roles.label is None:
        raise no_label(table, cells_are_binary=False)
    told = None if factors is None else factors_of(list(roles.models), Path(factors))
    return _values(table, roles.instance, roles.label, roles.models, roles.groups, told)


def _values(
    table: ColumnTable,
    instance: str | None,
    label: str,
    models: Sequence[str],
    known: Sequence[str],
    factors: pd.DataFrame | None,
) -> Values:
    absent = next((name for name in (*([instance] if instance else []), label, *models) if name not in table.names), "")
    if absent:
        raise InputError(f"{table.source} has no column {absent!r}", "a column of true numbers and one of every model")
    if not models:
        raise InputError(f"{table.source} has no column of a model", "a column of numbers for every model")
    targets = _numbers(table, label)
    index = pd.RangeIndex(len(targets), name="instance")
    rows = pd.Index(table.ids(instance), name="instance") if instance else index
    if rows.has_duplicates:
        twice = rows[rows.duplicated()].tolist()[0]
        raise InputError(f"{table.source} has the instance {twice!r} more than once", "one row per instance")
    columns = {name: table.values(name).to_numpy() for name in known}
    predicted = np.stack([_numbers(table, name) for name in models])
    return Values(predicted, targets, tuple(models), factors=factors, instances=pd.DataFrame(columns, index=rows))


def _numbers(table: ColumnTable, name: str) -> Float[np.ndarray, " n"]:
    column = table.values(name)
    if not pd.api.types.is_numeric_dtype(column):
        strange = next((v for v in column if v is not None and not _is_number(v)), None)
        raise InputError(
            f"column {name!r} of {table.source} holds {strange!r}",
            "numbers",
            "choose the columns of models with models (--models), or name groups (--group)",
        )
    numbers: Float[np.ndarray, " n"] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _table(values: Values) -> pd.DataFrame:
    columns = ["target", *map(str, values.known.columns), *values.models]
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None or "instance" in columns:
        raise InputError(f"two columns called {twice or 'instance'!r}", "a name of its own for every model and column")
    numbers = dict(zip(values.models, values.predicted, strict=True))
    table = pd.DataFrame({"target": values.targets, **numbers}, index=values.known.index)
    return pd.concat([table[["target"]], values.known, table[list(values.models)]], axis=1)
