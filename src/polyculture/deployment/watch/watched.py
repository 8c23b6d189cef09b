"""What is watched? Alarms by name: the event whose rate each follows, what it is called, and what to do when it is up.

Quantities that are no events (a confidence, a latency, a number of the inputs) are watched by how often they leave the
range that is usual at certification: the alarm's promise then holds whatever their distribution is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from polyculture.deployment.bundle.manifest import AlarmSpec, Manifest
from polyculture.errors import InputError
from polyculture.stats import upper_limit

from .answer_columns import AnswerColumns, co_dissent, dissents, not_unanimous
from .detection.alarms import UNKNOWN, RateAlarm, shared_promise
from .member_names import names_of_manifest

LABELLED = ("error", "all_wrong")
"""Alarms on rates of labelled answers; their promise counts labels."""
JOINT = ("disagreement", "disagreement_low", "co_disagreement", *LABELLED)
"""Alarms that share half of the false alarms that are allowed."""
OF_INPUTS = ("input_drift", "missing", "new_category")
"""Alarms on a number of the inputs."""
OF_MEMBERS = ("disagreement_low", "co_disagreement", "member_drift", "confidence", *LABELLED)
"""Alarms that need what members answered."""
SURE = 0.9
"""Level of the one-sided limit of a reference rate up to which a promise holds."""
SMALLEST_SHIFT = 0.02
"""Rates that were nearly 0 are to be found soon when they reach this."""
TITLES = {
    "disagreement": ("disagreement rose", "share of answers on which two models differ"),
    "disagreement_low": ("models grew more alike", "share of answers on which two models differ"),
    "co_disagreement": ("models dissent together", "share of answers from which two models or more differ"),
    "all_wrong": ("all models fail more often", "share of labelled answers that no model gets right"),
    "error": ("error rose", "share of labelled answers that are wrong"),
    "confidence": ("confidence fell", "share of answers of low confidence"),
    "quorum": ("members are missing", "share of answers that some member did not take part in"),
    "latency_p99": ("answers are slow", "share of answers slower than the reference's 99th percentile"),
    "member_drift": ("member {0} drifts", "share of answers on which {0} differs from the portfolio"),
    "input_drift": ("input {0} drifts", "share of inputs whose {0} is outside of its usual range"),
    "missing": ("{0} is missing", "share of inputs without {0}"),
    "new_category": ("{0} has new values", "share of inputs whose {0} was not known in training"),
}
"""By kind: the alarm in a few words, and the rate that it follows."""
ACTIONS = {
    "disagreement": "Label a sample of the recent answers on which the models differ, and look at the drift of inputs.",
    "disagreement_low": "Look whether members share a new input, provider or fallback; copies protect from nothing.",
    "co_disagreement": "Look which pairs dissent together, and label some of these answers.",
    "all_wrong": "Look at the hardest answers; retrain on recent labels if the inputs have changed.",
    "error": "Compare the members' errors; retrain on recent labels if the inputs have changed.",
    "confidence": "Look at the drift of inputs, and label recent answers of low confidence.",
    "quorum": "Look at the members that fail, and at their timeouts.",
    "latency_p99": "Look at the load, and at the slowest member.",
    "member_drift": "Compare this member's recent answers with the labels; take it out if it is worse than it was.",
    "input_drift": "Look whether the source of this input has changed.",
    "missing": "Look whether the source of this input is still complete.",
    "new_category": "Map the new values to ones that are known, or retrain.",
}


@dataclass(frozen=True)
class WatchedAlarm:
    """An alarm, and whether it can be watched.

    Parameters
    ----------
    alarm : calibrated; None where it cannot be watched.
    name : of the alarm.
    certified : the rate at certification; nan where it is not known.
    reason : why it cannot be watched; empty where it can.
    subject : what its member or column is called; what stands behind the colon, if empty.
    """

    name: str
    alarm: RateAlarm | None
    certified: float
    reason: str = ""
    subject: str = ""

    @property
    def title(self) -> str:
        """In a few words: ``"disagreement rose"``."""
        return TITLES[kind_of(self.name)][0].format(self.subject or subject_of(self.name))

    @property
    def rate(self) -> str:
        """What it follows, in words."""
        return TITLES[kind_of(self.name)][1].format(self.subject or subject_of(self.name))

    @property
    def action(self) -> str:
        """What to do when it is up."""
        return ACTIONS[kind_of(self.name)]


def kind_of(name: str) -> str:
    """The kind of an alarm: what stands before the colon."""
    return name.partition(":")[0]


def subject_of(name: str) -> str:
    """The member or column of an alarm: what stands behind the colon."""
    return name.partition(":")[2]


@dataclass(frozen=True, eq=False)
class AlarmEvents:
    """Computes the events of alarms.

    Parameters
    ----------
    members : ids of the members.
    profile_names : of the numbers of the inputs.
    cutoffs : by alarm the limits of what is usual, as `reference_statistics` writes them.
    spread : regression: by how much each member's number may differ from the portfolio's; None for classes.
    tagging : whether answers are sequences of tags.
    """

    members: tuple[str, ...]
    profile_names: tuple[str, ...]
    cutoffs: Mapping[str, Any]
    spread: Float[np.ndarray, " m"] | None = None
    tagging: bool = False

    @classmethod
    def of(cls, manifest: Manifest, reference: Mapping[str, Any]) -> AlarmEvents:
        """From a bundle's manifest and reference statistics."""
        spread = None
        if manifest.task == "regression":
            spread = np.array(reference.get("spread") or [math.nan] * len(manifest.ids), float)
        names = (reference.get("profile") or {}).get("names", ())
        cutoffs = reference.get("cutoffs") or {}
        return cls(manifest.ids, tuple(names), cutoffs, spread, manifest.task == "tagging")

    def why_not(self, name: str) -> str:
        """Why an alarm of that name cannot be watched; empty where it can."""
        kind, subject = kind_of(name), subject_of(name)
        if kind not in TITLES:
            return f"no alarm is called {name!r}"
        if self.tagging and (kind in OF_MEMBERS or (kind == "disagreement" and name not in self.cutoffs)):
            return "what members answered for each token is not recorded"
        if kind == "member_drift" and subject not in self.members:
            return f"no member is called {subject!r}"
        if kind in OF_INPUTS and subject not in self.profile_names:
            return f"the reference knows no input {subject!r}"
        if kind in ("input_drift", "confidence", "latency_p99") and name not in self.cutoffs:
            return "the reference has no range for it"
        return ""

    def dissent(self, columns: AnswerColumns) -> Int[np.ndarray, "n m"]:
        """Where members differ from the portfolio."""
        return dissents(columns.answer, columns.member_answers, columns.value, columns.member_values, self.spread)

    def disagreeing(self, columns: AnswerColumns, dissent: Int[np.ndarray, "n m"]) -> Int[np.ndarray, " n"]:
        """Where the members disagree; of tags, where more of them dissent than usual."""
        if not self.tagging:
            return not_unanimous(dissent, columns.member_answers)
        limit = float(self.cutoffs.get("disagreement", math.nan))
        defined = ~np.isnan(columns.disagreement) & ~math.isnan(limit)
        return np.where(defined, columns.disagreement > limit, UNKNOWN).astype(np.int8)

    def __call__(
        self, names: Sequence[str], columns: AnswerColumns, dissent: Int[np.ndarray, "n m"]
    ) -> Int[np.ndarray, "n j"]:
        """1 where the event of an alarm happened, 0 where not, -1 where it is not defined.

        Parameters
        ----------
        names : of alarms on answers that `why_not` allows.
        dissent : as `dissent` gives it.
        """
        table = np.full((len(columns), len(names)), UNKNOWN, np.int8)
        disagreeing = self.disagreeing(columns, dissent)
        of_inputs: dict[str, list[int]] = {kind: [] for kind in OF_INPUTS}
        for j, name in enumerate(names):
            kind, _, subject = name.partition(":")
            if kind in of_inputs:
                of_inputs[kind].append(j)
            else:
                table[:, j] = self._column(kind, subject, columns, dissent, disagreeing)
        if columns.profile.shape[1] == len(self.profile_names):
            for kind, places in of_inputs.items():
                if places:
                    table[:, places] = self._input_events(kind, [names[j] for j in places], columns.profile)
        return table

    def _column(
        self,
        kind: str,
        subject: str,
        columns: AnswerColumns,
        dissent: Int[np.ndarray, "n m"],
        disagreeing: Int[np.ndarray, " n"],
    ) -> Any:
        """Events of answers."""
        if kind in ("disagreement", "disagreement_low"):
            return disagreeing
        if kind == "co_disagreement":
            return co_dissent(dissent)
        if kind == "member_drift":
            return dissent[:, self.members.index(subject)]
        if kind == "quorum":
            return columns.quorum < len(self.members)
        values = columns.latency_ms if kind == "latency_p99" else -columns.confidence
        limit = self.cutoffs[kind] if kind == "latency_p99" else -self.cutoffs[kind]
        return np.where(np.isnan(values), UNKNOWN, values > limit)

    def _input_events(self, kind: str, names: Sequence[str], profile: Float[np.ndarray, "n d"]) -> Any:
        """Events of inputs, of all alarms of a kind at once."""
        values = profile[:, [self._places[subject_of(name)] for name in names]]
        missing = np.isnan(values)
        if kind == "missing":
            return missing
        if kind == "new_category":
            return np.where(missing, UNKNOWN, values < 0)
        low, high = np.array([self.cutoffs[name] for name in names], float).T
        return np.where(missing, UNKNOWN, (values < low) | (values > high))

    @cached_property
    def _places(self) -> dict[str, int]:
        """By name the place of a number of the inputs."""
        return {name: place for place, name in enumerate(self.profile_names)}


def watched_alarms(manifest: Manifest, reference: Mapping[str, Any]) -> tuple[WatchedAlarm, ...]:
    """The alarms of a bundle; those that cannot be watched say why.

    Alarms on missing inputs are left out where the inputs' numbers are computed, as then none can be missing.
    """
    events = AlarmEvents.of(manifest, reference)
    rates, names = certified_rates(manifest.ids, reference), names_of_manifest(manifest)
    alarms = []
    for spec in manifest.alarms:
        if kind_of(spec.name) == "missing" and profile_is_computed(manifest.modality):
            continue
        reason, alarm = events.why_not(spec.name), None
        if not reason:
            try:
                alarm = RateAlarm(**asdict(spec)).calibrated()
            except InputError as error:
                reason = str(error)
        certified = rates.get(spec.name, (math.nan, 0))[0]
        certified = spec.reference if math.isnan(certified) else certified
        subject = subject_of(spec.name)
        title = names.get(subject, "") if kind_of(spec.name) == "member_drift" else subject
        alarms.append(WatchedAlarm(spec.name, alarm, certified, reason, title))
    return tuple(alarms)


def profile_is_computed(modality: str) -> bool:
    """Whether the numbers of the inputs are computed, as of images and texts, and never missing; not so of a table."""
    return modality not in ("", "table")


def certified_rates(members: Sequence[str], reference: Mapping[str, Any]) -> dict[str, tuple[float, int]]:
    """By alarm the rate of its event at certification, and the instances behind it."""
    n = int(reference.get("n") or 0)
    confidence, profile = reference.get("confidence") or {}, reference.get("profile") or {}
    values: dict[str, Any] = {
        "disagreement": reference.get("disagreement"),
        "disagreement_low": reference.get("disagreement"),
        "co_disagreement": reference.get("co_dissent"),
        "confidence": confidence.get("low"),
        "all_wrong": reference.get("all_wrong"),
        "error": reference.get("error"),
        "quorum": 0.0 if n else None,
        "latency_p99": 0.01 if (reference.get("cutoffs") or {}).get("latency_p99") else None,
    }
    values |= {f"member_drift:{m}": share for m, share in zip(members, reference.get("dissent") or (), strict=False)}
    for kind, key in (("input_drift", "outside"), ("missing", "missing"), ("new_category", "unknown")):
        shares = zip(profile.get("names", ()), profile.get(key, ()), strict=False)
        values |= {f"{kind}:{name}": share for name, share in shares}
    return {name: (float(value), n) for name, value in values.items() if value is not None}


def default_alarms(
    members: Sequence[str],
    reference: Mapping[str, Any],
    requests: int = 10_000,
    factor: float = 2.0,
    modality: str = "table",
) -> tuple[AlarmSpec, ...]:
    """The alarms that the statistics at certification allow, calibrated: together at most one false alarm per that many
    requests.

    Half of the false alarms is left to joint behaviour and labels, the other half to members, inputs, quorum and
    latency. Each promise holds up to the upper 90 % limit of the rate at certification, which is itself an estimate.

    Parameters
    ----------
    members : ids of the members.
    reference : what `reference_statistics` gives.
    requests : from one false alarm to the next on average, at least.
    factor : change that is to be found soon: rates times this (but at most half-way to 1).
    modality : of the inputs; only columns of a table can be missing.
    """
    if not factor > 1:
        raise InputError(f"factor {factor:g}", "a number above 1")
    profile = reference.get("profile") or {}
    coded = {name for name, size in zip(profile.get("names", ()), profile.get("categories", ()), strict=False) if size}
    alarms = []
    for name, (share, n) in certified_rates(members, reference).items():
        kind, subject = kind_of(name), subject_of(name)
        skip = (kind == "new_category" and subject not in coded) or (kind == "input_drift" and subject in coded)
        skip = skip or (kind == "missing" and profile_is_computed(modality))
        alarm = None if skip else _alarm(name, share, n, factor)
        if alarm is not None:
            alarms.append(alarm)
    halves = [[a for a in alarms if (a.name in JOINT) == joint] for joint in (True, False)]
    parts = 2 if all(halves) else 1
    calibrated = [alarm for half in halves for alarm in shared_promise(half, requests * parts)]
    return tuple(AlarmSpec(**asdict(alarm)) for alarm in calibrated)


def _alarm(name: str, share: float, n: int, factor: float) -> RateAlarm | None:
    """The alarm on a rate that was this share of n; None where the rate is so extreme that no change can be found."""
    if name == "disagreement_low":
        low = 1 - upper_limit(round((1 - share) * n), n, SURE)
        return RateAlarm(name, low, share / factor, "down") if low > share / factor > 0 else None
    high = upper_limit(round(share * n), n, SURE)
    shifted = max(min(factor * share, (1 + share) / 2), min(1.5 * high, (1 + high) / 2), SMALLEST_SHIFT)
    return RateAlarm(name, high, shifted) if 0 < high < shifted < 1 else None
