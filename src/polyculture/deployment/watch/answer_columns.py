"""What did the portfolio and its members answer? Records as columns, and the events that alarms watch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

NO_ANSWER = -1
FOREIGN_LABEL = -2
"""Code of a label that is no class of the bundle: nobody was right."""


@dataclass(frozen=True, eq=False, slots=True)
class AnswerColumns:
    """Answers as columns, in the order of their time.

    Parameters
    ----------
    ids, time : of each answer; seconds since 1970.
    answer, value, confidence : of the portfolio: code of the class (-1 for none), number (regression), probability.
    member_answers, member_values : of the members; -1 and nan for none. Regression: the answers are all -1.
    disagreement : share of the members that dissent, as the server gives it; of tags the only number there is.
    quorum, latency_ms : members that answered, milliseconds.
    profile : numbers of the inputs; without columns where they are not watched.
    groups : by column the value of each instance; "" where it is not given.
    """

    ids: Sequence[str]
    time: Float[np.ndarray, " n"]
    answer: Int[np.ndarray, " n"]
    value: Float[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    member_answers: Int[np.ndarray, "n m"]
    member_values: Float[np.ndarray, "n m"]
    disagreement: Float[np.ndarray, " n"]
    quorum: Int[np.ndarray, " n"]
    latency_ms: Float[np.ndarray, " n"]
    profile: Float[np.ndarray, "n d"]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of_records(cls, records: Sequence[Any], members: int, profile: int) -> AnswerColumns:
        """The columns of answer records.

        Parameters
        ----------
        members : number of members; a record with another number of answers counts as answered by none.
        profile : numbers of an input; a record with another number of them has none.
        """
        n = len(records)
        columns = dict.fromkeys(column for record in records for column in record.groups)
        return cls(
            ids=[record.id for record in records],
            time=np.array([record.time for record in records], float),
            answer=np.array([record.answer for record in records], np.int64),
            value=np.array([record.value for record in records], float),
            confidence=np.array([record.confidence for record in records], float),
            member_answers=_rows([r.member_answers for r in records], (n, members), NO_ANSWER, np.int64),
            member_values=_rows([r.member_values for r in records], (n, members), math.nan, np.float64),
            disagreement=np.array([record.disagreement for record in records], float),
            quorum=np.array([record.quorum for record in records], np.int64),
            latency_ms=np.array([record.latency_ms for record in records], float),
            profile=_rows([record.profile for record in records], (n, profile), math.nan, np.float64),
            groups={column: [record.groups.get(column, "") for record in records] for column in columns},
        )


def _rows(cells: Sequence[Sequence[Any]], shape: tuple[int, int], missing: float | int, dtype: type) -> Any:
    """A table of cells; rows of another length are missing."""
    if shape[1] and all(len(row) == shape[1] for row in cells):
        return np.array(cells, dtype).reshape(shape)
    table: Any = np.full(shape, missing, dtype)
    for k, row in enumerate(cells):
        if len(row) == shape[1]:
            table[k] = row
    return table


def absences(
    member_answers: Int[np.ndarray, "n m"], member_values: Float[np.ndarray, "n m"], quorum: Int[np.ndarray, " n"]
) -> Int[np.ndarray, "n m"]:
    """1 where a member gave neither answer nor number, 0 where it gave one, -1 where that is not recorded (tags)."""
    missing = (member_answers < 0) & np.isnan(member_values)
    unrecorded = missing.all(axis=1) & (quorum > 0)
    return np.where(unrecorded[:, None], -1, missing).astype(np.int8)


def dissents(
    answer: Int[np.ndarray, " n"],
    member_answers: Int[np.ndarray, "n m"],
    value: Float[np.ndarray, " n"],
    member_values: Float[np.ndarray, "n m"],
    spread: Float[np.ndarray, " m"] | None = None,
) -> Int[np.ndarray, "n m"]:
    """1 where a member's answer is not that of the portfolio, 0 where it is, -1 where one of them gave none.

    Parameters
    ----------
    spread : regression: by how much a member's number may differ, such as the 95 % quantile at certification.
    """
    if spread is not None and len(spread):
        gaps = np.abs(member_values - value[:, None])
        return np.where(np.isnan(gaps), -1, gaps > spread).astype(np.int8)
    defined = (member_answers >= 0) & (answer >= 0)[:, None]
    return np.where(defined, member_answers != answer[:, None], -1).astype(np.int8)


def not_unanimous(dissent: Int[np.ndarray, "n m"], member_answers: Int[np.ndarray, "n m"]) -> Int[np.ndarray, " n"]:
    """1 where two members give different answers, 0 where all that answer give the same, -1 with fewer than two.

    Of regression, where there are no classes: whether some member dissents.
    """
    classes = member_answers >= 0
    if not classes.any():
        counts = (dissent >= 0).sum(axis=1)
        return np.where(counts > 1, (dissent == 1).any(axis=1), -1).astype(np.int8)
    highest = np.where(classes, member_answers, -1).max(axis=1)
    lowest = np.where(classes, member_answers, np.iinfo(np.int64).max).min(axis=1)
    return np.where(classes.sum(axis=1) > 1, highest != lowest, -1).astype(np.int8)


def co_dissent(dissent: Int[np.ndarray, "n m"]) -> Int[np.ndarray, " n"]:
    """1 where two members or more differ from the portfolio, 0 where fewer do, -1 with fewer than two answers."""
    counts = (dissent >= 0).sum(axis=1)
    return np.where(counts > 1, (dissent == 1).sum(axis=1) > 1, -1).astype(np.int8)


def wrong_answers(
    label: Float[np.ndarray, " n"],
    answers: Int[np.ndarray, "n ..."],
    values: Float[np.ndarray, "n ..."],
    tolerance: float,
) -> Int[np.ndarray, "n ..."]:
    """1 where an answer is wrong, 0 where it is right, -1 where there is none.

    Parameters
    ----------
    label : code of the true class (-2 for one that the bundle does not know), or the true number.
    tolerance : regression: the largest error that counts as right; nan for classes.
    """
    label = label.reshape(-1, *[1] * (answers.ndim - 1))
    if not math.isnan(tolerance):
        gaps = np.abs(values - label)
        return np.where(np.isnan(gaps), -1, gaps > tolerance).astype(np.int8)
    return np.where(answers >= 0, answers != label, -1).astype(np.int8)
