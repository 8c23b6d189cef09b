"""How long and how fast is a net trained, and how is it regularized?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

from polyculture.errors import InputError, near

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""
CYCLES = 4
"""Cycles of the learning rate with averaging "snapshot"."""
AVERAGED_FROM = {"swa": 0.75, "snapshot": 0.5}
"""Share of the steps after which weights are averaged."""


def constant(progress: float) -> float:  # noqa: ARG001
    """The highest rate at every step."""
    return 1.0


def warm_up(progress: float) -> float:
    """Rises over the first tenth of the steps, then stays."""
    return min(progress / WARM_UP, 1.0)


def cosine(progress: float) -> float:
    """Rises over the first tenth of the steps, then falls along a cosine (Loshchilov and Hutter 2017)."""
    return min(10 * progress, 1.0) * (1 + math.cos(math.pi * progress)) / 2


def step(progress: float) -> float:
    """A tenth after half of the steps, a hundredth after three quarters (as He et al. 2016)."""
    return 1.0 if progress <= 0.5 else 0.1 if progress <= 0.75 else 0.01


def one_cycle(progress: float) -> float:
    """From 1/25 up along a cosine over the first 30 % of the steps, then down to almost zero (Smith and Topin 2018)."""
    low, top, lowest, peak = 1 / 25, 1.0, 1 / 250_000, 0.3
    if progress <= peak:
        return low + (top - low) * (1 - math.cos(math.pi * progress / peak)) / 2
    return lowest + (top - lowest) * (1 + math.cos(math.pi * (progress - peak) / (1 - peak))) / 2


def cyclic(progress: float) -> float:
    """Falls along a cosine and starts again, several times (Huang et al. 2017)."""
    return (1 + math.cos(math.pi * (1 - -progress * CYCLES % 1))) / 2


PACES: dict[str, Callable[[float], float]] = {
    "cosine": cosine,
    "constant": constant,
    "step": step,
    "one-cycle": one_cycle,
    "warm-up": warm_up,
    "plateau": warm_up,
}
"""Share of the highest learning rate, by name, from the share of steps completed, this one included.

"plateau" also falls to 0.3 of itself whenever the training loss has not fallen for 3 epochs."""
AVERAGES = ("none", "ema", "swa", "snapshot")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Schedule:
    """Length, rates and regularization of training.

    Parameters
    ----------
    epochs : passes over the training set.
    learning_rate : the highest one. None for the default of the optimizer.
    batch_size : instances per step; a last batch of one instance is added to the one before.
    weight_decay : how strongly weights are pulled to zero. None for the default of the optimizer.
    schedule : how the rate changes, a name in `PACES`.
    l1 : penalty per unit of the sum of absolute weights.
    clip : greatest norm of the gradient of all weights; 0 for no limit (Pascanu et al. 2013).
    patience : training stops when the loss of a held-out tenth of the training set has not fallen for this number of
        epochs, with the weights of the best epoch; 0 trains on all rows for all epochs (Prechelt 1998).
    averaging : ``"none"``; ``"ema"``, the moving average of the weights over about the last hundred steps; ``"swa"``,
        their mean at the end of each of the last quarter of the epochs, in which the rate is constant
        (Izmailov et al. 2018); ``"snapshot"``, their mean at the ends of the last two of four cycles of the rate (the
        cycles are those of Huang et al. 2017, who average probabilities: that would be several nets, not one).
    precision : ``"float32"``, or ``"bfloat16"`` for products of matrices in half the bits.
    """

    epochs: int = 20
    learning_rate: float | None = None
    batch_size: int = 32
    weight_decay: float | None = None
    schedule: str = "cosine"
    l1: float = 0.0
    clip: float = 0.0
    patience: int = 0
    averaging: str = "none"
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            positive = name in ("epochs", "learning_rate", "batch_size")
            if isinstance(value, (int, float)) and (value < 0 or (value == 0 and positive)):
                raise InputError(f"{name} is {value}", "more than 0" if positive else "0 or more")
        for name, levels in (("schedule", (*PACES,)), ("averaging", AVERAGES), ("precision", PRECISIONS)):
            if getattr(self, name) not in levels:
                raise InputError(f"{name} is {getattr(self, name)!r}", "", near(getattr(self, name), levels))
        if self.averaging == "snapshot" and self.schedule != "cosine":
            raise InputError(f"schedule is {self.schedule!r} with averaging 'snapshot'", "'cosine', which it repeats")
        if self.averaging != "none" and self.patience:
            raise InputError(f"patience is {self.patience} with averaging {self.averaging!r}", "one of the two")

    def pace(self, progress: float) -> float:
        """Share of the highest learning rate at a step, from the share of steps completed, this one included."""
        if self.averaging == "snapshot":
            return cyclic(progress)
        return PACES[self.schedule](min(progress, AVERAGED_FROM["swa"]) if self.averaging == "swa" else progress)

    @property
    def stackable(self) -> bool:
        """Whether a net's steps depend on its batches and the share of steps completed only."""
        simple = self.schedule != "plateau" and self.averaging == "none" and self.precision == "float32"
        return simple and not (self.l1 or self.clip or self.patience)

    def batch_sizes(self, n: int) -> list[int]:
        """Sizes of the batches of n instances."""
        full, remainder = divmod(n, self.batch_size)
        sizes = [self.batch_size] * full + [remainder] * (remainder > 0)
        if remainder == 1 and full:  # one instance has no spread, which batch normalization divides by
            sizes[-2:] = [self.batch_size + 1]
        return sizes


@dataclass
class Plateau:
    """Factor of the rate that shrinks when the training loss no longer falls (as torch's ReduceLROnPlateau)."""

    factor: float = 1.0
    best: float = math.inf
    waited: int = 0

    def update(self, loss: float) -> None:
        """Compare the loss of one epoch."""
        improved = loss < self.best * (1 - 1e-4) or self.best == math.inf
        self.best, self.waited = (loss, 0) if improved else (self.best, self.waited + 1)
        if self.waited == 3:
            self.factor, self.waited = self.factor * 0.3, 0
