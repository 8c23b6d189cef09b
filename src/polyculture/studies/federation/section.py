"""What does federation gain, and whom do all members fail then? The answer as a section that leads its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, percent, plural

from .members import LOCAL, POOLED, MemberSet, difference

PERSONALIZED, INDEPENDENT = "personalized", "independent runs"
CAUTION = (
    "The global test set counts every instance alike; an own mix counts it as often as a client would meet it. Limits "
    "are over test instances: another partition or another seed would move the numbers more."
)
MEASURES = {"accuracy": "global accuracy", "own_mix": "accuracy on own mixes", "all_wrong": "wrong for all members"}
"""Numbers that are compared between sets, and what they are called."""
LIMITS = {"accuracy": "", "own_mix": "own_mix_", "n_eff": "n_eff_", "all_wrong": "all_wrong_"}
"""Numbers of the table of sets, and what their limits' columns begin with."""
DIFFERENCE, MINUS = "difference", "−"


def set_table(sets: Sequence[MemberSet], numbers: Mapping[str, Mapping[str, Interval]]) -> pd.DataFrame:
    """One row per set of members with global and own-mix accuracy, n_eff, ρ and whom all fail."""
    rows = []
    for members in sets:
        row: dict[str, object] = {"set": members.name, "models": len(members.right)}
        for name, prefix in LIMITS.items():
            interval = numbers[members.name][name]
            row |= {name: interval.estimate, f"{prefix}low": interval.low, f"{prefix}high": interval.high}
        row |= {"rho": numbers[members.name]["rho"].estimate, "expected": members.expected_all_wrong}
        row |= {"vote": numbers[members.name]["vote"].estimate}
        rows.append(row)
    return pd.DataFrame(rows)


def difference_table(sets: Sequence[MemberSet]) -> pd.DataFrame:
    """What every other set has more than the local models, measure by measure, on the same instances."""
    local = next(members for members in sets if members.name == LOCAL)
    rows = []
    for members in sets:
        for name, measure in MEASURES.items() if members is not local else ():
            change = difference(members, local, name)
            rows.append(
                {"set": members.name, "measure": measure, "change": change.estimate}
                | {"low": change.low, "high": change.high}
            )
    return pd.DataFrame(rows)


def client_table(sets: Sequence[MemberSet], sizes: Sequence[int]) -> pd.DataFrame:
    """One row per client and set: what it learns from, and the accuracy of its model on its own mix and globally.

    Parameters
    ----------
    sizes : instances that each client learns from.
    """
    frames = []
    for members in sets:
        if members.name != POOLED and INDEPENDENT not in members.name:
            values = members.by_client
            columns: dict[str, Any] = {"client": members.mixes.names, "instances": list(sizes), "set": members.name}
            columns |= {"own_mix": members.mixes.means(values), "accuracy": values.mean(axis=1)}
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def federation_section(
    sets: Sequence[MemberSet], lead: str, partition: str, tables: Mapping[str, pd.DataFrame]
) -> Section:
    """The answer.

    Parameters
    ----------
    sets : local members first.
    lead : the algorithm that the sentence is about.
    partition : how the data are spread over the clients, in words.
    tables : further tables.
    """
    by_name = {members.name: members for members in sets}
    numbers_by_set = {name: members.numbers() for name, members in by_name.items()}
    numbers = _numbers(by_name, numbers_by_set, lead)
    frames = {"sets": set_table(sets, numbers_by_set), "differences": difference_table(sets), **tables}
    return SPEC.answer(sentence(by_name, numbers_by_set, numbers, lead, partition), numbers, frames)


def _numbers(
    sets: Mapping[str, MemberSet], by_set: Mapping[str, Mapping[str, Interval]], lead: str
) -> dict[str, Interval]:
    """Global and own-mix numbers next to each other, then whom all fail, n_eff, and the differences."""
    short = {"local": LOCAL, "federated": lead, PERSONALIZED: f"{lead}, {PERSONALIZED}"}
    short |= {"independent": f"{lead}, {INDEPENDENT}", "pooled": POOLED}
    short = {key: name for key, name in short.items() if name in sets}
    numbers = {
        f"{key}_{number}": by_set[name][number] for number in ("accuracy", "own_mix") for key, name in short.items()
    }
    order = [name for key in short for name in (f"{key}_accuracy", f"{key}_own_mix")]
    numbers = {name: numbers[name] for name in order}
    for number in ("all_wrong", "n_eff"):
        numbers |= {f"{key}_{number}": by_set[name][number] for key, name in short.items()}
    for key in ("federated", PERSONALIZED):
        for number in MEASURES if key in short else ():
            numbers[f"{key}_{number}_{DIFFERENCE}"] = difference(sets[short[key]], sets[LOCAL], number)
    return {name: interval for name, interval in numbers.items() if interval.defined}


def sentence(
    sets: Mapping[str, MemberSet],
    by_set: Mapping[str, Mapping[str, Interval]],
    numbers: Mapping[str, Interval],
    lead: str,
    partition: str,
) -> str:
    """The answer in words: both accuracies, whom all fail, how alike, and what may not be read from them."""
    local, federated = by_set[LOCAL], by_set[lead]
    m = len(sets[LOCAL].right)
    change = numbers[f"federated_accuracy_{DIFFERENCE}"], numbers[f"federated_all_wrong_{DIFFERENCE}"]
    first = (
        f"One model by {lead} {_moves(change[0], 'raises', 'lowers')} accuracy on everyone's mix from "
        f"{_share(local['accuracy'])} (mean of {m} local models) to {_share(federated['accuracy'])}, and the share of "
        f"instances that every client gets wrong {_moves(change[1], 'rises', 'falls', 'does not visibly change')} from "
        f"{_share(local['all_wrong'])} to {_share(federated['all_wrong'])}."
    )
    parts = [first, _own_mixes(by_set, lead), _personalized(by_set, numbers, lead), _alike(sets, by_set, lead)]
    data = f"{plural(m, 'client')}, {partition}, tested on {len(sets[LOCAL].labels):,} instances."
    return " ".join(part for part in (*parts, data, CAUTION) if part)


def _own_mixes(by_set: Mapping[str, Mapping[str, Interval]], lead: str) -> str:
    """The three accuracies on the clients' own mixes."""
    text = f"On the clients' own mixes local models have {_share(by_set[LOCAL]['own_mix'])}, the federated one "
    text += _share(by_set[lead]["own_mix"])
    name = f"{lead}, {PERSONALIZED}"
    return f"{text}, personalized ones {_share(by_set[name]['own_mix'])}." if name in by_set else f"{text}."


def _personalized(by_set: Mapping[str, Mapping[str, Interval]], numbers: Mapping[str, Interval], lead: str) -> str:
    """What personalizing gives back, on everyone's mix."""
    name = f"{lead}, {PERSONALIZED}"
    if name not in by_set:
        return ""
    gap = numbers[f"{PERSONALIZED}_all_wrong_{DIFFERENCE}"]
    relation = _moves(gap, "more than", "less than", "not visibly other than")
    return (
        f"Personalized models have {_share(by_set[name]['accuracy'])} on everyone's mix and all fail "
        f"{_share(by_set[name]['all_wrong'])}, {relation} the local ones."
    )


def _alike(sets: Mapping[str, MemberSet], by_set: Mapping[str, Mapping[str, Interval]], lead: str) -> str:
    """As how many independent models each set fails."""
    names = {LOCAL: "local", f"{lead}, {PERSONALIZED}": PERSONALIZED, f"{lead}, {INDEPENDENT}": "federated anew"}
    parts = []
    for name, words in names.items():
        if name in by_set and by_set[name]["n_eff"].defined:
            parts.append(f"the {len(sets[name].right)} {words} like {by_set[name]['n_eff'].format()}")
    return f"In independent models they fail as follows: {', '.join(parts)}." if parts else ""


def _moves(change: Interval, more: str, less: str, neither: str = "does not visibly change") -> str:
    """The verb that this difference allows: only where its interval excludes zero."""
    if not change.low <= change.high:
        return neither
    return more if change.low > 0 else less if change.high < 0 else neither


def _share(interval: Interval) -> str:
    """A share with its limits, in percent."""
    if not interval.low <= interval.high:
        return percent(interval.estimate)
    return f"{percent(interval.estimate)} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


_KEYS = {
    "local": "local models",
    "federated": "federated model",
    PERSONALIZED: "personalized models",
    "independent": "independently federated models",
    "pooled": "one model of all data pooled",
}
_TEXTS = {
    "accuracy": "global accuracy",
    "own_mix": "accuracy on own mixes",
    "all_wrong": "wrong for all",
    "n_eff": "n_eff",
}
_LABELS = {f"{key}_{number}": f"{words}: {text}" for key, words in _KEYS.items() for number, text in _TEXTS.items()}
_LABELS |= {
    f"{key}_{number}_{DIFFERENCE}": f"{_KEYS[key]} {MINUS} local models: {_TEXTS[number]}"
    for key in ("federated", PERSONALIZED)
    for number in MEASURES
}
_HEADINGS = {"own_mix": "own mixes", "expected": "all wrong if independent", "all_wrong": "wrong for all"}
_HEADINGS |= {"own_mix_low": "low", "own_mix_high": "high", "n_eff_low": "low", "n_eff_high": "high"}
_HEADINGS |= {"all_wrong_low": "low", "all_wrong_high": "high"}
_SHARES = (
    *("accuracy", "low", "high", "own_mix", "own_mix_low", "own_mix_high", "expected", "vote"),
    *("all_wrong", "all_wrong_low", "all_wrong_high"),
)

SPEC = SectionSpec(
    name="federation",
    title="What does federation gain, and whom does nobody get right then?",
    numbers=_LABELS,
    percent=tuple(name for name in _LABELS if not name.endswith("n_eff")),
    tables={
        "sets": TableSpec(
            "Accuracy: on the global test set; own mixes: mean over clients, each on the mix that it meets. Wrong for "
            "all: share of the global test set that every model of the set gets wrong; one federated model is what "
            "every client has, so that its errors are everybody's. If independent: the same share if the models failed "
            "independently given the class. Vote: accuracy of their mean probability.",
            headings=_HEADINGS,
            percent=_SHARES,
        ),
        "differences": TableSpec(
            "What each set has more than the local models, on the same instances.", percent=("change", "low", "high")
        ),
        "clients": TableSpec(
            "Accuracy of the model that each client would use.", headings=_HEADINGS, percent=_SHARES, rows=60
        ),
        "rounds": TableSpec(
            "After every round: the global model on the global test set and on the own mixes of the clients.",
            percent=("global", "own_mix"),
            headings={"own_mix": "own mixes"},
            rows=60,
        ),
        "classes": TableSpec("Who learns from what.", percent=("share",), rows=60),
    },
)
