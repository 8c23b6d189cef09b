"""Do 8 and 16 bits keep what a net predicts? And are they smaller, the same twice, quiet and without traces?"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import onnx
from onnx import numpy_helper

from polyculture.compression import compressed
from polyculture.errors import InputError
from polyculture.models.fitted_graph import FittedGraph
from polyculture.models.graphs.fitted_graphs import fitted_graph
from polyculture.models.graphs.runner import GraphRunner
from polyculture.models.graphs.versions import OPSET, unified

from .small_nets import NETS, context, dataset, fitted

CLOSE = {"half": 0.01, "int8": 0.1}


def graph_of(kind: str, level: str, seed: int = 0) -> FittedGraph:
    model = compressed(fitted(kind), level, context(kind, seed))
    assert isinstance(model, FittedGraph)
    return model


def operators(model: FittedGraph) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(model.graph).graph.node]


@pytest.mark.parametrize("level", CLOSE)
@pytest.mark.parametrize("kind", NETS)
def test_fewer_bits_predict_nearly_the_same_of_every_kind_of_input(kind: str, level: str, tmp_path: Path) -> None:
    model, inputs = fitted(kind), dataset(kind).array
    graph = graph_of(kind, level)
    expected, outputs = model(inputs), graph(inputs)
    assert outputs.shape == expected.shape
    assert outputs.dtype == np.float32
    assert np.abs(outputs - expected).max() < CLOSE[level] * model.encoder.target[1]
    assert graph.parameters == model.parameters
    assert (graph.curve, graph.cost) == (model.curve, model.cost)
    graph.save(tmp_path)
    np.testing.assert_array_equal(FittedGraph.load(tmp_path)(inputs), outputs)


@pytest.mark.parametrize("level", CLOSE)
@pytest.mark.parametrize("kind", ["image", "tags"])
def test_a_compressed_graph_can_be_a_member_of_a_bundle(kind: str, level: str) -> None:
    graph = graph_of(kind, level)
    proto = unified(fitted_graph(graph, "view"), "m0_")
    assert proto.graph.input[0].name == "m0_view"
    assert [(opset.domain, opset.version) for opset in proto.opset_import] == [("", OPSET)]
    onnx.checker.check_model(proto)
    inputs = dataset(kind).array[:40]
    raw = graph.encoder(inputs) if kind == "tags" else inputs.astype(np.float32)
    outputs = GraphRunner(proto)(raw, batch=16)
    np.testing.assert_allclose(outputs[raw[..., 0] > 0] if kind == "tags" else outputs, graph(inputs), atol=1e-6)


@pytest.mark.parametrize("level", CLOSE)
def test_a_graph_is_the_same_to_the_byte_whenever_it_is_made(level: str) -> None:
    assert graph_of("image", level).graph == graph_of("image", level).graph


def test_half_precision_halves_the_weights_and_nothing_else() -> None:
    model = fitted("image")
    whole, part = len(unified(fitted_graph(model, "inputs")).SerializeToString()), len(graph_of("image", "half").graph)
    assert 1.8 < whole / part < 2.05
    for tensor in onnx.load_model_from_string(graph_of("image", "half").graph).graph.initializer:
        assert tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < 64


def test_weights_too_large_for_half_precision_stay_single() -> None:
    import copy

    import torch

    model = copy.deepcopy(fitted("table"))
    with torch.no_grad():
        next(model.net.parameters())[0, 0] = 1e6
    graph = compressed(model, "half", context("table"))
    inputs = dataset("table").array
    assert np.abs(graph(inputs) - model(inputs)).max() < 0.01


def test_int8_stores_signed_weights_per_channel_and_unsigned_activations() -> None:
    proto = onnx.load_model_from_string(graph_of("image", "int8").graph)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    weights = [array for array in constants.values() if array.dtype == np.int8 and array.ndim == 4]
    assert len(weights) == operators(graph_of("image", "int8")).count("Conv")
    scales = {
        len(constants[node.input[1]])
        for node in proto.graph.node
        if constants.get(node.input[0]) is not None
        and node.op_type == "DequantizeLinear"
        and constants[node.input[0]].ndim == 4
    }
    assert scales == {len(array) for array in weights}
    activations = [node for node in proto.graph.node if node.op_type == "QuantizeLinear"]
    assert {constants[node.input[2]].dtype for node in activations} == {np.dtype(np.uint8)}


def test_int8_is_three_times_smaller_where_weights_are_most_of_a_net() -> None:
    whole = len(unified(fitted_graph(fitted("image"), "inputs")).SerializeToString())
    assert whole / len(graph_of("image", "int8").graph) > 3


def test_scores_keep_their_precision() -> None:
    """256 levels of a score would make ties, and probabilities of 256 kinds."""
    outputs = graph_of("table", "int8")(dataset("table").array)
    assert len(np.unique(outputs[:, 0])) > 0.9 * len(np.unique(fitted("table")(dataset("table").array)[:, 0]))


@pytest.mark.parametrize("kind", ["table", "image", "audio"])
def test_an_input_that_is_no_number_gives_no_probability(kind: str) -> None:
    inputs = dataset(kind).array[:4].astype(np.float32)
    inputs.reshape(4, -1)[1, 2] = np.nan
    outputs = graph_of(kind, "int8")(inputs)
    np.testing.assert_array_equal(np.isnan(outputs).all(axis=1), [False, True, False, False])
    assert np.isfinite(outputs[[0, 2, 3]]).all()
    largest = np.full_like(inputs[:1], np.finfo(np.float32).max / 2)
    assert kind != "table" or np.isfinite(graph_of(kind, "int8")(largest)).all()


def test_calibration_rows_depend_on_the_seed_only() -> None:
    from polyculture.compression.methods.precision import _calibration_rows

    rows = _calibration_rows(context("table"))
    assert len(rows) == len(dataset("table"))
    np.testing.assert_array_equal(rows, np.sort(rows))


def test_int8_of_a_model_without_layers_is_refused() -> None:
    from onnx import TensorProto, helper

    from polyculture.compression.methods.precision import int8

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 6]) for name in ("inputs", "probabilities")]
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["inputs"], ["probabilities"])], "g", [values[0]], [values[1]]
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    model = FittedGraph(proto.SerializeToString(), fitted("table").encoder, 6)
    with pytest.raises(InputError) as caught:
        int8(model, float("nan"), context("table"))
    wrong, expected = "int8 for a model without layers of weights", "convolutions or dense layers"
    assert str(caught.value) == f"{wrong}; expected {expected}."


@pytest.mark.parametrize("kind", ["text", "tags", "chains of tags"])
def test_weights_of_words_and_recurrent_layers_are_stored_in_8_bits(kind: str) -> None:
    graph = graph_of(kind, "int8")
    whole = len(unified(fitted_graph(fitted(kind), "inputs")).SerializeToString())
    assert whole / len(graph.graph) > 2


def test_quantization_says_nothing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = logging.getLogger()
    handlers, filters, level = list(root.handlers), list(root.filters), root.level
    graph_of("small image", "int8")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if "onnxruntime" in record.pathname] == []
    assert (root.handlers, root.filters, root.level) == (handlers, filters, level)


@pytest.mark.parametrize("level", ["int8+half", "half+prune-weights=0.5"])
def test_nothing_comes_after_a_graph(level: str) -> None:
    with pytest.raises(InputError, match="at the end of the chain"):
        compressed(fitted("table"), level, context("table"))
