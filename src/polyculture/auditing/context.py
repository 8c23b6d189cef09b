"""What does every question of an audit start from, and what is an audit made of before its findings are drawn?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError, near
from polyculture.measures.counts import PairCounts
from polyculture.measures.effective import EffectiveNumber
from polyculture.measures.streaming.exact_sums import TableCounts
from polyculture.measures.systemic import FailureCounts
from polyculture.predictions import Predictions
from polyculture.results import Leaderboard, NullModel, Pairwise, PanelSums, Section, Systemic
from polyculture.stats import plural

from .counting import count_table
from .factors import codes_of
from .options import AuditOptions
from .strata import crossed, group_codes

MOST_WRONG = 2.0
"""Factor by which the expected share of all-wrong instances may be off before the class is left out of it."""
WORSE = 1.5
"""How many times larger its logarithm must then be with classes than without."""


@dataclass(frozen=True, eq=False)
class AuditContext:
    """The audited table with what is counted once and used by many questions.

    Parameters
    ----------
    predictions : models and instances that are audited; of a table in shards the hardest instances.
    options : what the user said.
    difficulty : share of the outside models that fail each instance; None without outside models.
    weights : probability that each label is valid; None without verdicts.
    shard_counts : counts added over the shards of a table; counted from the predictions where None.
    shard_clusters : number of clusters in all shards; that of the predictions where None.
    """

    predictions: Predictions
    options: AuditOptions
    difficulty: Float[np.ndarray, " n"] | None = None
    weights: Float[np.ndarray, " n"] | None = None
    shard_counts: TableCounts | None = None
    shard_clusters: int | None = None

    @classmethod
    def gather(cls, predictions: Predictions, options: AuditOptions) -> AuditContext:
        """Set outside models and invalid instances aside."""
        for name in (options.clusters, *options.strata, *options.groups, options.within):
            if name and name not in predictions.instances.columns:
                columns = map(str, predictions.instances.columns)
                raise InputError(f"no instance column {name!r}", cure=near(name, columns))
        predictions, weights = _drop_invalid(predictions, options.verdicts)
        predictions, difficulty = _split_outside(predictions, options.outside)
        return cls(predictions, options, difficulty, weights)

    @cached_property
    def table_counts(self) -> TableCounts:
        """Whole numbers over all instances."""
        if self.shard_counts is not None:
            return self.shard_counts
        return count_table(self.predictions, self.predictions.has_fixed_classes)

    @property
    def counts(self) -> PairCounts:
        """All-pairs counts."""
        return self.table_counts.counts

    @cached_property
    def systemic(self) -> FailureCounts:
        """Failure counts against independence given the true class; of all together where classes are too small."""
        return self.table_counts.systemic(not self.small_classes)

    @cached_property
    def small_classes(self) -> str:
        """Why the true class says nothing of how often all fail; empty where it does, or there are no classes."""
        sizes = self.table_counts.failures.sum(axis=1)
        if np.count_nonzero(sizes) < 2:
            return ""
        error, pooled = (self.table_counts.expectation_error(by_class) for by_class in (True, False))
        # In a small table the expectation of all together is no better; then the classes are not to blame.
        if error <= max(math.log(MOST_WRONG), WORSE * pooled):
            return ""
        typical, m = int(np.median(sizes[sizes > 0])), self.predictions.shape[0]
        return f"classes of {plural(typical, 'instance')} are too small for {plural(m, 'model')}"

    @property
    def failure_strata(self) -> Int[np.ndarray, " n"] | None:
        """Classes within which joint failures are compared with independence."""
        return None if self.small_classes else self.classes

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
        return codes_of(self.predictions.instances, self.options.clusters)

    @property
    def n_clusters(self) -> int | None:
        """Number of clusters, where the user named a column."""
        if self.shard_clusters is not None:
            return self.shard_clusters
        return None if self.clusters is None else int(self.clusters.max()) + 1

    @cached_property
    def complete(self) -> Bool[np.ndarray, " n"]:
        """Instances that every model answered."""
        observed = self.predictions.observed
        if observed is None:
            return np.ones(self.predictions.shape[1], dtype=bool)
        return np.asarray(observed.all(axis=0))


@dataclass(frozen=True, eq=False)
class AuditParts:
    """The parts of an audit before its findings are drawn.

    Parameters
    ----------
    null_model, effective : the null model of the first sentence, and the estimate behind it.
    facts : what is known of this audit beyond its options.
    panel : what the numbers of every subset of the models follow from, if they do from a page.
    """

    context: AuditContext
    null_models: tuple[NullModel, ...]
    null_model: NullModel
    effective: EffectiveNumber
    leaderboard: Leaderboard
    pairwise: Pairwise
    systemic: Systemic
    shifts: pd.DataFrame
    sections: tuple[Section, ...]
    facts: Mapping[str, object] = field(default_factory=dict)
    panel: PanelSums | None = None

    @property
    def outside(self) -> NullModel | None:
        """The null model given outside difficulty, where there is one."""
        return next((r for r in self.null_models if r.name == "N2"), None)

    def section(self, name: str) -> Section:
        """The section of that name."""
        return next(c for c in self.sections if c.name == name)


def _drop_invalid(
    predictions: Predictions, verdicts: Mapping[str, float]
) -> tuple[Predictions, Float[np.ndarray, " n"] | None]:
    """Without the instances whose label is rather invalid, and the weights of the rest."""
    if not verdicts:
        return predictions, None
    ids = predictions.instances.index.astype(str)
    unknown = sorted(set(verdicts) - set(ids))
    if unknown:
        raise InputError(f"a verdict on the unknown instance {unknown[0]!r}", cure=near(unknown[0], ids))
    validity = np.array([verdicts.get(name, 1.0) for name in ids])
    rows = np.flatnonzero(validity >= 0.5)
    return predictions.take_instances(rows), validity[rows]


def _split_outside(
    predictions: Predictions, patterns: tuple[str, ...]
) -> tuple[Predictions, Float[np.ndarray, " n"] | None]:
    """The audited models alone, and the share of the outside ones that fail each instance."""
    if not patterns:
        return predictions, None
    ids = predictions.model_ids
    references = [m for m in ids if any(fnmatchcase(m, p) for p in patterns)]
    if not references:
        raise InputError(f"no model matches {patterns[0]!r}", cure=near(patterns[0], ids))
    rows = [ids.index(m) for m in references]
    wrong = predictions.wrong[rows].sum(axis=0)
    observed = predictions.observed
    answered = np.full(len(wrong), len(rows)) if observed is None else observed[rows].sum(axis=0)
    share: Float[np.ndarray, " n"] = np.where(answered > 0, wrong / np.maximum(answered, 1), np.nan)
    return predictions.take_models([m for m in ids if m not in references]), share
