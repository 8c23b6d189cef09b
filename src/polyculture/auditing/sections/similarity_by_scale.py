"""Are better or bigger models more alike than hard instances and wrong labels explain?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri

from polyculture.errors import InputError
from polyculture.measures.excess_by_ability import excess_over_difficulty_and_labels, excess_over_rasch, tetrachoric
from polyculture.measures.rasch import ability
from polyculture.predictions import Predictions
from polyculture.results import Section, SectionSpec
from polyculture.stats import Interval

from ..context import AuditContext
from ..factors import codes_of
from .scaling import emergence, read_scale

FEW_MODELS, FEW_INSTANCES, BLOCKS, SURE = 9, 100, 40, 1.645
MISSES = 2.0
"""How many times its miss on the middle models an excess of the strong ones must be, to be one."""
LABEL_ERRORS = 0.03
"""Share of wrong labels that is always tried besides none: test sets have about that (Northcutt et al. 2021)."""


def along_scale(
    predictions: Predictions,
    scale: str = "parameters",
    *,
    label_errors: float | None = None,
    clusters: str | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Section, Section]:
    """Two questions about models of different scale: `scaling.emergence` and `similarity_by_scale`.

    The first section tests whether ability changes its slope with scale, the second whether the largest models fail
    together more than difficulty explains.

    Parameters
    ----------
    predictions : answers or outcomes of the models.
    scale : numeric column of the model table, such as a number of parameters, above 0; or dates.
    label_errors : share of wrong labels found by an audit of the labels, in [0, 0.5); None if unknown.
    clusters : column of the instance table that says which instances were sampled together.
    seed : of the resampling.
    level : confidence level of every interval, in (0, 1).

    Raises InputError for a share outside of [0, 0.5). With too few models or scales a section only has a reason.
    Sources: see `polyculture.measures.scaling` and `similarity_by_scale`.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> predictions = tiny_predictions(sizes=(1, 1, 1))
    >>> predictions.models["parameters"] = [1e9, 7e9, 70e9]
    >>> emergence, similarity = pc.scaling(predictions)
    >>> similarity.reason
    '3 models with a scale and with right and wrong answers; 9 are needed'
    """
    similarity = similarity_by_scale(predictions, scale, label_errors=label_errors, clusters=clusters, level=level)
    return emergence(predictions, scale, seed=seed, level=level), similarity


def similarity_by_scale(
    predictions: Predictions,
    scale: str | None = None,
    *,
    label_errors: float | None = None,
    clusters: str | None = None,
    level: float = 0.95,
) -> Section:
    """Whether the largest (or most accurate) third of the models fails together more than it should.

    Tried against difficulty, whatever it is (conditional Rasch), and against difficulty calibrated on the other models
    with 0 %, 3 % and, where given, an audited share of wrong labels. "More alike" is only said if the excess survives
    all of them, is more than twice the null's own miss where nothing is claimed (the middle third, predicted from the
    lowest: unequal discrimination shows there), and both κ and the tetrachoric correlation rise with scale.

    Parameters
    ----------
    scale : column of the model table; accuracy where None.
    label_errors : share of wrong labels found by an audit of the labels, in [0, 0.5).
    clusters : column of the instance table that says which instances were sampled together.

    Verdicts: more alike, consistent with label errors, not more alike, undetermined. Tables: nulls, pairs.
    """
    if label_errors is not None and not 0 <= label_errors < 0.5:
        raise InputError(f"label_errors is {label_errors}", "a share of wrong labels, at least 0 and below 0.5")
    failures = _gather(predictions, scale, clusters)
    if isinstance(failures, str):
        return SPEC.skip(failures)
    rates = sorted({0.0, LABEL_ERRORS, *([] if label_errors is None else [label_errors])})
    numbers = {f"excess, {_share(nu)} wrong labels": _excess(failures, nu, level) for nu in rates}
    numbers |= {"excess, conditional Rasch": _rasch(failures, level)}
    numbers |= {f"placebo, {_share(nu)} wrong labels": _excess(failures.middle(), nu, level) for nu in rates}
    numbers |= {name: _slope(failures, name, level) for name in ("kappa slope", "tetrachoric slope")}
    nulls = pd.DataFrame(
        [
            {"compared": compared, "null": null, "excess": i.estimate, "low": i.low, "high": i.high, "z": _z(i)}
            for (compared, null), i in ((name.split(", "), i) for name, i in numbers.items() if ", " in name)
        ]
    )
    verdict, explanation = _verdict(numbers, "most accurate third" if scale is None else f"largest third by {scale}")
    tables = {"nulls": nulls, "pairs": _pair_table(failures)}
    return SPEC.answer(f"{verdict.capitalize()}: {explanation}", numbers, tables)


@dataclass(frozen=True, eq=False)
class _FailureBlocks:
    """Joint failures in blocks of instances, on those that every model answered.

    `size` is what the models are ordered by, `strong` the top third of it.
    """

    models: list[str]
    size: Float[np.ndarray, " m"]
    strong: Bool[np.ndarray, " m"]
    blocks: Float[np.ndarray, "g m m"]
    sizes: Int[np.ndarray, " g"]
    histogram: Int[np.ndarray, " m1"]
    answers: float

    def middle(self) -> _FailureBlocks:
        """The models that are not strong, the upper half of them in the place of the strong."""
        weak = np.flatnonzero(~self.strong)
        upper = np.zeros(len(weak), dtype=bool)
        upper[np.argsort(-self.size[weak], kind="stable")[: len(weak) // 2]] = True
        blocks = self.blocks[:, weak[:, None], weak]
        return replace(self, models=[self.models[m] for m in weak], size=self.size[weak], strong=upper, blocks=blocks)

    def without_one(self) -> Iterator[tuple[Float[np.ndarray, "m m"], int]]:
        """Joint failures and instances, leaving out one block at a time."""
        total, n = self.blocks.sum(axis=0), int(self.sizes.sum())
        return ((total - block, n - int(k)) for block, k in zip(self.blocks, self.sizes, strict=True))

    def interval(self, statistic: Callable[[Float[np.ndarray, "m m"]], float], level: float) -> Interval:
        """A statistic of the joint failure rates with limits by leaving out one block at a time."""
        n = int(self.sizes.sum())
        estimate = statistic(self.blocks.sum(axis=0) / n)
        parts = np.array([statistic(joint / k) for joint, k in self.without_one()])
        g = len(parts)
        reach = float(ndtri(0.5 + level / 2)) * math.sqrt((g - 1) / g * float(((parts - parts.mean()) ** 2).sum()))
        if not math.isfinite(estimate) or not math.isfinite(reach):
            return Interval.undefined("nothing is expected, so nothing exceeds it", n)
        return Interval(estimate, estimate - reach, estimate + reach, level, n, f"jackknife over {g} blocks")


def _gather(predictions: Predictions, scale: str | None, clusters: str | None) -> _FailureBlocks | str:
    """The counts, or why there is nothing to tell."""
    wrong, observed = predictions.wrong, predictions.observed
    complete = np.ones(wrong.shape[1], dtype=bool) if observed is None else observed.all(axis=0)
    if complete.sum() < FEW_INSTANCES:
        return f"{int(complete.sum())} instances that every model answered; {FEW_INSTANCES} are needed"
    wrong = wrong[:, complete]
    errors = wrong.mean(axis=1)
    size = 1 - errors if scale is None else np.log(read_scale(predictions, scale).values)
    usable = np.isfinite(size) & (errors > 0) & (errors < 1)
    if usable.sum() < FEW_MODELS:
        return f"{int(usable.sum())} models with a scale and with right and wrong answers; {FEW_MODELS} are needed"
    wrong, size = wrong[usable], size[usable]
    strong = np.zeros(len(size), dtype=bool)
    strong[np.argsort(-size, kind="stable")[: max(2, len(size) // 3)]] = True
    if size[strong].min() <= size[~strong].max():
        tied = size[strong].min()
        strong = size > tied if (size > tied).sum() >= 2 else size >= tied
    if (~strong).sum() < 4:
        return "the models do not differ enough in scale to compare the top third with the rest"
    codes = np.arange(wrong.shape[1]) if clusters is None else codes_of(predictions.instances, clusters)[complete]
    block = codes % BLOCKS
    present = [np.flatnonzero(block == g) for g in range(BLOCKS) if (block == g).any()]
    tables = [wrong[:, columns].astype(np.float32) for columns in present]
    options = predictions.options
    n_answers = float(options.mean()) if options is not None else float(len(predictions.classes)) or math.inf
    return _FailureBlocks(
        [name for name, ok in zip(predictions.model_ids, usable, strict=True) if ok],
        size,
        strong,
        np.stack([(E @ E.T).astype(float) for E in tables]),
        np.array([len(columns) for columns in present]),
        np.bincount(wrong.sum(axis=0), minlength=len(wrong) + 1),
        max(n_answers, 2.0),
    )


def _excess(e: _FailureBlocks, label_errors: float, level: float) -> Interval:
    """Relative excess of the strong models' joint failures, given difficulty and that share of wrong labels."""

    def relative(joint: Float[np.ndarray, "m m"]) -> float:
        return excess_over_difficulty_and_labels(joint, e.strong, label_errors, e.answers).relative

    if np.diagonal(e.blocks.sum(axis=0)).min() / e.sizes.sum() <= label_errors:
        return Interval.undefined("a model errs less often than labels would be wrong", int(e.sizes.sum()))
    return e.interval(relative, level)


def _rasch(e: _FailureBlocks, level: float) -> Interval:
    """The same given whatever difficulty there is; limits from the exact null variance."""
    joint_counts = np.rint(e.blocks.sum(axis=0)).astype(np.int64)
    n = int(e.sizes.sum())
    abilities, reason = ability(joint_counts, e.histogram)
    if reason or np.isnan(abilities).any():
        return Interval.undefined(reason or "some model is right or wrong wherever models differ", n)
    excess, z = excess_over_rasch(joint_counts, e.histogram, abilities, e.strong)
    if not math.isfinite(z) or z == 0:
        return Interval.undefined("the difficulty null leaves nothing to vary", n)
    reach = abs(excess.relative / z) * float(ndtri(0.5 + level / 2))
    return Interval(excess.relative, excess.relative - reach, excess.relative + reach, level, n, "conditional Rasch")


def _slope(e: _FailureBlocks, name: str, level: float) -> Interval:
    """Change of a pair measure per unit of the pair's mean (log) scale or accuracy."""
    a, b = np.triu_indices(len(e.size), 1)
    x = (e.size[a] + e.size[b]) / 2

    def slope(joint: Float[np.ndarray, "m m"]) -> float:
        y = _pair_values(joint)[name.removesuffix(" slope")]
        defined = np.isfinite(y)
        centred = x[defined] - x[defined].mean()
        square = float(centred @ centred)
        return float(centred @ y[defined]) / square if square > 0 else math.nan

    return e.interval(slope, level)


def _pair_values(joint: Float[np.ndarray, "m m"]) -> dict[str, Float[np.ndarray, " p"]]:
    """κ and tetrachoric correlation of every pair from joint failure rates."""
    a, b = np.triu_indices(len(joint), 1)
    first, second, joint_rates = joint[a, a], joint[b, b], joint[a, b]
    chance = (1 - first) * (1 - second) + first * second
    kappa = 2 * (joint_rates - first * second) / np.where(chance < 1, 1 - chance, np.nan)
    return {"kappa": kappa, "tetrachoric": tetrachoric(first, second, joint_rates)}


def _pair_table(e: _FailureBlocks) -> pd.DataFrame:
    a, b = np.triu_indices(len(e.size), 1)
    names = np.array(e.models, dtype=object)
    mean = (e.size[a] + e.size[b]) / 2
    values = _pair_values(e.blocks.sum(axis=0) / e.sizes.sum())
    return pd.DataFrame(
        {"model_a": names[a], "model_b": names[b], "size": mean, "strong": e.strong[a] & e.strong[b], **values}
    )


def _z(interval: Interval) -> float:
    """Estimate over its standard error."""
    reach = (interval.high - interval.low) / 2
    return interval.estimate / reach * float(ndtri(0.5 + interval.level / 2)) if reach > 0 else math.nan


def _verdict(numbers: dict[str, Interval], strong: str) -> tuple[str, str]:
    excess = {name: i for name, i in numbers.items() if name.startswith("excess")}
    undefined = [i.reason for i in excess.values() if not i.defined]
    unadjusted, rasch = numbers["excess, 0 % wrong labels"], numbers["excess, conditional Rasch"]
    slopes = [numbers["kappa slope"], numbers["tetrachoric slope"]]
    words = f"joint failures of the {strong} exceed what difficulty explains by"
    amount = f"{words} {_percent(unadjusted)}"
    if not unadjusted.defined or not rasch.defined:
        return "undetermined", f"{(undefined or ['no estimate'])[0]}."
    if not (_z(unadjusted) > SURE or _z(rasch) > SURE):
        return "not more alike", f"{amount}, which is no more than chance; a trend of κ alone would not be evidence."
    survives = all(_z(i) > SURE for i in excess.values()) and not undefined
    if not survives:
        return "consistent with label errors", (
            f"{amount} if all labels are right, but not under every null (a few per cent of wrong labels, or models "
            "that discriminate better, would do the same)."
        )
    placebo = {name: numbers[name.replace("excess", "placebo")] for name in excess if "labels" in name}
    if not all(excess[name].low > MISSES * i.high for name, i in placebo.items() if i.defined):
        placebo_miss = _percent(numbers["placebo, 0 % wrong labels"])
        return "undetermined", (
            f"{amount}, but the null misses by {placebo_miss} already where nothing is claimed (the middle third, "
            "predicted from the lowest), as it does when better models discriminate better."
        )
    if not all(s.defined and s.low > 0 for s in slopes):
        return "undetermined", f"{amount}, but κ and the tetrachoric correlation do not both rise."
    return "more alike", (
        f"{amount}, under every null tried and by more than twice what the null misses elsewhere, and κ and the "
        "tetrachoric correlation both rise; the strong alone discriminating better could still look the same."
    )


def _percent(i: Interval) -> str:
    return f"{100 * i.estimate:.0f} % [{100 * i.low:.0f}, {100 * i.high:.0f}]" if i.defined else i.format()


def _share(nu: float) -> str:
    return f"{100 * nu:g} %"


def _compute(context: AuditContext, *_: object) -> Section | None:
    """None where no model column was named as the scale: the section on scaling says so."""
    o = context.options
    if not o.scale:
        return None
    return similarity_by_scale(context.predictions, o.scale, clusters=o.clusters or None, level=o.level)


SPEC = SectionSpec("similarity_by_scale", "Are better models more alike?", place=40, compute=_compute)
