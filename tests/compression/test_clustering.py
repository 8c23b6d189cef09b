"""Has every layer as few different weights as asked, and do these stand for the others as well as possible?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import onnx
from onnx.reference import ReferenceEvaluator
from sklearn.cluster import KMeans

from polyculture.compression import compressed
from polyculture.compression.methods.clustering import clusters
from polyculture.models.fitted_graph import FittedGraph
from polyculture.models.graphs.fitted_graphs import fitted_graph
from polyculture.models.graphs.versions import unified
from polyculture.rng import stream

from .small_nets import NETS, context, dataset, fitted

WEIGHTS = arrays(np.float32, st.integers(1, 60), elements=st.floats(-8, 8, width=32))


def graph_of(kind: str, strength: float) -> FittedGraph:
    model = compressed(fitted(kind), f"cluster-weights={strength}", context(kind))
    assert isinstance(model, FittedGraph)
    return model


def layers(model: FittedGraph) -> dict[str, np.ndarray]:
    """Values of the weights as the graph restores them, by name."""
    proto = onnx.load_model_from_string(model.graph)
    names = [node.output[0] for node in proto.graph.node if node.name.endswith("/reshape")]
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    inputs = np.zeros((1, *model.encoder.shape), np.float32)
    return dict(zip(names, ReferenceEvaluator(proto).run(names, {"inputs": inputs}), strict=True))


@given(WEIGHTS, st.integers(2, 16))
def test_clusters_are_few_sorted_and_nearest(weights: np.ndarray, limit: int) -> None:
    values, places = clusters(weights, limit)
    assert len(values) <= limit
    assert (np.diff(values) > 0).all()
    np.testing.assert_array_equal(values[places][weights == 0], 0.0)
    distances = np.abs(weights[:, None].astype(np.float64) - values)
    rest = weights != 0
    assert np.allclose(distances[np.arange(len(weights)), places][rest], distances.min(axis=1)[rest], atol=1e-5)
    if len(np.unique(weights)) <= limit:
        np.testing.assert_array_equal(values[places], weights)


def test_clusters_are_those_of_scikit_learn_from_the_same_start() -> None:
    weights = stream(0, "weights").normal(0, 1, 2000).astype(np.float32)
    values, places = clusters(weights, 8)
    start = np.linspace(weights.min(), weights.max(), 8)[:, None]
    golden = KMeans(8, init=start, n_init=1, max_iter=1000, tol=0).fit(weights[:, None].astype(np.float64))
    np.testing.assert_allclose(values, np.sort(golden.cluster_centers_.ravel()), atol=1e-3)
    assert ((values[places] - weights) ** 2).sum() == pytest.approx(golden.inertia_, rel=1e-3)


def test_weights_that_were_pruned_stay_zero() -> None:
    weights = stream(0, "weights").normal(0, 1, 500).astype(np.float32)
    weights[::2] = 0
    values, places = clusters(weights, 16)
    np.testing.assert_array_equal(values[places][::2], 0)


@pytest.mark.parametrize(("strength", "limit", "smaller"), [(0.75, 256, 3), (0.875, 16, 5), (0.9375, 4, 5)])
def test_every_layer_has_as_few_values_as_asked(strength: float, limit: int, smaller: float) -> None:
    graph = graph_of("image", strength)
    restored = layers(graph)
    assert len(restored) > 5
    for weights in restored.values():
        assert len(np.unique(weights)) <= limit
    whole = len(unified(fitted_graph(fitted("image"), "inputs")).SerializeToString())
    assert whole / len(graph.graph) > smaller


def test_a_layer_with_no_more_weights_than_values_stays_as_it_is() -> None:
    proto = onnx.load_model_from_string(graph_of("table", 0.75).graph)
    stay = [np.prod(t.dims) for t in proto.graph.initializer if t.data_type == t.FLOAT and len(t.dims) > 1]
    assert all(size <= 256 for size in stay)


@pytest.mark.parametrize("kind", NETS)
def test_256_values_predict_nearly_the_same_of_every_kind_of_input(kind: str) -> None:
    model, inputs = fitted(kind), dataset(kind).array
    outputs = graph_of(kind, 0.75)(inputs)
    assert np.abs(outputs - model(inputs)).max() < 0.1 * model.encoder.target[1]


@pytest.mark.parametrize("strength", [0, 0.25])
def test_a_strength_that_saves_nothing_changes_nothing(strength: float) -> None:
    model = fitted("table")
    assert compressed(model, f"cluster-weights={strength}", context("table")) is model
