"""How is the encoding of inputs written into a graph? As `polyculture.models.features` makes rows of numbers."""

from __future__ import annotations

import numpy as np

from polyculture.models.encoder import Encoder

from .graph_builder import GraphBuilder
from .preprocessing_graphs import Matrix


def features(g: GraphBuilder, encoder: Encoder, x: str, shape: tuple[int, ...]) -> Matrix:
    """One row of numbers per input, or for tags per token, as `polyculture.models.features` makes it."""
    width = int(np.prod(shape))
    if encoder.modality == "text":
        return _word_counts(g, x, encoder.steps, encoder.form.vocabulary[0])
    if encoder.modality == "tags":
        return _mark_counts(g, x, encoder.steps, encoder.form.vocabulary)
    numbers = g.cast(x)
    if encoder.modality not in ("image", "volume"):
        numbers = g.add("Div", g.add("Sub", numbers, np.array(encoder.centre)), np.array(encoder.spread))
        numbers = g.rounded(numbers)
    return Matrix(g.reshaped(numbers, [-1, width]), width)


def _counts(g: GraphBuilder, codes: str, size: int) -> Matrix:
    """Counts of each code in each row; code 0 is not counted."""
    present = g.cast(g.add("Greater", codes, np.array(0)))
    rows = g.add("Shape", codes, start=0, end=1)
    zeros = g.add("Expand", 0.0, g.add("Concat", rows, np.array([size]), axis=0))
    return Matrix(g.add("ScatterElements", zeros, codes, present, axis=1, reduction="add"), size)


def _word_counts(g: GraphBuilder, codes: str, steps: int, size: int) -> Matrix:
    """Counts of each word of a text."""
    order = g.add_many("TopK", 2, codes, np.array([steps]), axis=1, largest=0)[0]
    previous = g.add(
        "Slice",
        g.add("Pad", order, np.array([0, 1, 0, 0]), np.array(0)),
        np.array([0]),
        np.array([steps]),
        np.array([1]),
    )
    entries = g.add("Where", g.add("Equal", order, previous), np.array(0), order)
    counts = _counts(g, codes, size)
    return Matrix(counts.value, counts.width, entries=entries)


def _mark_counts(g: GraphBuilder, codes: str, steps: int, sizes: tuple[int, ...]) -> Matrix:
    """Counts of the marks of each token, of the previous and of the next one, each in a range of its own from 1 on."""
    kinds = len(sizes)
    padded = g.add("Pad", codes, np.array([0, 1, 0, 0, 1, 0]), np.array(0))
    windows = [
        g.add("Slice", padded, np.array([start]), np.array([start + steps]), np.array([1])) for start in (0, 1, 2)
    ]
    starts = np.cumsum([1, *sizes * 3])
    marks = g.reshaped(g.add("Add", g.joined(windows, 2), starts[None, None, :-1]), [-1, 3 * kinds])
    counts = _counts(g, marks, int(starts[-1]))
    return Matrix(counts.value, counts.width, entries=marks, ones=3 * kinds)
