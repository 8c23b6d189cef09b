"""What is a learner given besides its recipe and its training set, and what did learning take?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from polyculture.preparation.transforms.transform import View


@dataclass(frozen=True, eq=False)
class TrainingContext:
    """What a learner is given besides its recipe and its training set.

    Parameters
    ----------
    view : how the training set is seen in each epoch; None for as it is.
    pool : inputs without labels, to pre-train on; None for those of the training set.
    seconds : how long the fit may take; a net that is not done by then fails with a TrainingError.
    device : where nets learn, such as ``"cpu"`` or ``"cuda:0"``.
    """

    view: View | None = None
    pool: Shaped[np.ndarray, "p ..."] | None = None
    seconds: float | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class FitCost:
    """What a fit took, besides seconds; pre-training is part of it.

    Parameters
    ----------
    epochs, steps : passes over the training set and updates of the weights; 0 for learners without.
    flops : floating-point operations of all forward and backward passes, counted on one batch; nan where not counted.
    """

    epochs: int = 0
    steps: int = 0
    flops: float = float("nan")

    def __add__(self, other: FitCost) -> FitCost:
        """What both took."""
        return FitCost(self.epochs + other.epochs, self.steps + other.steps, self.flops + other.flops)
