"""Does the answer an instance gets depend on which equally good model, or which run of one model, gives it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

BLOCK = 4096
"""Instances whose capacity is computed at a time."""
ITERATIONS = 2000
TOLERANCE = 1e-3
"""Bits by which a capacity may be too small."""


@dataclass(frozen=True, eq=False)
class Multiplicity:
    """How much the answers of competing models differ from those of one baseline model.

    Parameters
    ----------
    ambiguity : share of instances on which at least one competing model answers differently, in [0, 1].
    discrepancy : share of instances on which the most different competing model does, in [0, ambiguity].
    conflicts : for each model, the share of instances on which it answers differently from the baseline; nan for
        models that do not compete and the baseline itself.
    ambiguous : the instances of `ambiguity`.
    """

    ambiguity: float
    discrepancy: float
    conflicts: Float[np.ndarray, " m"]
    ambiguous: Bool[np.ndarray, " n"]


def competing(error_rates: Float[np.ndarray, " m"], baseline: int, tolerance: float = 0.01) -> Bool[np.ndarray, " m"]:
    """Models whose error rate exceeds the baseline's by at most `tolerance`: the (empirical) Rashomon set."""
    mask: Bool[np.ndarray, " m"] = error_rates <= error_rates[baseline] + tolerance
    return mask


def multiplicity(answers: Int[np.ndarray, "m n"], baseline: int, competitors: Bool[np.ndarray, " m"]) -> Multiplicity:
    """Predictive multiplicity: how many instances get another answer from some model that is about as good.

    Parameters
    ----------
    answers : answer codes; below 0 where there is none, which conflicts with nothing. Shares are of the instances that
        the baseline answered (for a model: that both did).
    baseline : position of the model to compare with, usually the most accurate.
    competitors : which models compete (`competing`).

    Without a competing model, or a baseline without answers: nan. Source: Marx, Calmon and Ustun 2020.
    """
    m, n = answers.shape
    reference = answers[baseline]
    # One pass per rival: (M1) needs a maximum over models for ambiguity, and one over shares for discrepancy.
    rivals = [a for a in np.flatnonzero(competitors) if a != baseline]
    conflicts, ambiguous = np.full(m, np.nan), np.zeros(n, dtype=bool)
    for a in rivals:
        # A missing answer is no other answer; counting it as one would reward models that refuse.
        common = (answers[a] >= 0) & (reference >= 0)
        differs = common & (answers[a] != reference)
        ambiguous |= differs
        if common.any():
            conflicts[a] = differs.sum() / common.sum()
    answered = int((reference >= 0).sum())
    if np.isnan(conflicts).all() or not answered:
        return Multiplicity(np.nan, np.nan, conflicts, ambiguous)
    return Multiplicity(float(ambiguous.sum() / answered), float(np.nanmax(conflicts)), conflicts, ambiguous)


def self_consistency(answers: Int[np.ndarray, "m n"]) -> Float[np.ndarray, " n"]:
    """Probability that two different runs give an instance the same answer, for each instance, in [0, 1].

    Parameters
    ----------
    answers : of repeated runs (seeds, epochs) of one model; below 0 where there is none. Of any models, one minus the
        mean is their mean disagreement.

    nan on instances with fewer than two answers. Source: Cooper et al. 2024, for two classes 1 − 2 B₀B₁/(B(B − 1)).
    """
    # (M2) needs Σ_k B_k (B_k − 1); sorted answers give it without a table of classes, however many there are.
    ordered = np.sort(answers, axis=0)
    m, n = ordered.shape
    answered = (ordered >= 0).sum(axis=0)
    matches, run = np.zeros((2, n), dtype=np.int64)
    for k in range(1, m):
        run = np.where((ordered[k] == ordered[k - 1]) & (ordered[k] >= 0), run + 1, 0)
        matches += run  # the k-th answer equals `run` earlier ones
    pairs = answered * (answered - 1) / 2
    share: Float[np.ndarray, " n"] = np.divide(matches, pairs, out=np.full(n, np.nan), where=pairs > 0)
    return share


def rashomon_capacity(probabilities: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, " n"]:
    """Effective number of conflicting answers that the models' probabilities give an instance, in [1, c].

    2 to the capacity (in bits) of the channel from the choice of a model to an answer: 1 where all models give the same
    probabilities, k where they are split among k different certain answers. By Blahut and Arimoto's iteration, all
    instances at once; at most 0.001 bits too small.

    Source: Hsu and Calmon 2022.
    """
    out = np.empty(probabilities.shape[1])
    for start in range(0, len(out), BLOCK):
        block = slice(start, start + BLOCK)
        out[block] = _capacity(np.moveaxis(probabilities[:, block], 0, 1).astype(float))
    return np.exp2(out)


def _capacity(p: Float[np.ndarray, "n m c"]) -> Float[np.ndarray, " n"]:
    """Capacities in bits. Instances that have converged are set aside."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # KL(p_a ‖ mix) = Σ p log p − Σ p log mix: the first part never changes over the steps.
        negative_entropy = np.where(p > 0, p * np.log2(p), 0.0).sum(axis=2)
    capacity = np.zeros(len(p))
    weights = np.full(p.shape[:2], 1 / p.shape[1])
    active = np.arange(len(p))
    for _ in range(ITERATIONS):
        mixed = (weights[:, None] @ p)[:, 0]
        logs = np.log2(np.maximum(mixed, 1e-300))
        divergence = negative_entropy - (p @ logs[:, :, None])[:, :, 0]
        # (M5): the capacity lies between the weighted mean and the maximum of the divergences. So the iteration stops
        # with a bound on its error, not when it moves little (it slows down near the optimum).
        lower = (weights * divergence).sum(axis=1)
        capacity[active] = np.maximum(lower, 0)
        open_ = divergence.max(axis=1) - lower > TOLERANCE
        if not open_.any():
            break
        # Most instances converge in a few steps; the few slow ones must not cost a product over all.
        active, p, negative_entropy = active[open_], p[open_], negative_entropy[open_]
        weights = weights[open_] * np.exp2(divergence[open_])
        weights /= weights.sum(axis=1, keepdims=True)
    return capacity


def position(similarity: Float[np.ndarray, "m m"], runs: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m m"]:
    """Where each pair lies between independence (0) and two runs of one and the same model (1).

    Alikeness over its ceiling, the geometric mean of the two models' alikeness among their own runs (the mean over all
    models' runs where a model has no second one). Above 1, two models are more alike than runs of one.

    Parameters
    ----------
    similarity : chance-adjusted pair measure such as kappa, 0 if independent.
    runs : code of the model that each row is a run of.

    nan everywhere without two runs of any model, or where the ceiling is not above 0.
    """
    # (M4): a model compared with itself is 1 by construction and no run of its own, so the diagonal is left out.
    run_pairs = (runs[:, None] == runs[None, :]) & ~np.eye(len(runs), dtype=bool) & ~np.isnan(similarity)
    if not run_pairs.any():
        return np.full(similarity.shape, np.nan)
    ceilings = np.full(len(runs), float(similarity[run_pairs].mean()))
    for code in np.unique(runs):
        rows = runs == code
        own_pairs = run_pairs & rows[:, None]
        if own_pairs.any():
            ceilings[rows] = similarity[own_pairs].mean()
    # A ceiling below 0 has no root; such pairs stay nan rather than get a sign that means nothing.
    product = np.outer(np.maximum(ceilings, 0), np.maximum(ceilings, 0))
    out = np.full(similarity.shape, np.nan)
    np.divide(similarity, np.sqrt(product), out=out, where=product > 0)
    return out
