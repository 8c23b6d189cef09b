"""What are candidates examined on? One prediction table, its shifted companions and its groups, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError
from polyculture.predictions import Predictions

from .mixture_weights import SMALLEST
from .questions import Questions


@dataclass(frozen=True, eq=False)
class EvaluationSet(Questions):
    """What models are examined on.

    Where there are probabilities and labels, the truth is the label and the combined answer the most probable class.
    Else models vote, with their answers where there are any and with right or wrong where that is all that is known.

    Parameters
    ----------
    predictions : the candidates' outputs.
    shifted : the same candidates on other test sets, by name.
    groups : instance columns whose groups are judged one by one.
    clusters : instance column that says which instances were sampled together.
    """

    predictions: Predictions
    shifted: Mapping[str, EvaluationSet] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    clusters: str = ""

    def __post_init__(self) -> None:
        self.check_columns()
        p = self.predictions
        if self.has_probabilities and not np.isfinite(self.truth).all():
            hit = int(np.flatnonzero(~np.isfinite(self.truth).all(axis=1))[0])
            raise InputError(
                f"model {p.model_ids[hit]!r} has probabilities that are not numbers",
                "probabilities of every model on every instance",
                "leave the model out, or leave the probabilities out and let the answers vote",
            )

    @property
    def has_probabilities(self) -> bool:
        """Whether there are probabilities, and labels to judge them by."""
        return self.predictions.probabilities is not None and self.predictions.labels is not None

    @property
    def has_answers(self) -> bool:
        """Whether models say what they answer, not only whether they are right."""
        return self.predictions.answers is not None

    @property
    def instances(self) -> pd.DataFrame:
        """What is known of each instance."""
        return self.predictions.instances

    @property
    def models(self) -> pd.DataFrame:
        """What each candidate is made of."""
        return self.predictions.models

    @cached_property
    def truth(self) -> Float[np.ndarray, "m n"]:
        """Probability that each model gives to the truth, raised to 1e-12."""
        p = self.predictions
        assert p.probabilities is not None
        assert p.labels is not None
        given = p.probabilities[:, np.arange(self.n), p.labels].astype(np.float64)
        return np.maximum(given, SMALLEST)

    @property
    def wrong(self) -> Bool[np.ndarray, "m n"]:
        """Where a model is known to be wrong."""
        return self.predictions.wrong

    @property
    def observed(self) -> Bool[np.ndarray, "m n"] | None:
        """Where it is known whether a model is right; None where that is everywhere."""
        return self.predictions.observed

    @cached_property
    def errors(self) -> Float[np.ndarray, " m"]:
        """Error rate of each model where it was observed; nan where it never was."""
        if self.observed is None:
            return np.asarray(self.wrong.mean(axis=1), dtype=np.float64)
        seen = self.observed.sum(axis=1)
        rates = np.full(len(seen), np.nan)
        np.divide(self.wrong.sum(axis=1), seen, out=rates, where=seen > 0)
        return rates

    @property
    def strata(self) -> Int[np.ndarray, " n"] | None:
        """True class of each instance, where the task has fixed classes."""
        return self.predictions.labels if self.predictions.has_fixed_classes else None

    def take(self, rows: Int[np.ndarray, " k"]) -> EvaluationSet:
        """The exam on these instances only; shifted companions stay whole."""
        return replace(self, predictions=self.predictions.take_instances(rows))

    def beside(self, shifted: Mapping[str, EvaluationSet]) -> EvaluationSet:
        """The same exam with other shifted companions."""
        return replace(self, shifted=shifted)
