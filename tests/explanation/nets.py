"""Small nets with known weights as fitted models."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from polyculture.dataset import Dataset
from polyculture.models.encoder import Encoder
from polyculture.models.fitted_net import FittedNet
from polyculture.population import Population

CLASSES = ("a", "b", "c")


def fitted(net: nn.Module, train: Dataset) -> FittedNet:
    return FittedNet(net.eval(), Encoder.of(train))


def population(models: dict[str, object], classes: tuple[str, ...] = CLASSES) -> Population:
    return Population(models, classes)  # type: ignore[arg-type]


def seeded(seed: int, build: object) -> nn.Module:
    torch.manual_seed(seed)
    net: nn.Module = build()  # type: ignore[operator]
    return net


def scores(model: FittedNet, encoded: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Score of the target less the mean score of the others, in double precision."""
    with torch.no_grad():
        outputs = model.net(torch.as_tensor(encoded)).double().numpy()
    if outputs.shape[1] == 1:
        return outputs[:, 0] * model.encoder.target[1]
    own = outputs[np.arange(len(outputs)), targets]
    return own - (outputs.sum(axis=1) - own) / (outputs.shape[1] - 1)
