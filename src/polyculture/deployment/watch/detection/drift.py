"""Do live numbers come from the same distribution as at certification? Tests with effect sizes, corrected for many.

Kolmogorov and Smirnov for numbers, χ² for categories and shares of answers, population stability index from the bins of
the reference. With many live rows any test rejects: read the effect size first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Num
from scipy.special import chdtrc, kolmogorov

from polyculture.errors import InputError
from polyculture.stats import benjamini_hochberg

HALF_A_ROW = 0.5
"""Added to every bin of a population stability index, so that an empty one does not make it infinite."""
LEAST = 20
"""Fewer live values than this are not tested."""
SIZES = {"ks": (0.1, 0.2), "chi2": (0.1, 0.3), "psi": (0.1, 0.25)}
"""Where an effect is called small and where large: the distance D, Cramér's V, the stability index."""


@dataclass(frozen=True)
class DriftTest:
    """One comparison of live values with the reference.

    Parameters
    ----------
    name : what was compared.
    test : ``"ks"`` or ``"chi2"``.
    statistic : D, or χ².
    p : p-value; nan where it was not tested.
    effect : D in [0, 1], or Cramér's V in [0, 1].
    psi : population stability index, at least 0; nan without bins.
    n : live values.
    adjusted : p-value corrected for the number of tests; nan before `corrected`.
    reason : why it was not tested.
    """

    name: str
    test: str
    statistic: float = math.nan
    p: float = math.nan
    effect: float = math.nan
    psi: float = math.nan
    n: int = 0
    adjusted: float = math.nan
    reason: str = ""

    @property
    def size(self) -> str:
        """``"none"``, ``"small"`` or ``"large"``, by the usual bounds of the effect size."""
        small, large = SIZES[self.test]
        return "large" if self.effect >= large else "small" if self.effect >= small else "none"


def ks_test(recent: Num[np.ndarray, " n"], reference: Num[np.ndarray, " r"], name: str = "") -> DriftTest:
    """Largest distance of the two distribution functions, and its asymptotic p-value.

    Parameters
    ----------
    recent, reference : values, of which nan are left out.

    With ties the p-value is too large, not too small. Source: Smirnov 1948.
    """
    recent, reference = (np.sort(x[np.isfinite(x)]) for x in (np.asarray(recent, float), np.asarray(reference, float)))
    n, r = len(recent), len(reference)
    if min(n, r) < LEAST:
        return DriftTest(name, "ks", n=n, reason=f"fewer than {LEAST} values")
    points = np.concatenate([recent, reference])
    shares = [np.searchsorted(x, points, side="right") / len(x) for x in (recent, reference)]
    distance = float(np.abs(shares[0] - shares[1]).max())
    p = float(kolmogorov(math.sqrt(n * r / (n + r)) * distance))
    return DriftTest(name, "ks", distance, p, distance, n=n)


def chi2_test(recent: Num[np.ndarray, " k"], reference: Num[np.ndarray, " k"], name: str = "") -> DriftTest:
    """Pearson's χ² that two rows of counts have the same shares; Cramér's V as the effect.

    Parameters
    ----------
    recent, reference : counts by category; categories without any count are left out, and those whose expected count is
        below 5 are put together.
    """
    counts = np.array([recent, reference], float)
    n = int(counts[0].sum())
    if counts.sum(axis=1).min() < LEAST:
        return DriftTest(name, "chi2", n=n, reason=f"fewer than {LEAST} values")
    expected = counts.sum(axis=0) * counts.sum(axis=1).min() / counts.sum()
    rare = expected < 5
    counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:
        return DriftTest(name, "chi2", 0.0, 1.0, 0.0, n=n)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    effect = math.sqrt(statistic / counts.sum())
    return DriftTest(name, "chi2", statistic, float(chdtrc(counts.shape[1] - 1, statistic)), effect, n=n)


def stability_index(recent: Num[np.ndarray, " k"], reference: Num[np.ndarray, " r"]) -> float:
    """Population stability index of two rows of counts: Σ (q − p) log(q/p); 0 for equal shares, nan without counts.

    Parameters
    ----------
    recent, reference : counts by bin, or by category.

    The symmetric divergence of Jeffreys 1946, with half a row added to every bin.
    """
    recent, reference = np.asarray(recent, float), np.asarray(reference, float)
    if recent.shape != reference.shape:
        raise InputError(f"{len(recent)} and {len(reference)} bins", "counts of the same bins")
    if not len(recent) or not recent.sum() or not reference.sum():
        return math.nan
    q, p = ((x + HALF_A_ROW) / (x + HALF_A_ROW).sum() for x in (recent, reference))
    return float(((q - p) * np.log(q / p)).sum())


def bin_counts(values: Num[np.ndarray, " n"], edges: Sequence[float]) -> Float[np.ndarray, " k"]:
    """Values in each of the len(edges) + 1 bins that inner edges make; nan are left out."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    places = np.searchsorted(np.asarray(edges, float), values, side="right")
    return np.bincount(places, minlength=len(edges) + 1).astype(float)


def holm(p: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """p-values corrected so that any false rejection is rare (Holm 1979); nan stay nan and do not count."""
    p = np.asarray(p, float)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def corrected(tests: Sequence[DriftTest], method: str = "holm") -> tuple[DriftTest, ...]:
    """The tests with p-values corrected for their number.

    Parameters
    ----------
    method : ``"holm"`` (any false rejection) or ``"bh"`` (share of false rejections, Benjamini and Hochberg).
    """
    if method not in ("holm", "bh"):
        raise InputError(f"correction {method!r}", "'holm' or 'bh'")
    p = np.array([test.p for test in tests], float)
    adjusted = np.full(p.shape, np.nan)
    if method == "holm":
        adjusted = holm(p)
    elif (tested := ~np.isnan(p)).any():
        adjusted[tested] = benjamini_hochberg(p[tested])
    return tuple(replace(test, adjusted=float(value)) for test, value in zip(tests, adjusted, strict=True))
