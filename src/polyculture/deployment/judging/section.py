"""What did the panel decide, and what did it cost? The answer as a section that leads its page."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, jeffreys, percent, plural

from .outcome import CallOutcome, bias_rows, decision_table, failure_table, judge_rows
from .stopping import cross_validated


def judging_section(outcome: CallOutcome) -> Section:
    """The section of an outcome."""
    numbers = _numbers(outcome)
    tables = {"judges": judge_rows(outcome)}
    further = {"orders": bias_rows(outcome), "failures": failure_table(outcome)}
    tables |= {name: table for name, table in further.items() if len(table)}
    return SPEC.answer(_sentence(outcome, numbers, tables), numbers, tables)


def _numbers(outcome: CallOutcome) -> dict[str, Interval]:
    items, level = len(outcome.ids), outcome.options.level
    decisions = decision_table(outcome)
    numbers: dict[str, Interval] = {}
    if outcome.judges.classes:
        votes, judges = decisions["votes"], decisions["judges"]
        numbers["decided"] = jeffreys(int((decisions["decision"] != "").sum()), items, level)
        numbers["unanimous"] = jeffreys(int(((votes == judges) & (judges > 1)).sum()), items, level)
    calls = [record for record in outcome.calls if record.paid]
    numbers["answers"] = Interval(float(len(calls)))
    for reason in ("refused", "unparsable"):
        count = sum(record.reason == reason for record in calls)
        numbers[reason] = jeffreys(count, len(calls), level) if calls else Interval.undefined("no answers")
    numbers["cost"] = Interval(float(sum(outcome.costs.values())))
    if outcome.rule is not None:
        numbers |= _saved(outcome, len(outcome.calls))
    return numbers


def _saved(outcome: CallOutcome, calls: int) -> dict[str, Interval]:
    """What sequential mode saved, and how often it would decide otherwise, on the items that all were asked about."""
    assert outcome.rule is not None
    asked = min(outcome.options.calibration, len(outcome.ids))
    share, differ = cross_validated(outcome.votes[:, :asked], outcome.rule.classes, outcome.rule.rate)
    numbers = {"calls_saved": Interval(1 - calls / outcome.possible, n=outcome.possible)}
    if share != share:
        few = Interval.undefined("fewer than five items were asked of all judges", asked)
        return numbers | {"saved_left_out": few, "differs_left_out": few}
    differs = jeffreys(differ, asked, outcome.options.level)
    return numbers | {"saved_left_out": Interval(share, n=asked), "differs_left_out": differs}


def _sentence(outcome: CallOutcome, numbers: Mapping[str, Interval], tables: Mapping[str, pd.DataFrame]) -> str:
    parts = [_first(outcome), _price(outcome, numbers), _sequence(outcome, numbers), _orders(tables)]
    parts += [_failures(outcome), _interrupted(outcome)]
    return " ".join(part for part in parts if part)


def _first(outcome: CallOutcome) -> str:
    judges, items = plural(len(outcome.judges.names), "judge"), plural(len(outcome.ids), "item")
    if not outcome.judges.classes:
        rated = int((decision_table(outcome)["judges"] > 0).sum())
        return f"{judges} rated {rated:,} of {items}."
    decisions = decision_table(outcome)["decision"]
    decided = int((decisions != "").sum())
    text = f"{judges} decide {decided:,} of {items} by plurality"
    if not decided:
        return f"{text}."
    counts = decisions[decisions != ""].value_counts()
    shares = [f"{name} on {percent(count / decided, 1)}" for name, count in counts.head(3).items()]
    return f"{text}: {', '.join(shares)}."


def _price(outcome: CallOutcome, numbers: Mapping[str, Interval]) -> str:
    cost = sum(outcome.costs.values())
    spent = f", which cost {cost.normalize():f}" if cost else ""
    return f"They gave {plural(int(numbers['answers'].estimate), 'answer')}{spent}."


def _sequence(outcome: CallOutcome, numbers: Mapping[str, Interval]) -> str:
    if outcome.rule is None:
        return ""
    saved, differs = numbers["calls_saved"], numbers["differs_left_out"]
    text = f"Asking in sequence saved {percent(saved.estimate, 1)} of {plural(outcome.possible, 'call')}"
    if not differs.defined:
        return f"{text}; how often all judges would decide otherwise is unknown, as {differs.reason}."
    limits = f"[{percent(differs.low, 1)}, {percent(differs.high, 1)}]"
    return f"{text}; on items left out, all judges would decide otherwise on {percent(differs.estimate, 1)} {limits}."


def _orders(tables: Mapping[str, pd.DataFrame]) -> str:
    table = tables.get("orders", pd.DataFrame())
    if not len(table) or table["changed"].isna().all():
        return ""
    most = table.sort_values("changed", ascending=False, kind="stable").to_dict("records")[0]
    text = f"The order changes {percent(most['changed'], 1)} of the verdicts of {most['judge']}, the most of all judges"
    biased = table[(table["first_low"] > 0.5) | (table["first_high"] < 0.5)]["judge"].tolist()
    if not biased:
        return f"{text}; no judge is shown to prefer a place."
    return (
        f"{text}; shown to prefer a place: {', '.join(map(str, biased[:3]))}{' and others' if len(biased) > 3 else ''}."
    )


def _failures(outcome: CallOutcome) -> str:
    table = failure_table(outcome)
    if not len(table):
        return ""
    counts = table.groupby("reason")["count"].sum().sort_values(ascending=False, kind="stable")
    text = f"Without a verdict: {', '.join(f'{count:,} {reason}' for reason, count in counts.items())}."
    if table["asked_again"].any():
        count = int(table.loc[table["asked_again"], "count"].sum())
        text += f" The same command makes the {plural(count, 'call')} again that got no answer."
    return text


def _interrupted(outcome: CallOutcome) -> str:
    if not outcome.interrupted:
        return ""
    return (
        f"{plural(outcome.interrupted, 'call')} in flight when an earlier run was stopped: made again under the "
        "same Idempotency-Key, which a service that knows it does not charge twice."
    )


SPEC = SectionSpec(
    "judging",
    "What did the panel decide?",
    numbers={
        "decided": "items on which one class has the most votes",
        "unanimous": "items on which all judges agree",
        "answers": "answers that were paid for",
        "refused": "answers that decline",
        "unparsable": "answers that name no class",
        "cost": "cost, in the currency of the panel's prices",
        "calls_saved": "calls saved by asking in sequence",
        "saved_left_out": "the same on the items that all judges were asked about, each left out of the rule",
        "differs_left_out": "items left out that all judges would decide otherwise",
    },
    percent=(*("decided", "unanimous", "refused", "unparsable", "calls_saved", "saved_left_out", "differs_left_out"),),
    tables={
        "judges": TableSpec(
            "Differs: share of its verdicts that are not the panel's decision, in which it has a vote itself.",
            percent=("differs", "low", "high"),
            rows=60,
        ),
        "orders": TableSpec(
            "Changed: share of items whose verdict changes with the order. First: among verdicts that went from one "
            "side to the other, the share for what stood first; one half is no bias.",
            percent=("changed", "changed_low", "changed_high", "first", "first_low", "first_high"),
            rows=60,
        ),
        "failures": TableSpec("Asked again: by the same command.", rows=60),
    },
)
