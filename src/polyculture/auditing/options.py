"""What may the user say about the table, and what does every question of the audit start from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Shaped

from polyculture.auditing.strata import crossed, group_codes
from polyculture.errors import InputError, near
from polyculture.measures.counts import PairCounts, count
from polyculture.measures.systemic import FailureCounts, systemic
from polyculture.predictions import Predictions

LABEL_ERRORS = 0.033
"""Share of wrong labels in ten well-known test sets, on average at least (Northcutt et al. 2021)."""


@dataclass(frozen=True)
class AuditOptions:
    """What the audit should know about the table, and how sure it should be.

    Parameters
    ----------
    clusters : instance column that says which instances were sampled together (patient, document); one draw in every
        interval.
    strata : instance columns with outside knowledge of difficulty (a human score, a source, a length); rung N2 is
        independence within them. Columns with many numbers are cut into tenths.
    outside : model names or patterns that are not audited but tell how hard an instance is (humans, reference models).
    groups : instance columns whose groups are compared in how often every model fails them.
    verdicts : by instance id, the probability that its label is valid, as somebody judged it; those below ½ are left
        out, the others count with that weight in the effective number.
    label_errors : share of wrong labels that is plausible, beside which the tipping point is put.
    scale : model column with sizes or dates, along which ability and alikeness are followed.
    designed : whether the models' factors were assigned by a crossed design; only then is attribution called an effect.
    population : whether to give intervals for a population of models of which these are a random sample, too.
    level : confidence level of every interval, in (0, 1).
    seed : of whatever is resampled.
    """

    clusters: str = ""
    strata: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    verdicts: Mapping[str, float] = field(default_factory=dict)
    label_errors: float = LABEL_ERRORS
    scale: str = ""
    designed: bool = False
    population: bool = False
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError(f"level is {self.level}", "a confidence level between 0 and 1, such as 0.95")
        if not 0 <= self.label_errors < 1:
            raise InputError(f"label_errors is {self.label_errors}", "a share of instances, such as 0.033")
        strange = {name: v for name, v in self.verdicts.items() if not 0 <= v <= 1}
        if strange:
            name, value = next(iter(strange.items()))
            raise InputError(f"verdict {value} on instance {name!r}", "the probability that its label is valid, 0 … 1")


@dataclass(frozen=True, eq=False)
class AuditContext:
    """The audited table with what is counted once and used by many questions.

    Parameters
    ----------
    predictions : models and instances that are audited.
    options : what the user said.
    difficulty : share of the outside models that fail each instance; None without outside models.
    weights : probability that each label is valid; None without verdicts.
    """

    predictions: Predictions
    options: AuditOptions
    difficulty: Float[np.ndarray, " n"] | None = None
    weights: Float[np.ndarray, " n"] | None = None

    @classmethod
    def gather(cls, predictions: Predictions, options: AuditOptions) -> AuditContext:
        """Set outside models and invalid instances aside."""
        for name in (options.clusters, *options.strata, *options.groups):
            if name and name not in predictions.instances.columns:
                known = map(str, predictions.instances.columns)
                raise InputError(f"no instance column {name!r}", cure=near(name, known))
        predictions, weights = _judged(predictions, options.verdicts)
        predictions, difficulty = _from_outside(predictions, options.outside)
        return cls(predictions, options, difficulty, weights)

    @cached_property
    def counts(self) -> PairCounts:
        """All-pairs counts."""
        p = self.predictions
        return count(p.answers, p.labels, p.correct, max(len(p.classes), 2), p.options)

    @cached_property
    def classes(self) -> Int[np.ndarray, " n"] | None:
        """True class of each instance, where the task has fixed classes."""
        return self.predictions.labels if self.predictions.has_fixed_classes else None

    @cached_property
    def strata(self) -> Int[np.ndarray, " n"] | None:
        """Class crossed with outside knowledge of difficulty; None if there is no such knowledge."""
        columns = [group_codes(self.predictions.instances[name]) for name in self.options.strata]
        if self.difficulty is not None:
            columns.append(group_codes(pd.Series(self.difficulty)))
        return crossed(columns, self.classes) if columns else None

    @cached_property
    def clusters(self) -> Int[np.ndarray, " n"] | None:
        """Cluster of each instance, where the user named a column."""
        if not self.options.clusters:
            return None
        names: Shaped[np.ndarray, " n"] = self.predictions.instances[self.options.clusters].to_numpy()
        codes: Int[np.ndarray, " n"] = np.unique(names.astype(str), return_inverse=True)[1]
        return codes

    @cached_property
    def complete(self) -> Bool[np.ndarray, " n"]:
        """Instances that every model answered."""
        observed = self.predictions.observed
        everywhere = np.ones(self.predictions.shape[1], dtype=bool)
        return everywhere if observed is None else np.asarray(observed.all(axis=0))

    @cached_property
    def systemic(self) -> FailureCounts:
        """Failure counts against independence given the true class."""
        return systemic(self.predictions.wrong, self.classes, self.predictions.observed)


def _judged(
    predictions: Predictions, verdicts: Mapping[str, float]
) -> tuple[Predictions, Float[np.ndarray, " n"] | None]:
    """Without the instances whose label is rather invalid, and the weights of the rest."""
    if not verdicts:
        return predictions, None
    ids = predictions.instances.index.astype(str)
    strangers = sorted(set(verdicts) - set(ids))
    if strangers:
        raise InputError(f"a verdict on the unknown instance {strangers[0]!r}", cure=near(strangers[0], ids))
    validity = np.array([verdicts.get(name, 1.0) for name in ids])
    kept = np.flatnonzero(validity >= 0.5)
    return predictions.take_instances(kept), validity[kept]


def _from_outside(
    predictions: Predictions, patterns: tuple[str, ...]
) -> tuple[Predictions, Float[np.ndarray, " n"] | None]:
    """The audited models alone, and the share of the outside ones that fail each instance."""
    if not patterns:
        return predictions, None
    ids = predictions.model_ids
    outside = [m for m in ids if any(fnmatchcase(m, p) for p in patterns)]
    if not outside:
        raise InputError(f"no model matches {patterns[0]!r}", cure=near(patterns[0], ids))
    at = [ids.index(m) for m in outside]
    wrong = predictions.wrong[at].sum(axis=0)
    answered = np.full(len(wrong), len(at)) if predictions.observed is None else predictions.observed[at].sum(axis=0)
    share: Float[np.ndarray, " n"] = np.where(answered > 0, wrong / np.maximum(answered, 1), np.nan)
    return predictions.take_models([m for m in ids if m not in outside]), share
