"""Do judges who compare prefer the first output, the longer one, or their own? Three questions as sections."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool

from polyculture.formats.tables.model_factors import read_factors
from polyculture.measures.panels import (
    OwnPreference,
    PairedComparisons,
    PreferenceBias,
    both_orders,
    length_bias,
    longer_wins,
    own_preference,
    position_bias,
    position_effect,
    position_p,
)
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.rng import stream
from polyculture.stats import (
    Interval,
    benjamini_hochberg,
    block_of,
    influence_interval,
    jackknife,
    percent,
    plural,
    share_interval,
)

from .judged import families_of
from .options import PanelOptions

ALPHA = 0.05
FEWEST_ARRANGEMENTS = 20
"""Ways to deal the judges' identities below which no p-value is below .05."""


def comparison_sections(
    comparisons: PairedComparisons, options: PanelOptions, factors: str | Path | None = None
) -> tuple[Section, ...]:
    """Position, length, and the judges' own side, of which each that does not apply says why.

    Parameters
    ----------
    factors : table of judges and candidates, with their families.
    """
    return (
        position_section(comparisons, options),
        length_section(comparisons, options),
        own_section(comparisons, options, factors),
    )


def position_section(comparisons: PairedComparisons, options: PanelOptions) -> Section:
    """How often a verdict flips with the order, and towards which position; a row per judge."""
    orders = both_orders(comparisons)
    if not len(orders.judge):
        return _in_one_order(comparisons, options)
    rows = []
    for judge in np.unique(orders.judge):
        part = orders.of_judge(int(judge))
        flips = share_interval(part.flipped, part.item, options.level)
        row = {"judge": comparisons.judges[judge], "pairs": len(part.judge)}
        row |= {"flips": flips.estimate, "flips_low": flips.low, "flips_high": flips.high}
        bias = _limits(position_bias(part), options.level)
        row |= {"first": bias.estimate, "low": bias.low, "high": bias.high}
        rows.append(row | {"p": position_p(part, stream(options.seed, "position", comparisons.judges[judge]))})
    table = _with_q(pd.DataFrame(rows)).sort_values("flips", ascending=False, kind="stable", ignore_index=True)
    flips = share_interval(orders.flipped, orders.item, options.level)
    bias = _limits(position_bias(orders), options.level)
    p = position_p(orders, stream(options.seed, "position"))
    numbers = {"flips": flips, "first": bias, "p": Interval(p, n=bias.n, method="signs of items")}
    return POSITION.answer(_position_sentence(flips, bias, p, table), numbers, {"judges": table})


def _in_one_order(comparisons: PairedComparisons, options: PanelOptions) -> Section:
    """The position's effect where no judge saw a pair in both orders."""
    effect = position_effect(comparisons)
    bias = _limits(effect, options.level)
    if not bias.defined:
        return POSITION.skip(f"{effect.reason}; ask every judge in both orders")
    judges = _by_judge(comparisons, position_effect, "first", options.level)
    towards = "the first" if bias.estimate >= 0 else "the second"
    verdict = "" if _apart(bias) else ", which is not shown to differ from 0"
    text = (
        f"No pair was judged in both orders. Given how strong the candidates are, {towards} output gets "
        f"{_points(bias)} points more of the win than one half{verdict}. How often verdicts flip with the order is not "
        "known: ask every judge in both orders."
    )
    return POSITION.answer(text, {"first": bias}, {"judges": judges})


def length_section(comparisons: PairedComparisons, options: PanelOptions) -> Section:
    """How often the longer output wins, and how much of that is left given who made the two; a row per judge."""
    wins = longer_wins(comparisons)
    if wins.reason:
        return LENGTH.skip(f"{wins.reason}; add columns length_a and length_b, or the texts")
    share, bias = _limits(wins, options.level), _limits(length_bias(comparisons), options.level)
    table = _by_judge(comparisons, longer_wins, "longer", options.level, "longer_")
    given = _by_judge(comparisons, length_bias, "given", options.level)
    table = table.merge(given.drop(columns="verdicts"), on="judge")
    text = f"The longer of two outputs gets {percent(share.estimate, 1)} {_percents(share)} of the win"
    if not bias.defined:
        text += f"; what of it is left given who made the two is undefined: {bias.reason}."
    elif _apart(bias):
        side = "more" if bias.estimate > 0 else "less"
        text += f"; given who made the two, being longer is worth {_points(bias)} points {side} than one half."
    else:
        text += f"; given who made the two, nothing is shown to be left ({_signed(bias)} points)."
    text += " The longer output may be the better one: a length bias is what judges give beyond that."
    return LENGTH.answer(text, {"longer": share, "given_candidates": bias}, {"judges": table})


def own_section(comparisons: PairedComparisons, options: PanelOptions, factors: str | Path | None = None) -> Section:
    """How much more judges give to their own outputs, and to those of their family; a row per judge and relation."""
    itself = np.array([[judge == name for name in comparisons.candidates] for judge in comparisons.judges])
    families = _families(comparisons, options, factors)
    relations = {"itself": (itself, np.zeros_like(itself))}
    if families is not None:
        relations["its family"] = families & ~itself, itself
    block = block_of(np.array(comparisons.items))
    parts = {
        name: own_preference(comparisons, kin, stream(options.seed, "own side", name), aside, block)
        for name, (kin, aside) in relations.items()
    }
    defined = {name: part for name, part in parts.items() if not part.reason}
    if not defined:
        return OWN.skip("; ".join(dict.fromkeys(part.reason for part in parts.values())))
    numbers: dict[str, Interval] = {}
    rows: list[dict[str, Any]] = []
    for name, part in defined.items():
        key = "own" if name == "itself" else "family"
        numbers[key] = _jackknifed(part, 0, options.level)
        numbers[f"{key}_p"] = Interval(part.p, n=int(part.verdicts.sum()), method="permutation of judges")
        rows += _own_rows(comparisons, part, name, options.level)
    text = " ".join(_own_sentence(name, part, numbers) for name, part in defined.items())
    return OWN.answer(f"{text} {OWN_CAUTION}", numbers, {"judges": pd.DataFrame(rows)})


def _families(
    comparisons: PairedComparisons, options: PanelOptions, factors: str | Path | None
) -> Bool[np.ndarray, "m c"] | None:
    """Whether judge and candidate are of one family; None where families are not known."""
    names = list(dict.fromkeys([*comparisons.judges, *comparisons.candidates]))
    table = pd.DataFrame(index=pd.Index(names, dtype=object))
    if factors is not None:
        table = read_factors(Path(factors)).reindex(names)
    families = families_of(table, options.family)
    if not families:
        return None
    code = dict(zip(names, map(str, families), strict=True))
    sides = [[code[judge] == code[name] != "nan" for name in comparisons.candidates] for judge in comparisons.judges]
    return np.array(sides)


def _own_rows(comparisons: PairedComparisons, part: OwnPreference, name: str, level: float) -> list[dict[str, Any]]:
    rows = []
    for judge in np.flatnonzero(part.verdicts):
        limits = _jackknifed(part, int(judge) + 1, level)
        row = {"judge": comparisons.judges[judge], "prefers": name, "verdicts": int(part.verdicts[judge])}
        rows.append(row | {"more": limits.estimate, "low": limits.low, "high": limits.high})
    return sorted(rows, key=lambda row: -float(row["more"]))


def _jackknifed(part: OwnPreference, column: int, level: float) -> Interval:
    """The mean over judges (column 0) or a judge's own, with limits from leaving out blocks of items."""
    value = part.value if column == 0 else float(part.by_judge[column - 1])
    verdicts = int(part.verdicts.sum() if column == 0 else part.verdicts[column - 1])
    leave_outs = part.leave_outs[:, column]
    if np.isnan(leave_outs).any() or len(leave_outs) < 2:
        return Interval(value, level=level, n=verdicts, reason="too few items for an interval")
    return jackknife(value, leave_outs, verdicts, level)


def _own_sentence(name: str, part: OwnPreference, numbers: dict[str, Interval]) -> str:
    own = numbers["own" if name == "itself" else "family"]
    whose = "their own outputs" if name == "itself" else "outputs of their family"
    direction = "more" if own.estimate >= 0 else "less"
    text = (
        f"{plural(int((part.verdicts > 0).sum()), 'judge')} give {whose} {_points(own)} points {direction} of the win "
        f"than judges without a stake on the same pairs (p = {_p(part.p)})."
    )
    if part.arrangements < FEWEST_ARRANGEMENTS:
        text += (
            f" With {part.arrangements:.0f} ways to deal the identities p cannot be below {1 / part.arrangements:.2f}."
        )
    return text


def _by_judge(
    comparisons: PairedComparisons,
    measure: Callable[[PairedComparisons], PreferenceBias],
    name: str,
    level: float,
    prefix: str = "",
) -> pd.DataFrame:
    """A measure of every judge, most first; columns judge, verdicts, the name, low and high (with the prefix)."""
    rows = []
    for judge, title in enumerate(comparisons.judges):
        bias = measure(comparisons.take(np.flatnonzero(comparisons.judge == judge)))
        limits = _limits(bias, level)
        rows.append(
            {"judge": title, "verdicts": limits.n, name: limits.estimate}
            | {f"{prefix}low": limits.low, f"{prefix}high": limits.high}
        )
    return pd.DataFrame(rows).sort_values(name, ascending=False, kind="stable", ignore_index=True)


def _limits(bias: PreferenceBias, level: float) -> Interval:
    if bias.reason:
        return Interval.undefined(bias.reason)
    return influence_interval(bias.value, bias.influence, bias.item, level)


def _with_q(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(q=benjamini_hochberg(table["p"].to_numpy(dtype=float)))


def _apart(interval: Interval) -> bool:
    return interval.low > 0 or interval.high < 0


def _points(interval: Interval) -> str:
    """The size of a difference in points, with its limits turned the same way."""
    ends: Sequence[float] = (interval.low, interval.high)
    if interval.estimate < 0:
        ends = (-interval.high, -interval.low)
    return _text(abs(interval.estimate), *ends)


def _signed(interval: Interval) -> str:
    return _text(interval.estimate, interval.low, interval.high)


def _text(value: float, low: float, high: float) -> str:
    limits = "" if math.isnan(low) else f" [{_number(low)}, {_number(high)}]"
    return f"{_number(value)}{limits}"


def _number(share: float) -> str:
    return f"{100 * share + 0.0:.1f}".replace("-", "−")


def _percents(interval: Interval) -> str:
    return f"[{_number(interval.low)}, {_number(interval.high)}]"


def _p(p: float) -> str:
    return f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def _position_sentence(flips: Interval, bias: Interval, p: float, table: pd.DataFrame) -> str:
    text = f"{percent(flips.estimate, 1)} {_percents(flips)} of the verdicts depend on which output is shown first"
    towards = "first" if bias.estimate >= 0 else "second"
    if not flips.estimate:
        return f"{text}."
    if p <= ALPHA:
        text += f"; being shown {towards} is worth {_points(bias)} points of the win (p = {_p(p)})."
    else:
        text += f"; they flip both ways, so no position is shown to be preferred ({_signed(bias)} points, p = {_p(p)})."
    apart = table[table["q"] <= ALPHA].sort_values("first", key=abs, ascending=False, kind="stable").to_dict("records")
    if len(table) > 1 and apart:
        side = "first" if apart[0]["first"] > 0 else "second"
        text += (
            f" Most of all {apart[0]['judge']}, to the {side}; {len(apart)} of {len(table)} judges are shown to have a "
            "position that they prefer (5 % of them wrongly, at most, on average)."
        )
    return text


OWN_CAUTION = (
    "Their margin is scaled by how sharp the judge is on pairs in which it has no stake. What a judge sees better "
    "in its own outputs than others do counts as a preference, too."
)
POSITION = SectionSpec(
    "panel_position",
    "Does the order in which outputs are shown decide?",
    numbers={
        "flips": "share of verdicts that depend on the order",
        "first": "what being shown first is worth, in shares of the win",
        "p": "p-value of a preferred position",
    },
    percent=("flips", "first"),
    tables={
        "judges": TableSpec(
            "Flips: pairs whose verdict depends on the order. First: what an output gains by being shown first (below "
            "0: second). Limits of both go together by item; q allows for all judges (Benjamini and Hochberg).",
            percent=("flips", "flips_low", "flips_high", "first", "low", "high"),
            rows=60,
        )
    },
)
LENGTH = SectionSpec(
    "panel_length",
    "Do judges prefer the longer output?",
    numbers={
        "longer": "share of the win that the longer output gets",
        "given_candidates": "what being longer is worth, given who made the outputs",
    },
    percent=("longer", "given_candidates"),
    tables={
        "judges": TableSpec(
            "Longer: share of the win that the longer output gets. Given: what is left above one half, given how "
            "strong the two candidates are.",
            percent=("longer", "longer_low", "longer_high", "given", "low", "high"),
            rows=60,
        )
    },
)
OWN = SectionSpec(
    "panel_own",
    "Do judges prefer their own outputs, or their family's?",
    numbers={
        "own": "what judges give to their own outputs more than others do",
        "own_p": "p-value of that, over judges",
        "family": "the same of outputs of their family, without their own",
        "family_p": "p-value of that, over judges",
    },
    percent=("own", "family"),
    tables={
        "judges": TableSpec(
            "More: share of the win that a judge gives to its own side beyond what judges without a stake give to it "
            "on the same pairs, scaled by the judge's sharpness elsewhere.",
            percent=("more", "low", "high"),
            rows=60,
        )
    },
)
