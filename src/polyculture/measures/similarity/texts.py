"""How alike is generated text, beyond what the prompts make alike?

Two texts are compared on the same prompt and on different prompts; the difference is what the models share. Where a
model was sampled twice per prompt, its alikeness with itself is the ceiling that two models can reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from ..effective import COMPLEMENTARY, TOO_FEW_MODELS, EffectiveNumber

Similarity = Callable[[Shaped[np.ndarray, " n"], Shaped[np.ndarray, " n"]], Float[np.ndarray, " n"]]


@dataclass(frozen=True, eq=False)
class TextSimilarity:
    """Similarity of the texts of each pair of models.

    Parameters
    ----------
    matched : mean cosine on the same prompt; on the diagonal between different samples of one model, nan with one.
    mismatched : the same on different prompts: what all texts of the two share, whatever they answer.
    corrected : (matched − mismatched) over its ceiling, 0 if nothing prompt-specific is shared, 1 for models with the
        same distribution of texts; nan with one sample per prompt.
    """

    matched: Float[np.ndarray, "m m"]
    mismatched: Float[np.ndarray, "m m"]
    corrected: Float[np.ndarray, "m m"]

    @property
    def adjusted(self) -> Float[np.ndarray, "m m"]:
        """Matched minus mismatched: the covariance of the embeddings."""
        difference: Float[np.ndarray, "m m"] = self.matched - self.mismatched
        return difference


def text_similarity(embeddings: Float[np.ndarray, "m s n d"]) -> TextSimilarity:
    """Similarity of texts from their embeddings.

    Parameters
    ----------
    embeddings : unit vectors, of s samples of each model's text on each prompt. Two prompts or more.
    """
    m, s, n, _ = embeddings.shape
    mean = embeddings.mean(axis=1, dtype=np.float64)
    # Inner products are linear: means over samples and sums over prompts come first, all pairs from two products.
    flat, total = mean.reshape(m, -1), mean.sum(axis=1)
    products = flat @ flat.T
    mismatched = (total @ total.T - products) / (n * (n - 1))
    matched = products / n
    self_similarity = np.full(m, math.nan)
    if s > 1:
        squares = np.einsum("msnd,msnd->m", embeddings, embeddings, dtype=np.float64)
        # (SI10): a sample with itself has cosine 1 and is no second draw, so squares are taken off.
        self_similarity = (s**2 * np.diag(products) - squares) / (n * s * (s - 1))
    np.fill_diagonal(matched, self_similarity)
    # Without room above the mismatched texts a ceiling is noise; the pair stays nan.
    room = np.diag(matched) - np.diag(mismatched)
    ceiling = np.sqrt(np.outer(np.where(room > 0, room, math.nan), room.clip(min=0)))
    corrected = np.full((m, m), math.nan)
    np.divide(matched - mismatched, ceiling, out=corrected, where=ceiling > 0)
    return TextSimilarity(matched, mismatched, corrected)


def effective_by_similarity(
    outputs: Shaped[np.ndarray, "m n"], similarity: Similarity, rng: np.random.Generator, shifts: int = 8
) -> EffectiveNumber:
    """As how many independent models the given ones answer, by any similarity of two outputs.

    The covariance of two models is the mean similarity on the same prompt minus that on different prompts, which is
    estimated from `shifts` random rotations of the prompts. Calls the similarity (shifts + 1) × m (m + 1)/2 times.

    Parameters
    ----------
    outputs : what each model answered to each prompt: texts, lists, anything (as objects).
    similarity : function of the outputs of two models on the same n prompts to n numbers; symmetric, positive
        semi-definite (a kernel), so that D stands for a variance.
    rng : source of the rotations.
    """
    m, n = outputs.shape
    # (SI11) would need all pairs of prompts; rotations give each prompt the same number of partners.
    rolls = rng.choice(np.arange(1, n), size=min(shifts, n - 1), replace=False)
    on_total, on_trace = np.zeros((2, n))
    for a in range(m):
        for b in range(a, m):
            part = _centred(outputs[a], outputs[b], similarity, rolls)
            on_total += part if a == b else 2 * part
            if a == b:
                on_trace += part
    total, trace, undefined = float(on_total.mean()), float(on_trace.mean()), np.full(n, math.nan)
    informative = np.ones(m, dtype=bool)
    if m < 2 or trace <= 0:
        return EffectiveNumber(informative, math.nan, undefined, undefined, math.nan, math.nan, reason=TOO_FEW_MODELS)
    ratio = total / trace
    info = float(on_total.sum() ** 2 / (on_total**2).sum())
    influence = (on_total - ratio * on_trace) / trace
    reason = COMPLEMENTARY if ratio <= 0 else ""
    return EffectiveNumber(informative, ratio, influence, on_trace / trace, info, math.nan, reason=reason)


def _centred(
    a: Shaped[np.ndarray, " n"], b: Shaped[np.ndarray, " n"], similarity: Similarity, rolls: Shaped[np.ndarray, " r"]
) -> Float[np.ndarray, " n"]:
    """Each prompt's part of the covariance: its similarity less what its two outputs have with those elsewhere."""
    mean_a, mean_b = np.zeros((2, len(a)))
    for roll in rolls:
        mismatched = similarity(a, np.roll(b, -roll))
        mean_a += mismatched
        # The same numbers seen from the other side: b's output at prompt i met a's at i − roll.
        mean_b += np.roll(mismatched, roll)
    overall = float(mean_a.mean())
    part: Float[np.ndarray, " n"] = similarity(a, b) - (mean_a + mean_b - overall) / len(rolls)
    return part
