"""What is counted of a table, or of one of its chunks? The same whole numbers, which add up over chunks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from polyculture.measures.counts import count
from polyculture.measures.streaming.exact_sums import InstanceChunk, TableCounts, count_chunk
from polyculture.predictions import Predictions


def take(p: Predictions, rows: Int[np.ndarray, " k"]) -> Predictions:
    """The instances at these positions, without their probabilities."""
    return replace(p, probabilities=None).take_instances(rows)


def chunk_of(p: Predictions, by_class: bool) -> InstanceChunk:
    """What counting needs of some instances; all of one class where labels are no classes."""
    if not by_class:
        return InstanceChunk(p.wrong, p.observed, np.zeros(p.shape[1], np.int64), 1)
    assert p.labels is not None
    return InstanceChunk(p.wrong, p.observed, p.labels.astype(np.int64), len(p.classes))


def count_table(p: Predictions, by_class: bool) -> TableCounts:
    """Whole numbers over these instances."""
    classes = max(len(p.classes), 2)
    if p.options is None:
        pairs = {classes: count(p.answers, p.labels, p.correct, classes)}
    else:
        groups = ((int(k), take(p, np.flatnonzero(p.options == k))) for k in np.unique(p.options))
        pairs = {k: count(q.answers, q.labels, q.correct, classes, q.options) for k, q in groups}
    return count_chunk(chunk_of(p, by_class), pairs)
