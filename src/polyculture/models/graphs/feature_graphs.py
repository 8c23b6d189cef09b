"""How does a fitted scikit-learn estimator of a run become a graph? With the encoding of its inputs inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from polyculture.models.fitted_estimator import FittedEstimator

from .encoding_graphs import features, input_shape
from .graph_builder import FLOAT, INT64, GraphBuilder
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
    shape = input_shape(encoder)
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
