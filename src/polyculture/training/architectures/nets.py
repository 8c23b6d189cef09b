"""The nets: builders of torch modules, fitted by one loop, kept in safetensors files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from polyculture import rng
from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.recipe import Recipe

from ..optimizers import OPTIMIZERS
from ..process import one_thread
from .architecture import Architecture, Fitted, Shape, options


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a net learns.

    Parameters
    ----------
    epochs : passes over the training set.
    learning_rate : the highest one; it falls to zero along a cosine. None for what suits the optimizer.
    batch_size : instances per step.
    weight_decay : how strongly weights are pulled to zero.
    """

    epochs: int = 20
    learning_rate: float | None = None
    batch_size: int = 32
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and (value < 0 or (value == 0 and name != "weight_decay")):
                raise InputError(f"{name} is {value}", "0 or more" if name == "weight_decay" else "more than 0")


def mlp(shape: Shape, classes: int, *, width: int = 64, dropout: float = 0.1) -> Any:
    """Two hidden layers."""
    from torch import nn

    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(int(np.prod(shape)), width), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout)),
        nn.Linear(width, classes),
    )


def lenet(shape: Shape, classes: int, *, width: int = 16, dropout: float = 0.1) -> Any:
    """Two convolutions with pooling, then two linear layers (after LeCun et al. 1998), for images as small as 4 × 4."""
    from torch import nn

    height, breadth = _image(shape, "lenet")
    return nn.Sequential(
        nn.Unflatten(1, (1, height)),
        *(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(dropout)),
        *(nn.Linear(2 * width * (height // 4) * (breadth // 4), 4 * width), nn.ReLU(), nn.Dropout(dropout)),
        nn.Linear(4 * width, classes),
    )


def lstm(shape: Shape, classes: int, *, width: int = 32, dropout: float = 0.1) -> Any:
    """A bidirectional LSTM over the rows of the image."""
    from .modules import RowsByLstm

    return RowsByLstm(_image(shape, "lstm")[1], classes, width, dropout)


def transformer(shape: Shape, classes: int, *, width: int = 32, dropout: float = 0.1) -> Any:
    """A Transformer encoder of two layers and four heads, the rows of the image as tokens; width a multiple of 4."""
    from .modules import RowsByTransformer

    return RowsByTransformer(_image(shape, "transformer"), classes, width, dropout)


def _image(shape: Shape, architecture: str) -> tuple[int, int]:
    if len(shape) != 2:
        raise InputError(f"{architecture!r} was given inputs of shape {shape}", "images: height × width")
    return shape[0], shape[1]


@dataclass(frozen=True)
class Net(Architecture):
    """A torch net: a function from input shape, number of classes and hyperparameters to a module, and its schedule."""

    build: Callable[..., Any]
    schedule: Schedule = Schedule()
    packages: ClassVar[tuple[str, ...]] = ("torch", "safetensors")

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """The builder's keyword-only parameters and the schedule."""
        return options(self.build) | asdict(self.schedule)

    @property
    def optimizers(self) -> tuple[str, ...]:
        """All that there are."""
        return tuple(OPTIMIZERS)

    def check(self, recipe: Recipe) -> None:
        """Also refuse an impossible schedule."""
        super().check(recipe)
        self._schedule(recipe)

    def fit(self, recipe: Recipe, train: Dataset) -> Fitted:
        """Learn; starting weights and order of the instances depend on the recipe's seed only."""
        from .. import loop

        with one_thread(), loop.seeded(rng.derived_seed(recipe.seed, "weights")):
            net = self._net(recipe, train.inputs.shape[1:], len(train.classes))
            optimize = OPTIMIZERS[recipe.optimizer]
            curve = loop.fit(net, train, self._schedule(recipe), optimize, rng.derived_seed(recipe.seed, "order"))
        return FittedNet(net, tuple(curve))

    def load(self, recipe: Recipe, shape: Shape, classes: int, folder: Path) -> Fitted:
        """The net with the weights in ``weights.safetensors``."""
        from safetensors.torch import load_file

        from .. import loop

        with loop.seeded(0):
            net = self._net(recipe, shape, classes)
        net.load_state_dict(load_file(folder / "weights.safetensors"))
        return FittedNet(net)

    def _net(self, recipe: Recipe, shape: Shape, classes: int) -> Any:
        own = options(self.build)
        return self.build(shape, classes, **{k: v for k, v in self.settings(recipe).items() if k in own})

    def _schedule(self, recipe: Recipe) -> Schedule:
        names = {f.name for f in fields(Schedule)}
        return Schedule(**asdict(self.schedule) | {k: v for k, v in self.settings(recipe).items() if k in names})


@dataclass(frozen=True, eq=False)
class FittedNet(Fitted):
    """A torch net that has learned."""

    net: Any
    curve: tuple[float, ...] = ()

    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n c"]:
        """Class probabilities."""
        from .. import loop

        return loop.probabilities(self.net, inputs)

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """How many weights there are."""
        return sum(p.numel() for p in self.net.parameters())

    def save(self, folder: Path) -> None:
        """Write ``weights.safetensors``."""
        from safetensors.torch import save_file

        save_file(self.net.state_dict(), folder / "weights.safetensors")
