"""What is kept of an answer? One record per instance, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NO_ANSWER = -1
"""Code of a member, or a portfolio, that gave no answer, and of an answer without a label."""
FOREIGN_LABEL = -2
"""Code of a label that is none of the classes of the bundle that answered: no answer of it was right."""


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """What a bundle answered to one instance.

    Parameters
    ----------
    id : what labels refer to; answers may share one.
    time : seconds since 1970.
    version : the bundle's.
    answer : code of the class; -1 for none. Regression: -1.
    confidence : probability of the answer; nan where there is none.
    value : regression: the predicted number, else nan.
    member_answers : code of each member's answer, in the order of the manifest; -1 for none. Regression: empty.
    member_values : regression: each member's number, nan for none; else empty.
    disagreement : share of the answering members that do not give the most common answer; nan for none.
    quorum : number of members that answered.
    latency_ms : from the arrival of the request to its answer.
    groups : by column the group of the instance.
    profile : numbers of the input, in the order of the profile of the bundle; empty if they are not watched.
    inputs : the input itself, by field; None unless it is to be kept.
    shadow : whether a challenger answered, whose answer was not given out.
    """

    id: str
    time: float
    version: str
    answer: int = NO_ANSWER
    confidence: float = math.nan
    value: float = math.nan
    member_answers: tuple[int, ...] = ()
    member_values: tuple[float, ...] = ()
    disagreement: float = math.nan
    quorum: int = 0
    latency_ms: float = math.nan
    groups: Mapping[str, str] = field(default_factory=dict)
    profile: tuple[float, ...] = ()
    inputs: Mapping[str, Any] | None = None
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened to the server: an alarm, a new bundle.

    Parameters
    ----------
    time : seconds since 1970.
    kind : alarm, recovery, swap, rollback, start, stop, ….
    name : of the alarm, or version of the bundle.
    details : further values, as JSON.
    """

    time: float
    kind: str
    name: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
