"""What are candidates examined on where the truth is a number? Values, shifted companions and groups, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.errors import InputError
from polyculture.values import Values

from ..questions import Questions


@dataclass(frozen=True, eq=False)
class ValueEvaluationSet(Questions):
    """What models of numbers are examined on.

    Parameters
    ----------
    values : what the candidates predicted, without gaps.
    shifted : the same candidates on other test sets, by name.
    groups : instance columns whose groups are judged one by one.
    clusters : instance column that says which instances were sampled together.
    """

    values: Values
    shifted: Mapping[str, ValueEvaluationSet] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    clusters: str = ""

    def __post_init__(self) -> None:
        self.check_columns()
        gaps = (~np.isfinite(self.values.predicted)).sum(axis=1)
        if gaps.any():
            hit = int(gaps.argmax())
            raise InputError(
                f"model {self.values.models[hit]!r} has no value for {gaps[hit]} of {self.n} instances",
                "a finite number of every model for every instance",
                "leave the model out",
            )

    @property
    def instances(self) -> pd.DataFrame:
        """What is known of each instance."""
        return self.values.known

    @property
    def models(self) -> pd.DataFrame:
        """What each candidate is made of."""
        return self.values.made_of

    @cached_property
    def residuals(self) -> Float[np.ndarray, "m n"]:
        """Predicted less true."""
        found: Float[np.ndarray, "m n"] = self.values.predicted - self.values.targets
        return found

    @cached_property
    def moments(self) -> Float[np.ndarray, "m m"]:
        """Mean product of the residuals of each pair; on the diagonal the mean squared errors."""
        found: Float[np.ndarray, "m m"] = self.residuals @ self.residuals.T / self.n
        return found

    @property
    def squared_errors(self) -> Float[np.ndarray, " m"]:
        """Mean squared error of each candidate."""
        return np.diag(self.moments).copy()

    @property
    def variance(self) -> float:
        """Mean squared error of whoever knows only the mean of the truth here."""
        return float(self.values.targets.var())

    def take(self, rows: Int[np.ndarray, " k"]) -> ValueEvaluationSet:
        """The exam on these instances only; shifted companions stay whole."""
        return replace(self, values=self.values.take_instances(rows))

    def beside(self, shifted: Mapping[str, ValueEvaluationSet]) -> ValueEvaluationSet:
        """The same exam with other shifted companions."""
        return replace(self, shifted=shifted)
