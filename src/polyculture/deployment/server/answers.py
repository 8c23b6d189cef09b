"""What comes of a batch? The answers of all its requests, derived once, and the part of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from ..bundle.manifest import Manifest


class DerivedAnswers(Protocol):
    """What is read of the answers of a bundle; `polyculture.deployment.bundle.predictor.Answers` has all of it."""

    @property
    def combined(self) -> Float[np.ndarray, "n ..."]: ...
    @property
    def members(self) -> Float[np.ndarray, "n m ..."]: ...
    @property
    def answer(self) -> np.ndarray: ...
    @property
    def confidence(self) -> np.ndarray: ...
    @property
    def member_answers(self) -> np.ndarray: ...
    @property
    def disagreement(self) -> np.ndarray: ...
    @property
    def quorum(self) -> np.ndarray: ...
    @property
    def conformal_sets(self) -> np.ndarray | None: ...
    @property
    def conformal_interval(self) -> np.ndarray | None: ...


@dataclass(slots=True, eq=False)
class BatchAnswers:
    """The answers to a batch, as plain lists where responses and records have plain values.

    Parameters
    ----------
    manifest : of the bundle that answered.
    combined, members : as arrays.
    codes : position of each answer in the classes; −1 for none; a list per sequence.
    confidence, disagreement : per instance; nan where undefined.
    member_answers : per instance, a code per member.
    quorum : members that answered, per instance.
    sets : per instance, names of the classes in the conformal set, or the limits of the interval; None where the bundle
        has no threshold.
    profile : numbers by which the watch notices that inputs change; empty where they are not wanted.
    """

    manifest: Manifest
    combined: np.ndarray
    members: np.ndarray
    codes: list[Any]
    confidence: list[Any]
    disagreement: list[float]
    member_answers: list[Any]
    quorum: list[int]
    sets: list[Any] | None
    profile: list[Any]

    @classmethod
    def of(cls, manifest: Manifest, answers: DerivedAnswers, profile: Sequence[Any] = ()) -> BatchAnswers:
        """Everything that follows from the answers."""
        codes = answers.answer
        sets = _conformal(manifest, answers) if manifest.conformal else None
        return cls(
            manifest,
            answers.combined,
            answers.members,
            codes.tolist(),
            answers.confidence.tolist(),
            answers.disagreement.tolist(),
            answers.member_answers.tolist(),
            answers.quorum.tolist(),
            sets,
            list(profile),
        )


@dataclass(slots=True, eq=False)
class RequestAnswers:
    """The part of a batch that answers one request.

    Parameters
    ----------
    batch : the answers of all its requests.
    start, stop : the instances of this one.
    ids : under which labels of its instances can be given later.
    """

    batch: BatchAnswers
    start: int
    stop: int
    ids: Sequence[str] = ()

    @property
    def part(self) -> slice:
        """The instances of the request in the batch."""
        return slice(self.start, self.stop)


def _conformal(manifest: Manifest, answers: DerivedAnswers) -> list[Any] | None:
    """The conformal set of each instance by the names of its classes, or its interval."""
    interval = answers.conformal_interval
    if interval is not None:
        return list(interval.tolist())
    members = answers.conformal_sets
    if members is None:
        return None
    names = manifest.classes
    if members.ndim == 2:
        return [[names[code] for code in np.flatnonzero(row)] for row in members]
    return [[[names[code] for code in np.flatnonzero(row)] for row in steps] for steps in members]
