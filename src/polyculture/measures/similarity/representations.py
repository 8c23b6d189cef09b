"""Do two models represent the same inputs alike? Similarities that are 0 for unrelated representations.

With few inputs and many features, uncorrected similarities are high for anything. CKA is debiased exactly and in one
pass; the others are set against the same representations with their instances permuted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from operator import add

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

BLOCK = 1024
"""Instances whose distances to all others are held at a time."""

Representation = Float[np.ndarray, "n d"]


@dataclass(frozen=True, eq=False)
class HsicSums:
    """What the debiased dependence of two representations is made of; adds up over chunks and machines."""

    n: int
    products: Float[np.ndarray, "d e"]
    x: Float[np.ndarray, " d"]
    y: Float[np.ndarray, " e"]
    x_by_b: Float[np.ndarray, " d"]
    y_by_a: Float[np.ndarray, " e"]
    a: float
    b: float
    ab: float

    def __add__(self, sums: HsicSums) -> HsicSums:
        """Sums over both sets of instances."""
        return HsicSums(*(getattr(self, f.name) + getattr(sums, f.name) for f in fields(self)))

    @property
    def hsic(self) -> float:
        """Debiased Hilbert-Schmidt independence criterion with linear kernels; 0 on average if unrelated.

        nan with fewer than four instances. Source: HSIC₁ of Song et al. 2012, in one pass and O(d e).
        """
        n = self.n
        if n < 4:
            return np.nan
        # (SI2), (SI3): a diagonal of 0 is the full matrix less a diagonal one: all terms are sums.
        trace = float((self.products**2).sum()) - self.ab
        ones_k, ones_l = float(self.x @ self.x) - self.a, float(self.y @ self.y) - self.b
        cross = float(self.x @ self.products @ self.y - self.x @ self.x_by_b - self.y_by_a @ self.y) + self.ab
        return (trace + ones_k * ones_l / ((n - 1) * (n - 2)) - 2 / (n - 2) * cross) / (n * (n - 3))


def hsic_sums(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"]) -> HsicSums:
    """Sums of one chunk of instances, whose features two models represent as X and Y."""
    X, Y = X.astype(float), Y.astype(float)
    a, b = (X**2).sum(axis=1), (Y**2).sum(axis=1)
    return HsicSums(
        len(X), X.T @ Y, X.sum(axis=0), Y.sum(axis=0), b @ X, a @ Y, float(a.sum()), float(b.sum()), float(a @ b)
    )


def cka(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"]) -> float:
    """Debiased linear centred kernel alignment: 1 for representations equal up to rotation and scale, 0 if unrelated.

    May be slightly below 0; nan where a representation does not vary. Sources: Kornblith et al. 2019, debiased as in
    Nguyen et al. 2021. Also biased by features that are only a sample of a layer's units (Chun et al. 2025).
    """
    # (SI1) is invariant to it, but sums of squares around a far origin lose the digits that matter.
    X, Y = (Z - Z.mean(axis=0, dtype=float) for Z in (X, Y))  # for digits: it is invariant to translation
    return cka_of(hsic_sums(X, Y), hsic_sums(X, X), hsic_sums(Y, Y))


def cka_of(cross: HsicSums, first: HsicSums, second: HsicSums) -> float:
    """CKA from sums over the same instances: of X with Y, X with itself, Y with itself."""
    # Debiased variances can be negative by chance; their root would be nan with a warning, or a sign without meaning.
    variances = first.hsic, second.hsic
    return cross.hsic / float(np.sqrt(variances[0] * variances[1])) if min(variances) > 0 else np.nan


def cka_matrix(chunks: Iterable[Sequence[Float[np.ndarray, "_ _"]]]) -> Float[np.ndarray, "m m"]:
    """CKA of all pairs in one pass.

    Parameters
    ----------
    chunks : for each chunk of instances, every model's representation of it; models may differ in features. Centre wide
        representations roughly beforehand: sums of large numbers cost digits.
    """
    sums: list[list[HsicSums]] = []
    for chunk in chunks:
        new = [[hsic_sums(X, Y) for Y in chunk[: i + 1]] for i, X in enumerate(chunk)]
        sums = [list(map(add, *rows)) for rows in zip(sums, new, strict=True)] if sums else new
    m = len(sums)
    out = np.full((m, m), np.nan)
    for i in range(m):
        for j in range(i + 1):
            out[i, j] = out[j, i] = cka_of(sums[i][j], sums[i][i], sums[j][j])
    return out


def mutual_knn(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"], k: int = 10) -> float:
    """Share of nearest neighbours that two representations have in common, beyond chance: 1 for all, 0 if unrelated.

    Parameters
    ----------
    k : neighbours of each instance, below n − 1. Chance is k/(n − 1).
    """
    n = len(X)
    shared = sum(
        len(np.intersect1d(x, y, assume_unique=True)) for x, y in zip(_neighbours(X, k), _neighbours(Y, k), strict=True)
    )
    # (SI5): of n − 1 others, k are neighbours.
    chance = k / (n - 1)
    return (shared / (n * k) - chance) / (1 - chance)


def _neighbours(X: Float[np.ndarray, "n d"], k: int) -> Iterable[Int[np.ndarray, " kb"]]:
    """For blocks of instances, their neighbours as numbers that also tell whose they are."""
    n = len(X)
    X = X.astype(float) - X.mean(axis=0, dtype=float)
    squares = (X**2).sum(axis=1)
    for start in range(0, n, BLOCK):
        block = np.arange(start, min(start + BLOCK, n))
        distance = squares[None, :] - 2 * X[block] @ X.T
        # No instance is its own neighbour: it would be shared by any two representations.
        distance[np.arange(len(block)), block] = np.inf
        yield (block[:, None] * n + np.argpartition(distance, k, axis=1)[:, :k]).ravel()


def procrustes(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"]) -> float:
    """How well a rotation turns one representation into the other, in [0, 1]; far above 0 for unrelated ones.

    Use it through `calibrate`. Nuclear norm of XᵀY, both centred and scaled to length 1; nan if one does not vary.
    """
    X, Y = (Z - Z.mean(axis=0, dtype=float) for Z in (X, Y))
    # (SI6): the best rotation has the nuclear norm as its inner product, no rotation is computed.
    size = float(np.linalg.norm(X) * np.linalg.norm(Y))
    return float(np.linalg.svd(X.T @ Y, compute_uv=False).sum()) / size if size > 0 else np.nan


def rsa(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"]) -> float:
    """Whether the same instances are near to each other in both: Spearman correlation of all distances, in [−1, 1].

    0 on average for unrelated representations; nan where all distances of one are equal. Representational similarity
    analysis (Kriegeskorte et al. 2008), with Euclidean distances, which are defined for inactive instances, too.
    """
    x, y = distance_ranks(X), distance_ranks(Y)
    size = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / size if size > 0 else np.nan


def distance_ranks(X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " pairs"]:
    """Rank of the distance of each pair of instances, less the mean rank; pairs in the order of scipy's ``pdist``."""
    distances = pdist(X - X.mean(axis=0, dtype=float))
    # Distances that differ in the last digits only are ties, on every machine.
    ranks = rankdata(np.round(distances / (distances.max(initial=0) or 1), 12))
    centred: np.ndarray = ranks - ranks.mean()
    return centred


@dataclass(frozen=True, eq=False)
class CalibratedSimilarity:
    """A similarity against its null, the instances of one representation permuted.

    Parameters
    ----------
    value : as measured.
    adjusted : (value − mean of the null)/(1 − mean of the null): 0 if unrelated, 1 if equal.
    p : one-sided permutation p-value, at least 1/(permutations + 1).
    """

    value: float
    adjusted: float
    p: float


def calibrate(
    X: Float[np.ndarray, "n d"],
    Y: Float[np.ndarray, "n e"],
    similarity: Callable[[Representation, Representation], float],
    rng: np.random.Generator,
    permutations: int = 99,
) -> CalibratedSimilarity:
    """Any similarity of two representations, set against chance; for `procrustes` and its like never do without.

    Parameters
    ----------
    similarity : 1 for equal representations.
    rng : source of the permutations of Y's instances.
    """
    value = similarity(X, Y)
    null = np.array([similarity(X, Y[rng.permutation(len(Y))]) for _ in range(permutations)])
    mean = float(null.mean())
    adjusted = (value - mean) / (1 - mean) if mean < 1 else np.nan
    return CalibratedSimilarity(value, adjusted, (1 + int((null >= value).sum())) / (permutations + 1))
