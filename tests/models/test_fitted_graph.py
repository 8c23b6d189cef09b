"""Is a model of which only the graph is left a model? It predicts, is saved and read, and refuses damaged files."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import onnx

from polyculture.dataset import Dataset
from polyculture.errors import FileError
from polyculture.models.fitted_graph import GRAPH, FittedGraph
from polyculture.models.fitted_net import FittedNet
from polyculture.models.graphs.fitted_graphs import fitted_graph
from polyculture.models.graphs.runner import GraphRunner
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.architectures import ARCHITECTURES

N, LENGTH, CLASSES = 40, 6, ("a", "b", "c")
WORDS = ("one", "two", "three", "four", "five", "six")
NETS = {
    "table": ("mlp", "classification"),
    "image": ("lenet5", "classification"),
    "audio": ("lenet", "regression"),
    "text": ("attention", "classification"),
    "series": ("lstm", "classification"),
    "tags": ("mlp", "tagging"),
}


def dataset(modality: str, task: str) -> Dataset:
    draw = stream(0, "graph", modality)
    lengths, words = draw.integers(1, LENGTH + 1, N), draw.choice(WORDS, (N, LENGTH))
    inputs = {
        "table": draw.normal(100.0, 2.0, (N, 5)),
        "image": draw.random((N, 9, 7)),
        "audio": draw.uniform(-1, 1, (N, 1200)),
        "series": draw.normal(-3.0, 1.0, (N, 7, 3)),
        "text": np.array([" ".join(row[:length]) for row, length in zip(words, lengths, strict=True)]),
        "tags": np.where(np.arange(LENGTH) < lengths[:, None], words, ""),
    }
    labels = draw.normal(5.0, 20.0, N) if task == "regression" else np.arange(N) % len(CLASSES)
    if task == "tagging":
        labels = np.where(inputs["tags"] == "", -1, draw.integers(0, len(CLASSES), (N, LENGTH)))
    return Dataset(inputs[modality], labels, () if task == "regression" else CLASSES, modality=modality)  # type: ignore[arg-type]


def net(modality: str) -> tuple[FittedNet, Dataset]:
    name, task = NETS[modality]
    train = dataset(modality, task)
    objective = "squared" if task == "regression" else "cross-entropy"
    recipe = Recipe(name, objective=objective, optimizer="adam", hyperparameters={"epochs": 1})
    model = ARCHITECTURES[name].fit(recipe, train)
    assert isinstance(model, FittedNet)
    return model, train


def graph_of(model: FittedNet) -> FittedGraph:
    proto = fitted_graph(model, "inputs")
    classes = 0 if proto.graph.output[0].name == "value" else len(CLASSES)
    return FittedGraph(proto.SerializeToString(), model.encoder, classes)


@pytest.fixture(scope="module")
def images() -> tuple[FittedGraph, Dataset]:
    model, train = net("image")
    return graph_of(model), train


@pytest.mark.parametrize("modality", NETS)
def test_a_graph_predicts_what_its_net_predicts_in_every_modality(modality: str, tmp_path: Path) -> None:
    model, train = net(modality)
    graph = graph_of(model)
    expected = model(train.array)
    assert graph(train.array).shape == expected.shape
    assert np.abs(graph(train.array) - expected).max() < 1e-5 * model.encoder.target[1]
    if train.task == "regression":
        np.testing.assert_allclose(graph.estimate(train.array), expected[:, 0], rtol=1e-5)
    graph.save(tmp_path)
    stored = FittedGraph.load(tmp_path)
    assert stored.classes == graph.classes
    assert stored.graph == graph.graph
    np.testing.assert_array_equal(stored(train.array), graph(train.array))


def test_a_graph_answers_nothing_and_many_alike(images: tuple[FittedGraph, Dataset]) -> None:
    graph, train = images
    assert graph(train.array[:0]).shape == (0, 3)
    many = np.repeat(train.array[:3], 200, axis=0)
    np.testing.assert_allclose(graph(many), np.repeat(graph(train.array[:3]), 200, axis=0), atol=1e-6)


def test_a_graph_is_copied_pickled_and_called_by_threads(images: tuple[FittedGraph, Dataset]) -> None:
    graph, train = images
    expected = graph(train.array)
    for twin in (copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        np.testing.assert_array_equal(twin(train.array), expected)
    fresh = FittedGraph(graph.graph, graph.encoder, graph.classes)
    with ThreadPoolExecutor(4) as pool:
        for outputs in pool.map(lambda _: fresh(train.array), range(8)):
            np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize("name", ["inputs", "numbers-2", "probabilities", "scores"])
def test_the_input_of_a_graph_takes_any_name(images: tuple[FittedGraph, Dataset], name: str) -> None:
    graph, train = images
    proto = graph.proto(name) if name != "probabilities" else graph.proto("x")
    assert len(proto.graph.input) == 1
    onnx.checker.check_model(proto)
    np.testing.assert_array_equal(GraphRunner(proto)(train.array.astype(np.float32)), graph(train.array))


def test_a_name_that_is_used_inside_may_be_that_of_the_input(images: tuple[FittedGraph, Dataset]) -> None:
    graph, train = images
    inner = onnx.load_model_from_string(graph.graph).graph.node[1].output[0]
    proto = graph.proto(inner)
    assert proto.graph.input[0].name == inner
    np.testing.assert_array_equal(GraphRunner(proto)(train.array.astype(np.float32)), graph(train.array))


def damaged(content: bytes, how: str) -> bytes:
    proto = onnx.load_model_from_string(content)
    if how == "cut off":
        return content[: len(content) // 2]
    if how == "text":
        return b"<html>not a graph</html>"
    if how == "empty":
        return b""
    if how == "another output":
        for node in proto.graph.node:
            node.output[:] = ["score" if output == "probabilities" else output for output in node.output]
        proto.graph.output[0].name = "score"
    if how == "another shape":
        proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 28
    if how == "weights elsewhere":
        tensor = proto.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/hostname")
    if how == "an unknown operator":
        proto.graph.node[0].op_type = "Execute"
    return proto.SerializeToString()


@pytest.mark.parametrize(
    "how",
    ["cut off", "text", "empty", "another output", "another shape", "weights elsewhere", "an unknown operator"],
)
def test_a_damaged_graph_is_refused_in_one_sentence(
    images: tuple[FittedGraph, Dataset], how: str, tmp_path: Path
) -> None:
    graph, _ = images
    graph.save(tmp_path)
    (tmp_path / GRAPH).write_bytes(damaged(graph.graph, how))
    with pytest.raises(FileError) as caught:
        FittedGraph.load(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"cannot read {tmp_path / GRAPH} (")
    assert message.endswith("; expected the graph of a fitted model; compress that model again.")
    assert "\n" not in message


def test_a_graph_without_its_encoder_is_refused(images: tuple[FittedGraph, Dataset], tmp_path: Path) -> None:
    images[0].save(tmp_path)
    (tmp_path / "encoder.json").unlink()
    with pytest.raises(FileError, match=r"cannot read .*encoder\.json"):
        FittedGraph.load(tmp_path)
