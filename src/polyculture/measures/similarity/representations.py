"""Do two models represent the same inputs alike? Similarities that are 0 for unrelated representations.

With few inputs and many features, uncorrected similarities are high for anything. CKA is debiased exactly and in one
pass; the others are set against the same representations with their instances permuted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

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
    X, Y = (Z - Z.mean(axis=0, dtype=float) for Z in (X, Y))  # for digits: it is invariant to translation
    cross, first, second = (hsic_sums(*pair).hsic for pair in ((X, Y), (X, X), (Y, Y)))
    return cross / float(np.sqrt(first * second)) if min(first, second) > 0 else np.nan


def procrustes(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "n e"]) -> float:
    """How well a rotation turns one representation into the other, in [0, 1]; far above 0 for unrelated ones.

    Use it through `calibrate`. Nuclear norm of XᵀY, both centred and scaled to length 1; nan if one does not vary.
    """
    X, Y = (Z - Z.mean(axis=0, dtype=float) for Z in (X, Y))
    size = float(np.linalg.norm(X) * np.linalg.norm(Y))
    return float(np.linalg.svd(X.T @ Y, compute_uv=False).sum()) / size if size > 0 else np.nan


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
