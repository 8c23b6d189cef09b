"""What does `GET /status` say? The JSON that the live page draws, that `/metrics` repeats and that scripts may read.

Who writes what: `LiveWatch.status()` gives a `WatchStatus` (everything that follows from the answers and labels), and
the server adds the members of `ServerStatus`. Every member may be missing or null except `schema`, `time` and
`version`: the page then leaves its part out. Times are seconds since 1970 (UTC), durations milliseconds, shares lie
between 0 and 1; a number that is undefined is null, and its `reason` says why. All texts are shown as text, never as
HTML.
"""

from __future__ import annotations

from typing import Literal, TypedDict

SCHEMA = 1
"""Raised when a member changes its meaning; new members do not raise it."""


class StatusNumber(TypedDict, total=False):
    """An estimate with its interval, as `Interval`, next to the same number at certification."""

    estimate: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    """Answers, or labelled answers, behind it."""
    reason: str
    """Why there is no estimate, or what to beware of."""
    reference: float | None
    """The number on the certification instances, from reference.json."""


class MemberStatus(TypedDict, total=False):
    """Health of one member."""

    id: str
    name: str
    answered: int
    failed: int
    """Requests that it left unanswered: errors, timeouts, and those it was not asked because its circuit is open."""
    state: Literal["ok", "drift", "failing", "silent"]
    """drift: its alarm is up; failing: it missed some recent answers; silent: it missed all of them."""
    reason: str
    """Why it is not ok, in one sentence; the last error of a member that fails."""
    dissent: float | None
    """Share of its answers that differ from the answer of the portfolio."""
    dissent_reference: float | None
    error: StatusNumber
    """With labels; regression: mean absolute error."""
    drift: float | None
    """How far its alarm is from its threshold: 0 at rest, 1 and more when it is up."""
    latency_ms: float | None
    """Median, where members answer by themselves."""
    remote: bool
    cost: float
    """Of a remote member: price of its calls since the server started, in the currency of its specification."""


class AlarmStatus(TypedDict, total=False):
    """An alarm that is watched. The page shows those that are up first, then those that were."""

    name: str
    """As in the manifest: disagreement, member_drift:ID, …"""
    title: str
    """In words: "disagreement rose", "member 3 drifts"."""
    up: bool
    since: float | None
    """When it went up; of one that is down again, when it went up last; null if never."""
    until: float | None
    """When it went down again."""
    level: float | None
    """How far it is from its threshold: 0 at rest, 1 and more when it is up."""
    value: float | None
    """What is watched, over the answers since the change."""
    reference: float | None
    why: str
    """One sentence with the numbers."""
    action: str
    """What to do, in one sentence."""


class GroupStatus(TypedDict, total=False):
    """The joint numbers of one group of instances."""

    column: str
    value: str
    n: int
    disagreement: StatusNumber
    all_wrong: StatusNumber


class TimePoint(TypedDict, total=False):
    """One stretch of time, at its start. Up to some 120 of them, of equal length, oldest first."""

    time: float
    n: int
    p50: float | None
    p99: float | None
    """Latency in ms."""
    disagreement: float | None
    n_eff: float | None
    all_wrong: float | None


class RequestWindow(TypedDict):
    """Remembered answers that follow each other. Up to 25 windows of equal size, oldest first."""

    request: int
    """Number of the first answer, from 1."""
    time: float
    """Of that answer."""
    n: int
    disagreement: list[int]
    error: list[int]
    all_wrong: list[int]
    """How often it happened, and of how many of the answers that is known."""


class QuorumStatus(TypedDict, total=False):
    """How many members answered."""

    least: int
    """What the manifest asks for."""
    members: int
    counts: list[int]
    """Recent answers by the number of members behind them: counts[k] had k members; length members + 1."""


class HardAnswer(TypedDict, total=False):
    """A recent answer on which the members disagree most."""

    id: str
    time: float
    answer: str
    """Class name, or the number; "" where the portfolio abstained."""
    confidence: float | None
    disagreement: float
    member_answers: list[str | None]
    """In the order of `members`; null for one that gave none."""
    label: str | None


class LatencyStatus(TypedDict, total=False):
    """Latency of the recent answers in ms, by quantile."""

    p50: float | None
    p90: float | None
    p99: float | None


class InputTest(TypedDict, total=False):
    """Whether a number of the inputs is distributed as at certification."""

    name: str
    test: str
    """Kolmogorov–Smirnov, χ², …."""
    n: int
    statistic: float | None
    p: float | None
    adjusted: float | None
    """p, adjusted for the number of tests; the page calls below .05 a difference."""
    psi: float | None
    reason: str
    """Why there is no test."""


class WatchStatus(TypedDict, total=False):
    """What `LiveWatch.status()` gives."""

    time: float
    since: float
    """Time of the first answer behind the joint numbers."""
    answers: int
    """Answers behind them (a recent window, not all that were given)."""
    labelled: int
    """How many of them have a label."""
    task: Literal["classification", "regression", "tagging"]
    n_eff: StatusNumber
    disagreement: StatusNumber
    all_wrong: StatusNumber
    error: StatusNumber
    gain: StatusNumber
    """Error of the best single member minus error of the portfolio."""
    members: list[MemberStatus]
    alarms: list[AlarmStatus]
    groups: list[GroupStatus]
    over_time: list[TimePoint]
    step_s: float | None
    """Length of each stretch of `over_time`."""
    over_requests: list[RequestWindow]
    quorum: QuorumStatus
    latency_ms: LatencyStatus
    drift: list[InputTest]
    hardest: list[HardAnswer]
    """Up to 20, most disagreement first, of the recent window."""


class RequestCounts(TypedDict, total=False):
    """Instances and requests since the server started."""

    answered: int
    refused: int
    """503: the queue was full."""
    failed: int
    """Other errors of the server or of the members; not the requests that were wrong themselves."""


class StoreStatus(TypedDict, total=False):
    """`Writer.health()` as a dict, see polyculture.deployment.store."""

    state: Literal["ok", "behind", "gone", "off"]
    url: str
    """Without password."""
    queued: int
    written: int
    dropped: int
    reason: str
    since: float | None


class ServerStatus(WatchStatus, total=False):
    """What `GET /status` gives: the watch's numbers and the server's."""

    schema: int
    name: str
    """The model's name in the protocol."""
    version: str
    """The bundle's version."""
    started: float
    challenger: str
    """Version in shadow mode; "" if none."""
    scope: str
    """Where the numbers are of a part only, in words: "worker 1 of 2", where workers have no store in common."""
    requests: RequestCounts
    store: StoreStatus
