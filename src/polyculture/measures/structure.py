"""Into how many kinds do the models fall, however hard the instances are? A description, blind to what all share.

Each model's errors are standardised and the mean over the models is taken off every instance. What is left of models
that fail independently given any difficulty looks alike in all directions; kinds of models stick out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

BLOCK = 8192
"""Instances turned into floats at a time."""
FEW_ERRORS = 30
"""Models with fewer errors (or fewer right answers) are left out: the estimate overshoots with them."""
FEW_MODELS = f"fewer than three models have {FEW_ERRORS} right and {FEW_ERRORS} wrong answers"


@dataclass(frozen=True, eq=False)
class StructuralNumber:
    """The number of kinds of models beyond difficulty, and what a delete-a-block interval needs. Descriptive.

    Parameters
    ----------
    n_struct : 1 for copies, c for c equally large kinds given difficulty, m for models that share difficulty only;
        inf where the estimated spread is 0 or less.
    leave_outs : the same without each block of instances; empty without blocks.
    informative : models with enough errors and right answers to be used.
    n : instances.
    reason : why it is undefined; empty otherwise.
    """

    n_struct: float
    leave_outs: Float[np.ndarray, " g"]
    informative: Bool[np.ndarray, " m"]
    n: int
    reason: str = ""


def structural(wrong: Bool[np.ndarray, "m n"], block: Int[np.ndarray, " n"] | None = None) -> StructuralNumber:
    """Difficulty-free number of kinds of models: 1 + tr(S)²/tr(S²), S the covariance of item-centred errors.

    One pass; memory for m × m per block. Biased by some per cent where models discriminate unequally, and its interval
    is too narrow near exact copies: label it descriptive.

    Parameters
    ----------
    wrong : where a model is wrong, on instances that every model answered.
    block : block 0, 1, … of each instance, for delete-a-block replicates.

    Source: participation ratio with the unbiased estimator of tr(S²) of Himeno and Yamada 2014.
    """
    n = wrong.shape[1]
    errors = wrong.sum(axis=1)
    informative = np.minimum(errors, n - errors) >= FEW_ERRORS
    if informative.sum() < 3:
        return StructuralNumber(math.nan, np.zeros(0), informative, n, FEW_MODELS)
    if not informative.all():
        wrong, errors = wrong[informative], errors[informative]
    ends = np.array([n])
    if block is not None:
        order = np.argsort(block, kind="stable")
        wrong = np.take(wrong, order, axis=1)
        ends = np.append(np.flatnonzero(np.diff(block[order])) + 1, n)
    starts = np.append(0, ends[:-1])
    # Sums by block, so that leaving one out is a subtraction and not another pass.
    joint, fourth = zip(*(_sums(wrong[:, i:j], errors, n) for i, j in zip(starts, ends, strict=True)), strict=True)
    joint_all, fourth_all = np.sum(joint, axis=0), float(sum(fourth))
    blocks = zip(joint, fourth, ends - starts, strict=True)
    leave_outs = np.array([_ratio(joint_all - j, fourth_all - q, n - int(k)) for j, q, k in blocks if k < n])
    return StructuralNumber(_ratio(joint_all, fourth_all, n), leave_outs, informative, n)


@np.errstate(invalid="ignore")  # all numbers are finite, but BLAS kernels may raise the flag on what pads a vector
def _sums(
    wrong: Bool[np.ndarray, "m n"], errors: Int[np.ndarray, " m"], total: int
) -> tuple[Float[np.ndarray, "m m"], float]:
    """Joint errors, and the sum of fourth powers of the lengths of the item-centred standardised errors."""
    m, n = wrong.shape
    rate = errors / total
    scale = 1 / np.sqrt(rate * (1 - rate) * total / (total - 1))
    # (NM6): Σ (E − e)² v and Σ (E − e) v are linear in E, as E² = E; the item-centred length needs only these two.
    weights = np.stack([scale**2 * (1 - 2 * rate), scale]).astype(np.float32)
    joint, fourth = np.zeros((m, m)), 0.0
    for start in range(0, n, BLOCK):
        E = wrong[:, start : start + BLOCK].astype(np.float32)  # counts this few instances exactly
        joint += E @ E.T
        squares, sums = (weights @ E).astype(float)
        squares, sums = squares + float((scale * rate) @ (scale * rate)), sums - float(scale @ rate)
        fourth += float(((squares - sums**2 / m) ** 2).sum())
    return joint, fourth


def _ratio(joint: Float[np.ndarray, "m m"], fourth: float, n: int) -> float:
    """n_struct from joint errors; the traces of the item-centred correlation matrix need no matrix product."""
    m = len(joint)
    rate = np.diag(joint) / n
    variance = rate * (1 - rate)
    if (variance <= 0).any() or n < 4:
        return math.nan
    R = (joint / n - np.outer(rate, rate)) / np.sqrt(np.outer(variance, variance))
    rows = R.sum(axis=1)
    # (NM7): H R H multiplied out, for which the row sums of R suffice.
    trace = m - rows.sum() / m
    # Copies: nothing is left after the item mean is taken off, and 0/0 would be all rounding.
    if trace < 1e-9 * m:
        return 1.0
    square = (R**2).sum() - 2 * (rows**2).sum() / m + rows.sum() ** 2 / m**2
    q = fourth / (n - 1)
    # (NM6): the plain trace of S² is too large by the noise of every entry, the more the more models there are.
    unbiased = (n - 1) / (n * (n - 2) * (n - 3)) * ((n - 1) * (n - 2) * square + trace**2 - n * q)
    return 1 + trace**2 / unbiased if unbiased > 0 else math.inf
