"""What does a scikit-learn estimator read? Every input as one row of numbers, sparse where words are counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Shaped

from polyculture.models.encoder import Encoder


def features(encoder: Encoder, inputs: Shaped[np.ndarray, "n ..."]) -> Any:
    """One row per input, or for tags per token: pixels, standardized numbers, counts of words or of marks.

    The marks of a token are its own and those of the previous and the next token. Counts are a sparse matrix.
    """
    if encoder.modality in ("image", "volume"):
        return np.asarray(inputs, np.float32).reshape(len(inputs), -1)
    codes = encoder(inputs)
    if encoder.modality == "text":
        return _counts(codes, encoder.form.vocabulary[0])
    if encoder.modality == "tags":
        return _counts(*_neighbourhoods(codes, encoder.form.vocabulary))
    return codes.reshape(len(codes), -1)


def _neighbourhoods(codes: np.ndarray, sizes: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """The 3 × marks codes of each token and its neighbours, every kind in a separate range from 1 on.

    A missing neighbour is a mark, too.
    """
    padded = np.pad(codes, ((0, 0), (1, 1), (0, 0)))
    windows = np.concatenate([padded[:, :-2], codes, padded[:, 2:]], axis=2)
    starts = np.cumsum([1, *sizes * 3])
    return (windows + starts[:-1])[codes[..., 0] > 0], int(starts[-1])


def _counts(codes: np.ndarray, size: int) -> Any:
    """Counts of each code in each row; code 0, the padding, is not counted."""
    from scipy.sparse import csr_array

    present = codes > 0
    ends = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)  # trees need 32-bit integers
    counts = csr_array((np.ones(int(ends[-1]), np.float32), codes[present].astype(np.int32), ends), (len(codes), size))
    counts.sum_duplicates()
    return counts
