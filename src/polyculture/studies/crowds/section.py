"""What do the workers say, and how sure may one be? The answer as a section that leads its page."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from polyculture.measures.annotators import INDEPENDENCE
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, percent, plural

from .labels import CrowdLabels
from .workers import BELOW, CONSTANT, GUESSING

Setting = tuple[str, CrowdLabels, float, bool]
"""Method, labels, posterior from which on a label is sure, and whether Dawid–Skene was left out."""


def crowd_section(numbers: Mapping[str, Interval], tables: Mapping[str, pd.DataFrame], setting: Setting) -> Section:
    """The section of these numbers and tables."""
    present = {name: table for name, table in tables.items() if len(table)}
    return SPEC.answer(sentence(numbers, tables, setting), numbers, present)


def sentence(numbers: Mapping[str, Interval], tables: Mapping[str, pd.DataFrame], setting: Setting) -> str:
    """The answer in words: labels, how sure, how often wrong, dependence, workers, and what may not be read from it."""
    method, labels, sure, refused = setting
    a = labels.annotations
    counts = f"{plural(len(a.label), 'label')} of {a.workers:,} workers for {plural(a.items, 'item')}"
    claim = f"{method} is over {sure:g} sure of {percent(numbers['sure'].estimate)} of the items"
    parts = [f"{counts}: {claim}{_wrong(numbers)}.", _accuracy(numbers, method), _dependence(numbers)]
    parts += [
        _workers(tables["workers"]),
        _omissions(labels, refused),
        _rounds(tables["methods"], method),
        INDEPENDENCE,
    ]
    return " ".join(part for part in parts if part)


def _wrong(numbers: Mapping[str, Interval]) -> str:
    interval = numbers.get("sure_wrong")
    if interval is None:
        return "; no item has a truth, so nothing here says whether it is right"
    return f", and wrong on {_shares(interval)} of these" if interval.defined else ""


def _accuracy(numbers: Mapping[str, Interval], method: str) -> str:
    if "accuracy" not in numbers:
        return ""
    text = f"It is right on {_shares(numbers['accuracy'])}"
    if method != "vote":
        text += f", the plain vote on {_shares(numbers['vote_accuracy'])} (ties count in parts)"
    if numbers["ece"].defined and method != "vote":
        text += f"; calibration error {numbers['ece'].estimate:.3f}"
        text += f", tempered {numbers['tempered_ece'].estimate:.3f}" if "tempered_ece" in numbers else ""
        text += f", share of the vote {numbers['vote_ece'].estimate:.3f}"
    return f"{text}."


def _shares(interval: Interval) -> str:
    if math.isnan(interval.low):
        return percent(interval.estimate)
    return f"{percent(interval.estimate)} [{percent(interval.low)}, {percent(interval.high)}]"


def _dependence(numbers: Mapping[str, Interval]) -> str:
    n_eff = numbers["n_eff"]
    if not n_eff.defined:
        return (
            f"How many independent workers these are worth is not known ({n_eff.reason}): add the truth of some items, "
            "or give n_eff, to temper the posterior."
        )
    given = " (as given)" if n_eff.method == "given" else ""
    return (
        f"The workers err like {n_eff.format()} independent ones{given}; the tempered posterior counts them as these."
    )


def _workers(workers: pd.DataFrame) -> str:
    """How many workers are to be looked at."""
    counts = workers["remark"].value_counts()
    parts = [f"{plural(int(counts[name]), 'worker')} {words}" for name, words in _REMARKS.items() if name in counts]
    return f"Of the workers: {'; '.join(parts)}." if parts else ""


_REMARKS = {CONSTANT: "always with the same label", BELOW: "below chance", GUESSING: "not shown better than chance"}


def _omissions(labels: CrowdLabels, refused: bool) -> str:
    parts = [f"{plural(labels.empty, 'empty cell')} left out."] if labels.empty else []
    unlabelled = int((labels.annotations.labels_per_item == 0).sum())
    parts += [f"{plural(unlabelled, 'item')} without a label."] if unlabelled else []
    parts += ["Dawid–Skene is left out: a confusion matrix per worker is too large."] if refused else []
    return " ".join(parts)


def _rounds(methods: pd.DataFrame, method: str) -> str:
    row = methods[methods["method"] == method].to_dict("records")[0]
    return "" if row["converged"] else f"{method} did not stand still after {row['rounds']} rounds: raise --iterations."


_PERCENT = ("accuracy", "low", "high", "claimed", "sure", "sure_wrong", "quality", "agreement")
SPEC = SectionSpec(
    "crowd",
    "What do the workers say, and how sure may one be?",
    numbers={
        "sure": "items of which the method is sure",
        "sure_wrong": "wrong among these",
        "claimed": "accuracy that its posterior claims",
        "accuracy": "accuracy",
        "vote_accuracy": "accuracy of the plain vote",
        "ece": "expected calibration error",
        "tempered_ece": "the same of the tempered posterior",
        "vote_ece": "the same of the share of the vote",
        "tempered_sure": "items of which the tempered posterior is sure",
        "n_eff": "n_eff, effective number of independent workers",
        "alpha": "Krippendorff's α, agreement beyond chance",
    },
    percent=("sure", "sure_wrong", "claimed", "accuracy", "vote_accuracy", "tempered_sure"),
    tables={
        "methods": TableSpec(
            "Claimed: mean posterior of the answers. Sure: items above the threshold; sure wrong: share of these that "
            "is wrong. Tempered: likelihood to the power n_eff/M.",
            headings={"ece": "calibration error", "sure_wrong": "sure and wrong"},
            percent=_PERCENT,
        ),
        "workers": TableSpec(
            "Worst first. Accuracy by the truth, or as expected under the consensus. Quality: as the method sees it. "
            "Agreement: with the vote of the others.",
            percent=_PERCENT,
            ranked=True,
        ),
        "items": TableSpec(
            "Most divided first.", percent=("posterior", "tempered", "vote_share"), ranked=True, rows=20
        ),
    },
)
