"""As how many independent models do these err, if an error is not right or wrong but a number or a vector?

The algebra of `effective`, with z_im for whether model m is wrong on instance i: regression residuals, probabilities
minus truth (Brier residuals), embeddings of generated text. C_ab = E⟨z_a − Ez_a, z_b − Ez_b⟩; D = 1ᵀC1/tr C.
For text the covariance is the similarity on the same prompt minus that on different prompts: what the prompt means
plays the part of difficulty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from .effective import COMPLEMENTARY, NO_PAIRS, NO_VARIATION, TOO_FEW_MODELS, EffectiveNumber

CELLS = 1 << 21
"""Numbers turned into 64 bits at a time."""
VARIES = 1e-12
"""Share of the mean variance below which a model's is taken for 0."""
NOISE_EXPLAINS_ALL = "the noise is at least as large as the models' mean variance"


def effective_vectors(
    values: Float[np.ndarray, "m n d"],
    labels: Int[np.ndarray, " n"] | None = None,
    strata: Int[np.ndarray, " n"] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
    noise: float = 0.0,
) -> EffectiveNumber:
    """As how many independent models the given ones err, from the vectors of their errors.

    Streams over instances in O(m n d); with missing cells it needs m × m × d matrices.

    Parameters
    ----------
    values : error of each model on each instance: residuals (d = 1), probabilities, unit embeddings. May be
        memory-mapped. What stands in unobserved cells is ignored.
    labels : true class, where `values` are probabilities: the truth is then taken off them (Brier residuals).
    strata : groups within which covariances are taken, such as the true class; those of one instance are left out.
    observed : where a model has a value; missing cells are taken pairwise, and all instances as one stratum.
    noise : known variance (summed over d) of noise in the truth, which all models share: off every entry of C.

    `z` is nan: its null has no simple form for vectors. Models that never vary are left out.
    """
    m, n, _ = values.shape
    source = _ErrorVectors(values, labels)
    if observed is not None and not observed.all():
        return _pairwise(source, observed, noise)
    _, code, size = np.unique(np.zeros(n) if strata is None else strata, return_inverse=True, return_counts=True)
    means = _means(source, code, size)
    weight = np.where(size > 1, size / np.maximum(size - 1, 1), 0.0)[code]
    variance = np.zeros(m)
    for chunk, z in source.chunks():
        # Two passes: taking the square of the sum off the sum of squares would lose the digits of residuals far from 0.
        z -= means[:, code[chunk]]
        variance += np.einsum("mkd,mkd,k->m", z, z, weight[chunk])
    # Not > 0: the mean of equal floats is rounded, and a constant model would seem to vary by its last digit.
    informative = variance > VARIES * variance.mean()
    undefined = np.full(n, math.nan)
    singletons = int((size == 1).sum())
    if informative.sum() < 2:
        reason = TOO_FEW_MODELS if variance.any() else NO_VARIATION
        return EffectiveNumber(
            informative, math.nan, undefined, undefined, math.nan, math.nan, singletons, reason=reason
        )
    total_parts, trace_parts = np.zeros((2, n))
    for chunk, z in source.chunks():
        z = (z - means[:, code[chunk]])[informative]
        # (E4): the squared length of the sum over models holds all pairs, so no m × m matrix is needed.
        total_parts[chunk] = weight[chunk] * (z.sum(axis=0) ** 2).sum(axis=1)
        trace_parts[chunk] = weight[chunk] * np.einsum("mkd,mkd->k", z, z)
    mask = (size > 1)[code]
    return _finish(informative, total_parts, trace_parts, mask, (noise, singletons))


def effective_residuals(
    residuals: Float[np.ndarray, "m n"], observed: Bool[np.ndarray, "m n"] | None = None, noise: float = 0.0
) -> EffectiveNumber:
    """As how many independent models regressors err: `effective_vectors` of predictions minus truth.

    Noise in the truth is an error that all models share; `noise` is its known variance.
    """
    return effective_vectors(residuals[:, :, None], None, None, observed, noise)


def covariances(
    values: Float[np.ndarray, "m n d"], labels: Int[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, "m m"]:
    """Unbiased covariance of each pair; for unit vectors, cosine on the same prompt minus that on different prompts."""
    m, n, d = values.shape
    source = _ErrorVectors(values, labels)
    products, sums = np.zeros((m, m)), np.zeros((m, d))
    for _, z in source.chunks():
        flat = z.reshape(m, -1)
        products += flat @ flat.T
        sums += z.sum(axis=1)
    matrix: Float[np.ndarray, "m m"] = (products - sums @ sums.T / n) / (n - 1)
    return matrix


@dataclass(frozen=True, eq=False)
class _ErrorVectors:
    """Vectors of errors, made chunk by chunk."""

    values: Float[np.ndarray, "m n d"]
    labels: Int[np.ndarray, " n"] | None

    def chunks(self) -> Iterator[tuple[slice, Float[np.ndarray, "m k d"]]]:
        """Positions and 64-bit values of some instances after others."""
        m, n, d = self.values.shape
        step = max(16, CELLS // max(m * d, 1))
        for start in range(0, n, step):
            chunk = slice(start, min(start + step, n))
            z = self.values[:, chunk].astype(np.float64)
            if self.labels is not None:
                z[:, np.arange(z.shape[1]), self.labels[chunk]] -= 1
            yield chunk, z


def _means(
    source: _ErrorVectors, code: Int[np.ndarray, " n"], size: Int[np.ndarray, " s"]
) -> Float[np.ndarray, "m s d"]:
    m, _, d = source.values.shape
    sums = np.zeros((len(size), m * d))
    for chunk, z in source.chunks():
        rows = z.transpose(1, 0, 2).reshape(-1, m * d)
        if len(size) == 1:
            sums[0] += rows.sum(axis=0)
        else:
            order = np.argsort(code[chunk], kind="stable")
            present, starts = np.unique(code[chunk][order], return_index=True)
            sums[present] += np.add.reduceat(rows[order], starts, axis=0)
    means: Float[np.ndarray, "m s d"] = (sums / size[:, None]).reshape(len(size), m, d).transpose(1, 0, 2)
    return means


def _finish(
    informative: Bool[np.ndarray, " m"],
    total_parts: Float[np.ndarray, " n"],
    trace_parts: Float[np.ndarray, " n"],
    mask: Bool[np.ndarray, " n"],
    options: tuple[float, int],
) -> EffectiveNumber:
    """D and its influence from each instance's part of 1ᵀC1 and of tr C, both times the number of instances used."""
    noise, singletons = options
    m, n = int(informative.sum()), int(mask.sum())
    # (E15): noise in the truth stands in all m² entries of C, on the diagonal in m of them.
    total, trace = total_parts.sum() / n - m**2 * noise, trace_parts.sum() / n - m * noise
    undefined = np.full(len(mask), math.nan)
    if trace <= 0:
        return EffectiveNumber(
            informative, math.nan, undefined, undefined, math.nan, math.nan, singletons, reason=NOISE_EXPLAINS_ALL
        )
    ratio = float(total / trace)
    # (E6): the noise is known, so it does not move; taken off both parts, the influence still sums to 0.
    influence = (total_parts - m**2 * noise - ratio * (trace_parts - m * noise)) / trace
    info = float(total_parts.sum() ** 2 / (total_parts**2).sum()) if total_parts.any() else 0.0
    return EffectiveNumber(
        informative,
        ratio,
        np.where(mask, influence, np.nan),
        np.where(mask, (trace_parts - m * noise) / trace, np.nan),
        info,
        math.nan,
        singletons,
        reason=COMPLEMENTARY if ratio <= 0 else "",
    )


def _pairwise(source: _ErrorVectors, observed: Bool[np.ndarray, "m n"], noise: float) -> EffectiveNumber:
    """Missing cells: every covariance on what the pair shares, every variance on what the model answered."""
    m, n, d = source.values.shape
    common, products = np.zeros((2, m, m))
    sums = np.zeros((d, m, m))  # of the row's values where the column has one too
    for chunk, z in source.chunks():
        W = observed[:, chunk].astype(float)
        z *= W[:, :, None]
        common += W @ W.T
        products += z.reshape(m, -1) @ z.reshape(m, -1).T
        sums += z.transpose(2, 0, 1) @ W.T
    sufficient = common > 1
    means = sums / np.maximum(common, 1)
    covariance = (products - (sums * means.transpose(0, 2, 1)).sum(axis=0)) / np.maximum(common - 1, 1)
    # (E5): of what the pair shares; the diagonal shares everything with itself.
    variances = np.diag(covariance)
    informative = np.diag(sufficient) & (variances > VARIES * variances.mean())
    undefined = np.full(n, math.nan)
    empty = EffectiveNumber(informative, math.nan, undefined, undefined, math.nan, math.nan, 0, reason=TOO_FEW_MODELS)
    if informative.sum() < 2:
        return empty
    pairs = sufficient & np.outer(informative, informative) & ~np.eye(m, dtype=bool)
    pairs_dropped = int(informative.sum() * (informative.sum() - 1) - pairs.sum()) // 2
    if not pairs.any():
        return replace(empty, reason=NO_PAIRS, pairs_dropped=pairs_dropped)
    mean, level = float(covariance[pairs].mean()) - noise, float(variances[informative].mean()) - noise
    if level <= 0:
        return replace(empty, reason=NOISE_EXPLAINS_ALL, pairs_dropped=pairs_dropped)
    on_covariance, on_variance, centred = _pairwise_influence(
        source, observed, (common, means, covariance), (pairs, informative)
    )
    models = int(informative.sum())
    ratio = mean / level
    design_effect = 1 + (models - 1) * ratio
    info = float(centred.sum() ** 2 / (centred**2).sum()) if centred.any() else 0.0
    return EffectiveNumber(
        informative,
        design_effect,
        (models - 1) * (on_covariance - ratio * on_variance) / level,
        1 + on_variance / level,
        info,
        math.nan,
        0,
        pairs_dropped,
        COMPLEMENTARY if design_effect <= 0 else "",
    )


def _pairwise_influence(
    source: _ErrorVectors,
    observed: Bool[np.ndarray, "m n"],
    moments: tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "d m m"], Float[np.ndarray, "m m"]],
    masks: tuple[Bool[np.ndarray, "m m"], Bool[np.ndarray, " m"]],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Influence on the mean covariance and on the mean variance, and squared length of the centred sum of errors."""
    (common, means, covariance), (pairs, informative) = moments, masks
    n = observed.shape[1]
    share = np.divide(n, common, out=np.zeros_like(common), where=common > 1)
    pull = share * np.divide(common, common - 1, out=np.zeros_like(common), where=common > 1)
    # (E9): the quadratic forms of wrong or right, once for each coordinate of the vectors.
    A, B = (np.where(pairs, x, 0.0) / pairs.sum() for x in (pull, share * covariance))
    model = informative / informative.sum()
    variance_pull, variance_level = np.diag(pull) * model, np.diag(share * covariance) * model
    # (E10): a model's own mean over what it answered, not over what it shares with another one.
    centre = means.transpose(1, 2, 0)[np.arange(len(model)), np.arange(len(model))]
    on_covariance, on_variance, squares = np.zeros((3, n))
    for chunk, z in source.chunks():
        W = observed[:, chunk].astype(float)
        z *= W[:, :, None]
        on_covariance[chunk] = -(W * (B @ W)).sum(axis=0)
        on_variance[chunk] = -(variance_level @ W)
        for k, mean in enumerate(means):
            x = z[:, :, k]
            on_covariance[chunk] += (x * (A @ x - 2 * (A * mean.T) @ W) + W * ((A * mean * mean.T) @ W)).sum(axis=0)
        deviation = (z - centre[:, None]) * W[:, :, None]
        on_variance[chunk] += np.einsum("m,mkd,mkd->k", variance_pull, deviation, deviation)
        squares[chunk] = (deviation[informative].sum(axis=0) ** 2).sum(axis=1)
    return on_covariance, on_variance, squares
