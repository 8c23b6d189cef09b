"""Which optimizers are there? Builders of torch optimizers, each with its default learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any


def sgd(parameters: Iterable[Any], *, learning_rate: float = 0.1, weight_decay: float = 0.0) -> Any:
    """Stochastic gradient descent with Nesterov momentum 0.9 (Nesterov 1983, Sutskever et al. 2013)."""
    return _built(
        "torch.optim.SGD", parameters, lr=learning_rate, momentum=0.9, nesterov=True, weight_decay=weight_decay
    )


def plain_sgd(parameters: Iterable[Any], *, learning_rate: float = 0.5, weight_decay: float = 0.0) -> Any:
    """Stochastic gradient descent without momentum (Robbins and Monro 1951)."""
    return _built("torch.optim.SGD", parameters, lr=learning_rate, weight_decay=weight_decay)


def momentum(parameters: Iterable[Any], *, learning_rate: float = 0.1, weight_decay: float = 0.0) -> Any:
    """Stochastic gradient descent with heavy-ball momentum 0.9 (Polyak 1964)."""
    return _built("torch.optim.SGD", parameters, lr=learning_rate, momentum=0.9, weight_decay=weight_decay)


def adam(parameters: Iterable[Any], *, learning_rate: float = 0.004, weight_decay: float = 0.0) -> Any:
    """Adam (Kingma and Ba 2015); weight decay, where there is any, is decoupled as in AdamW."""
    return _built("torch.optim.AdamW", parameters, lr=learning_rate, weight_decay=weight_decay)


def adamw(parameters: Iterable[Any], *, learning_rate: float = 0.004, weight_decay: float = 0.05) -> Any:
    """Adam with decoupled weight decay, and some of it by default (Loshchilov and Hutter 2019)."""
    return adam(parameters, learning_rate=learning_rate, weight_decay=weight_decay)


def nadam(parameters: Iterable[Any], *, learning_rate: float = 0.004, weight_decay: float = 0.0) -> Any:
    """Adam with Nesterov momentum (Dozat 2016); weight decay is decoupled."""
    return _built(
        "torch.optim.NAdam", parameters, lr=learning_rate, weight_decay=weight_decay, decoupled_weight_decay=True
    )


def adagrad(parameters: Iterable[Any], *, learning_rate: float = 0.05, weight_decay: float = 0.0) -> Any:
    """AdaGrad (Duchi, Hazan and Singer 2011)."""
    return _built("torch.optim.Adagrad", parameters, lr=learning_rate, weight_decay=weight_decay)


def rmsprop(parameters: Iterable[Any], *, learning_rate: float = 0.002, weight_decay: float = 0.0) -> Any:
    """RMSprop (Tieleman and Hinton 2012)."""
    return _built("torch.optim.RMSprop", parameters, lr=learning_rate, weight_decay=weight_decay)


def adafactor(parameters: Iterable[Any], *, learning_rate: float = 0.05, weight_decay: float = 0.0) -> Any:
    """Adam without momentum and with row and column sums in place of its squares (Shazeer and Stern 2018)."""
    return _built("torch.optim.Adafactor", parameters, lr=learning_rate, weight_decay=weight_decay)


def lion(parameters: Iterable[Any], *, learning_rate: float = 0.002, weight_decay: float = 0.0) -> Any:
    """Signs of a momentum (Chen et al. 2023); weight decay is decoupled."""
    return _built(f"{__package__}.custom_optimizers.Lion", parameters, lr=learning_rate, weight_decay=weight_decay)


def muon(parameters: Iterable[Any], *, learning_rate: float = 0.02, weight_decay: float = 0.0) -> Any:
    """Orthogonalized momentum for matrices (Jordan et al. 2024), Adam at a fifth of the rate for all other weights."""
    return _built(f"{__package__}.custom_optimizers.Muon", parameters, lr=learning_rate, weight_decay=weight_decay)


def sam(parameters: Iterable[Any], *, learning_rate: float = 0.1, weight_decay: float = 0.0, rho: float = 0.05) -> Any:
    """Sharpness-aware minimization (Foret et al. 2021) over `sgd`: two gradients per step."""
    return _built(
        f"{__package__}.custom_optimizers.Sam",
        parameters,
        rho=rho,
        lr=learning_rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=weight_decay,
    )


def _built(path: str, parameters: Iterable[Any], **settings: Any) -> Any:
    """The optimizer class at this path, imported on first use since it loads torch, with these settings."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(parameters, **settings)


OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": sgd,
    "adam": adam,
    "rmsprop": rmsprop,
    "plain-sgd": plain_sgd,
    "momentum": momentum,
    "adagrad": adagrad,
    "adamw": adamw,
    "nadam": nadam,
    "adafactor": adafactor,
    "lion": lion,
    "muon": muon,
    "sam": sam,
}
"""Level of the optimizer axis by name: a function from a net's parameters to a torch optimizer."""
