"""What is a fitted model? A function from inputs to predictions that can be saved, and what fitting it cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped


@dataclass(frozen=True)
class FitCost:
    """Computation of a fit, pre-training included; seconds are measured elsewhere.

    Parameters
    ----------
    epochs, steps : passes over the training set and updates of the weights; 0 for estimators without.
    flops : floating-point operations of all forward and backward passes, counted on one batch; nan where not counted.
    """

    epochs: int = 0
    steps: int = 0
    flops: float = float("nan")

    def __add__(self, cost: FitCost) -> FitCost:
        """The sum of two costs."""
        return FitCost(self.epochs + cost.epochs, self.steps + cost.steps, self.flops + cost.flops)


class Fitted(ABC):
    """A fitted model (inputs → probabilities) that can be saved.

    Attributes: `parameters`, how many numbers the fit determined; `curve`, the mean training loss of each epoch
    (empty for estimators without epochs); `cost`, the computation of the fit.
    """

    parameters: int
    curve: tuple[float, ...]
    cost: FitCost

    @abstractmethod
    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "k c"]:
        """Class probabilities, float32: a row per input, or for tagging a row per token in reading order.

        For regression one column, the predicted number.
        """

    def estimate(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, " n"]:
        """Predicted numbers of a regression model in the highest precision that it offers, as float64."""
        return np.asarray(self(inputs), np.float64)[:, 0]

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the weights into this folder."""
