"""Who judges, and what is each judge asked? The members of a panel's file, and one call of one of them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.errors import InputError, near
from polyculture.stats import plural

from ..remote import RemoteMember, RemoteSpec, panel_settings, remote_entries
from ..remote.answer import Reply, price
from ..remote.chat import chat_body
from ..remote.prompts import placeholders
from .items import PanelItems
from .ledger import CallKey, CallRecord

TIE = "tie"
ASKED = ("model", "url", "prompt", "system", "parser", "temperature", "max_tokens", "extra")
"""What of a specification an answer depends on; waits, retries and prices may change between two runs."""
PATIENCE = 4
"""Times of `break_s` without an answer after which a judge is not asked again in this run."""


@dataclass(frozen=True, eq=False)
class Judges:
    """The judges of a panel, in their order.

    Parameters
    ----------
    specs : by the judge's id.
    classes : names; empty where numbers are asked for.
    swap : the two columns that the second order exchanges; empty where there is one order.
    """

    specs: Mapping[str, RemoteSpec]
    classes: tuple[str, ...]
    swap: tuple[str, ...] = ()
    _members: dict[str, RemoteMember] = field(default_factory=dict)
    _silent_since: dict[str, float] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of the judges."""
        return tuple(self.specs)

    @property
    def tie(self) -> int:
        """Position of the class that says that neither is better; -1 where there is none."""
        return next((i for i, name in enumerate(self.classes) if name.casefold() == TIE), -1)

    @property
    def turned(self) -> tuple[int, ...]:
        """Positions of the classes when the columns are exchanged."""
        places = list(range(len(self.classes)))
        first, second = (i for i in places if i != self.tie)
        places[first], places[second] = second, first
        return tuple(places)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that an answer depends on."""
        asked = {
            name: {key: value for key, value in spec.to_dict().items() if key in ASKED}
            for name, spec in self.specs.items()
        }
        content = json.dumps([asked, self.classes, self.swap], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()

    def record(self, items: PanelItems, position: int, order: int) -> Mapping[str, Any]:
        """What the prompt may name of an item, in this order."""
        record = items.records[position]
        if order == 1:
            return record
        first, second = self.swap
        return {**record, first: record[second], second: record[first]}

    async def ask(self, key: CallKey, record: Mapping[str, Any]) -> CallRecord:
        """The outcome of one call; the wait for a service that fails is part of it."""
        spec = self.specs[key.judge]
        try:
            body = chat_body(spec, record, self.classes)
        except (InputError, TypeError, ValueError) as error:
            return CallRecord(key, reason="bad_input", detail=str(error))
        content = json.dumps(key).encode() + body
        headers = {"idempotency-key": hashlib.sha256(content).hexdigest()}
        member = self._members.setdefault(key.judge, RemoteMember(spec, self.classes))
        while key.judge not in self.abandoned:
            reply = await member.ask_record(record, headers)
            if reply.reason != "breaker_open":
                if reply.calls:
                    self._silent_since.pop(key.judge, None)
                return self._record(key, reply)
            await self._pause(key.judge, spec.break_s)
        return CallRecord(key, reason="breaker_open", detail=f"{spec.host} failed {spec.break_after} times in a row")

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(member.aclose() for member in self._members.values()))
        self._members.clear()

    async def _pause(self, name: str, seconds: float) -> None:
        time = asyncio.get_running_loop().time()
        if time - self._silent_since.setdefault(name, time) > PATIENCE * seconds:
            self.abandoned.add(name)
        else:
            await asyncio.sleep(min(seconds / 10, 1.0))

    def _record(self, key: CallKey, reply: Reply) -> CallRecord:
        spec = self.specs[key.judge]
        rates = spec.price_per_call, (spec.price_per_1k_input, spec.price_per_1k_output)
        cost = price(reply.calls, reply.tokens, *rates)
        row = np.asarray(reply.rows[0], float)
        verdict: str | float | None = None
        if not reply.reason and self.classes:
            row = row[list(self.turned)] if key.order == 2 else row
            verdict = self.classes[int(row.argmax())]
        elif not reply.reason:
            verdict = float(row[0])
        probabilities = () if reply.reason else tuple(row.tolist())
        return CallRecord(key, probabilities, verdict, reply.reason, reply.detail, cost, reply.tokens, reply.attempts)


def panel_judges(path: str | Path, items: PanelItems, orders: str = "one") -> Judges:
    """The judges in a panel's file, held to the items before any of them is asked.

    Raises FileError and InputError, in one sentence, for a file that cannot be used, one member, a member that is no
    chat endpoint, a column that the items lack, a key that is not in the environment, and orders without ``swap``.
    """
    settings, entries = panel_settings(path), remote_entries(path)
    if len(entries) < 2:
        raise InputError(f"{path} has {plural(len(entries), 'member')}", "two or more", "a panel has several judges")
    specs = {entry["id"]: RemoteSpec.from_dict(entry["remote"]) for entry in entries}
    for name, spec in specs.items():
        if spec.kind != "chat":
            raise InputError(f"member {name} of {path} is of kind {spec.kind!r}", "'chat': a judge is asked in words")
        _check_prompts(name, spec, items.columns, str(path))
        if spec.key() is None:
            wrong = f"the environment variable {spec.key_env} is not set"
            raise InputError(wrong, f"the key of member {name}", f"export {spec.key_env}=… and run again")
    judges = Judges(specs, tuple(settings["classes"]), tuple(settings["swap"]) if orders == "both" else ())
    if orders == "both":
        _check_swap(judges, items.columns, str(path))
    return judges


def _check_prompts(name: str, spec: RemoteSpec, columns: Sequence[str], path: str) -> None:
    """Refuse a prompt that names what an item lacks, before it is paid for."""
    known = [*columns, "columns", "classes"]
    for template in (spec.prompt, spec.system):
        for word in placeholders(template):
            if word not in known:
                raise InputError(
                    f"member {name} of {path}: the prompt has {{{word}}}, which not every item has",
                    "",
                    near(word, known),
                )


def _check_swap(judges: Judges, columns: Sequence[str], path: str) -> None:
    if not judges.swap:
        raise InputError(f"[panel] in {path} has no swap", 'the two columns to exchange: swap = ["a", "b"]')
    for name in judges.swap:
        if name not in columns:
            raise InputError(
                f"swap of [panel] in {path} has {name!r}, which not every item has", "", near(name, columns)
            )
    sides = [name for i, name in enumerate(judges.classes) if i != judges.tie]
    if len(sides) != 2:
        raise InputError(
            f"both orders of {len(sides)} classes",
            'two, and tie if wanted: classes = ["A", "B", "tie"]',
            "ask in one order",
        )
