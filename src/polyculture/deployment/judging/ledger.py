"""Which calls were made, what did they answer, and what did they cost? A file that a kill cannot rob of an answer.

The first line is the fingerprint of panel and items. A line ``{"asked": [judge, item, order, repeat]}`` precedes each
call, and one with its outcome follows it, on the disk before anything is done with the answer.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from polyculture.errors import FileError, InputError

SCHEMA = 1
PAID = frozenset({"", "refused", "unparsable"})
"""Reasons of a call that is not made again: it was answered, whatever the answer was."""


class CallKey(NamedTuple):
    """Which call: the judge, the item, the order of its columns (1 or 2), and the repeat (from 1)."""

    judge: str
    item: str
    order: int
    repeat: int


@dataclass(frozen=True, eq=False)
class CallRecord:
    """What came of a call.

    Parameters
    ----------
    key : which call.
    probabilities : of the classes (c,), or the number (1,), turned back where the columns were exchanged; empty where
        there is none.
    verdict : the class that was named, or the number; None where there is none.
    reason, detail : why there is none; see `polyculture.deployment.remote.answer.REASONS`.
    cost : exact, in the currency of the panel's prices.
    tokens : of the prompt and of the answer.
    attempts : requests that were sent.
    """

    key: CallKey
    probabilities: tuple[float, ...] = ()
    verdict: str | float | None = None
    reason: str = ""
    detail: str = ""
    cost: Decimal = Decimal(0)
    tokens: tuple[int, int] = (0, 0)
    attempts: int = 0

    @property
    def paid(self) -> bool:
        """Whether the call is not to be made again."""
        return self.reason in PAID

    def line(self) -> dict[str, Any]:
        """As the ledger has it."""
        return {
            **self.key._asdict(),
            **{"class": self.verdict, "probabilities": self.probabilities, "reason": self.reason},
            **{"detail": self.detail, "cost": str(self.cost), "tokens": self.tokens, "attempts": self.attempts},
        }

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> CallRecord:
        """The same from the ledger."""
        key = CallKey(line["judge"], line["item"], int(line["order"]), int(line["repeat"]))
        probabilities, tokens = (
            tuple(map(float, line["probabilities"])),
            (int(line["tokens"][0]), int(line["tokens"][1])),
        )
        return cls(
            *(key, probabilities, line["class"], line["reason"], line["detail"], Decimal(line["cost"])),
            *(tokens, int(line["attempts"])),
        )


class Ledger:
    """The calls of a folder, one process at a time.

    Parameters
    ----------
    path : of the file; made where it does not exist.
    fingerprint : of panel and items, by name.

    Raises InputError where the file is of another panel or other items, or another process writes it; FileError where
    it is no ledger or cannot be written.
    """

    def __init__(self, path: Path, fingerprint: Mapping[str, str]) -> None:
        self.path = path
        self.records: dict[CallKey, CallRecord] = {}
        """The last outcome of every call, one that answered before one that did not."""
        self.costs: dict[str, Decimal] = defaultdict(Decimal)
        self.tokens: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        self.attempts: dict[str, int] = defaultdict(int)
        self.interrupted = 0
        """Calls that were in flight when a run before this one was stopped; a service may have charged them twice."""
        self._asked: set[CallKey] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise FileError(f"cannot write {path}: {error.strerror}", "a folder that can be written") from error
        try:
            _lock(self._file.fileno(), path)
            self._load(path.read_bytes(), fingerprint)
        except BaseException:
            self._file.close()
            raise
        self.interrupted += len(self._asked)

    def start(self, key: CallKey) -> None:
        """Note that the call is about to be made."""
        self._write({"asked": list(key)}, sync=False)

    def finish(self, record: CallRecord) -> None:
        """Put the outcome on the disk."""
        self._write(record.line(), sync=True)
        self._count(record)

    def close(self) -> None:
        """Let another process write."""
        self._file.close()

    @property
    def cost(self) -> Decimal:
        """Of all calls, exact."""
        return sum(self.costs.values(), Decimal(0))

    def _write(self, line: Mapping[str, Any], sync: bool) -> None:
        content = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            while content:
                content = content[self._file.write(content) :]
            if sync:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise FileError(f"cannot write {self.path}: {error.strerror}", "room on the disk") from error

    def _count(self, record: CallRecord) -> None:
        judge, tokens = record.key.judge, self.tokens[record.key.judge]
        self.costs[judge] += record.cost
        self.tokens[judge] = (tokens[0] + record.tokens[0], tokens[1] + record.tokens[1])
        self.attempts[judge] += record.attempts
        former = self.records.get(record.key)
        if former is None or not former.paid or record.paid:
            self.records[record.key] = record
        self._asked.discard(record.key)

    def _load(self, content: bytes, fingerprint: Mapping[str, str]) -> None:
        """Read what there is; a last line that a kill tore is cut off."""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
        lines = whole.splitlines()
        heading = {"ledger": SCHEMA, **fingerprint}
        if not lines:
            self._write(heading, sync=True)
            return
        self._check(lines[0], heading)
        for number, text in enumerate(lines[1:], 2):
            try:
                line = json.loads(text)
                if "asked" in line:
                    key = CallKey(*line["asked"])
                    self.interrupted += key in self._asked  # asked again, with no outcome of the first time
                    self._asked.add(key)
                else:
                    self._count(CallRecord.from_line(line))
            except (ValueError, KeyError, TypeError, ArithmeticError) as error:
                raise self._damaged(number) from error

    def _check(self, text: bytes, heading: Mapping[str, Any]) -> None:
        try:
            former = json.loads(text)
        except ValueError as error:
            raise self._damaged(1) from error
        if not isinstance(former, dict) or former.get("ledger") != SCHEMA:
            raise self._damaged(1)
        for name, value in heading.items():
            if former.get(name) != value:
                raise InputError(
                    f"{self.path} has answers about another {name}", f"the same {name} as before", "name another --out"
                )

    def _damaged(self, number: int) -> FileError:
        return FileError(
            f"line {number} of {self.path} is not of a ledger", "a file that judge wrote", "name another --out"
        )


def _lock(descriptor: int, path: Path) -> None:
    """Refuse a second process; where the system knows no such lock, none is taken."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(
            f"another process writes {path}", "one at a time", "wait for it, or name another --out"
        ) from error
