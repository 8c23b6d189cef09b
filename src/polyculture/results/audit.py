"""What is the result of an audit? Frozen values that the report draws; every picture is also a table."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.errors import InputError, near
from polyculture.stats import Interval, every

from . import summary
from .encoding import from_json, to_json
from .figure import Figure, plot
from .pair_storage import read_counts, read_values, stored_matrices
from .panel import PanelSums
from .section import STORED_NAMES, Section, Severity

FEWEST_INSTANCES = 10
"""Fewer informative instances carry an interval, but no headline number."""


@dataclass(frozen=True)
class Finding:
    """A conclusion of one check of the audit.

    Parameters
    ----------
    code : stable, documented in docs/findings.md, such as ``"PC001"``.
    title : a few words.
    sentence : the conclusion, with its numbers.
    severity : how much it should worry the reader.
    reason : why the check does not apply here; empty when it does.
    """

    code: str
    title: str
    sentence: str
    severity: Severity = "note"
    reason: str = ""

    def __repr__(self) -> str:
        return summary.lines(summary.finding_line(self))


@dataclass(frozen=True)
class NullModel:
    """How alike the models are beyond what this null explains.

    Parameters
    ----------
    name : ``"N0"`` (raw), ``"N1"`` (given the true class), ….
    given : what the null lets models share, in words.
    n_eff : effective number of independent models, in [1, ∞]; see ``polyculture.measures.effective``.
    rho : mean error covariance over mean error variance, at most 1; does not depend on the number of models.
    z, p : one-sided test of n_eff = M (independence under this null).
    informative : models with both right and wrong answers, M; the others carry no information and are excluded.
    informative_instances : instances that carry the variance of the failure count; below 10 only the interval is read.
    """

    name: str
    given: str
    n_eff: Interval
    rho: Interval
    z: float = math.nan
    p: float = math.nan
    informative: int = 0
    informative_instances: float = math.nan

    def __repr__(self) -> str:
        return summary.lines(summary.null_model_line(self))


@dataclass(frozen=True, eq=False)
class Pairwise:
    """Every pair of models, by every measure.

    Parameters
    ----------
    models : ids, in the order of rows and columns.
    values : m × m matrix per measure; nan where it is not estimable, with the reason in `reasons`.
    counts : m × m matrices of common, both-right, …, both-wrong and same-wrong instances.
    reasons : m × m, why ratios of a pair are nan; empty where they are not.
    order : rows arranged so that alike models are neighbours (hierarchical clustering of κ).
    """

    models: tuple[str, ...]
    values: Mapping[str, Float[np.ndarray, "m m"]]
    counts: Mapping[str, Int[np.ndarray, "m m"]]
    reasons: tuple[tuple[str, ...], ...]
    order: tuple[int, ...]

    def to_stored(self) -> dict[str, Any]:
        """The matrices under their names; of more than 200 models as formulas where the counts give them again."""
        counts, values = stored_matrices(self.counts, self.values) or (self.counts, self.values)
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)} | {"values": values, "counts": counts}

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any], decode: Callable[[Any, Any], Any]) -> Pairwise:
        """The matrices from their JSON form.

        Parameters
        ----------
        decode : makes a value of a type of its JSON form.
        """
        hints = typing.get_type_hints(cls)
        matrix, number = (typing.get_args(hints[name])[1] for name in ("values", "counts"))
        counts = read_counts(stored["counts"], lambda table: decode(number, table))
        values = read_values(stored["values"], counts, lambda table: decode(matrix, table))
        names = ("models", "reasons", "order")
        return cls(**{name: decode(hints[name], stored[name]) for name in names}, counts=counts, values=values)

    def mean(self, measure: str) -> float:
        """Mean over the pairs where the measure is defined; nan if there is none."""
        upper = self.values[measure][np.triu_indices(len(self.models), 1)]
        return float(np.nanmean(upper)) if np.isfinite(upper).any() else math.nan

    def frame(self) -> pd.DataFrame:
        """One row per pair: ids, counts, every measure, the reason of a nan."""
        a, b = np.triu_indices(len(self.models), 1)
        names = np.array(self.models, dtype=object)
        columns: dict[str, Any] = {"model_a": names[a], "model_b": names[b]}
        columns |= {name: matrix[a, b] for name, matrix in self.counts.items()}
        columns |= {name: matrix[a, b] for name, matrix in self.values.items()}
        columns["reason"] = [self.reasons[i][j] for i, j in zip(a, b, strict=True)]
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        m, measures = len(self.models), ", ".join(f"{name} {self.mean(name):.3f}" for name in self.values)
        text = f"Pairwise: {m:,} models, {m * (m - 1) // 2:,} pairs; means: {measures}"
        return summary.lines(*summary.wrapped(text, 5), "Next: .frame()")


@dataclass(frozen=True, eq=False)
class Systemic:
    """Which instances do all models fail at once?

    Parameters
    ----------
    observed : instances on which exactly k models are wrong, k = 0 … m.
    expected : the same if models erred independently given the truth (Poisson-binomial), summing to n.
    rate : systemic failure rate, the share of instances that every model fails.
    expectation : that rate under the null (given the true class where there are classes).
    ratio : rate / expectation; not comparable between sets of different size.
    p : exact one-sided mid-P of at least as many all-wrong instances given each model's number of errors.
    hardest : instances that (nearly) all models fail, worst first: instance, label, wrong, models, answer (the most
        common one), share (of the wrong models that give it).
    n : instances counted (those that every model answered).
    expectation_raw : the expectation if models erred independently at their overall error rates (N0).
    """

    observed: Int[np.ndarray, " k"]
    expected: Float[np.ndarray, " k"]
    rate: Interval
    expectation: float
    ratio: float
    p: float
    hardest: pd.DataFrame
    n: int
    expectation_raw: float = math.nan

    def frame(self) -> pd.DataFrame:
        """One row per number of failing models: observed and expected instances."""
        return pd.DataFrame(
            {"models_wrong": np.arange(len(self.observed)), "observed": self.observed, "expected": self.expected}
        )

    def __repr__(self) -> str:
        heading = (
            f"Systemic: {every(len(self.observed) - 1, 'model')} fail {self.observed[-1]:,} of {self.n:,} instances"
        )
        expected = f"expected if independent: {self.expected[-1]:.4g}; {summary.p_value(self.p)}"
        return summary.lines(f"{heading}; {expected}", *summary.frame_lines(self.hardest), "Next: .frame(), .hardest")


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """How accurate is each model, and which differ significantly?

    Parameters
    ----------
    table : one row per model, best first: model, n, errors, accuracy, low, high, letters, then the model's factors.
        Two models that share a letter cannot be told apart.
    pairs_tested : number of paired tests (McNemar mid-P, Benjamini-Hochberg over pairs).
    pairs_apart : how many of them are significant at the 5 % level.
    """

    table: pd.DataFrame
    pairs_tested: int
    pairs_apart: int

    def frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def __repr__(self) -> str:
        pairs = f"{self.pairs_apart:,} of {self.pairs_tested:,} pairs differ in accuracy"
        table = self.table[["model", "accuracy", "low", "high"]]
        return summary.lines(
            f"Leaderboard: {len(table):,} models; {pairs}", *summary.frame_lines(table), "Next: .frame()"
        )


@dataclass(frozen=True, eq=False)
class Audit:
    """Everything that one audit computes.

    Parameters
    ----------
    source : what was audited, as the user named it.
    n_models, n_instances : size of the table.
    null_models : n_eff and rho against each null, weakest first.
    headline : name of the null model of the first sentence.
    leaderboard, pairwise, systemic : the basic results.
    shifts : one row per shifted test set: shift, severity, n, accuracy, best, n_eff, low, high, rho, all_wrong.
    sections : further questions, in the order of the report.
    findings : conclusions of the checks, most severe first.
    pictures : grey levels (0 … 255) of the hardest instances, by instance id, where the inputs are images.
    facts : where the numbers come from: version, options, seconds, ….
    panel : what the numbers of every subset of the models follow from; None with more than 200 models, for tables in
        shards and predicted numbers, and in files written before there was one.

    `section`, `null_model` and `plot` raise InputError for a name that is not there.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> audit = pc.audit(tiny_predictions())
    >>> audit.n_eff.format()
    '2.62 [2.38, 2.88]'
    >>> audit.leaderboard.frame().columns[:3].tolist()
    ['model', 'n', 'errors']
    """

    source: str
    n_models: int
    n_instances: int
    null_models: tuple[NullModel, ...] = field(metadata={"stored": "ladder"})
    headline: str
    leaderboard: Leaderboard = field(metadata={"stored": "standing"})
    pairwise: Pairwise
    systemic: Systemic
    shifts: pd.DataFrame
    sections: tuple[Section, ...] = field(default=(), metadata={"stored": "chapters"})
    findings: tuple[Finding, ...] = ()
    pictures: Mapping[str, Int[np.ndarray, "h w"]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    panel: PanelSums | None = None

    @property
    def n_eff(self) -> Interval:
        """Effective number of independent models under the headline null model."""
        return self.null_model(self.headline).n_eff

    def section(self, name: str) -> Section:
        """The section of that name; the names in JSON are understood as well."""
        for section in self.sections:
            if name in (section.name, STORED_NAMES.get(section.name)):
                return section
        raise InputError(f"no section {name!r}", "", near(name, [section.name for section in self.sections]))

    def null_model(self, name: str) -> NullModel:
        """The null model of that name."""
        for null_model in self.null_models:
            if null_model.name == name:
                return null_model
        names = ", ".join(null_model.name for null_model in self.null_models)
        raise InputError(f"no null model {name!r}", f"one of {names}")

    @property
    def sentence(self) -> str:
        """The first sentence of every report: how many models, and how many they fail like."""
        n = self.n_eff
        if not n.defined:
            return f"{self.n_models} models; how many they fail like is undefined ({n.reason})."
        if math.isinf(n.estimate):
            return f"{self.n_models} models; their errors never coincide (n_eff is unbounded)."
        null_model = self.null_model(self.headline)
        informative = null_model.informative or self.n_models
        if null_model.informative_instances < FEWEST_INSTANCES:
            count = f"{null_model.informative_instances:.0f}"
            basis = f"only about {count} instance{' tells' if count == '1' else 's tell'}"
            if math.isnan(n.low) or math.isnan(n.high):
                return f"{self.n_models} models; how many they fail like cannot be determined ({basis})."
            limits = f"{n.low:.2f} upwards" if math.isinf(n.high) else f"{n.low:.2f} to {n.high:.2f}"
            return f"{self.n_models} models; they fail like some number from {limits} ({basis})."
        if n.estimate > informative:
            return f"{self.n_models} models; they fail like {informative} or more: no homogenization detected."
        return f"{self.n_models} models; they fail like {n.format('.2f')}."

    def plot(self, name: str) -> Figure:
        """A figure of the report, such as ``"pairwise"``, ``"null_models"`` or the name of a section."""
        return plot(self, name)

    def __repr__(self) -> str:
        return summary.audit_lines(self)

    def _repr_html_(self) -> str:
        return summary.audit_html(self)

    def to_json(self) -> str:
        """Strict JSON: nan is null, infinities are the strings "inf" and "-inf"; format and schema in docs/json.md.

        Tables of more than 64 models, and columns of more than 2,000 rows, are packed: base64 of zlib of all first
        bytes, all second bytes, … of the cells (of a symmetric table, of its upper half). Of more than 200 models they
        are in single precision, and what follows from the counts of instances is the name of its formula. The sums of
        the panel are packed alike in double precision, answers and outcomes as bytes and bits.
        """
        return to_json(self, "audit")

    @classmethod
    def from_json(cls, text: str) -> Audit:
        """The audit that `to_json` wrote."""
        return typing.cast("Audit", from_json(cls, text, "audit"))


def section_json(section: Section) -> str:
    """One section as strict JSON, with the conventions of `Audit.to_json`."""
    return to_json(section, "chapter")
