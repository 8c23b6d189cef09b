"""Nets of every architecture with random weights, and what holds for a compressed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from polyculture.dataset import Dataset
from polyculture.models.encoder import Encoder
from polyculture.models.fitted_net import FittedNet
from polyculture.models.graphs.net_graphs import net_graph
from polyculture.models.graphs.runner import GraphRunner
from polyculture.models.spectrogram import log_mel
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.architectures import ARCHITECTURES, Net

NETS = [name for name, architecture in ARCHITECTURES.items() if isinstance(architecture, Net)]
OVER_SEQUENCES = ("mlp", "selu-mlp", "transformer", "transformer-decoder", "transformer-encdec", "autoencoder")
RECURRENT = ("rnn", "lstm", "gru", "attention", "crf")
N, LENGTH = 24, 6
KINDS = {
    **{"table": "classification", "grey": "classification", "colour": "regression", "volume": "regression"},
    **{"series": "regression", "audio": "classification", "text": "classification", "tags": "tagging"},
}
"""Task of each kind of input."""


def dataset(kind: str) -> Dataset:
    """Instances drawn at random, of three classes, or numbers."""
    draw = stream(0, "compressed", kind)
    lengths, words = draw.integers(1, LENGTH + 1, N), draw.choice(["one", "two", "three", "Four", "5"], (N, LENGTH))
    inputs: dict[str, Any] = {
        "table": draw.normal(10.0, 2.0, (N, 5)),
        "grey": draw.random((N, 9, 7)),
        "colour": draw.random((N, 11, 8, 3)),
        "volume": draw.random((N, 5, 6, 7)),
        "series": draw.normal(-3.0, 1.0, (N, 7, 3)),
        "audio": draw.uniform(-1, 1, (N, 1200)),
        "text": np.array([" ".join(row[:length]) for row, length in zip(words, lengths, strict=True)]),
        "tags": np.where(np.arange(LENGTH) < lengths[:, None], words, ""),
    }
    labels = np.arange(N) % 3
    if KINDS[kind] == "regression":
        labels = draw.normal(5.0, 20.0, N)
    if KINDS[kind] == "tagging":
        labels = np.where(inputs["tags"] == "", -1, draw.integers(0, 3, (N, LENGTH)))
    modality: Any = "image" if kind in ("grey", "colour") else kind
    return Dataset(inputs[kind], labels, () if KINDS[kind] == "regression" else ("a", "b", "c"), modality=modality)


def random_net(name: str, data: Dataset, **hyperparameters: Any) -> FittedNet:
    """A net as its builder makes it, with normalizations and biases that are not trivial."""
    encoder, draw = Encoder.of(data), torch.Generator().manual_seed(1)
    net = ARCHITECTURES[name].module(Recipe(name, hyperparameters=hyperparameters), encoder, data)  # type: ignore[attr-defined]
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim == 1 or not weight.any():
                weight.copy_(0.5 + 0.3 * torch.randn(weight.shape, generator=draw))
        for layer in net.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.running_mean.copy_(torch.randn(layer.num_features, generator=draw))
                layer.running_var.copy_(0.5 + torch.rand(layer.num_features, generator=draw))
    return FittedNet(net.eval(), encoder)


def check_compressed(model: FittedNet, name: str, data: Dataset, folder: Path, **hyperparameters: Any) -> None:
    """Predictions have their form, and the net that was saved is the one that is loaded by its recipe."""
    predictions = model(data.array)
    assert np.isfinite(predictions).all()
    if data.classes:
        np.testing.assert_allclose(predictions.sum(axis=1), 1, atol=1e-5)
    else:
        assert predictions.shape == (N, 1)
    model.save(folder)
    loaded = ARCHITECTURES[name].load(Recipe(name, hyperparameters=hyperparameters), data, folder)
    np.testing.assert_array_equal(loaded(data.array), predictions)
    assert loaded.parameters == model.parameters


def check_graph(model: FittedNet, data: Dataset) -> None:
    """The graph predicts what the net predicts, and is not larger than its weights ask for."""
    graph = net_graph(model, "x")
    inputs = log_mel(data.array) if graph.kind == "log_mel" else np.asarray(data.array, np.float32)
    error = np.abs(GraphRunner(graph.proto)(inputs) - model(data.array)).max() / model.encoder.target[1]
    assert error < 1e-5
    assert len(graph.proto.SerializeToString()) < 4 * model.parameters + 50_000
