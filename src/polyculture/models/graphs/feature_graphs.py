"""How does a fitted scikit-learn estimator of a run become a graph? With the encoding of its inputs inside."""

from __future__ import annotations

from polyculture.models.fitted_estimator import FittedEstimator

from .encoding_graphs import features
from .graph_builder import FLOAT, INT64, GraphBuilder
from .model_graph import ModelGraph, input_dtype, input_shape
from .sklearn_graphs import class_probabilities


def fitted_estimator_graph(model: FittedEstimator, view_name: str) -> ModelGraph:
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
    shape = input_shape(encoder)
    g = GraphBuilder()
    matrix = features(g, encoder, view_name, shape)
    value = class_probabilities(g, model.estimator, matrix, model.classes)
    output = ("probabilities", ["n", model.classes]) if model.classes else ("value", ["n", 1])
    if encoder.modality == "tags":
        value = g.reshaped(value, [-1, encoder.steps, model.classes])
        output = ("probabilities", ["n", encoder.steps, model.classes])
    dtype = INT64 if input_dtype(encoder) == "int64" else FLOAT
    return ModelGraph.of(g.model([(view_name, dtype, ["n", *shape])], (value, *output)), encoder)
