"""How does a bundle answer requests? Loaded, warmed up, many requests in one call, each with an error of its own."""

from __future__ import annotations

import gc
import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyculture.errors import FileError, InputError, PolycultureError

from .answers import BatchAnswers, RequestAnswers
from .inputs import given_inputs
from .refusals import RefusedRequestError, refusal_of, sentence

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle
    from ..bundle.manifest import InputView
    from ..bundle.predictor import Answers
    from .elsewhere import ScatteredMembers

log = logging.getLogger("polyculture.serve")

_NO_RESULT = RefusedRequestError(500, "the server has no answer to this request", "", "its log says why")
VARYING = 8
"""Steps of a view whose length varies, to warm it up with."""
Tensors = Mapping[str, np.ndarray]


class Engine:
    """A bundle that answers requests.

    Parameters
    ----------
    bundle : opened.
    max_rows : most instances in one call of the graphs.
    profiled : whether numbers of the inputs are taken for the watch.
    """

    def __init__(self, bundle: Bundle, max_rows: int, profiled: bool = True) -> None:
        self.bundle, self.manifest = bundle, bundle.manifest
        self._max_rows, self._profiled = max_rows, profiled
        self._predictor = bundle.predictor
        self.scattered = _scattered(bundle)

    @classmethod
    def load(cls, path: Path, max_rows: int, profiled: bool = True) -> Engine:
        """The bundle of a folder, checked and warmed up; FileError says why it cannot be served."""
        from ..bundle.bundle import open_bundle

        engine = cls(open_bundle(path), max_rows, profiled)
        engine.warm_up()
        return engine

    def warm_up(self) -> None:
        """Answer made-up inputs, so that the first client does not wait; FileError where the graphs cannot."""
        if self.scattered is not None:  # remote members are not asked in vain: their calls may cost
            return
        for rows in (1, min(self._max_rows, 32)):
            try:
                answers = self._predictor({view.name: _zeros(view, rows) for view in self.manifest.views})
            except InputError as error:
                raise FileError(f"the graphs of {self.bundle.path} do not run: {error.wrong}") from error
            if len(answers.combined) != rows:
                raise FileError(
                    f"the graphs of {self.bundle.path} give {len(answers.combined)} answers to {rows} inputs"
                )

    def compute(self, requests: Sequence[Tensors]) -> list[RequestAnswers | Exception]:
        """What each request gets: its answers, or why there are none."""
        results, groups = self._sorted(requests)
        for positions, raws in groups:
            for position, result in zip(positions, self._group(raws), strict=True):
                results[position] = result
        return list(results)

    async def gather(self, requests: Sequence[Tensors]) -> list[RequestAnswers | Exception]:
        """The same where members are elsewhere: the event loop goes on while they are asked."""
        results, groups = self._sorted(requests)
        for positions, raws in groups:
            for position, result in zip(positions, await self._scattered_group(raws), strict=True):
                results[position] = result
        return list(results)

    def explain(self, tensors: Tensors, answers: RequestAnswers, seconds: float) -> dict[str, Any]:
        """What the set looked at in the instances of a request, within a budget of seconds; a refusal says why not."""
        from .protocol.explanations import explanation

        return explanation(self.bundle, self._read(tensors), answers.batch.combined[answers.part], seconds)

    def _sorted(
        self, requests: Sequence[Tensors]
    ) -> tuple[list[RequestAnswers | Exception], list[tuple[list[int], list[np.ndarray]]]]:
        """A result for each request, final where it cannot be read, and the others in groups of one shape."""
        results: list[RequestAnswers | Exception] = [_NO_RESULT] * len(requests)
        groups: dict[tuple[Any, ...], tuple[list[int], list[np.ndarray]]] = {}
        for position, tensors in enumerate(requests):
            try:
                raw = self._read(tensors)
            except Exception as error:
                results[position] = _refusal(error)
                continue
            positions, raws = groups.setdefault((raw.shape[1:], raw.dtype), ([], []))
            positions.append(position)
            raws.append(raw)
        return results, list(groups.values())

    def _read(self, tensors: Tensors) -> np.ndarray:
        raw = self.bundle.read_inputs(given_inputs(self.manifest, tensors))
        rows = len(next(iter(tensors.values())))
        if len(raw) != rows:
            raise InputError(f"the tensors have {rows} instances and are read as {len(raw)}", "one number of instances")
        return raw

    def _group(self, raws: Sequence[np.ndarray]) -> Sequence[RequestAnswers | Exception]:
        """Answers to inputs of one shape; where they fail together, each by itself."""
        try:
            batch = self._answers(raws[0] if len(raws) == 1 else np.concatenate(raws))
        except Exception as error:
            if len(raws) == 1:
                return [_refusal(error)]
            return [self._group([raw])[0] for raw in raws]
        return self._parts(batch, raws)

    async def _scattered_group(self, raws: Sequence[np.ndarray]) -> Sequence[RequestAnswers | Exception]:
        assert self.scattered is not None
        raw = raws[0] if len(raws) == 1 else np.concatenate(raws)
        try:
            answers = await self.scattered(raw)
            batch = BatchAnswers.of(self.manifest, answers, self._profile(raw))
        except Exception as error:
            if len(raws) == 1:
                return [_refusal(error)]
            return [(await self._scattered_group([raw]))[0] for raw in raws]
        return self._parts(batch, raws)

    def _parts(self, batch: BatchAnswers, raws: Sequence[np.ndarray]) -> list[RequestAnswers | Exception]:
        ends = list(itertools.accumulate(map(len, raws)))
        return [self._checked(batch, start, stop) for start, stop in zip([0, *ends], ends, strict=False)]

    def _answers(self, raw: np.ndarray) -> BatchAnswers:
        parts = [raw[start : start + self._max_rows] for start in range(0, len(raw), self._max_rows)]
        answers = [self._predictor(self.bundle.encode(part)) for part in parts]
        return BatchAnswers.of(self.manifest, answers[0] if len(answers) == 1 else _joined(answers), self._profile(raw))

    def _profile(self, raw: np.ndarray) -> Sequence[Any]:
        return list(self.bundle.profile(raw).tolist()) if self._profiled else []

    def _checked(self, batch: BatchAnswers, start: int, stop: int) -> RequestAnswers | Exception:
        """The part of a request; a refusal where too few members answered."""
        least = self.manifest.quorum
        quorum = min(batch.quorum[start:stop])
        if quorum >= least:
            return RequestAnswers(batch, start, stop)
        wrong = f"{quorum} of {len(self.manifest.members)} members answered"
        return RefusedRequestError(503, wrong, f"{least} or more", "send it again later", retry_after=1)


def _scattered(bundle: Bundle) -> ScatteredMembers | None:
    """The members of the bundle where some are elsewhere."""
    if not bundle.manifest.remote:
        return None
    from .elsewhere import ScatteredMembers

    return ScatteredMembers(bundle)


def freeze_memory() -> None:
    """Leave what is loaded now out of every later search for garbage: pauses of the collector are most of the p99."""
    gc.collect()
    gc.freeze()


def _joined(answers: Sequence[Answers]) -> Answers:
    """The answers to consecutive instances as one."""
    first = answers[0]
    answered = [np.broadcast_to(part.answered, part.members.shape[:2]) for part in answers]
    length = (
        None if first.length is None else np.concatenate([part.length for part in answers if part.length is not None])
    )
    if len({part.combined.shape[1:] for part in answers}) > 1:
        raise InputError("the sequences of a long request differ in length", "fewer instances at a time")
    return type(first)(
        np.concatenate([part.combined for part in answers]),
        np.concatenate([part.members for part in answers]),
        np.concatenate(answered),
        first.manifest,
        length,
    )


def _zeros(view: InputView, rows: int) -> np.ndarray:
    return np.zeros((rows, *(VARYING if size < 0 else size for size in view.shape)), view.dtype)


def _refusal(error: Exception) -> Exception:
    """An error of the inputs as a refusal; anything else is a fault of the server, whose log has it."""
    if isinstance(error, PolycultureError):
        return refusal_of(error)
    log.error("cannot answer a request: %s: %s", type(error).__name__, sentence(error))
    return RefusedRequestError(500, "the server cannot answer this request", "", "its log says why")
