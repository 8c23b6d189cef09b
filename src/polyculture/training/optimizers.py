"""How do nets descend? The optimizers and the learning rate that suits each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def sgd(parameters: Iterable[Any], *, learning_rate: float = 0.1, weight_decay: float = 0.0) -> Any:
    """Stochastic gradient descent with Nesterov momentum 0.9."""
    from torch.optim import SGD

    return SGD(parameters, lr=learning_rate, momentum=0.9, nesterov=True, weight_decay=weight_decay)


def adam(parameters: Iterable[Any], *, learning_rate: float = 0.004, weight_decay: float = 0.0) -> Any:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""
    from torch.optim import AdamW

    return AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)


def rmsprop(parameters: Iterable[Any], *, learning_rate: float = 0.002, weight_decay: float = 0.0) -> Any:
    """RMSprop (Tieleman and Hinton 2012)."""
    from torch.optim import RMSprop

    return RMSprop(parameters, lr=learning_rate, weight_decay=weight_decay)


OPTIMIZERS: dict[str, Callable[..., Any]] = {"sgd": sgd, "adam": adam, "rmsprop": rmsprop}
"""Level of the optimizer axis by name: a function from a net's parameters to a torch optimizer."""
