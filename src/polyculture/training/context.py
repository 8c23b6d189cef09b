"""What does a fit need besides its recipe and training set, and what does it report?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Shaped

from polyculture.dataset import Dataset
from polyculture.models.encoder import Encoder
from polyculture.models.fitted import FitCost
from polyculture.preparation.transforms.transform import View


@dataclass(frozen=True, eq=False)
class TrainingContext:
    """What a fit needs besides its recipe and its training set.

    Parameters
    ----------
    view : how the training set is transformed in each epoch; None to leave it unchanged.
    pool : inputs without labels, to pre-train on; None for those of the training set.
    seconds : time limit of the fit; a net that exceeds it fails with a TrainingError.
    device : where nets are trained, such as ``"cpu"`` or ``"cuda:0"``.
    encoder : how scikit-learn estimators read inputs, fitted to more inputs than have labels; None for one that is
        fitted to the training set.
    """

    view: View | None = None
    pool: Shaped[np.ndarray, "p ..."] | None = None
    seconds: float | None = None
    device: str = "cpu"
    encoder: Encoder | None = None


@dataclass(frozen=True, eq=False)
class PretrainingContext:
    """What pre-training needs besides the net.

    Parameters
    ----------
    train : the labelled training set; its inputs and classes are used, its labels are not.
    pool : inputs without labels.
    encoder : how the net reads them.
    seed : of all random numbers.
    training : device and time limit.
    source : name of the problem that is transferred from; empty for none.
    """

    train: Dataset
    pool: Shaped[np.ndarray, "p ..."]
    encoder: Encoder
    seed: int
    training: TrainingContext
    source: str = ""


@dataclass(frozen=True)
class TrainingHistory:
    """Mean training loss of each epoch, and the computation that it took."""

    curve: tuple[float, ...] = ()
    cost: FitCost = field(default_factory=lambda: FitCost(flops=0.0))
