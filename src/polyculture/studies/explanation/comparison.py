"""How far do models give the same reasons? Agreement of pairs between its floor and its ceilings, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.explanations import Explanations
from polyculture.measures.effective import EffectiveNumber
from polyculture.measures.similarity import (
    REASON_MEASURES,
    ReasonAgreement,
    effective_reasons,
    mismatched_agreement,
    reason_agreement,
    repeat_agreement,
)
from polyculture.stats import Interval, influence_interval, n_eff_interval, paired_difference

PAIRS, FLOOR, RECIPE, REPEAT, CHANGED = "pairs", "other instances", "same recipe", "same model", "changed inputs"
COMPARISONS = {
    PAIRS: "two models, same instance",
    FLOOR: "two models, different instances (floor)",
    RECIPE: "same recipe, new seed (ceiling)",
    REPEAT: "same model, new seed of the method (ceiling)",
    CHANGED: "same model, inputs changed a little (stability)",
}
"""What is compared, in words."""
SEED_COLUMNS = ("seed", "id", "seconds", "parameters")
"""Columns of the model table that differ between two models of one recipe."""
NO_REPEATS = "no two models have the same recipe"

ByInstance = Mapping[str, Float[np.ndarray, " n"]]
"""Agreement on every instance, by measure."""


@dataclass(frozen=True, eq=False)
class ReasonComparison:
    """Explanations of several models of the same instances, compared.

    Parameters
    ----------
    explanations : of two models or more.
    answers : m × n answers of the models, as codes; None for predicted numbers.
    repeats : attributions by another seed, of the models at these positions; None where the method has no seed.
    changed : the same of slightly changed inputs; None where inputs cannot be changed a little.
    strata : code of the true class of each instance; None where there is none.
    clusters : which instances were sampled together.
    k : attributions of largest size that count as the reasons.
    level : of all intervals.
    """

    explanations: Explanations
    answers: Int[np.ndarray, "m n"] | None = None
    repeats: tuple[Int[np.ndarray, " r"], Float[np.ndarray, "r n d"]] | None = None
    changed: tuple[Int[np.ndarray, " r"], Float[np.ndarray, "r n d"]] | None = None
    strata: Int[np.ndarray, " n"] | None = None
    clusters: Int[np.ndarray, " n"] | None = None
    k: int = 5
    level: float = 0.95

    @cached_property
    def groups(self) -> Int[np.ndarray, " d"]:
        """The reason that each feature belongs to: features that were perturbed as one are one."""
        return joint_features(self.explanations.values)

    @cached_property
    def reasons(self) -> Float[np.ndarray, "m n g"]:
        """Attributions of the reasons: sums over features that were perturbed as one."""
        return summed(self.explanations.values, self.groups)

    @cached_property
    def agreement(self) -> ReasonAgreement:
        """Of every two models on every instance."""
        return reason_agreement(self.reasons, self.k)

    @cached_property
    def reasoned(self) -> Bool[np.ndarray, "p n"]:
        """Pairs both of whose models have some reason: one that no feature moves shares none, but shows none either."""
        present = (self.reasons != 0).any(axis=2)
        first, second = self.agreement.pairs
        return np.asarray(present[first] & present[second])

    @cached_property
    def same_recipe(self) -> Bool[np.ndarray, " p"]:
        """Pairs of models that differ in nothing but the seed."""
        first, second = self.agreement.pairs
        factors = self.explanations.models
        columns = [column for column in factors.columns if column not in SEED_COLUMNS]
        if not columns or "seed" not in factors.columns:
            return np.zeros(len(first), bool)
        codes = factors[columns].astype(str).agg("\x1f".join, axis=1).to_numpy()
        return np.asarray(codes[first] == codes[second])

    @cached_property
    def by_instance(self) -> Mapping[str, ByInstance]:
        """Agreement on each instance by comparison (`COMPARISONS`) and measure; without those that there are not."""
        siblings = self.same_recipe
        parts: dict[str, ByInstance] = {
            PAIRS: {name: self.agreement.by_instance(name) for name in REASON_MEASURES},
            FLOOR: mismatched_agreement(self.reasons, self.k),
        }
        if siblings.any():
            rows = siblings[:, None] & np.ones(self.explanations.shape[1], bool)
            parts[RECIPE] = {name: self.agreement.by_instance(name, rows) for name in REASON_MEASURES}
        for name, repeated in ((REPEAT, self.repeats), (CHANGED, self.changed)):
            if repeated is not None:
                models, values = repeated
                repeat = repeat_agreement(self.reasons[models], summed(values, self.groups), self.k)
                parts[name] = {measure: mean_defined(numbers) for measure, numbers in repeat.items()}
        return parts

    def interval(self, comparison: str, measure: str = "feature") -> Interval:
        """Mean agreement over instances, with limits over instances."""
        if comparison not in self.by_instance:
            return Interval.undefined(NO_REPEATS if comparison == RECIPE else "not computed")
        return self.mean(self.by_instance[comparison][measure], -1.0 if measure == "correlation" else 0.0, 1.0)

    def shortfall(self, ceiling: str, measure: str = "feature") -> Interval:
        """Agreement of this ceiling minus that of pairs of models, on the same instances; of pairs of other recipes."""
        if ceiling not in self.by_instance:
            return Interval.undefined(NO_REPEATS if ceiling == RECIPE else "not computed")
        ceiling_values, pair_values = self.by_instance[ceiling][measure], self._unrelated(measure)
        if not (np.isfinite(ceiling_values).any() and np.isfinite(pair_values).any()):
            return Interval.undefined("no pair of models of different recipes")
        means = float(np.nanmean(ceiling_values)), float(np.nanmean(pair_values))
        return paired_difference(means, (ceiling_values - means[0], pair_values - means[1]), self.clusters, self.level)

    def _unrelated(self, measure: str) -> Float[np.ndarray, " n"]:
        """Agreement of pairs of different recipes; of all pairs where there are no others."""
        rows = ~self.same_recipe[:, None] & np.ones(self.explanations.shape[1], bool)
        return self.agreement.by_instance(measure, rows)

    def mean(self, values: Float[np.ndarray, " n"], lowest: float = -math.inf, highest: float = math.inf) -> Interval:
        """Mean of numbers of instances that lie between these, with limits over instances."""
        return mean_interval(values, self.clusters, self.level, (lowest, highest))

    @cached_property
    def same_answer(self) -> Bool[np.ndarray, "p n"] | None:
        """Whether the two models of a pair give the same answer; None for predicted numbers."""
        if self.answers is None:
            return None
        first, second = self.agreement.pairs
        return np.asarray(self.answers[first] == self.answers[second])

    @property
    def agreed_answers(self) -> Interval:
        """Share of pairs × instances with the same answer."""
        if self.same_answer is None:
            return Interval.undefined("predicted numbers are never the same answer")
        return self.mean(self.same_answer.mean(axis=0), 0.0, 1.0)

    @cached_property
    def effective(self) -> EffectiveNumber:
        """Effective number of reasons, given the true class where there are classes."""
        return effective_reasons(self.reasons, self.strata)

    @property
    def effective_interval(self) -> Interval:
        """The same with its limits."""
        e = self.effective
        if e.reason and math.isnan(e.design_effect):
            return Interval.undefined(e.reason)
        return n_eff_interval(e.n_models, e.design_effect, e.influence, self.clusters, self.level)

    def table(self) -> pd.DataFrame:
        """One row per comparison, from the floor to the ceilings: each measure, with limits of the first."""
        rows = []
        for name in self.by_instance:
            interval = self.interval(name)
            row: dict[str, object] = {"comparison": COMPARISONS[name]}
            row |= {"feature": interval.estimate, "low": interval.low, "high": interval.high}
            row |= {measure: self.interval(name, measure).estimate for measure in REASON_MEASURES[1:]}
            rows.append(row)
        return pd.DataFrame(rows)

    def pairs(self) -> pd.DataFrame:
        """One row per pair of models, least agreement first: answers in common, every measure, limits of the first."""
        first, second = self.agreement.pairs
        names = np.array(self.explanations.model_ids, dtype=object)
        limits = [self.mean(row, 0.0, 1.0) for row in self.agreement.values["feature"]]
        columns: dict[str, object] = {"model_a": names[first], "model_b": names[second]}
        if self.same_answer is not None:
            columns["same_answer"] = self.same_answer.mean(axis=1)
        columns |= {"feature": [i.estimate for i in limits], "low": [i.low for i in limits]}
        columns |= {"high": [i.high for i in limits]}
        matrices = {name: self.agreement.matrix(name)[first, second] for name in REASON_MEASURES[1:]}
        return pd.DataFrame(columns | matrices).sort_values("feature", kind="stable").reset_index(drop=True)


def joint_features(values: Float[np.ndarray, "m n d"]) -> Int[np.ndarray, " d"]:
    """Code of the features that always have the same attribution, as those of a patch that is perturbed as one.

    Features that never have any are not joined: nothing says that they were perturbed as one.
    """
    flat = np.ascontiguousarray(values.reshape(-1, values.shape[2]).T)
    keys: dict[bytes, int] = {}
    codes = [keys.setdefault(row.tobytes() if row.any() else str(f).encode(), len(keys)) for f, row in enumerate(flat)]
    return np.array(codes, dtype=np.int64)


def summed(values: Float[np.ndarray, "m n d"], groups: Int[np.ndarray, " d"]) -> Float[np.ndarray, "m n g"]:
    """Sums of attributions over the features of each group."""
    if int(groups.max()) + 1 == len(groups):
        return values
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    total: Float[np.ndarray, "m n g"] = np.add.reduceat(values[:, :, order], starts, axis=2)
    return total


def mean_interval(
    values: Float[np.ndarray, " n"],
    clusters: Int[np.ndarray, " n"] | None = None,
    level: float = 0.95,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """Mean over instances with limits; instances that are nan are left out.

    Parameters
    ----------
    bounds : that the mean cannot leave, and so the limits do not.
    """
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).any():
        return Interval.undefined("no instance has one", len(numbers))
    mean = float(np.nanmean(numbers))
    limits = influence_interval(mean, numbers - mean, clusters, level)
    if math.isnan(limits.low):
        return limits
    return replace(limits, low=max(limits.low, bounds[0]), high=min(limits.high, bounds[1]))


def mean_defined(numbers: Float[np.ndarray, "m n"]) -> Float[np.ndarray, " n"]:
    """Mean over models of what is not nan; nan where nothing is."""
    defined = ~np.isnan(numbers)
    count = defined.sum(axis=0)
    total = np.where(defined, numbers, 0.0).sum(axis=0, dtype=np.float64)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))
