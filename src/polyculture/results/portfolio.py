"""Which few models were kept, by what rule are they combined, and what are they worth where they were not chosen?"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from polyculture.stats import Interval

from . import summary
from .encoding import from_json, to_json
from .figure import Figure, plot

FEWEST_NAMED = 6
"""Largest number of members that a sentence names."""
NO_NUMBER = "the truth is no number"
GAIN = "_gain_over_"
TABLES = ("best", "groups", "shifts", "n")
BASELINES = "baselines"
STORED = (
    *("error", "log_loss", "calibration", "error_gain_over_best", "error_gain_over_all", "log_loss_gain_over_best"),
    *("log_loss_gain_over_all", "n_eff", "all_wrong", "ceiling", "worst_group", "worst_shift", *TABLES),
    *("error_gain_over_top", "log_loss_gain_over_top", "squared_error", "r_squared", "squared_error_gain_over_best"),
    *("squared_error_gain_over_all", "squared_error_gain_over_top", BASELINES),
)
"""Names of the numbers of a certificate in JSON, in their order."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """What a portfolio is worth on instances that were never used to choose it.

    Numbers that need what is not there (probabilities, groups, shifted test sets) are nan with a reason.

    Parameters
    ----------
    scores : by name: error (share of the instances on which the portfolio's answer is wrong, in [0, 1]); log_loss (mean
        −log of the probability that it gives to the truth, in nats); calibration (expected calibration error, what
        chance adds to it taken off, in [0, 1]); n_eff (effective number of independent models among the members, given
        the true class where there are classes); all_wrong (share of the instances that every member fails); ceiling
        (the accuracy that no rule which returns one member's answer can beat, 1 − all_wrong); worst_group, worst_shift
        (largest error over groups, and over shifted test sets; limits hold for all at once). Where the truth is a
        number: squared_error (mean), r_squared (share of the truth's variance that is predicted; below 0 where the
        mean of the truth would be better), n_eff of the members' residuals, worst_group and worst_shift of squared
        errors; the others are undefined.
    gains : by loss (error, log_loss, squared_error) and baseline: loss of the baseline less loss of the portfolio,
        paired by instance; above 0 the portfolio is better. Baselines, fixed before these instances were looked at:
        best (the best single model on the selection instances), all (all candidates with equal weights), top (the k
        best single models, for k members, combined by the same rule).
    best : the best single model's id.
    groups : one row per group: column, group, n, error (or squared_error), low, high.
    shifts : one row per test set: shift, n, error, low, high, log_loss, all_wrong; where the truth is a number shift,
        n, squared_error, low, high and the gain over the best single model with its limits.
    n : instances certified on.
    baselines : one row per baseline on the test set (shift is empty) and on the worst shift of the portfolio: baseline,
        shift, n, error (or squared_error), low, high, and gain, gain_low, gain_high as in `gains`; limits on the worst
        shift allow for its being the worst of all (Bonferroni). Empty in files of earlier versions.
    """

    scores: Mapping[str, Interval]
    gains: Mapping[str, Mapping[str, Interval]]
    best: str
    groups: pd.DataFrame
    shifts: pd.DataFrame
    n: int
    baselines: pd.DataFrame = field(default_factory=pd.DataFrame)

    def frame(self) -> pd.DataFrame:
        """One row per number: estimate, limits, level, n, method, reason."""
        numbers = {name: value for name, value in self.to_stored().items() if isinstance(value, Interval)}
        return pd.DataFrame([{"number": name} | dataclasses.asdict(value) for name, value in numbers.items()])

    def to_stored(self) -> dict[str, Any]:
        """Scores, gains and the rest side by side, under the names that they have in JSON."""
        gains = {f"{loss}{GAIN}{name}": gain for loss, row in self.gains.items() for name, gain in row.items()}
        fields = {**self.scores, **gains, **{name: getattr(self, name) for name in (*TABLES, BASELINES)}}
        return {name: fields[name] for name in STORED}

    @classmethod
    def from_stored(cls, values: Mapping[str, Any], decode: Callable[[Any, Any], Any]) -> Certificate:
        """The certificate from its JSON form; numbers that older files lack are undefined.

        Parameters
        ----------
        decode : makes a value of a type of its JSON form.
        """
        scores: dict[str, Interval] = {}
        gains: dict[str, dict[str, Interval]] = {}
        for name in (name for name in STORED if name not in (*TABLES, BASELINES)):
            absent = Interval.undefined(NO_NUMBER if "squared" in name else "not compared")
            loss, _, baseline = name.partition(GAIN)
            row = gains.setdefault(loss, {}) if baseline else scores
            row[baseline or name] = decode(Interval, values[name]) if name in values else absent
        groups, shifts = (decode(pd.DataFrame, values[name]) for name in ("groups", "shifts"))
        baselines = decode(pd.DataFrame, values[BASELINES]) if BASELINES in values else pd.DataFrame()
        return cls(scores, gains, values["best"], groups, shifts, values["n"], baselines)

    def __repr__(self) -> str:
        numbers = self.frame().dropna(subset="estimate")[["number", "estimate", "low", "high"]]
        return summary.lines(
            f"Certificate on {self.n:,} instances", *summary.frame_lines(numbers, 12), "Next: .frame()"
        )


@dataclass(frozen=True, eq=False)
class Portfolio:
    """A few models, how to combine them, and what that is worth on instances never used to choose them.

    Parameters
    ----------
    members : ids of the kept models, each with a weight above 0, heaviest first; where votes tie, the answer of the
        first of them counts.
    weights : of the members, in their order; they sum to 1 unless the rule is ``"stacking"``.
    rule : how members are combined, a name in `polyculture.selection.COMBINE`; ``"average"`` or ``"mean"`` of values.
    goal : what was optimized, in words.
    method : how it was searched for.
    exact : whether every set (or the global optimum of the weights) was looked at.
    certificate : quality on the certification instances.
    optimism : loss on the certification instances less loss on the selection instances; above 0 the portfolio looked
        better where it was chosen than it is.
    nested : the same within the selection instances: loss of each under the complete choice made without its fold, less
        its loss under the choice made with it.
    loss : which loss the two are about, ``"log_loss"`` or ``"error"``; ``"squared_error"`` where the truth is a number.
    front : sets that were compared, one row each: size, members, quality (the goal's value where it was chosen; lower
        is better), certified (the loss on the certification instances), n_eff, cost, efficient (no other set is
        better in one of quality, n_eff and cost and as good in the others), chosen.
    contributions : one row per member, on the certification instances: member, weight, alone (its own loss),
        leave_one_out with low and high (how much worse the portfolio is without it), shapley (its part of what the
        portfolio gains over knowing nothing).
    candidates : one row per model: model, error, log_loss (both on the selection instances; squared_error where the
        truth is a number), weight, kept, reason.
    chosen_on, certified_on : numbers of instances.
    classes : what the columns of the combined probabilities stand for.
    bias : of each class, for the rule ``"stacking"``; empty else.
    weights_by_class : of each member one per class, which count instead of `weights`; for the rule ``"stacking"`` of a
        `DiverseEnsembleClassifier`, empty else.
    temperature : by which the logarithms of the combined probabilities are divided.
    requested : number of members that was asked for; 0 where it was left open.
    shortfall : why there are fewer members than that; empty where there are not.
    facts : options, version, seconds, ….

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> portfolio = pc.select(tiny_predictions(), k=2)
    >>> portfolio.members, portfolio.rule, portfolio.chosen_on, portfolio.certified_on
    (('model-3', 'model-2'), 'vote', 200, 200)
    """

    members: tuple[str, ...]
    weights: tuple[float, ...]
    rule: str
    goal: str
    method: str
    exact: bool
    certificate: Certificate
    optimism: Interval
    nested: Interval
    loss: str
    front: pd.DataFrame
    contributions: pd.DataFrame
    candidates: pd.DataFrame
    chosen_on: int
    certified_on: int
    classes: tuple[str, ...] = ()
    bias: tuple[float, ...] = ()
    weights_by_class: tuple[tuple[float, ...], ...] = ()
    temperature: float = 1.0
    requested: int = 0
    shortfall: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def k(self) -> int:
        """Members."""
        return len(self.members)

    @property
    def sentence(self) -> str:
        """The members, what they are worth against the best single model, and how similar their failures still are."""
        c = self.certificate
        gain, scores = c.gains[self.loss]["best"], c.scores
        certified = self.facts.get("certified", f"on {self.certified_on:,} others")
        unused = f" Probabilities do not count: {self.facts['unused']}." if "unused" in self.facts else ""
        names = ", ".join(self.members[:FEWEST_NAMED])
        names += f" and {self.k - FEWEST_NAMED} more" if self.k > FEWEST_NAMED else ""
        spent = self.facts.get("spent")
        money = "" if spent is None else f" for {spent:.4g} of a budget of {self.facts['budget']:g}"
        choice = f"Keep {self.k} of {len(self.candidates)} models ({names}), rule {self.rule}{money}"
        fewer = f" {self.requested} members were asked for, and fewer are better: {self.shortfall}."
        fewer = fewer if self.shortfall else ""
        n_eff = scores["n_eff"].format(".2f")
        if self.loss == "squared_error":
            error, r_squared = scores["squared_error"].format(".4g"), scores["r_squared"].format(".3f")
            quality = f"mean squared error {error}, R² {r_squared}"
            similarity = f" Residuals of its members vary like those of {n_eff} independent models."
            similarity = similarity if scores["n_eff"].defined else ""
        else:
            quality = f"error {scores['error'].format('.2%')}"
            similarity = f" Its members fail like {n_eff} independent models and all fail on "
            similarity += f"{scores['all_wrong'].format('.2%')}."
            similarity = similarity if self.k > 1 else ""
        return (
            f"{choice}: {quality}; {_compared(gain, c.best, self.loss)}.{similarity} Chosen on {self.chosen_on:,} "
            f"instances, certified {certified}.{fewer}{unused}"
        )

    def frame(self) -> pd.DataFrame:
        """One row per member: weight, loss alone, leave-one-out, Shapley value."""
        return self.contributions

    def plot(self, name: str = "") -> Figure:
        """A figure of the report, such as ``"front"``, ``"members"`` or ``"gains_log_loss"``."""
        return plot(self, name)

    def __repr__(self) -> str:
        return summary.portfolio_lines(self)

    def _repr_html_(self) -> str:
        return summary.frame_html(f"Portfolio of {self.k} models", self.sentence, self.contributions)

    def to_json(self) -> str:
        """Strict JSON, with the conventions of `Audit.to_json`."""
        return to_json(self, "portfolio")

    @classmethod
    def from_json(cls, text: str) -> Portfolio:
        """The portfolio that `to_json` wrote."""
        return typing.cast("Portfolio", from_json(cls, text, "portfolio"))


def _compared(gain: Interval, best: str, loss: str) -> str:
    """The gain over the best single model in words; no verdict where the interval reaches 0."""
    spec, name = {"error": (".2%", "error"), "log_loss": (".4f", "log-loss")}.get(loss, (".4g", "squared-error"))
    if not gain.defined:
        return f"its gain over the best single model ({best}) is undefined ({gain.reason})"
    text = f"{name} gain over the best single model ({best}) {gain.format(spec)}"
    if gain.low > 0:
        return text
    return f"{text}, which is {'a loss' if gain.high < 0 else 'not shown to be different from nothing'}"
