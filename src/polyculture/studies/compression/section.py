"""How does a compression answer? How much smaller and faster, what changed, and whether models fail as unlike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from polyculture.compression.changes import Change
from polyculture.compression.gate import Verdict
from polyculture.compression.measuring import Measurement
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, percent, plural

from .choosing import SELECTION, Choice

SHARES = ("accuracy", "all_wrong")
_FRONT = TableSpec(
    "A row per set. Smaller and faster: how many times, all members one after the other; faster at one input. Loss: of "
    "the set as one model (log-loss of the mean probability, or 1 − R²). n_eff: as how many independent models they "
    "fail. Joint errors: pairs that err together over those of independent models. Churn: mean share of a member's "
    "answers that changed. Members: how many are compressed. Chains are shown as if nothing were refused.",
    headings={
        "faster_32": "faster at 32",
        "milliseconds": "ms at one input",
        "milliseconds_32": "ms at 32",
        "joint_error_ratio": "joint errors × independence",
        "all_wrong": "all wrong",
        "n_eff": "n_eff",
    },
    percent=("accuracy", "all_wrong", "churn"),
)
SPEC = SectionSpec(
    "compression",
    "What does compressing do to the models, and to the set of them?",
    numbers={
        "smaller": "times smaller",
        "faster": "times faster at one input",
        "faster_32": "times faster at 32 inputs",
        "churn": "answers of the set that changed",
        "accuracy": "accuracy of the set, after less before",
        "log_loss": "log-loss of the set, after less before",
        "r_squared": "R² of the set, after less before",
        "n_eff": "n_eff, after less before",
        "joint_error_ratio": "joint errors × independence, after less before",
        "all_wrong": "instances that all members fail, after less before",
    },
    percent=("churn", "accuracy", "all_wrong"),
    tables={
        "members": TableSpec(
            "Compression: what is kept; none is the original. Size: of the ONNX graph. Latency: onnxruntime in one "
            "thread, median of runs that alternate between original and compressed model. Accuracy and churn: on the "
            "test set, with 95 % intervals.",
            headings={"ms_1": "ms at one input", "ms_32": "ms at 32", "kB": "kB", "churn": "answers changed"},
        ),
        "front_by_size": _FRONT,
        "front_by_latency": _FRONT,
        "set": TableSpec(
            "What is kept against the originals, on the test set: of the set as one model (mean probability, or mean "
            "number), and of how its members fail together. Change: paired by instance, 95 % interval.",
        ),
        "each": TableSpec(
            "Every compressed model against its original, refused or not. Change: paired by instance, 95 % interval.",
            rows=400,
        ),
    },
)


def compression_section(choice: Choice, *, by_latency: bool) -> Section:
    """The answer in one sentence, what became of each member, the sets that were compared, and what the set did."""
    result = choice.result
    changes = result.changes
    numbers = dict(result.factors) | {"churn": result.churn}
    numbers |= {name: changes[name].change for name in SPEC.numbers if name in changes}
    quality = "accuracy" if changes["accuracy"].change.defined else "r_squared"
    unused = {"accuracy", "r_squared", "log_loss"} - {quality, *(["log_loss"] if quality == "accuracy" else [])}
    tables = {
        f"front_by_{'latency' if by_latency else 'size'}": choice.front,
        "members": pd.DataFrame([_member(choice, verdict, quality) for verdict in result.verdicts]),
        "set": _changes_table(changes),
        "each": _each_table(choice),
    }
    sentence = f"{headline(choice)} {_details(choice, quality)}".strip()
    return SPEC.answer(sentence, {name: number for name, number in numbers.items() if name not in unused}, tables)


def headline(choice: Choice) -> str:
    """``4 members, 3.1× smaller, 2.2× faster, 0.3 % of answers changed, as unlike as before [n_eff 2.31 → 2.30].``"""
    if choice.members:
        return _single_headline(choice)
    result = choice.result
    members, accepted = len(result.verdicts), len(result.accepted)
    count = plural(members, "member")
    if not accepted:
        return f"{count}, none of them compressed: every one was refused, and the set is as it was."
    part = "" if accepted == members else f", {accepted} of them compressed"
    return f"{count}{part}, {_gains(choice)}{_alikeness(choice)}."


def _gains(choice: Choice) -> str:
    """How much smaller and faster, and how many answers changed."""
    factors, share = choice.result.factors, choice.result.churn.estimate
    size = _times(factors["smaller"].estimate, "smaller", "larger")
    speed = _times(factors["faster"].estimate, "faster", "slower")
    return f"{size}, {speed}, {f'{percent(share)} of answers' if share else 'no answer'} changed"


def _single_headline(choice: Choice) -> str:
    """``4 members in one net, 3.9× smaller, 3.8× faster, 2.1 % of answers changed; …``"""
    (verdict,) = choice.result.verdicts
    if not verdict.accepted:
        return f"{plural(choice.members, 'member')}, as they were: one net taught by all of them is refused."
    n_eff = choice.result.changes["n_eff"].original
    words = f" [n_eff {n_eff.estimate:.2f} → 1]" if n_eff.defined else ""
    return f"{plural(choice.members, 'member')} in one net, {_gains(choice)}; what members differed on is lost{words}."


def _alikeness(choice: Choice) -> str:
    """Whether the set fails as unlike as before; nothing of a single model."""
    change = choice.result.changes["n_eff"]
    if len(choice.result.verdicts) < 2:
        return ""
    if not change.change.defined:
        return f", alikeness undefined ({change.change.reason})" if change.change.reason else ", alikeness undefined"
    words = "as unlike as before"
    if change.change.high < 0:
        words = "more alike than before"
    elif change.change.low > 0:
        words = "more unlike than before"
    return f", {words} [n_eff {change.original.estimate:.2f} → {change.compressed.estimate:.2f}]"


def _details(choice: Choice, quality: str) -> str:
    """What else matters: quality of the set, joint errors, refusals, and where it was chosen."""
    result = choice.result
    parts = []
    if result.accepted:
        parts.append(_quality_words(result.changes[quality], quality))
        ratio = result.changes["joint_error_ratio"]
        if ratio.change.defined:
            old, new = ratio.original.estimate, ratio.compressed.estimate
            parts.append(f"Pairs err together {old:.2f}× → {new:.2f}× as often as independent models.")
    refused = result.refused
    if refused:
        name, reason = next(iter(refused.items()))
        further = len(refused) - 1
        remainder = "" if not further else "; so is one more" if further == 1 else f"; so are {further} more"
        subject = "The reason" if choice.members else f"{name} is refused"
        parts.append(f"{subject}: {reason.rstrip('.')}{remainder}.")
    chains = len(choice.front) - 2
    if choice.part == SELECTION and chains > 1:
        parts.append(f"Of {chains} chains each member has the best by the selection part; the test part judged them.")
    return " ".join(parts)


def _quality_words(change: Change, quality: str) -> str:
    form = percent if quality == "accuracy" else "{:.3f}".format
    title = "accuracy" if quality == "accuracy" else "R²"
    old, new = form(change.original.estimate), form(change.compressed.estimate)
    low, high = form(change.change.low), form(change.change.high)
    return f"The set's {title} goes from {old} to {new} (change [{low}, {high}])."


def _times(factor: float, gain: str, loss: str) -> str:
    """A factor in words: 3.1× smaller, 1.2× slower."""
    if not math.isfinite(factor):
        return f"of unknown {'speed' if gain == 'faster' else 'size'}"
    if f"{factor:.1f}" == "1.0":
        return "as fast" if gain == "faster" else "as large"
    return f"{factor:.1f}× {gain}" if factor > 1 else f"{1 / factor:.1f}× {loss}"


def _member(choice: Choice, verdict: Verdict, quality: str) -> dict[str, object]:
    """A row of the table of members; numbers of what was tried, as cells with both values."""
    attempt, change = choice.candidate.attempts.get(verdict.model), verdict.changes[quality]
    form = ".1%" if quality == "accuracy" else ".3f"
    old, new = (replace(part, low=math.nan, high=math.nan).format(form) for part in _parts(change))
    row: dict[str, object] = {"member": verdict.model}
    row |= {"compression": attempt.level if attempt and verdict.accepted else "none"}
    row |= {"tried": attempt.level if attempt else "–"}
    row |= {"verdict": "compressed" if verdict.accepted else "refused" if attempt else "kept as it is"}
    row |= {"accuracy" if quality == "accuracy" else "R²": f"{old} → {new}" if attempt else old}
    row |= {"churn": verdict.churn.format(".1%") if attempt else "–"}
    return row | _cost_cells(verdict.measurement, changed=attempt is not None) | {"reason": verdict.reason}


def _parts(change: Change) -> tuple[Interval, Interval]:
    return change.original, change.compressed


def _cost_cells(measurement: Measurement | None, *, changed: bool) -> dict[str, object]:
    """Size and latency before and after, with the factors."""
    if measurement is None:
        return {"kB": "–", "smaller": math.nan, "ms_1": "–", "faster": math.nan, "ms_32": "–", "faster_32": math.nan}
    original, compressed = measurement.original, measurement.compressed

    def cell(old: float, new: float) -> str:
        return f"{old:.3g} → {new:.3g}" if changed else f"{old:.3g}"

    return {
        "kB": cell(original.bytes / 1000, compressed.bytes / 1000),
        "smaller": measurement.factors["smaller"] if changed else 1.0,
        "ms_1": cell(original.milliseconds, compressed.milliseconds),
        "faster": measurement.speed.estimate if changed else 1.0,
        "ms_32": cell(original.milliseconds_32, compressed.milliseconds_32),
        "faster_32": measurement.speed_32.estimate if changed else 1.0,
    }


def _changes_table(changes: Mapping[str, Change]) -> pd.DataFrame:
    rows = [_change_row(name, change) for name, change in changes.items() if change.change.defined]
    return pd.DataFrame(rows, columns=["number", *_COLUMNS])


def _each_table(choice: Choice) -> pd.DataFrame:
    rows = [
        {"member": verdict.model} | _change_row(name, change)
        for verdict in choice.result.verdicts
        if verdict.model in choice.candidate.attempts
        for name, change in verdict.changes.items()
        if change.change.defined
    ]
    return pd.DataFrame(rows, columns=["member", "number", *_COLUMNS])


_TITLES = {"n_eff": "n_eff", "joint_error_ratio": "joint errors × independence", "all_wrong": "all members wrong"}
_TITLES |= {"log_loss": "log-loss", "r_squared": "R²", "calibration": "calibration error"}
_COLUMNS = ("before", "after", "change", "low", "high", "n")


def _change_row(name: str, change: Change) -> dict[str, object]:
    numbers = (change.original.estimate, change.compressed.estimate, change.change.estimate)
    limits = (change.change.low, change.change.high, change.change.n)
    title = _TITLES.get(name, name.replace("_", " "))
    return {"number": title, **dict(zip(_COLUMNS, (*numbers, *limits), strict=True))}
