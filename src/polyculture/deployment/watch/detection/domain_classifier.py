"""Can live rows be told from reference rows? A classifier that tries; its AUC is ½ where nothing has changed.

Tests of single columns miss changes in how columns go together, and many columns cost them power. The classifier is a
logistic regression of standardized numbers, their squares and their products with the first ones, missing cells and
categories. It is fitted on half of the rows and judged on the other half: scores of cross-fitting depend on each other,
and without any change their limits covered ½ in 79 % of 200 simulations; those of a split did in 94 % of 1,500.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, ndtri

from polyculture.rng import stream
from polyculture.stats import Interval

PENALTY = 1.0
STEPS = 12
MOST_ROWS = 2_000
"""Rows of each side; of more, that many are drawn."""
MOST_PRODUCTS = 12
"""Numbers whose products of two are features."""
MOST_CATEGORIES = 30
FEWEST = 50
METHOD = "logistic regression, split in half, DeLong"


def domain_auc(
    recent: Float[np.ndarray, "n d"],
    reference: Float[np.ndarray, "r d"],
    categories: Sequence[int] = (),
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """How well live rows can be told from reference rows: area under the ROC curve, in [0, 1].

    Parameters
    ----------
    recent, reference : rows of numbers; nan for a missing cell.
    categories : by column the number of categories whose codes it holds; 0 for a number. All numbers, if empty.

    ½ where they cannot be told apart; 0.6 is a small change and 0.8 a large one. Undefined with fewer than 50 rows of
    either. Source of the limits: DeLong et al. 1988.
    """
    rng = stream(seed, "domain classifier")
    if min(len(recent), len(reference)) < FEWEST or not recent.shape[1]:
        return Interval.undefined(f"fewer than {FEWEST} rows", len(recent))
    sides = [rows[np.sort(rng.permutation(len(rows))[:MOST_ROWS])] for rows in (reference, recent)]
    X = _features(sides[0], sides[1], list(categories) or [0] * recent.shape[1])
    y = np.repeat([0.0, 1.0], [len(rows) for rows in sides])
    fitted = np.concatenate([rng.permutation(len(rows)) % 2 == 0 for rows in sides])
    score = X[~fitted] @ _logistic(X[fitted], y[fitted])
    return auc_interval(score, y[~fitted].astype(int), level)


def _features(
    reference: Float[np.ndarray, "r d"], recent: Float[np.ndarray, "n d"], categories: list[int]
) -> Float[np.ndarray, "k f"]:
    """Numbers standardized by the reference, squares, products, missing cells and categories; a constant first."""
    rows = np.concatenate([reference, recent])
    columns, numbers = [np.ones(len(rows))], []
    for j, size in enumerate(categories):
        values, missing = rows[:, j], np.isnan(rows[:, j])
        if missing.any():
            columns.append(missing.astype(float))
        if size:
            columns += [(values == code).astype(float) for code in range(-1, min(size, MOST_CATEGORIES))]
            continue
        present = values[: len(reference)][~missing[: len(reference)]]
        if len(present) and present.std() > 0:
            # Ranks within the reference would be safer against heavy tails; a squashed z-score is nearly as safe.
            numbers.append(np.where(missing, 0.0, 3 * np.tanh((values - present.mean()) / present.std() / 3)))
    columns += [*numbers, *(z**2 for z in numbers)]
    first = numbers[:MOST_PRODUCTS]
    columns += [first[a] * first[b] for a in range(len(first)) for b in range(a)]
    return np.column_stack(columns)


def _logistic(X: Float[np.ndarray, "k f"], y: Float[np.ndarray, " k"]) -> Float[np.ndarray, " f"]:
    """Coefficients of a logistic regression with a small ridge penalty, by Newton's method."""
    w, ridge = np.zeros(X.shape[1]), PENALTY * np.eye(X.shape[1])
    ridge[0, 0] = 1e-9
    for _ in range(STEPS):
        p = expit(X @ w)
        gradient = X.T @ (y - p) - ridge @ w
        hessian = (X * (p * (1 - p))[:, None]).T @ X + ridge
        step = np.linalg.solve(hessian, gradient)
        w = w + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-6:
            break
    return w


def auc_interval(score: Float[np.ndarray, " k"], label: Int[np.ndarray, " k"], level: float = 0.95) -> Interval:
    """Area under the ROC curve with DeLong's limits, ties counted half.

    Parameters
    ----------
    score : higher for label 1.
    label : 0 or 1.

    Source: DeLong et al. 1988.
    """
    positive, negative = score[label == 1], score[label == 0]
    if min(len(positive), len(negative)) < 2:
        return Interval.undefined("fewer than two rows of a side", len(score))
    of_positive = _placements(positive, negative)
    of_negative = 1 - _placements(negative, positive)
    auc = float(of_positive.mean())
    variance = of_positive.var(ddof=1) / len(positive) + of_negative.var(ddof=1) / len(negative)
    reach = float(ndtri(0.5 + level / 2)) * math.sqrt(variance)
    return Interval(auc, max(0.0, auc - reach), min(1.0, auc + reach), level, len(score), METHOD)


def _placements(values: Float[np.ndarray, " a"], comparison: Float[np.ndarray, " b"]) -> Float[np.ndarray, " a"]:
    """Share of the others below each value, ties counted half."""
    order = np.sort(comparison)
    sides = [np.searchsorted(order, values, side=side) for side in ("left", "right")]
    return (sides[0] + sides[1]) / (2 * len(order))
