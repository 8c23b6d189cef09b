"""Do models decide for the same reasons? Agreement of their largest attributions, by pair and by instance.

The measures of Krishna et al. 2022 for two explanations of an instance, here of two models instead of two methods:
which features are among the k largest, in which rank and with which sign, and the rank correlation of all sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..effective import EffectiveNumber
from ..effective_vectors import effective_vectors
from .explanations import SHIFTS, centred_ranks

REASON_MEASURES = ("feature", "rank", "sign", "signed_rank", "correlation")
"""Share of the top k in common; in common with the same rank; with the same sign; with both; Spearman of all sizes."""
CELLS = 1 << 22
"""Comparisons made at a time."""


@dataclass(frozen=True, eq=False)
class ReasonAgreement:
    """How much the explanations of every two models agree, on every instance.

    Parameters
    ----------
    models : how many.
    k : features that count as the reasons.
    values : p pairs × n instances by measure (`REASON_MEASURES`), in [0, 1], the correlation in [−1, 1]; nan where
        neither explanation has any reason (correlation: where the sizes of one do not vary).
    """

    models: int
    k: int
    values: Mapping[str, Float[np.ndarray, "p n"]]

    @property
    def pairs(self) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
        """First and second model of each pair."""
        first, second = np.triu_indices(self.models, 1)
        return first.astype(np.int64), second.astype(np.int64)

    def matrix(self, measure: str = "feature") -> Float[np.ndarray, "m m"]:
        """Mean over instances of every two models, 1 on the diagonal."""
        matrix = np.eye(self.models)
        matrix[self.pairs] = _mean(self.values[measure], 1)
        matrix.T[self.pairs] = matrix[self.pairs]
        return matrix

    def by_instance(self, measure: str = "feature", mask: Bool[np.ndarray, "p n"] | None = None) -> np.ndarray:
        """Mean over the pairs (of `mask`) on every instance; nan where there is none."""
        values = self.values[measure]
        return _mean(values if mask is None else np.where(mask, values, np.nan), 0)

    def take(self, pairs: Bool[np.ndarray, " p"]) -> Mapping[str, Float[np.ndarray, "q n"]]:
        """The values of some pairs by measure."""
        return {name: values[pairs] for name, values in self.values.items()}


def reason_agreement(values: Float[np.ndarray, "m n d"], k: int = 5) -> ReasonAgreement:
    """Agreement of the explanations of every two models, in O(m² n k² + m² n d).

    The reasons are the k attributions of largest size that are not 0; equal sizes in the order of the features. With
    fewer than k of them, shares are of the larger of the two sets. Source: Krishna et al. 2022, section 3.2.

    Parameters
    ----------
    values : attribution of each feature; two models or more.
    """
    m, n, _ = values.shape
    k = min(k, values.shape[2])
    first, second = np.triu_indices(m, 1)
    agreements = {name: np.empty((len(first), n), np.float32) for name in REASON_MEASURES}
    for chunk in _chunks(n, len(first) * k * k + m * values.shape[2]):
        top, ranks = _top(values[:, chunk], k), _unit_ranks(values[:, chunk])
        for rows in _chunks(len(first), k * k * top.shape[1]):
            overlaps = _overlaps(top[first[rows]], top[second[rows]])
            for name, agreement in overlaps.items():
                agreements[name][rows, chunk] = agreement
        products = np.matmul(ranks.transpose(1, 0, 2), ranks.transpose(1, 2, 0))
        agreements["correlation"][:, chunk] = products[:, first, second].T
    return ReasonAgreement(m, k, agreements)


def repeat_agreement(
    first: Float[np.ndarray, "m n d"], second: Float[np.ndarray, "m n d"], k: int = 5
) -> Mapping[str, Float[np.ndarray, "m n"]]:
    """Agreement of two explanations of the same model, by measure: of another seed, or of slightly changed inputs.

    Measures, ties and nan as in `reason_agreement`. Of the same method with another seed it is the noise ceiling: more
    than this two models cannot be seen to agree.
    """
    m, n, d = first.shape
    k = min(k, d)
    agreements = {name: np.empty((m, n), np.float32) for name in REASON_MEASURES}
    for chunk in _chunks(n, m * (k * k + d)):
        parts = first[:, chunk], second[:, chunk]
        overlaps = _overlaps(*(_top(part, k) for part in parts))
        overlaps["correlation"] = (_unit_ranks(parts[0]) * _unit_ranks(parts[1])).sum(axis=2)
        for name, agreement in overlaps.items():
            agreements[name][:, chunk] = agreement
    return agreements


def mismatched_agreement(values: Float[np.ndarray, "m n d"], k: int = 5) -> Mapping[str, Float[np.ndarray, " n"]]:
    """Agreement of every two models' explanations of *different* instances, mean over pairs, by measure.

    What models share whatever the instance is: the floor above which agreement says something about instances. Other
    instances are five rotations of their order; nan with fewer than two instances.
    """
    m, n, d = values.shape
    shifts = sorted({s % n for s in SHIFTS} - {0}) if n else []
    sums = {name: np.zeros(n) for name in REASON_MEASURES}
    if not shifts:
        return {name: np.full(n, np.nan) for name in sums}
    top, ranks = _top(values, min(k, d)), _unit_ranks(values)
    first, second = np.triu_indices(m, 1)
    for shift in shifts:
        rotated = np.roll(top, shift, axis=1)
        parts: dict[str, list[np.ndarray]] = {name: [] for name in REASON_MEASURES[:-1]}
        for rows in _chunks(len(first), top.shape[2] ** 2 * n):
            for name, agreement in _overlaps(top[first[rows]], rotated[second[rows]]).items():
                parts[name].append(agreement)
        for name, blocks in parts.items():
            sums[name] += _mean(np.concatenate(blocks), 0)
        # The sum over pairs of inner products follows from sums over models; nan rows are models without ranks.
        totals, partners = np.nan_to_num(ranks), np.nan_to_num(np.roll(ranks, shift, axis=1))
        behind = np.cumsum(totals, axis=0) - totals
        defined = ~np.isnan(ranks[:, :, 0])
        earlier = np.cumsum(defined, axis=0) - defined
        count = (earlier * ~np.isnan(np.roll(ranks, shift, axis=1)[:, :, 0])).sum(axis=0)
        sums["correlation"] += (behind * partners).sum(axis=(0, 2)) / np.where(count > 0, count, np.nan)
    return {name: total / len(shifts) for name, total in sums.items()}


def effective_reasons(
    values: Float[np.ndarray, "m n d"], strata: Int[np.ndarray, " n"] | None = None
) -> EffectiveNumber:
    """For as many independent reasons the models decide: the effective number of models of `effective`, of reasons.

    Explanations are scaled to length 1, as models differ in the size of their outputs. What a model gives as reasons on
    the average (of a stratum) is taken off, as its error rate is there: n_eff = M tr(C)/1ᵀC1 of the covariances left.

    Parameters
    ----------
    values : attribution of each feature.
    strata : within which covariances are taken, such as the true class.
    """
    length = np.linalg.norm(values, axis=2, keepdims=True)
    unit = np.divide(values, length, out=np.zeros_like(values), where=length > 0)
    return effective_vectors(unit, None, strata)


def effective_of_similarity(similarity: Float[np.ndarray, "m m"]) -> float:
    """M tr(S)/1ᵀS1 of any similarity with 1 on the diagonal: M/(1 + (M − 1) × mean similarity), in [1, ∞].

    Parameters
    ----------
    similarity : of every two models; pairs that are nan are left out of the mean. nan if all are.
    """
    m = len(similarity)
    pairs = similarity[np.triu_indices(m, 1)]
    if not np.isfinite(pairs).any():
        return float("nan")
    design_effect = 1 + (m - 1) * float(np.nanmean(pairs)) / float(np.nanmean(np.diag(similarity)))
    return m / design_effect if design_effect > 0 else float("inf")


def _top(values: Float[np.ndarray, "m n d"], k: int) -> Int[np.ndarray, "m n k"]:
    """The k largest attributions by size, largest first: feature + 1 with the sign of the attribution; 0 for none."""
    size = np.abs(values)
    d = size.shape[2]
    limit = np.partition(size, d - k, axis=2)[:, :, d - k, None]
    ties = (size == limit) & (size > 0)
    larger = size > limit
    # A partition alone would pick any of several equal ones, and so depend on the order of models and machines.
    members = larger | (ties & (np.cumsum(ties, axis=2) <= k - larger.sum(axis=2, keepdims=True)))
    rank = np.where(members, size, -1.0)
    features = np.sort(np.argpartition(-rank, k - 1, axis=2)[:, :, :k], axis=2)
    features = np.take_along_axis(
        features, np.argsort(-np.take_along_axis(rank, features, axis=2), axis=2, kind="stable"), axis=2
    )
    signs = np.sign(np.take_along_axis(values, features, axis=2)).astype(np.int64)
    top: Int[np.ndarray, "m n k"] = (features + 1) * signs * np.take_along_axis(members, features, axis=2)
    return top


def _overlaps(first: Int[np.ndarray, "p n k"], second: Int[np.ndarray, "p n k"]) -> dict[str, np.ndarray]:
    """The measures of the top k; reasons that are 0 are none."""
    reasons = np.maximum((first != 0).sum(axis=2), (second != 0).sum(axis=2))
    size = np.where(reasons > 0, reasons, np.nan)
    a, b = np.abs(first), np.abs(second)
    same_rank = (a == b) & (a > 0)
    equal = (first[..., :, None] == second[..., None, :]) & (first != 0)[..., :, None]
    common = (a[..., :, None] == b[..., None, :]) & (a > 0)[..., :, None]
    return {
        "feature": common.sum(axis=(2, 3)) / size,
        "rank": same_rank.sum(axis=2) / size,
        "sign": equal.sum(axis=(2, 3)) / size,
        "signed_rank": (same_rank & (first == second)).sum(axis=2) / size,
    }


def _unit_ranks(values: Float[np.ndarray, "m n d"]) -> Float[np.ndarray, "m n d"]:
    """Ranks of the sizes less their mean, of length 1; nan where all sizes are equal."""
    m, n, d = values.shape
    ranks = centred_ranks(np.abs(values).reshape(m * n, d)).reshape(m, n, d)
    length = np.linalg.norm(ranks, axis=2, keepdims=True)
    unit: Float[np.ndarray, "m n d"] = np.divide(ranks, length, out=np.full_like(ranks, np.nan), where=length > 0)
    return unit


def _chunks(count: int, cells: int) -> list[slice]:
    """Slices of `count` rows of as many cells each, at most `CELLS` cells at a time."""
    step = max(1, CELLS // max(cells, 1))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over an axis of what is not nan; nan where nothing is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=axis)
    total = np.where(defined, values, 0.0).sum(axis=axis, dtype=np.float64)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))
