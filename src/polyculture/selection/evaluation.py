"""On what are candidates evaluated? One table of predictions, its shifted companions and its groups, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError, near
from polyculture.predictions import Predictions
from polyculture.predictions.probability_gaps import probability_gap

from .mixture_weights import SMALLEST

SMALLEST_GROUP = 10
"""Groups with fewer instances are not evaluated."""


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """The instances that all candidates are evaluated on.

    Where there are probabilities and labels, the truth is the label and the combined answer the most probable class.
    Where the truth is a number, values are averaged. Else models vote, with their answers where there are any and with
    right or wrong where that is all that is known.

    Parameters
    ----------
    predictions : the candidates' outputs; values without gaps.
    shifted : the same candidates on other test sets, by name.
    groups : instance columns whose groups are evaluated one by one.
    clusters : instance column that says which instances were sampled together.
    """

    predictions: Predictions
    shifted: Mapping[str, EvaluationSet] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    clusters: str = ""

    def __post_init__(self) -> None:
        p = self.predictions
        for name in (*self.groups, *([self.clusters] if self.clusters else [])):
            if name not in p.instances.columns:
                raise InputError(f"no instance column {name!r}", cure=near(name, map(str, p.instances.columns)))
        gaps = np.zeros(1) if p.values is None else (~np.isfinite(p.values)).sum(axis=1)
        if gaps.any():
            raise InputError(
                f"model {p.model_ids[int(gaps.argmax())]!r} has no value for {gaps.max()} of {self.n} instances",
                "a finite number of every model for every instance",
                "leave the model out",
            )
        if p.values is not None and np.all(p.targets == 1) and not ((p.values < 0) | (p.values > 1)).any():
            raise InputError("graded scores", "right or wrong outcomes", "read them with threshold (--threshold)")

    @property
    def n(self) -> int:
        """Number of instances."""
        return len(self.predictions.instances)

    @property
    def model_ids(self) -> list[str]:
        """Ids of the candidates."""
        return [str(model) for model in self.predictions.models.index]

    @property
    def is_regression(self) -> bool:
        """Whether the truth is a number."""
        return self.predictions.values is not None

    @cached_property
    def has_probabilities(self) -> bool:
        """Whether there are labels, and class probabilities of every model on every instance."""
        p = self.predictions
        return p.probabilities is not None and p.labels is not None and not probability_gap(p)

    @cached_property
    def truth(self) -> Float[np.ndarray, "m n"]:
        """Probability that each model gives to the truth, raised to 1e-12."""
        p = self.predictions
        assert p.probabilities is not None
        assert p.labels is not None
        probabilities = p.probabilities[:, np.arange(self.n), p.labels].astype(np.float64)
        return np.maximum(probabilities, SMALLEST)

    @property
    def wrong(self) -> Bool[np.ndarray, "m n"]:
        """Where a model is known to be wrong."""
        return self.predictions.wrong

    @property
    def observed(self) -> Bool[np.ndarray, "m n"] | None:
        """Where it is known whether a model is right; None where that is everywhere."""
        return self.predictions.observed

    @cached_property
    def residuals(self) -> Float[np.ndarray, "m n"]:
        """Predicted values less true values."""
        return self.predictions.residuals

    @cached_property
    def moments(self) -> Float[np.ndarray, "m m"]:
        """Mean product of the residuals of each pair; on the diagonal the mean squared errors."""
        return np.asarray(self.residuals @ self.residuals.T / self.n)

    @property
    def variance(self) -> float:
        """Variance of the true values: mean squared error of their mean."""
        assert self.predictions.targets is not None
        return float(self.predictions.targets.var())

    @cached_property
    def errors(self) -> Float[np.ndarray, " m"]:
        """Error rate of each model where it was observed, nan where it never was; for values the mean squared error."""
        if self.is_regression:
            return np.diag(self.moments).copy()
        if self.observed is None:
            return np.asarray(self.wrong.mean(axis=1), dtype=np.float64)
        counts = self.observed.sum(axis=1)
        rates = np.full(len(counts), np.nan)
        np.divide(self.wrong.sum(axis=1), counts, out=rates, where=counts > 0)
        return rates

    @property
    def strata(self) -> Int[np.ndarray, " n"] | None:
        """True class of each instance, where the task has fixed classes."""
        return self.predictions.labels if self.predictions.has_fixed_classes else None

    @cached_property
    def cluster_codes(self) -> Int[np.ndarray, " n"] | None:
        """Cluster of each instance, where a column was named."""
        if not self.clusters:
            return None
        names = self.predictions.instances[self.clusters].to_numpy().astype(str)
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def members_of_groups(self) -> Mapping[tuple[str, str], Bool[np.ndarray, " n"]]:
        """Where the instances of each group are, by column and group; groups of fewer than 10 are left out."""
        masks: dict[tuple[str, str], Bool[np.ndarray, " n"]] = {}
        for column in self.groups:
            values: pd.Series[str] = self.predictions.instances[column].astype(str)
            for group in sorted(values.unique()):
                mask = np.asarray(values == group)
                if mask.sum() >= SMALLEST_GROUP:
                    masks[column, group] = mask
        return masks

    def take(self, rows: Int[np.ndarray, " k"]) -> EvaluationSet:
        """These instances only; shifted companions stay complete."""
        return replace(self, predictions=self.predictions.take_instances(rows))

    def with_shifted(self, shifted: Mapping[str, EvaluationSet]) -> EvaluationSet:
        """The same instances with other shifted companions."""
        return replace(self, shifted=shifted)
