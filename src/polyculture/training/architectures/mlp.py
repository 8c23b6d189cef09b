"""Nets of fully connected layers."""

from __future__ import annotations

from torch import nn

from polyculture.models.encoder import Form

from .convolution_layers import feature_norm
from .stems import as_vector


def mlp(
    form: Form, outputs: int, *, width: int = 64, depth: int = 2, normalization: str = "none", dropout: float = 0.1
) -> nn.Module:
    """A multilayer perceptron of `depth` hidden layers; of none, it is (multinomial) logistic regression.

    Before each ReLU `normalization`: ``"batch"`` (Ioffe and Szegedy 2015), ``"layer"`` (Ba et al. 2016) or ``"none"``.
    """
    stem, features = as_vector(form)
    layers = [stem]
    for inputs in [features, *[width] * (depth - 1)][:depth]:
        layers += [nn.Linear(inputs, width), *feature_norm(normalization, width), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(width if depth else features, outputs))


def selu_mlp(form: Form, outputs: int, *, width: int = 64, depth: int = 2, dropout: float = 0.05) -> nn.Module:
    """A self-normalizing net (Klambauer et al. 2017): SELU preserves mean and spread from layer to layer.

    Weights have variance 1 / inputs (LeCun et al. 1998) and dropout preserves mean and spread, too. With 3 hidden
    layers or more `sgd` needs a learning rate below its default, or `clip`.
    """
    stem, features = as_vector(form)
    layers = [stem]
    for inputs in [features, *[width] * (depth - 1)]:
        layers += [nn.Linear(inputs, width), nn.SELU(), nn.AlphaDropout(dropout)]
    net = nn.Sequential(*layers, nn.Linear(width, outputs))
    for layer in net:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.bias)
    return net
