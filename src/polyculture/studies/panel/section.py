"""How many independent votes is a panel of judges worth? The answer as a section that leads its page."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, percent, plural

from .votes import closed_share

ADDS_NOTHING = 0.05
"""Effective votes below which a further judge is said to add nothing."""
APART = 0.25
"""Difference of the two effective numbers from which on it is explained."""


def panel_section(numbers: Mapping[str, Interval], tables: Mapping[str, pd.DataFrame], judges: int) -> Section:
    """The section of these numbers and tables."""
    return SPEC.answer(sentence(numbers, tables, judges), numbers, tables)


def sentence(numbers: Mapping[str, Interval], tables: Mapping[str, pd.DataFrame], judges: int) -> str:
    """The answer in words: votes, error, Condorcet's gap, the best judge, who could leave."""
    parts = [_first(numbers, judges), _two_numbers(numbers), _difficulty(numbers), _closing(numbers, tables)]
    parts += [_constant(tables), _leaving(tables), _curve(tables), _price(numbers)]
    return " ".join(part for part in parts if part)


def _first(numbers: Mapping[str, Interval], judges: int) -> str:
    votes, error, gap = numbers["votes"], numbers["panel_error"], numbers["gap"]
    worth = (
        f"{votes.format('.1f')} independent votes"
        if votes.defined
        else f"an undefined number of votes ({votes.reason})"
    )
    text = f"{judges} judges are worth {worth}"
    if error.defined:
        text += f"; the panel errs on {percent(error.estimate, 1)}"
    if gap.defined:
        text += f"{_majority(numbers)}, {_points(gap)} {_more(gap)} independent judges of the same accuracies would"
    difference = numbers["panel_less_best"]
    if difference.defined:
        text += f", and {_against_best(difference)}"
    return f"{text}."


def _majority(numbers: Mapping[str, Interval]) -> str:
    """On how many items no majority is right, where wrong verdicts that differ let a plurality be right more often."""
    error, majority = numbers["panel_error"].estimate, numbers["majority_error"].estimate
    if abs(error - majority) < 0.0005:
        return ""
    return f" (the plurality of the verdicts); most judges are wrong on {percent(majority, 1)}"


def _points(interval: Interval) -> str:
    low, high = (interval.low, interval.high) if interval.estimate >= 0 else (-interval.high, -interval.low)
    limits = "" if math.isnan(low) else f" [{_number(low)}, {_number(high)}]"
    return f"{abs(100 * interval.estimate):.1f} points{limits}"


def _number(share: float) -> str:
    return f"{100 * share:.1f}".replace("-", "−")


def _more(gap: Interval) -> str:
    return "more than" if gap.estimate >= 0 else "less than"


def _against_best(difference: Interval) -> str:
    limits = f" ({_number(difference.estimate)} points [{_number(difference.low)}, {_number(difference.high)}])"
    if difference.high < 0:
        return f"less often than its best member{limits}"
    if difference.low > 0:
        return f"more often than its best member{limits}"
    return f"not shown less often than its best member{limits}"


def _two_numbers(numbers: Mapping[str, Interval]) -> str:
    """Why the two effective numbers differ, where they do."""
    votes, truth = numbers["votes"], numbers["votes_given_truth"]
    if not (votes.defined and truth.defined) or math.isinf(truth.estimate):
        return ""
    text = f"Given the truth, they fail like {truth.format('.1f')} independent judges"
    if abs(votes.estimate - truth.estimate) < APART:
        return f"{text}."
    return (
        f"{text}: that number weighs pairs by how much they err and takes errors within each true class, Kish's takes "
        "every pair alike."
    )


def _difficulty(numbers: Mapping[str, Interval]) -> str:
    beyond = numbers.get("gap_beyond_difficulty")
    if beyond is None or not beyond.defined or math.isnan(beyond.low):
        return ""
    if beyond.low > 0:
        return f"{_points(beyond)} are more than one difficulty that all judges share explains: some judges share more."
    return "One difficulty that all judges share is enough to explain the gap."


def _closing(numbers: Mapping[str, Interval], tables: Mapping[str, pd.DataFrame]) -> str:
    """What the best of the rules gains over one vote each, and what none could."""
    best = (
        tables["rules"][tables["rules"]["rule"].str.startswith("weighted")]
        .sort_values("gain", ascending=False, kind="stable")
        .to_dict("records")[0]
    )
    limits = f"{_number(best['gain'])} points [{_number(best['gain_low'])}, {_number(best['gain_high'])}]"
    if best["gain_low"] > 0:
        text = f"Fitted on other items, a vote {best['rule']} gains {limits}."
    else:
        text = f"No rule that was fitted on other items is shown to gain over one vote each ({best['rule']}: {limits})."
    share = closed_share(numbers)
    if math.isnan(share) or share >= 1:
        return text
    return f"{text} No rule on these verdicts closes more than {percent(max(share, 0.0), 0)} of the gap."


def _constant(tables: Mapping[str, pd.DataFrame]) -> str:
    table = tables["judges"]
    names = table["judge"][(table["error"] == 0) | (table["error"] == 1)].tolist()
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{', '.join(map(str, names[:3]))} {verb} always right or always wrong, so no correlation with others exists."
    )


def _leaving(tables: Mapping[str, pd.DataFrame]) -> str:
    """What dropping the weakest judge does to the votes."""
    table = tables["judges"]
    if len(table) < 3 or table["votes_lost"].isna().all():
        return ""
    weakest = table.sort_values("error", ascending=False, kind="stable").to_dict("records")[0]
    lost = weakest["votes_lost"]
    if math.isnan(lost) or math.isinf(lost):
        return ""
    effect = "costs" if lost > 0 else "gains"
    return (
        f"Dropping the weakest judge, {weakest['judge']}, {effect} {abs(lost):.2f} effective votes and changes the "
        f"panel's error by {_number(weakest['change'])} points [{_number(weakest['low'])}, {_number(weakest['high'])}]."
    )


def _curve(tables: Mapping[str, pd.DataFrame]) -> str:
    """From which judge on nothing is added."""
    table = tables.get("curve", pd.DataFrame())
    if not len(table):
        return ""
    rows = table[table["order"] == "most votes first"]
    gains = rows["votes"].diff().to_numpy()
    for size, gain in zip(rows["size"], gains, strict=True):
        if size > 1 and gain < ADDS_NOTHING:
            return f"In the order that adds most, the {_ordinal(int(size))} judge adds nothing."
    return ""


def _ordinal(number: int) -> str:
    words = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth"}
    return words.get(number, f"{number}th")


def _price(numbers: Mapping[str, Interval]) -> str:
    price = numbers.get("price_per_vote")
    if price is None or not price.defined:
        return ""
    return f"An item costs {numbers['price'].estimate:.4g}, which is {price.estimate:.4g} per effective vote."


def note_of_missing(items: int, complete: int) -> str:
    """What items that not every judge judged mean for the numbers; empty where there are none."""
    if complete == items:
        return ""
    return f"Condorcet's gap is of the {plural(complete, 'item')} that every judge judged, of {items:,}."


SPEC = SectionSpec(
    "panel",
    "How many independent votes is the panel worth?",
    numbers={
        "votes": "effective votes (Kish, from the mean error correlation)",
        "votes_given_truth": "effective number given the truth",
        "correlation": "mean error correlation φ̄",
        "lost": "share of nominal independence lost",
        "panel_error": "error of the plurality of verdicts",
        "majority_error": "error of the majority (right against wrong)",
        "independent_error": "the same of independent judges of these accuracies",
        "gap": "Condorcet's gap",
        "gap_within_class": "the same within true classes",
        "gap_beyond_difficulty": "gap beyond one shared difficulty",
        "ceiling": "lowest error of any rule on these verdicts",
        "best_judge_error": "best single judge, chosen on other items",
        "panel_less_best": "panel less best judge",
        "votes_one_per_family": "effective votes of the best judge of each family",
        "error_one_per_family": "error of those less the whole panel's",
        "price": "price of an item",
        "price_per_vote": "price of an effective vote",
    },
    percent=(
        *("lost", "panel_error", "majority_error", "independent_error", "gap", "gap_within_class", "ceiling"),
        *("gap_beyond_difficulty", "best_judge_error", "panel_less_best", "error_one_per_family"),
    ),
    tables={
        "judges": TableSpec(
            "Votes lost: what the panel's effective votes fall by without the judge (below 0: the panel is worth more "
            "without it). Change: the majority's error without it less with it.",
            headings={"correlation": "mean φ with the others"},
            percent=("error", "error_without", "change", "low", "high"),
            rows=60,
        ),
        "rules": TableSpec(
            "Weights are fitted on four fifths of the items and judged on the rest; Dawid–Skene and GLAD see verdicts "
            "only. Gain: error of one vote each less its own, paired by item. Closed: gain over Condorcet's gap.",
            percent=("error", "low", "high", "gain", "gain_low", "gain_high", "closed"),
        ),
        "curve": TableSpec(
            "Growing panels. The order is chosen on the items it is measured on, which flatters small panels.",
            percent=("error",),
            rows=60,
        ),
        "families": TableSpec(
            "Mean error correlation of two judges of the family, and of one of it with one of another.",
            percent=("error",),
        ),
    },
)
