"""How does a bundle answer whose members are elsewhere? All are asked at once, and none is waited for in vain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..bundle import combine
from ..bundle.predictor import Answers

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle

log = logging.getLogger("polyculture.serve")


class ScatteredMembers:
    """The members of a bundle, some of them remote.

    Parameters
    ----------
    bundle : with at least one remote member.
    """

    def __init__(self, bundle: Bundle) -> None:
        from ..remote import RemoteMembers

        self._bundle, self._manifest = bundle, bundle.manifest
        specs = {member.id: member.remote for member in self._manifest.members if member.remote is not None}
        self._remote = RemoteMembers(specs, self._manifest.classes, self._manifest.columns)
        self._local = [member.id for member in self._manifest.members if member.graph]
        self.reasons: dict[str, str] = {}
        """By member that did not answer the latest instances why."""
        self._counted: dict[str, float] = {}

    async def __call__(self, raw: np.ndarray) -> Answers:
        """What the set and every member answer; a member that fails leaves the others."""
        views, remote = await asyncio.gather(asyncio.to_thread(self._encoded, raw), self._remote(raw))
        outputs: dict[str, np.ndarray | None] = {}
        for name, answer in remote.items():
            outputs[name] = answer.probabilities if answer.answered.any() else None
            self._note(
                name,
                next(
                    (detail or reason for detail, reason in zip(answer.details, answer.reasons, strict=True) if reason),
                    "",
                ),
            )
        outputs |= views[1]
        return self._combined([outputs[name] for name in self._manifest.ids], views[0], len(raw))

    def _encoded(self, raw: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray | None]]:
        """What the graphs read, and what each of them gives."""
        views = self._bundle.encode(raw)
        predictor = self._bundle.predictor
        return views, {name: predictor.member(name, views) for name in self._local}

    def _combined(self, outputs: Sequence[np.ndarray | None], views: dict[str, np.ndarray], n: int) -> Answers:
        if views:
            return self._bundle.predictor.answers(outputs, views)
        absent = np.full((n, self._manifest.width), np.nan, np.float32)
        members = np.stack([absent if output is None else output for output in outputs], axis=1).astype(np.float32)
        answered = np.asarray(~np.isnan(members).any(axis=2))
        return Answers(combine.combined(self._manifest, members), members, answered, self._manifest)

    def _note(self, name: str, reason: str) -> None:
        """Say once that a member fails, and once that it is back."""
        if reason and name not in self.reasons:
            log.warning("the member %s does not answer: %s", name, reason)
        elif not reason and self.reasons.pop(name, ""):
            log.info("the member %s answers again", name)
        if reason:
            self.reasons[name] = reason

    @property
    def costs(self) -> dict[str, float]:
        """Price of all calls so far, by member."""
        return self._remote.costs

    def take_costs(self) -> dict[str, float]:
        """Price of the calls since the last time, by member."""
        costs = self.costs
        former, self._counted = self._counted, costs
        return {name: cost - former.get(name, 0.0) for name, cost in costs.items()}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._remote.aclose()
