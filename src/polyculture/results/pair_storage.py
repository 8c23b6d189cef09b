"""How are the matrices of many models stored? The counts of instances, and what does not follow from them.

A measure of pairs is a formula on a few counts. Of more than 200 models only the counts are stored and the name of
the formula, wherever it gives the numbers again; the others are packed. What is read is held to a stored sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from polyculture.errors import InputError
from polyculture.measures.counts import PairCounts
from polyculture.measures.pairs import MEASURES
from polyculture.stats import benjamini_hochberg, co_failure, kappa_limits

from .packing import (
    LARGEST_EXACT,
    TOLERANCE,
    check_digest,
    digest,
    packed,
    packed_table,
    same_numbers,
    unpacked,
    unpacked_table,
)

Counts = Mapping[str, Int[np.ndarray, "m m"]]
Values = Mapping[str, Float[np.ndarray, "m m"]]
LEVEL = 0.95
ROUNDING = 1e-12
CELLS = ("both_right", "a_right_b_wrong", "a_wrong_b_right", "both_wrong")

COUNT_FORMULAS: Mapping[str, Callable[[Counts], Shaped[np.ndarray, "m m"]]] = {
    "a_right_b_wrong": lambda counts: np.diag(counts["both_wrong"])[None, :] - counts["both_wrong"],
    "a_wrong_b_right": lambda counts: counts["a_right_b_wrong"].T.copy(),
    "both_right": lambda counts: (
        counts["n"] - counts["a_right_b_wrong"] - counts["a_wrong_b_right"] - counts["both_wrong"]
    ),
}
"""Counts that follow from those before them: the diagonal of both_wrong holds the errors of each model."""


def _pair_counts(counts: Counts) -> PairCounts:
    """The counts as measures take them, if every instance has answers of all and offers as many options."""
    n11, n10, _, n00 = (counts[name] for name in CELLS)
    wrong = counts.get("same_wrong")
    if wrong is None:
        return PairCounts(counts["n"], n11, n10, n00)
    return PairCounts(counts["n"], n11, n10, n00, n11 + wrong, wrong, n00)


def _upper(values: Float[np.ndarray, " k"], m: int) -> Float[np.ndarray, "m m"]:
    """A symmetric matrix from its upper triangle; nan on the diagonal."""
    matrix = np.full((m, m), np.nan)
    matrix[np.triu_indices(m, 1)] = values
    return np.where(np.isnan(matrix), matrix.T, matrix)


def _kappa_limit(side: str) -> Callable[[Counts, Values, float], Float[np.ndarray, "m m"]]:
    def limit(counts: Counts, _: Values, factor: float) -> Float[np.ndarray, "m m"]:
        a, b = np.triu_indices(len(counts["n"]), 1)
        cells = np.stack([counts[name][a, b] for name in CELLS], axis=1)
        limits = kappa_limits(cells / factor, LEVEL)
        return _upper(limits.low if side == "low" else limits.high, len(counts["n"]))

    return limit


def _co_failure(counts: Counts, _: Values, __: float) -> Float[np.ndarray, "m m"]:
    m = len(counts["n"])
    a, b = np.triu_indices(m, 1)
    n00, n01, n10 = (counts[name][a, b] for name in ("both_wrong", "a_wrong_b_right", "a_right_b_wrong"))
    return _upper(co_failure(counts["n"][a, b], n01 + n00, n10 + n00, n00), m)


def _adjusted(_: Counts, values: Values, __: float) -> Float[np.ndarray, "m m"]:
    m = len(values["p"])
    return _upper(benjamini_hochberg(values["p"][np.triu_indices(m, 1)]), m)


def _both_wrong_adjusted(counts: Counts, _: Values, chance: float) -> Float[np.ndarray, "m m"]:
    baseline = counts["both_wrong"] * chance
    joint = counts["both_wrong"] - baseline
    adjusted: Float[np.ndarray, "m m"] = np.full(joint.shape, np.nan)
    np.divide(counts["same_wrong"] - baseline, joint, out=adjusted, where=joint != 0)
    return adjusted


def _measure(name: str) -> Callable[[Counts, Values, float], Float[np.ndarray, "m m"]]:
    return lambda counts, _, __: MEASURES[name](_pair_counts(counts))


FORMULAS: Mapping[str, Callable[[Counts, Values, float], Float[np.ndarray, "m m"]]] = {
    **{name: _measure(name) for name in MEASURES if name != "both_wrong_adjusted"},
    "both_wrong_adjusted": _both_wrong_adjusted,
    "kappa_low": _kappa_limit("low"),
    "kappa_high": _kappa_limit("high"),
    "p": _co_failure,
    "p_adjusted": _adjusted,
}
"""Matrices that follow from the counts and the matrices before them, by their name; docs/methods/pairs.md."""


def stored_matrices(counts: Counts, values: Values) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Counts and values as JSON: packed, or the name of a formula; None where the matrices are small enough."""
    if len(counts.get("n", ())) <= LARGEST_EXACT:
        return None
    return _stored_counts(counts), _stored_values(counts, values)


def _stored_counts(counts: Counts) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, table in counts.items():
        usable = name in COUNT_FORMULAS and set(CELLS) <= set(counts)
        formula = usable and np.array_equal(COUNT_FORMULAS[name](counts), table)
        result[name] = {"formula": name, **digest(table)} if formula else packed_table(table)
    return result


def _stored_values(counts: Counts, values: Values) -> dict[str, Any]:
    result: dict[str, Any] = {}
    read: dict[str, Float[np.ndarray, "m m"]] = {}
    for name, matrix in values.items():
        factor = _factor(name, counts, matrix)
        computed = _computed(name, counts, read, factor, np.isnan(matrix)) if _applies(name, counts, read) else None
        if computed is not None and same_numbers(computed, matrix, ROUNDING if factor != 1 else 0.0):
            undefined = packed(np.packbits(np.isnan(matrix)), "|u1")
            result[name] = {"formula": name, "factor": factor, "undefined": undefined, **digest(computed)}
            read[name] = computed
        else:
            result[name] = packed_table(matrix)
            read[name] = unpacked_table(result[name]).astype(np.float64)
    return result


def _applies(name: str, counts: Counts, values: Values) -> bool:
    """Whether there is all that the formula of a matrix needs."""
    answers = name not in ("agreement", "both_wrong_agreement", "both_wrong_adjusted") or "same_wrong" in counts
    return name in FORMULAS and set(CELLS) <= set(counts) and answers and (name != "p_adjusted" or "p" in values)


def _factor(name: str, counts: Counts, matrix: Float[np.ndarray, "m m"]) -> float:
    """The one number that a formula needs beyond the counts: the chance of picking the same wrong answer; 1 else."""
    if name != "both_wrong_adjusted" or "same_wrong" not in counts:
        return 1.0
    joint, equal = (counts[key].astype(float) for key in ("both_wrong", "same_wrong"))
    usable = np.isfinite(matrix) & (matrix < 0.999) & (joint > 0)
    if not usable.any():
        return 1.0
    place = np.unravel_index(int(np.argmax(np.where(usable, joint, 0))), joint.shape)
    chance = (equal[place] - matrix[place] * joint[place]) / ((1 - matrix[place]) * joint[place])
    # One over a whole number where every instance offers as many options; its last digits decide what is exactly 0.
    choices = round(1 / chance) if chance > 0 else 0
    return 1 / choices if choices and abs(choices * chance - 1) < TOLERANCE else 1.0


def _computed(
    name: str, counts: Counts, values: Values, factor: float, undefined: Shaped[np.ndarray, "m m"]
) -> Float[np.ndarray, "m m"]:
    return np.where(undefined, np.nan, FORMULAS[name](counts, values, factor))


def read_counts(stored: Mapping[str, Any], decode: Callable[[Any], Int[np.ndarray, "m m"]]) -> Counts:
    """The counts that `stored_matrices` wrote.

    Parameters
    ----------
    decode : makes a matrix of its plain or packed form.
    """
    counts = {name: decode(table) for name, table in stored.items() if "formula" not in table}
    for name, formula in COUNT_FORMULAS.items():
        if name in stored and name not in counts:
            counts[name] = formula(counts)
            check_digest(counts[name], stored[name], name)
    return {name: counts[name] for name in stored}


def read_values(stored: Mapping[str, Any], counts: Counts, decode: Callable[[Any], Float[np.ndarray, "m m"]]) -> Values:
    """The matrices that `stored_matrices` wrote; InputError where one does not come out as it was written."""
    values: dict[str, Float[np.ndarray, "m m"]] = {}
    for name, table in stored.items():
        if "formula" not in table:
            values[name] = decode(table)
            continue
        if table["formula"] not in FORMULAS:
            raise InputError(f"a matrix by the formula {table['formula']!r}", "one that this version knows", "update")
        m = len(counts["n"])
        undefined = np.unpackbits(unpacked(table["undefined"], "|u1"), count=m * m).astype(bool).reshape(m, m)
        values[name] = _computed(table["formula"], counts, values, table["factor"], undefined)
        check_digest(values[name], table, name)
    return values
