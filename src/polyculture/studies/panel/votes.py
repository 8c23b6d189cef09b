"""What is the vote of a panel worth? Effective votes two ways, Condorcet's gap, and the best single judge beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from polyculture.measures.effective import effective
from polyculture.measures.panels import (
    ErrorCorrelation,
    best_aggregation_error,
    condorcet_gap,
    error_correlation,
    one_factor_error,
)
from polyculture.measures.votes import vote
from polyculture.stats import (
    Interval,
    block_of,
    influence_interval,
    jackknife,
    n_eff_interval,
    rho_interval,
    share_interval,
)

from .judged import JudgedItems

FEWEST_REPEATS = 10
"""Items per pattern of verdicts from which on the best rule on them is worth telling."""
CONSTANT = "fewer than two judges are both right and wrong"


def vote_numbers(items: JudgedItems, level: float) -> dict[str, Interval]:
    """Every number of the panel's vote, by its name in the section."""
    correlation = error_correlation(items.wrong, items.observed)
    numbers = effective_numbers(items, correlation, level)
    numbers |= {"panel_error": panel_error(items, level)}
    numbers |= gap_numbers(items, level)
    numbers |= best_judge_numbers(items, level)
    return numbers


def effective_numbers(items: JudgedItems, correlation: ErrorCorrelation, level: float) -> dict[str, Interval]:
    """Effective votes by Kish's formula and given the truth, mean correlation, and the share of votes that is lost."""
    if correlation.reason:
        undefined = Interval.undefined(correlation.reason)
        return dict.fromkeys(("votes", "correlation", "lost", "votes_given_truth"), undefined)
    k = correlation.judges
    terms = (k, correlation.design_effect, correlation.influence * (k - 1), items.clusters, level)
    votes = n_eff_interval(*terms)
    lost = _mapped(votes, lambda value: 1 - value / k)
    ours = effective(items.wrong, items.strata, items.observed)
    truth = Interval.undefined(ours.reason or CONSTANT)
    if not math.isnan(ours.design_effect):
        truth = n_eff_interval(ours.n_models, ours.design_effect, ours.influence, items.clusters, level)
    return {"votes": votes, "correlation": rho_interval(*terms), "lost": lost, "votes_given_truth": truth}


def _mapped(interval: Interval, transform: Callable[[float], float]) -> Interval:
    """A decreasing transform of an interval."""
    ends = sorted((transform(interval.low), transform(interval.high)))
    return replace(interval, estimate=transform(interval.estimate), low=ends[0], high=ends[1])


def panel_loss(items: JudgedItems) -> Float[np.ndarray, " n"]:
    """Probability that the plurality is wrong on each item: of verdicts, or of right against wrong; nan without any."""
    return vote(items.wrong, items.answers, None, items.observed).loss


def panel_error(items: JudgedItems, level: float) -> Interval:
    """How often the plurality of the verdicts is wrong."""
    losses = panel_loss(items)
    mask = ~np.isnan(losses)
    return share_interval(losses[mask], None if items.clusters is None else items.clusters[mask], level)


def gap_numbers(items: JudgedItems, level: float) -> dict[str, Interval]:
    """The majority's error against independent judges: of the same accuracies, by class, and of one difficulty."""
    gap = condorcet_gap(items.wrong, items.observed)
    if gap.reason:
        undefined = Interval.undefined(gap.reason)
        return dict.fromkeys(("majority_error", "independent_error", "gap"), undefined)
    used = ~np.isnan(gap.losses)
    clusters = None if items.clusters is None else items.clusters[used]
    numbers = {
        "majority_error": share_interval(gap.losses[used], clusters, level),
        "independent_error": Interval(gap.independent, n=int(used.sum()), method="Poisson-binomial"),
        "gap": influence_interval(gap.gap, gap.influence, items.clusters, level),
    }
    if items.strata is not None and len(np.unique(items.strata)) > 1:
        within = condorcet_gap(items.wrong, items.observed, items.strata)
        numbers["gap_within_class"] = influence_interval(within.gap, within.influence, items.clusters, level)
    numbers["gap_beyond_difficulty"] = _beyond_difficulty(items, level)
    numbers["ceiling"] = _ceiling(items, used)
    return numbers


def _beyond_difficulty(items: JudgedItems, level: float) -> Interval:
    """The majority's error less that of judges who share one difficulty only, with limits of a jackknife."""
    mask = items.complete
    wrong = items.wrong[:, mask]

    def gap(part: np.ndarray) -> float:
        correlation = error_correlation(part)
        if correlation.reason:
            return math.nan
        error, _ = one_factor_error(part.mean(axis=1), correlation.mean)
        return condorcet_gap(part).panel - error

    estimate = gap(wrong)
    if math.isnan(estimate):
        return Interval.undefined("no common difficulty has this mean correlation")
    names = np.flatnonzero(mask).astype(str) if items.clusters is None else items.clusters[mask].astype(str)
    block = block_of(names)
    leave_outs = [gap(wrong[:, block != b]) for b in np.unique(block)]
    return jackknife(estimate, np.array(leave_outs), int(mask.sum()), level)


def _ceiling(items: JudgedItems, used: np.ndarray) -> Interval:
    """The lowest error of any rule on these verdicts; a bound that is too low, so it has no interval."""
    strata = items.strata if items.strata is not None and len(np.unique(items.strata)) == 2 else None
    codes = None if strata is None else (strata[used] == strata.max()).astype(np.int64)
    wrong = items.wrong[:, used]
    patterns = len(np.unique(np.packbits(wrong, axis=0), axis=1).T)
    if patterns > wrong.shape[1] / FEWEST_REPEATS:
        return Interval.undefined(f"{patterns} patterns of verdicts are too many for {wrong.shape[1]} items")
    error = best_aggregation_error(wrong, codes)
    return Interval(error, n=int(used.sum()), method="best rule on these very items")


def best_judge_numbers(items: JudgedItems, level: float) -> dict[str, Interval]:
    """The best single judge: chosen on one half of the items and compared with the panel on the other, and back."""
    losses = panel_loss(items)
    best, difference = np.full((2, len(losses)), np.nan)
    for half in (0, 1):
        chosen, judged = items.blocks != half, items.blocks == half
        counts = (items.observed & chosen).sum(axis=1)
        rates = np.where(counts > 0, (items.wrong & chosen).sum(axis=1) / np.maximum(counts, 1), np.inf)
        judge = int(rates.argmin())
        cells = judged & items.observed[judge] & ~np.isnan(losses)
        best[cells] = items.wrong[judge, cells]
        difference[cells] = losses[cells] - best[cells]
    mask = ~np.isnan(best)
    if not mask.any():
        undefined = Interval.undefined("too few items to choose a judge and to judge it")
        return {"best_judge_error": undefined, "panel_less_best": undefined}
    clusters = None if items.clusters is None else items.clusters[mask]
    mean = float(difference[mask].mean())
    return {
        "best_judge_error": share_interval(best[mask], clusters, level),
        "panel_less_best": influence_interval(mean, difference - mean, items.clusters, level),
    }


def closed_share(numbers: Mapping[str, Interval]) -> float:
    """Which part of Condorcet's gap the best rule on these verdicts could close, at most; nan without a gap."""
    gap, ceiling = numbers.get("gap"), numbers.get("ceiling")
    if gap is None or ceiling is None or not (gap.defined and ceiling.defined) or gap.estimate <= 0:
        return math.nan
    return min(1.0, (numbers["majority_error"].estimate - ceiling.estimate) / gap.estimate)
