"""How do columns by model id become arrays and tables? Lengths, kinds and ids are checked on the way."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float, Int, UInt64

from polyculture.errors import InputError, near

MISSING = -1
"""Code of a cell that was never observed: no answer, no outcome."""

TOLERANCE = 0.02
"""Largest difference from 1 of the sum of probabilities."""
_ROUNDING = 1e-6
_CELLS = 1 << 22
_ROWS = 1 << 17
_MASKS = np.array([2 ** (8 * size) - 1 for size in range(9)], np.uint64)

Columns = Mapping[str, Iterable[Any]] | pd.DataFrame


def are_classes(sizes: Int[np.ndarray, " c"]) -> bool:
    """Whether labels with these numbers of instances are classes; see `Predictions.has_fixed_classes`."""
    # An open-ended answer that occurs a few times predicts little but itself; many of them would explain everything.
    return bool(10 * sizes[sizes >= 5].sum() >= 9 * sizes.sum() and np.count_nonzero(sizes) > 1)


def smallest_integer(classes: int) -> type[np.signedinteger[Any]]:
    """The narrowest signed type that holds codes −1 … classes − 1."""
    return np.int8 if classes <= 127 else np.int16 if classes <= 32767 else np.int32


def code_counts(codes: Int[np.ndarray, " n"], classes: int) -> Int[np.ndarray, " c"]:
    """How often each class occurs in codes −1 … classes − 1; MISSING is not counted."""
    size = codes.dtype.itemsize
    n_codes = 1 << 8 * size
    if size > 2 or len(codes) < n_codes or not codes.flags.c_contiguous:
        counts: np.ndarray = np.bincount(codes[codes != MISSING], minlength=classes)
    elif size == 1 and len(codes) >= 1 << 17:  # two at a time
        half = len(codes) // 2
        pairs = np.bincount(codes[: 2 * half].view(np.uint16), minlength=1 << 16).reshape(n_codes, n_codes)
        counts = pairs.sum(axis=0) + pairs.sum(axis=1)
        counts += np.bincount(codes[2 * half :].view(np.uint8), minlength=n_codes)
    else:
        counts = np.bincount(codes.view(f"u{size}"), minlength=n_codes)
    return counts[:classes]  # MISSING, as an unsigned number, is the last


def are_distinct_texts(index: pd.Index[Any]) -> bool:
    """Whether an index of texts is known to have no repeats by its first and last eight bytes; False if unsure."""
    if not isinstance(index.dtype, pd.StringDtype) or not len(index):
        return False
    array = pa.array(index.array, pa.large_string())
    texts = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    _, offsets, content = texts.buffers()
    if texts.null_count or content is None:
        return False
    ends = np.frombuffer(offsets, np.int64)[texts.offset :][: len(texts) + 1] + 8
    padded = bytes(8) + content.to_pybytes() + bytes(8)
    words: np.ndarray = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))
    if _are_in_order(words, ends):
        return True
    sizes = np.diff(ends)
    keys = words[ends[:-1]] & _MASKS.take(sizes, mode="clip")
    if int(sizes.max()) > 8:
        keys += words[ends[1:] - 8] * (sizes > 8) * np.uint64(0x9E3779B97F4A7C15)
    keys.sort()
    return bool((keys[1:] != keys[:-1]).all())


def _are_in_order(words: UInt64[np.ndarray, " _"], ends: Int[np.ndarray, " n1"]) -> bool:
    """Whether each text is longer than the one before, or as long and later in the alphabet, as numbered ids are."""
    for start in range(0, len(ends) - 2, _ROWS):
        part = ends[start : start + _ROWS + 2]
        sizes = np.diff(part)
        first = (words[part[:-1]] & _MASKS.take(sizes, mode="clip")).byteswap()
        last = (words[part[1:] - 8] * (sizes > 8)).byteswap()
        is_later = (first[1:] > first[:-1]) | ((first[1:] == first[:-1]) & (last[1:] > last[:-1]))
        if not ((sizes[1:] > sizes[:-1]) | ((sizes[1:] == sizes[:-1]) & is_later)).all():
            return False
    return True


def fractions_error(source: str, value: object) -> InputError:
    """The error for a column of fractions: those are scores or probabilities, not answers."""
    return InputError(
        f"{source} holds fractions such as {value}",
        "answers: integers, strings or booleans",
        "turn scores into answers first, or leave the column out",
    )


def object_columns(columns: Columns) -> dict[str, pd.Series[Any]]:
    """Columns of any kind of value by model id."""
    return {
        str(name): pd.Series(one_dimensional(str(name), column), dtype=object)
        for name, column in by_index(columns).items()
    }


def encode_answers(
    columns: Mapping[str, pd.Series[Any]], truth: pd.Series[Any]
) -> tuple[Int[np.ndarray, "m1 n"], tuple[str, ...]]:
    """Codes of the true answers (first row) and of each model's answers, and the classes that the codes stand for."""
    check_lengths({"labels": len(truth)} | {name: len(column) for name, column in columns.items()})
    if truth.isna().any():
        raise InputError(f"{int(truth.isna().sum())} instances have no label", "a true answer for every instance")
    _check_no_fractions("the label column", truth)
    for name, column in columns.items():
        _check_no_fractions(f"model column {name!r}", column)
    cells = pd.concat([truth, *columns.values()], ignore_index=True)
    nested = next((value for value in cells if not isinstance(value, Hashable)), None)
    if nested is not None:
        raise InputError(f"an answer or label is {nested!r:.60}", "integers, strings or booleans")
    sortable = len({str if isinstance(value, str) else float for value in cells.dropna().unique()}) == 1
    codes, classes = pd.factorize(cells, sort=sortable)
    table = codes.reshape(len(columns) + 1, len(truth)).astype(smallest_integer(len(classes)))
    return table, tuple(str(int(c)) if isinstance(c, float) else str(c) for c in classes)


def encode_by_name(
    codes: Int[np.ndarray, "m1 n"], values: Sequence[str], classes: Iterable[Any]
) -> tuple[Int[np.ndarray, "m1 n"], tuple[str, ...]]:
    """Codes of `values` as codes of named classes; values that are the numbers 0 … c - 1 count as such codes.

    Without names the classes are the values.
    """
    if isinstance(classes, str):
        raise InputError(f"classes is the text {classes!r}", "a list with the name of every class")
    names = tuple(str(name if not isinstance(name, float) or name % 1 else int(name)).strip() for name in classes)
    if not names:
        return codes, tuple(values)
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the class {repeated!r} is named twice", "a name of its own for every class")
    numbers = [str(code) for code in range(len(names))]
    if not set(values) <= set(names) and set(values) <= set(numbers):
        values = [names[int(value)] for value in values]
    unknown = next((value for value in values if value not in names), None)
    if unknown is not None:
        raise InputError(
            f"the answer or label {unknown!r} is none of the {len(names)} classes",
            f"one of {', '.join(names[:5])}{', …' if len(names) > 5 else ''}",
            near(unknown, names),
        )
    index = {name: code for code, name in enumerate(names)}
    positions = np.array([*(index[value] for value in values), MISSING], smallest_integer(len(names)))
    return positions[codes], names  # MISSING is the last position


def outcome_table(columns: Columns, ids: list[str], n: int | None = None) -> Int[np.ndarray, "m n"]:
    """Outcomes of these models in this order: 1 right, 0 wrong, MISSING unknown."""
    series = object_columns(columns)
    if set(series) != set(ids):
        unmatched = next(name for name in [*ids, *series] if (name in series) != (name in ids))
        raise InputError(f"answers or outcomes of {unmatched!r} are missing", "both of every model")
    check_lengths(({} if n is None else {"labels": n}) | {name: len(column) for name, column in series.items()})
    outcomes = np.full((len(series), len(next(iter(series.values()), []))), MISSING, np.int8)
    for row, name in zip(outcomes, ids, strict=True):
        observed = series[name].notna()
        values = series[name][observed]
        invalid = values[~values.isin([0, 1, True, False])]
        if len(invalid):
            raise InputError(f"outcome {invalid.iloc[0]!r} of model {name!r}", "true/false or 1/0 per instance")
        row[observed.to_numpy()] = values.astype(np.int8)
    return outcomes


def value_table(columns: Columns, targets: Float[np.ndarray, " n"]) -> Float[np.ndarray, "m n"]:
    """Predicted numbers, a row per model."""
    rows = {
        str(name): np.asarray(one_dimensional(str(name), column), dtype=np.float64) for name, column in columns.items()
    }
    for name, row in rows.items():
        if len(row) != len(targets):
            raise InputError(f"{name} has {len(row)} values but there are {len(targets)} targets", "one per instance")
    if not rows:
        raise InputError("no models", "two models or more")
    return np.stack(list(rows.values()))


def model_table(models: pd.DataFrame | None, ids: list[str]) -> pd.DataFrame:
    """The rows of the table that belong to these models, in their order; without columns where there is no table."""
    if models is None:
        return pd.DataFrame(index=pd.Index(ids, name="model", dtype=object))
    absent = [model for model in ids if model not in models.index]
    if absent:
        raise InputError(f"the model table has no row for {absent[0]!r}", "one row per model, indexed by model id")
    return models.loc[ids]


def instance_table(instances: pd.DataFrame | None, n: int) -> pd.DataFrame:
    """The table with a row for each of n instances; numbered and without columns where there is no table."""
    if instances is None:
        return pd.DataFrame(index=pd.RangeIndex(n, name="instance"))
    if len(instances) != n:
        raise InputError(
            f"the instance table has {len(instances)} rows but there are {n} instances", "one row per instance"
        )
    return instances


def by_index(columns: Columns, reference: Any = None) -> dict[str, Any]:
    """The columns in the order of the reference, or else of the first; only those with an index (pandas) can differ.

    Raises InputError where two have other indices, or where one without an index stands among ones in several orders.
    """
    indexed = {name: column for name, column in columns.items() if isinstance(column, (pd.Series, pd.DataFrame))}
    has_reference = isinstance(reference, (pd.Series, pd.DataFrame))
    first_name, first = ("label", reference) if has_reference else next(iter(indexed.items()), ("", None))
    if first is None or any(len(column) != len(first) for column in indexed.values()):
        return dict(columns)  # lengths are checked later
    if all(column.index.equals(first.index) for column in indexed.values()):
        return dict(columns)
    for name, column in indexed.items():
        unique = column.index.is_unique and first.index.is_unique
        if not unique or not first.index.isin(column.index).all():
            absent = next((key for key in first.index.tolist() if key not in column.index), first.index.tolist()[0])
            raise InputError(
                f"the index of {name} is not that of {first_name}, such as {plain(absent)!r}",
                "the same index for all, each key once",
                "give arrays (.to_numpy()) or reset the index (.reset_index(drop=True)) if the order of rows counts",
            )
    unindexed = next((name for name in columns if name not in indexed), "label" if reference is not None else "")
    if unindexed and (unindexed in columns or not has_reference):
        raise InputError(
            f"{unindexed} has no index but others have the same index in several orders",
            "an index for all, or for none",
            "give all as pandas Series, or all as arrays in the same order",
        )
    return {str(name): column.loc[first.index] for name, column in indexed.items()}


def one_dimensional(name: str, values: Any) -> list[Any]:
    """Answers or labels as a list; a single column is taken out of its table, and one-hot rows become their class."""
    if not isinstance(values, (np.ndarray, pd.DataFrame)):
        cells = list(values)
        if not any(isinstance(cell, (list, tuple, np.ndarray)) for cell in cells[:1]):
            return cells
        values = cells
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and is_one_hot(array):
        array = array.argmax(axis=1)
    if array.ndim != 1:
        raise InputError(
            f"{name} is an array of the shape {array.shape}",
            "n answers, a number or a text per instance",
            "take argmax(axis=1) of scores per class",
        )
    return list(array.tolist())


def is_one_hot(table: np.ndarray) -> bool:
    """Whether every row holds a single 1 and else zeros."""
    if table.ndim != 2 or table.dtype.kind not in "fiub":
        return False
    return bool(np.isin(table, (0, 1)).all() and (table.sum(axis=1) == 1).all())


def check_lengths(lengths: Mapping[str, int]) -> None:
    """Raise InputError if two columns differ in length."""
    if len(set(lengths.values())) > 1:
        first, *columns = lengths.items()
        second = next(column for column in columns if column[1] != first[1])
        raise InputError(
            f"{first[0]} has {first[1]} instances but {second[0]} has {second[1]}",
            "the same instances, in the same order, for every model",
        )


def check_probabilities(
    probabilities: Float[np.ndarray, "m n c"],
    models: Sequence[str],
    instances: Sequence[Any] | pd.Index[Any],
    answers: Int[np.ndarray, "m n"] | None = None,
) -> None:
    """Raise InputError for a row that is no distribution; rows of nan or zeros are allowed where no answer is."""
    rows = max(1, _CELLS // max(probabilities.shape[2], 1))
    for m, model in enumerate(models):
        for start in range(0, probabilities.shape[1], rows):
            block = np.asarray(probabilities[m, start : start + rows])
            if block.dtype.kind not in "fiub":
                raise InputError(f"the probabilities of {model!r} are of the type {block.dtype}", "numbers in 0 … 1")
            sums = block.sum(axis=1, dtype=np.float64)
            invalid = ~((np.abs(sums - 1) <= TOLERANCE) & (block.min(axis=1, initial=0) >= -_ROUNDING))
            if answers is not None and invalid.any():
                empty = np.isnan(block).all(axis=1) | ~block.any(axis=1)
                invalid &= ~(empty & (answers[m, start : start + rows] == MISSING))
            if invalid.any():
                row = int(invalid.argmax())
                raise _no_distribution(model, instances[start + row], block[row])


def _no_distribution(model: str, instance: object, row: Float[np.ndarray, " c"]) -> InputError:
    """The error for a row that is no distribution, with the cure that fits the numbers."""
    total = float(row.sum(dtype=np.float64))
    cure = "apply softmax to logits first, or give the answers (argmax) instead"
    if len(row) == 1:
        cure = "a sigmoid's single column p becomes two with np.hstack([1 - p, p]); logits need softmax first"
    elif not np.isfinite(row).all():
        cure = "compute softmax in float32 or wider, or give nan in the whole row where there is no answer"
    elif np.all(row >= 0) and abs(total - 100) <= 100 * TOLERANCE:
        cure = "divide percentages by 100; logits need softmax first"
    elif np.all((row >= 0) & (row <= 1)):
        cure = "divide every row by its sum, or apply softmax to logits first"
    low = f" and its smallest is {float(row.min()):.3g}" if row.min(initial=0) < 0 else ""
    return InputError(
        f"the probabilities of {model!r} for instance {plain(instance)!r} sum to {total:.4g}{low}",
        f"probabilities: finite numbers of 0 or more with the sum 1 (± {TOLERANCE})",
        cure,
    )


def plain(value: Any) -> Any:
    """The value as Python's own type, for messages."""
    return value.item() if isinstance(value, np.generic) else value


def _check_no_fractions(source: str, column: pd.Series[Any]) -> None:
    values = column.dropna().infer_objects()
    if pd.api.types.is_float_dtype(values) and not (values % 1 == 0).all():
        raise fractions_error(source, values[values % 1 != 0].iloc[0])
