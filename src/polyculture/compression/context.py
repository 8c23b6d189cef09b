"""What does a compression need beside the model? Training set, teachers, and functions that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from polyculture.dataset import Dataset

if TYPE_CHECKING:
    from polyculture.models.fitted import Fitted

Teacher = Callable[[np.ndarray], np.ndarray]
"""Inputs of a dataset → n × c probabilities, or n × 1 numbers."""


@runtime_checkable
class FineTune(Protocol):
    """Fits a net further; weights that are exactly zero stay zero."""

    def __call__(self, model: Fitted, epochs: int, teacher: Teacher | None = None) -> Fitted: ...


@runtime_checkable
class FitStudent(Protocol):
    """Fits a net of the same recipe with this share of its width taken away, taught by a teacher."""

    def __call__(self, share: float, teacher: Teacher) -> Fitted: ...


@dataclass(frozen=True, eq=False)
class CompressionContext:
    """What a method may use.

    Parameters
    ----------
    train : the instances that the model was trained on, at the level of its recipe's data axis.
    seed : of everything random in the compression.
    teachers : by name: ``"self"`` (the original), ``"ensemble"`` (the mean of all originals), ``"unlike"`` (the
        original that errs least with this one).
    fine_tune, fit_student : by the trainer of the model; None for models without one.
    """

    train: Dataset
    seed: int = 0
    teachers: dict[str, Teacher] = field(default_factory=dict)
    fine_tune: FineTune | None = None
    fit_student: FitStudent | None = None
