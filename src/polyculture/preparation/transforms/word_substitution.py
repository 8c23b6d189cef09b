"""Which words stand near to which? Those that keep the same company in the training texts."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from polyculture.models import tokenizer

MOST_WORDS, DIMENSIONS, WINDOW, NEAREST = 3000, 50, 2, 3


@lru_cache(maxsize=1)
def near_words(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The three nearest of each of the 3,000 most frequent words; words are letters, digits and underscores.

    Nearness is the cosine between 50-dimensional vectors: the leading singular vectors, times the roots of their
    singular values, of the positive pointwise mutual information of words at most two apart (Levy et al. 2015).
    Empty where fewer than five words are used twice.
    """
    known = {w: k for k, w in enumerate([w for w in tokenizer.vocabulary(texts) if w.isalnum()][:MOST_WORDS])}
    if len(known) < NEAREST + 2:
        return {}
    vectors = _vectors(_company(texts, known))
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -np.inf)
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, :NEAREST]
    names = list(known)
    return {word: tuple(names[k] for k in near) for word, near in zip(names, nearest.tolist(), strict=True)}


def _company(texts: tuple[str, ...], known: dict[str, int]) -> np.ndarray:
    """How often each word stands at most two places from each other one; symmetric."""
    counts = np.zeros((len(known), len(known)))
    for text in texts:
        codes = np.array([known.get(word, -1) for word in tokenizer.split(text)])
        for apart in range(1, WINDOW + 1):
            both = (codes[:-apart] >= 0) & (codes[apart:] >= 0)
            np.add.at(counts, (codes[:-apart][both], codes[apart:][both]), 1)
    return counts + counts.T


def _vectors(company: np.ndarray) -> np.ndarray:
    """Unit vectors of the words; zero for a word without company."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import eigsh

    often = company.sum(axis=1)
    expected = np.maximum(np.outer(often, often) / max(1.0, often.sum()), 1e-12)
    information = np.log(np.maximum(company / expected, 1.0))
    size = min(DIMENSIONS, len(company) - 2)
    values, vectors = eigsh(csr_array(information), size, v0=np.ones(len(company)), which="LM")
    scaled = vectors * np.sqrt(np.abs(values))
    long = np.linalg.norm(scaled, axis=1, keepdims=True)
    unit: np.ndarray = np.round(np.divide(scaled, long, out=np.zeros_like(scaled), where=long > 0), 6)
    return unit
