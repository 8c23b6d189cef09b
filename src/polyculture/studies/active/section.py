"""Which labels are worth their price? The answer as a section: learning curves, or the state of a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from polyculture.measures.effective import effective
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, n_eff_interval, percent, plural, wilson

from .curves import METHOD, SHARE, Runs, against_chance, areas, curve_table, over_seeds, strategy_table
from .labelling import INSTANCE, NOBODY_KNOWS
from .labelling_round import LabellingRound
from .options import RANDOM, QueryOptions

SIMULATED = "Which strategy learns most from the same number of labels?"
FEWEST = 10
"""Answered instances below which nothing is said about the committee."""
CAUTION = (
    "Instances that were asked for are harder than those that were not, so that their shares are no accuracy on the "
    "pool; test on instances drawn by chance."
)


def simulation_section(runs: Runs, options: QueryOptions) -> Section:
    """Learning curves of all strategies, and which of them beat chance."""
    level = options.level
    table = strategy_table(runs, level)
    numbers = {"random": over_seeds(areas(runs, RANDOM), level, SHARE)}
    for strategy in runs:
        if strategy != RANDOM:
            numbers[strategy.replace("-", "_")] = against_chance(runs, strategy, level)
    for strategy in dict.fromkeys((RANDOM, options.strategy)):
        if strategy in runs:
            last = np.array([run.values("n_eff")[-1] for run in runs[strategy]])
            numbers[f"n_eff_{strategy.replace('-', '_')}"] = over_seeds(last, level)
    tables = {"strategies": table, "curves": curve_table(runs, "accuracy", level)}
    tables |= {"committee": curve_table(runs, "committee", level), "alikeness": curve_table(runs, "n_eff", level)}
    section = SPEC.answer(simulation_sentence(runs, numbers, table), numbers, tables)
    return replace(section, title=SIMULATED)


def simulation_sentence(runs: Runs, numbers: Mapping[str, Interval], table: pd.DataFrame) -> str:
    """Which strategies are above chance, which below, what the best of them saves, and how alike its committee is."""
    first = runs[RANDOM][0]
    seeds = plural(len(runs[RANDOM]), "seed")
    budget = plural(int(first.labels[-1]), "label")
    others = [name for name in runs if name != RANDOM]
    chance = numbers["random"]
    parts = [f"Labels drawn by chance come to a mean accuracy of {percent(chance.estimate)} up to {budget} ({seeds})."]
    known = {name: numbers[name.replace("-", "_")] for name in others}
    better = [name for name in others if known[name].low > 0]
    worse = [name for name in others if known[name].high < 0]
    if better:
        best = max(better, key=lambda name: known[name].estimate)
        parts.append(f"Query by {best} is above that by {_points(known[best])}{_saving(table, best)}.")
        listing = ", ".join(name for name in better if name != best)
        parts += [f"Also above chance: {listing}."] if listing else []
    elif others:
        parts.append(f"No strategy is shown to be above chance; the highest is {_highest(known)}.")
    parts += [f"Below chance: {', '.join(f'{name} by {_points(known[name])}' for name in worse)}."] if worse else []
    unclear = [name for name in others if name not in (*better, *worse)]
    if unclear and better:
        parts.append(f"Not shown to differ from chance: {', '.join(unclear)}.")
    parts += [_alikeness(table, max(better, key=lambda name: known[name].estimate) if better else RANDOM)]
    parts += [_uncalibrated(table)]
    return " ".join(part for part in parts if part)


def _highest(known: Mapping[str, Interval]) -> str:
    name = max(known, key=lambda name: known[name].estimate)
    return f"{name} with {_points(known[name])}"


def _points(interval: Interval) -> str:
    """A difference of shares in points."""
    limits = ""
    if not np.isnan(interval.low):
        limits = f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    return f"{100 * interval.estimate:.1f} points{limits}".replace("-", "−")


def _saving(table: pd.DataFrame, strategy: str) -> str:
    row = table[table["strategy"] == strategy].to_dict("records")[0]
    if np.isnan(row["as_chance"]):
        return ""
    return f"; with {row['as_chance']:,.0f} labels it is as accurate as chance with all"


def _alikeness(table: pd.DataFrame, strategy: str) -> str:
    """As how many independent models the committee fails in the end, by chance and by the strategy."""
    numbers = {row["strategy"]: row["n_eff"] for row in table.to_dict("records")}
    if np.isnan(numbers[RANDOM]) or np.isnan(numbers[strategy]):
        return ""
    other = f", and like {numbers[strategy]:.2f} with those of {strategy}" if strategy != RANDOM else ""
    return f"The committee fails like {numbers[RANDOM]:.2f} independent models with labels by chance{other}."


def _uncalibrated(table: pd.DataFrame) -> str:
    rows = table[table["by_chance"] > 0].to_dict("records")
    if not rows:
        return ""
    names = ", ".join(f"{row['strategy']} ({row['by_chance']})" for row in rows)
    return f"Batches drawn by chance, as labels were too few to calibrate the members: {names}."


def labelling_section(query: LabellingRound) -> Section:
    """What was asked for, what was answered, what the committee had said before, and what is asked for next."""
    table, answers = query.asked_for, query.answers
    labels = np.array([answers.get(name, "") for name in table[INSTANCE]], object)
    known = np.array([bool(label) and label != NOBODY_KNOWS for label in labels], bool)
    numbers = {"labels": Interval(float(known.sum()), n=len(table)), "budget": Interval(float(query.options.budget))}
    committee = table["committee"].to_numpy(object) if "committee" in table else np.array([""] * len(table), object)
    predicted = known & np.array([bool(answer) for answer in committee], bool)
    if predicted.any():
        right = int((committee == labels)[predicted].sum())
        numbers["right_before"] = wilson(right, int(predicted.sum()), query.options.level)
    numbers |= _alikeness_of_members(table, labels, predicted, query.options.level)
    tables = {"batches": _batches(table, labels, known, committee)} if len(table) else {}
    tables |= {"classes": _classes(query)}
    if query.pending:
        tables["next"] = table[table[INSTANCE].isin(query.pending)].reset_index(drop=True)
    return SPEC.answer(labelling_sentence(query, numbers), numbers, tables)


def labelling_sentence(query: LabellingRound, numbers: Mapping[str, Interval]) -> str:
    """How many labels there are, what is to be labelled next, and what is known of the committee."""
    bought, at_start = int(numbers["labels"].estimate), len(query.pool.labelled)
    start = f" in addition to the {at_start:,} of the pool" if at_start else ""
    parts = [f"{plural(bought, 'label')} of a budget of {query.options.budget:,} given{start}."]
    if query.pending:
        by = "drawn by chance" if _by_chance(query) else f"chosen by {query.options.strategy}"
        parts.append(f"{plural(len(query.pending), 'instance')} {by} to be labelled next.")
    else:
        parts.append("Budget or pool is spent.")
    if "right_before" in numbers:
        share = numbers["right_before"]
        parts.append(
            f"The committee had been right about {percent(share.estimate)} of {share.n:,} before they were asked."
        )
    number = numbers.get("n_eff")
    if number is not None and np.isfinite(number.estimate):
        parts.append(f"On them its members fail like {number.format('.2f')} independent models.")
    return " ".join([*parts, *([CAUTION] if "right_before" in numbers else [])])


def _by_chance(query: LabellingRound) -> bool:
    """Whether the last batch was drawn by chance."""
    table = query.asked_for
    return bool((table["strategy"][table[INSTANCE].isin(query.pending)] == RANDOM).all())


def _alikeness_of_members(
    table: pd.DataFrame, labels: np.ndarray, predicted: np.ndarray, level: float
) -> dict[str, Interval]:
    """Effective number of the members by what they had said of instances before these were labelled."""
    members = [
        name for name in table.columns if name not in ("strategy", "committee", "probability", "batch", INSTANCE)
    ]
    rows = predicted & np.array([all(bool(cell) for cell in row) for row in table[members].to_numpy(object)], bool)
    if len(members) < 2 or rows.sum() < FEWEST:
        return {}
    wrong = labels[rows] != table[members].to_numpy(object)[rows].T
    number = effective(wrong.astype(bool), np.unique(labels[rows].astype(str), return_inverse=True)[1])
    return {"n_eff": n_eff_interval(number.n_models, number.design_effect, number.influence, level=level)}


def _batches(table: pd.DataFrame, labels: np.ndarray, known: np.ndarray, committee: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame({"batch": table["batch"].astype(int), "asked": 1, "labelled": known})
    frame["right_before"] = np.where(known & (committee != ""), (committee == labels).astype(float), np.nan)
    sums = {"asked": "sum", "labelled": "sum", "right_before": "mean"}
    return frame.groupby("batch", as_index=False).agg(sums)


def _classes(query: LabellingRound) -> pd.DataFrame:
    codes = query.labelled_pool.labels
    counts = [int((codes == code).sum()) for code in range(len(query.pool.classes))]
    return pd.DataFrame({"class": query.pool.classes, "labels": counts})


SPEC = SectionSpec(
    "active",
    "Which instances are worth a label next?",
    numbers={
        "random": "mean accuracy along the curve, labels by chance",
        "margin_of_mean": "margin of the mean: difference from chance",
        "margin": "margin of the learner: difference from chance",
        "entropy": "entropy of the learner: difference from chance",
        "badge": "gradients (BADGE): difference from chance",
        "vote_entropy": "vote entropy: difference from chance",
        "kl": "divergence from the consensus: difference from chance",
        "n_eff_random": "n_eff of the committee in the end, labels by chance",
        "n_eff_margin_of_mean": "n_eff of the committee in the end, margin of the mean",
        "labels": "labels given",
        "budget": "budget",
        "right_before": "committee right before the label was given",
    },
    percent=(*("random", "margin_of_mean", "margin", "entropy", "badge", "vote_entropy", "kl", "right_before"),),
    tables={
        "strategies": TableSpec(
            "Area under the learning curve (mean accuracy of the learner over the number of labels), its difference "
            "from that of chance in pairs of seeds, and the accuracy of learner and committee with all labels. As "
            f"chance: labels with which the learner is as accurate as by chance with all. Intervals: {METHOD}.",
            headings={
                "aulc": "area under the curve",
                "difference": "less chance",
                "difference_low": "from",
                "difference_high": "to",
                "accuracy": "learner at the end",
                "committee": "committee at the end",
                "as_chance": "labels to be as chance",
                "by_chance": "batches by chance",
            },
            percent=("aulc", "low", "high", "difference", "difference_low", "difference_high", "accuracy", "committee"),
            ranked=True,
        ),
        "curves": TableSpec("Accuracy of the learner.", percent=("accuracy", "low", "high")),
        "committee": TableSpec("Accuracy of the mean of all members.", percent=("committee", "low", "high")),
        "alikeness": TableSpec("Effective number of independent members, given the truth."),
        "batches": TableSpec(
            "Right before: share of the labels that the committee had given itself before it was told.",
            percent=("right_before",),
        ),
        "classes": TableSpec("Labels that are known, those of the pool included."),
        "next": TableSpec("What is to be labelled, with what committee and members say of it now."),
    },
)
