"""How many instances is a pair's comparison really worth where instances come in clusters?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Shaped

from .counts import PairCounts


def kappa_design_effect(
    wrong: Bool[np.ndarray, "m n"],
    counts: PairCounts,
    clusters: Shaped[np.ndarray, " n"],
    observed: Bool[np.ndarray, "m n"] | None = None,
) -> Float[np.ndarray, "m m"]:
    """How many times less certain each pair's error consistency is because clusters of instances go together.

    Variance of kappa over clusters relative to that over instances, at least 1: divide the pair's counts by it before
    making an interval. nan where kappa is undefined or there is a single cluster. Takes O(m² clusters).

    Parameters
    ----------
    wrong : where a model is wrong.
    counts : of the same instances.
    clusters : which instances were sampled together.
    observed : where an outcome is known; everywhere where None.
    """
    m, n = wrong.shape
    order = np.argsort(clusters, kind="stable")
    _, starts = np.unique(clusters[order], return_index=True)
    if len(starts) < 2:
        return np.full((m, m), np.nan)
    effects = _cell_effects(counts)
    cluster_variance = np.zeros((m, m))
    for members in np.split(order, starts[1:]):
        E = np.take(wrong, members, axis=1).astype(np.float32)
        if observed is None:
            common, errors = np.full((m, m), float(len(members))), np.repeat(E.sum(axis=1)[:, None], m, axis=1)
        else:
            W = np.take(observed, members, axis=1).astype(np.float32)
            E = E * W
            common, errors = (W @ W.T).astype(float), (E @ W.T).astype(float)
        joint = (E @ E.T).astype(float)
        influence = effects[0] * common + effects[1] * errors + effects[1].T * errors.T + effects[2] * joint
        cluster_variance += influence**2
    instance_variance = _variance(effects, counts)
    g = len(starts)
    ratio = np.full((m, m), np.nan)
    np.divide(
        cluster_variance * g / (g - 1),
        instance_variance * n / (n - 1),
        out=ratio,
        where=instance_variance > 1e-12 * np.maximum(counts.n, 1),
    )
    return np.where(np.isnan(ratio), np.where(np.isnan(instance_variance), np.nan, 1.0), np.maximum(1.0, ratio))


def _cell_effects(counts: PairCounts) -> tuple[Float[np.ndarray, "m m"], ...]:
    """Influence on kappa of an instance (times its number of instances): base, base + row wrong, both wrong.

    It is one number per cell of the pair's table, so linear in the two errors and their product.
    """
    shares = [cell / np.maximum(counts.n, 1) for cell in (counts.n11, counts.n10, counts.n01, counts.n00)]
    n11, n10, n01, n00 = shares
    numerator = 2 * (n11 * n00 - n10 * n01)
    denominator = (n11 + n10) * (n10 + n00) + (n11 + n01) * (n01 + n00)
    a, b = n01 + n00, n10 + n00
    constant = (a <= 0) | (a >= 1) | (b <= 0) | (b >= 1)
    divisor = np.where(constant, np.nan, denominator)
    kappa = numerator / divisor
    slopes = [2 * n00, -2 * n01, -2 * n10, 2 * n11]
    bends = [b + a, b + (n11 + n10), a + (n11 + n01), (n11 + n10) + (n11 + n01)]
    r, s, t, u = ((slope - kappa * bend) / divisor for slope, bend in zip(slopes, bends, strict=True))
    mean = n11 * r + n10 * s + n01 * t + n00 * u
    r, s, t, u = r - mean, s - mean, t - mean, u - mean
    return r, t - r, u - s - t + r


def _variance(effects: tuple[Float[np.ndarray, "m m"], ...], counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Sum of squared influences over the pair's instances."""
    base, row, joint = effects
    cells = (
        (counts.n11, base),
        (counts.n01, base + row),
        (counts.n10, base + row.T),
        (counts.n00, base + row + row.T + joint),
    )
    total: Float[np.ndarray, "m m"] = np.sum([n * value**2 for n, value in cells], axis=0)
    return total
