"""Which words are near each other? Those that occur in the same contexts in the training texts."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from polyculture.models import tokenizer

MAX_WORDS, DIMENSIONS, WINDOW, NEIGHBOURS = 3000, 50, 2, 3


@lru_cache(maxsize=1)
def nearest_words(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The three nearest words of each of the 3,000 most frequent ones; words are letters, digits and underscores.

    Similarity is the cosine between 50-dimensional vectors: the leading singular vectors, times the roots of their
    singular values, of the positive pointwise mutual information of words at most two positions apart (Levy et al.
    2015). Empty where fewer than five words occur twice.
    """
    codes = {w: k for k, w in enumerate([w for w in tokenizer.vocabulary(texts) if w.isalnum()][:MAX_WORDS])}
    if len(codes) < NEIGHBOURS + 2:
        return {}
    vectors = _vectors(_cooccurrence(texts, codes))
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, -np.inf)
    nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :NEIGHBOURS]
    names = list(codes)
    return {word: tuple(names[k] for k in neighbours) for word, neighbours in zip(names, nearest.tolist(), strict=True)}


def _cooccurrence(texts: tuple[str, ...], codes: dict[str, int]) -> np.ndarray:
    """Number of times that two words occur at most two positions apart; symmetric."""
    counts = np.zeros((len(codes), len(codes)))
    for text in texts:
        words = np.array([codes.get(word, -1) for word in tokenizer.split(text)])
        for distance in range(1, WINDOW + 1):
            pairs = (words[:-distance] >= 0) & (words[distance:] >= 0)
            np.add.at(counts, (words[:-distance][pairs], words[distance:][pairs]), 1)
    return counts + counts.T


def _vectors(counts: np.ndarray) -> np.ndarray:
    """Unit vectors of the words; zero for a word without neighbours."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import eigsh

    totals = counts.sum(axis=1)
    expected = np.maximum(np.outer(totals, totals) / max(1.0, totals.sum()), 1e-12)
    information = np.log(np.maximum(counts / expected, 1.0))
    size = min(DIMENSIONS, len(counts) - 2)
    values, vectors = eigsh(csr_array(information), size, v0=np.ones(len(counts)), which="LM")
    scaled = vectors * np.sqrt(np.abs(values))
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(np.round(np.divide(scaled, lengths, out=np.zeros_like(scaled), where=lengths > 0), 6))
