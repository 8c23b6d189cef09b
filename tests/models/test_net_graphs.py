"""Does the graph of a net predict what the net predicts, from raw inputs and without torch?"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.encoder import Encoder
from polyculture.models.fitted_net import FittedNet
from polyculture.models.graphs.model_graph import ModelGraph
from polyculture.models.graphs.net_graphs import net_graph
from polyculture.models.spectrogram import log_mel
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.architectures import ARCHITECTURES, Net

CLASSES = ("a", "b", "c")
WORDS = ("one", "two", "three", "four", "five", "six", "Seven", "EIGHT", "9", "ten-10")
LENGTH, TRAIN, TEST = 6, 24, 33
TOLERANCE, DEEP_TOLERANCE = 1e-6, 1e-5
"""Errors of rounding add up over layers."""
NETS = [name for name, architecture in ARCHITECTURES.items() if isinstance(architecture, Net)]
OVER_SEQUENCES = (
    *("mlp", "selu-mlp", "rnn", "lstm", "gru", "attention", "transformer", "transformer-decoder"),
    *("transformer-encdec", "autoencoder", "crf", "multi-branch"),
)
QUICK = [
    *(("mlp", "table", "regression"), ("lenet", "colour", "classification"), ("lenet5", "grey", "classification")),
    *(("lstm", "text", "classification"), ("gru", "series", "classification"), ("rnn", "audio", "regression")),
    *(("c3d", "volume", "classification"), ("crf", "tags", "tagging"), ("attention", "tags", "tagging")),
]
KINDS = [
    *(("table", "classification"), ("grey", "classification"), ("colour", "regression")),
    *(("volume", "regression"), ("series", "regression"), ("audio", "classification"), ("text", "regression")),
]
EVERY = [
    *((name, kind, task) for name in NETS if name != "crf" for kind, task in KINDS),
    *((name, "tags", "tagging") for name in OVER_SEQUENCES),
]
SLOW = [(name, *KINDS[place % len(KINDS)]) for place, name in enumerate(NETS) if name != "crf"]
"""Every net on one kind of input, every kind by several nets."""


def dataset(kind: str, task: str = "classification") -> Dataset:
    """Instances drawn at random: sides that cannot be halved, sequences of different lengths, features of any scale."""
    draw, n = stream(0, "graphs", kind), TRAIN + TEST
    lengths, words = draw.integers(1, LENGTH + 1, n), draw.choice(WORDS, (n, LENGTH))
    inputs: dict[str, Any] = {
        "table": draw.normal(1000.0, 2.0, (n, 5)) * [1, 10, 0.1, 1, 100],
        "grey": draw.random((n, 9, 7)),
        "colour": draw.random((n, 11, 8, 3)),
        "volume": draw.random((n, 5, 6, 7)),
        "series": draw.normal(-3.0, 1.0, (n, 7, 3)),
        "audio": draw.uniform(-1, 1, (n, 1200)),
        "text": np.array([" ".join(row[:length]) for row, length in zip(words, lengths, strict=True)]),
        "tags": np.where(np.arange(LENGTH) < lengths[:, None], words, ""),
    }
    labels = np.arange(n) % len(CLASSES)
    if task == "regression":
        labels = draw.normal(5.0, 20.0, n)
    if task == "tagging":
        labels = np.where(inputs["tags"] == "", -1, draw.integers(0, len(CLASSES), (n, LENGTH)))
    modality: Any = "image" if kind in ("grey", "colour") else kind
    return Dataset(inputs[kind], labels, () if task == "regression" else CLASSES, modality=modality)


def fitted(name: str, train: Dataset, seed: int = 0, pretraining: str = "none", **hyperparameters: Any) -> FittedNet:
    """A net after one epoch on the first instances."""
    settings = {"epochs": 1} | hyperparameters
    objective = "cross-entropy" if train.classes else "squared"
    recipe = Recipe(
        name, objective=objective, optimizer="adam", pretraining=pretraining, seed=seed, hyperparameters=settings
    )
    model = ARCHITECTURES[name].fit(recipe, train.take(np.arange(TRAIN)))
    assert isinstance(model, FittedNet)
    return model


def arrays(model: FittedNet, graph: ModelGraph, inputs: np.ndarray) -> np.ndarray:
    """What the graph reads of raw inputs: themselves, unless a spectrogram or a vocabulary is needed."""
    if graph.kind == "log_mel":
        return log_mel(inputs)
    return model.encoder(inputs) if "codes" in graph.kind else np.asarray(inputs, np.float32)


def outputs(proto: Any, inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (predictions,) = session.run(None, {session.get_inputs()[0].name: inputs})
    return predictions


def largest_error(model: FittedNet, graph: ModelGraph, inputs: np.ndarray) -> float:
    """Largest difference of a probability, or of a number in spreads of the target, alone and among others."""
    numbers, errors = arrays(model, graph, inputs), []
    assert numbers.shape[1:] == graph.shape
    assert numbers.dtype == graph.dtype
    for n in (1, 3, len(inputs)):
        predictions = outputs(graph.proto, numbers[:n])
        present = predictions[numbers[:n, :, 0] > 0] if graph.kind == "mark_codes" else predictions
        errors.append(np.abs(present - model(inputs[:n])).max())
    return float(max(errors)) / model.encoder.target[1]


def check(name: str, kind: str, task: str, tolerance: float = TOLERANCE) -> None:
    instances = dataset(kind, task)
    model = fitted(name, instances)
    graph = net_graph(model, "x")
    assert largest_error(model, graph, instances.array[TRAIN:]) < tolerance
    onnx.checker.check_model(graph.proto, full_check=True)
    (entry,), (exit_,) = graph.proto.graph.input, graph.proto.graph.output
    assert (entry.name, exit_.name) == ("x", "value" if task == "regression" else "probabilities")
    assert entry.type.tensor_type.shape.dim[0].dim_param == exit_.type.tensor_type.shape.dim[0].dim_param == "n"
    assert not {opset.domain for opset in graph.proto.opset_import} - {""}


@pytest.mark.parametrize(("name", "kind", "task"), QUICK)
def test_a_graph_predicts_what_its_net_predicts(name: str, kind: str, task: str) -> None:
    check(name, kind, task)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "task"), [row for row in SLOW if row not in QUICK])
def test_every_net_has_a_graph(name: str, kind: str, task: str) -> None:
    check(name, kind, task, DEEP_TOLERANCE)


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "kind", "task"), [row for row in EVERY if row not in QUICK + SLOW])
def test_every_net_has_a_graph_for_every_input(name: str, kind: str, task: str) -> None:
    check(name, kind, task, DEEP_TOLERANCE)


def test_nets_of_one_architecture_share_a_template_but_no_weights() -> None:
    instances = dataset("table")
    models = [fitted("mlp", instances, seed, dropout=rate) for seed, rate in ((0, 0.1), (1, 0.1), (2, 0.4))]
    graphs = [net_graph(model, name) for model, name in zip(models, ("x", "table", "linear"), strict=True)]
    test = instances.array[TRAIN:]
    assert [largest_error(m, g, test) < TOLERANCE for m, g in zip(models, graphs, strict=True)] == [True] * 3
    assert largest_error(models[0], graphs[1], test) > 100 * TOLERANCE
    assert [[node.op_type for node in graph.proto.graph.node] for graph in graphs[1:]] == [
        [node.op_type for node in graphs[0].proto.graph.node]
    ] * 2


def test_the_structure_of_a_net_is_what_its_graph_depends_on() -> None:
    from polyculture.models.graphs.nets.templates import structure

    class Scaled(nn.Module):
        def __init__(self, factor: Any) -> None:
            super().__init__()
            self.factor, self.layer = factor, nn.Linear(2, 2)

    def same(one: Any, two: Any) -> bool:
        return structure(Scaled(one)) == structure(Scaled(two))

    assert same(2, 2)
    assert same((1.5, {"a": [None, "b"]}), (1.5, {"a": [None, "b"]}))
    assert same(torch.relu, torch.relu)
    assert not same(2, 3)
    assert not same(1, True)
    assert not same(1, 1.0)
    assert not same(torch.relu, torch.tanh)
    assert not same(torch.ones(1), torch.ones(1))  # may be different numbers, which the graph would have as constants
    assert structure(nn.Linear(2, 3)) != structure(nn.Linear(2, 4))
    layer = nn.Linear(2, 2)
    assert structure(nn.ModuleList([layer, layer])) != structure(nn.ModuleList([layer, nn.Linear(2, 2)]))


@pytest.mark.parametrize("centre", [1e3, 1e6, -3e7])
def test_features_far_from_zero_are_standardized_as_exactly_as_by_the_encoder(centre: float) -> None:
    encoder = Encoder("table", (2,), centre=(centre, 0.1), spread=(3.0, 1e-3))
    net = nn.Sequential(nn.Identity(), nn.Linear(2, 3, bias=False))
    torch.nn.init.eye_(net[1].weight)
    model = FittedNet(net, encoder)
    inputs = stream(0, "far").normal(0, 1, (50, 2)) * [3, 1e-3] + [centre, 0.1]
    np.testing.assert_allclose(
        outputs(net_graph(model, "x").proto, inputs.astype(np.float32)), model(inputs), atol=2e-7
    )


@pytest.mark.parametrize("decode", ["marginal", "viterbi"])
def test_a_random_field_is_a_loop_that_can_be_joined_to_other_graphs(decode: str) -> None:
    instances = dataset("tags", "tagging")
    model = fitted("crf", instances, decode=decode)
    nn.init.normal_(model.net.chain.step)
    nn.init.normal_(model.net.chain.end)
    graph = net_graph(model, "x")
    assert [node.op_type for node in graph.proto.graph.node].count("Scan") == 2
    joined = onnx.compose.merge_models(
        *(onnx.compose.add_prefix(graph.proto, prefix) for prefix in ("one_", "two_")), io_map=[]
    )
    session = onnxruntime.InferenceSession(joined.SerializeToString(), providers=["CPUExecutionProvider"])
    test = instances.array[TRAIN:]
    codes = arrays(model, graph, test)
    for predictions in session.run(None, {"one_x": codes, "two_x": codes}):
        np.testing.assert_allclose(predictions[codes[..., 0] > 0], model(test), atol=TOLERANCE)


def test_a_sequence_of_one_token_is_tagged() -> None:
    tokens = np.array([["one"], ["two"], ["one"], ["three"]])
    train = Dataset(tokens, np.array([[0], [1], [0], [1]]), ("a", "b"), modality="tags")
    model = ARCHITECTURES["crf"].fit(Recipe("crf", optimizer="adam", hyperparameters={"epochs": 1}), train)
    assert isinstance(model, FittedNet)
    assert largest_error(model, net_graph(model, "x"), tokens) < TOLERANCE


@pytest.mark.parametrize("name", ["lstm", "attention"])
def test_what_follows_the_end_of_a_text_changes_nothing(name: str) -> None:
    instances = dataset("text")
    model = fitted(name, instances, layers=2) if name == "lstm" else fitted(name, instances)
    texts = np.array(["", "one", "one two three four five six seven eight", "unknown words only"])
    assert largest_error(model, net_graph(model, "x"), texts) < TOLERANCE


@pytest.mark.parametrize("name", ["mlp", "rnn", "gru", "lstm", "attention"])
def test_an_input_that_is_not_a_number_has_no_prediction(name: str) -> None:
    instances = dataset("series")
    model = fitted(name, instances)
    inputs = instances.array[TRAIN:].copy()
    inputs[::2, 3, 1] = np.nan
    predictions = outputs(net_graph(model, "x").proto, inputs.astype(np.float32))
    np.testing.assert_allclose(predictions, model(inputs), atol=TOLERANCE, equal_nan=True)
    assert np.isnan(predictions[::2]).all()
    assert np.isfinite(predictions[1::2]).all()


@pytest.mark.parametrize(
    ("pretraining", "settings"),
    [("masked", {"tuning": "lora"}), ("autoencoder", {"tuning": "bias"}), ("none", {"averaging": "ema"})],
)
def test_nets_that_were_pretrained_tuned_or_averaged_are_nets(pretraining: str, settings: dict[str, Any]) -> None:
    instances = dataset("series")
    more = {"pretraining_epochs": 1} if pretraining != "none" else {}
    model = fitted("mlp", instances, pretraining=pretraining, normalization="batch", **settings, **more)
    assert largest_error(model, net_graph(model, "x"), instances.array[TRAIN:]) < TOLERANCE


def test_the_net_and_the_exporter_are_left_as_they_were(capfd: pytest.CaptureFixture[str]) -> None:
    instances = dataset("grey")
    model = fitted("transformer", instances, dropout=0.3)
    model.net.train()
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    modules, level = [type(module) for module in model.net.modules()], logging.getLogger("torch.onnx").level
    proto = net_graph(model, "x").proto
    assert capfd.readouterr() == ("", "")
    assert model.net.training
    assert [type(module) for module in model.net.modules()] == modules
    assert all(torch.equal(value, before[name]) for name, value in model.net.state_dict().items())
    assert torch.backends.mha.get_fastpath_enabled()
    assert logging.getLogger("torch.onnx").level == level
    assert not [text for text in (b"site-packages", b".py", b"polyculture") if text in proto.SerializeToString()]


def test_a_name_of_the_input_that_is_the_name_of_a_layer_is_no_clash() -> None:
    instances = dataset("table")
    model = fitted("mlp", instances)
    inner = [node.output[0] for node in net_graph(model, "x").proto.graph.node]
    graph = net_graph(model, inner[0])
    assert graph.proto.graph.input[0].name == inner[0]
    assert largest_error(model, graph, instances.array[TRAIN:]) < TOLERANCE


def test_layers_that_are_used_twice_and_subclasses_of_known_layers_stay_what_they_are() -> None:
    from polyculture.models.graphs.nets.layers import exportable

    class Noise(nn.Dropout):
        """Drops out of what it predicts from, too."""

    shared, dropout, noise = nn.Linear(2, 2), nn.Dropout(0.5), Noise(0.5)
    net = exportable(nn.Sequential(shared, dropout, shared, dropout, noise))
    assert net[0] is net[2]
    assert net[0] is not shared
    assert [type(layer) for layer in (net[1], net[3], net[4])] == [nn.Identity, nn.Identity, Noise]


class Undecided(nn.Module):
    """A net whose layers depend on the inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """n × 2 → n × 2."""
        return self.layer(inputs) if inputs.sum() > 0 else inputs


class Unknown(Undecided):
    """A net with an operator that ONNX does not have."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """n × 2 → n × 2."""
        return torch.linalg.eigvals(torch.diag_embed(self.layer(inputs))).real


@pytest.mark.parametrize(("net", "reason"), [(Undecided, "GuardOnDataDependentSymNode"), (Unknown, "aten.linalg_eig")])
def test_a_net_that_cannot_be_a_graph_is_refused_in_one_sentence(
    net: Any, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model = FittedNet(net(), Encoder("table", (2,), centre=(0.0, 0.0), spread=(1.0, 1.0)))
    with pytest.raises(InputError, match=reason) as error:
        net_graph(model, "x")
    sentence = str(error.value)
    assert sentence.startswith("the net cannot be written as a graph (")
    assert sentence.endswith(
        "; expected layers that ONNX has operators for, and a number of instances that is inputs.shape[0], not "
        "len(inputs); leave it out."
    )
    assert "\n" not in sentence
    assert capfd.readouterr() == ("", "")
