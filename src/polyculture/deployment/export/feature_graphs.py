"""How does a fitted scikit-learn estimator of a run become a graph? With the encoding of its inputs inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from polyculture.models.encoder import Encoder
from polyculture.models.fitted_estimator import FittedEstimator

from .graph_builder import FLOAT, INT64, GraphBuilder
from .preprocessing_graphs import Matrix
from .sklearn_graphs import class_probabilities

EstimatorView = Literal["numbers", "log_mel", "codes", "mark_codes"]
KINDS: dict[str, EstimatorView] = {"audio": "log_mel", "text": "codes", "tags": "mark_codes"}
"""What the graph of an estimator reads, by modality; ``"numbers"`` for all others."""


@dataclass(frozen=True, eq=False)
class EstimatorGraph:
    """The graph of an estimator.

    Parameters
    ----------
    proto : the `onnx.ModelProto`, with one input and one output; their first axis may have any length.
    kind : what it reads: raw ``"numbers"``, the spectrogram ``"log_mel"``, or ``"codes"`` of words or of the
        marks of tokens (``"mark_codes"``).
    shape : of one input.
    dtype : of an input.
    """

    proto: Any
    kind: EstimatorView
    shape: tuple[int, ...]
    dtype: Literal["float32", "int64"]


def fitted_estimator_graph(model: FittedEstimator, view_name: str) -> EstimatorGraph:
    """The graph that predicts what the estimator predicts, up to rounding.

    Its output is ``probabilities`` (n × c, 0 for classes absent from the training set; for tags n × steps × c, those
    of steps after the end mean nothing), or for regression ``value`` (n × 1).

    Parameters
    ----------
    model : a fitted estimator of any architecture and modality.
    view_name : name of the input.

    Raises InputError for an estimator that has no graph.
    """
    encoder = model.encoder
    kind = KINDS.get(encoder.modality, "numbers")
    shape = _shape(encoder)
    g = GraphBuilder()
    matrix = features(g, encoder, view_name, shape)
    value = class_probabilities(g, model.estimator, matrix, model.classes)
    output = ("probabilities", ["n", model.classes]) if model.classes else ("value", ["n", 1])
    if encoder.modality == "tags":
        value = g.reshaped(value, [-1, encoder.steps, model.classes])
        output = ("probabilities", ["n", encoder.steps, model.classes])
    is_codes = kind in ("codes", "mark_codes")
    proto = g.model([(view_name, INT64 if is_codes else FLOAT, ["n", *shape])], (value, *output))
    return EstimatorGraph(proto, kind, shape, "int64" if is_codes else "float32")


def features(g: GraphBuilder, encoder: Encoder, x: str, shape: tuple[int, ...]) -> Matrix:
    """One row of numbers per input, or for tags per token, as `polyculture.models.features` makes it."""
    width = int(np.prod(shape))
    if encoder.modality == "text":
        return _counts(g, x, encoder.form.vocabulary[0])
    if encoder.modality == "tags":
        return _mark_counts(g, x, encoder.steps, encoder.form.vocabulary)
    numbers = g.cast(x)
    if encoder.modality not in ("image", "volume"):
        numbers = g.add("Div", g.add("Sub", numbers, np.array(encoder.centre)), np.array(encoder.spread))
        numbers = g.rounded(numbers)
    return Matrix(g.reshaped(numbers, [-1, width]), width)


def _shape(encoder: Encoder) -> tuple[int, ...]:
    """Shape of one input of the graph."""
    if encoder.modality in ("text", "tags"):
        return encoder.form.shape
    if encoder.modality == "audio":
        return encoder.form.shape[1:]
    return encoder.shape


def _counts(g: GraphBuilder, codes: str, size: int) -> Matrix:
    """Counts of each code in each row; code 0 is not counted."""
    present = g.cast(g.add("Greater", codes, np.array(0)))
    rows = g.add("Shape", codes, start=0, end=1)
    zeros = g.add("Expand", 0.0, g.add("Concat", rows, np.array([size]), axis=0))
    return Matrix(g.add("ScatterElements", zeros, codes, present, axis=1, reduction="add"), size)


def _mark_counts(g: GraphBuilder, codes: str, steps: int, sizes: tuple[int, ...]) -> Matrix:
    """Counts of the marks of each token, of the previous and of the next one, each in a range of its own from 1 on."""
    kinds = len(sizes)
    padded = g.add("Pad", codes, np.array([0, 1, 0, 0, 1, 0]), np.array(0))
    windows = [
        g.add("Slice", padded, np.array([start]), np.array([start + steps]), np.array([1])) for start in (0, 1, 2)
    ]
    starts = np.cumsum([1, *sizes * 3])
    marks = g.add("Add", g.joined(windows, 2), starts[None, None, :-1])
    return _counts(g, g.reshaped(marks, [-1, 3 * kinds]), int(starts[-1]))
