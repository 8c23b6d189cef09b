"""What did a remote member say, what did it cost, and why did it say nothing?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from jaxtyping import Float

REASONS = (
    *("no_key", "bad_input", "breaker_open", "timeout", "unreachable", "rate_limited", "status", "bad_response"),
    *("rejected", "refused", "unparsable"),
)
"""Why an instance has no answer. no_key: the environment lacks the key; bad_input: the instance does not fit a request;
breaker_open: the service failed too often; in all three nothing was sent. timeout, unreachable, rate_limited (429),
status (another status code) and bad_response (no JSON, too long, or not of the protocol): the service failed.
rejected: it refused this request (400, 413, 422). refused: the model declined to answer. unparsable: it answered, but
not with one of the classes."""
SERVICE_FAILURES = frozenset({"timeout", "unreachable", "rate_limited", "status", "bad_response"})
"""Failures of the service rather than of the model: they open the circuit breaker."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request.

    Parameters
    ----------
    rows : probabilities (n, c), or values (n, 1); rows of nan where there is none.
    reason : one of `REASONS`, or empty.
    detail : the reason in words, for the log; never a key.
    calls : requests that the service answered with success, which it charges for.
    tokens : tokens of the prompts and of the answers.
    attempts : requests that were sent.
    """

    rows: Float[np.ndarray, "n c"]
    reason: str = ""
    detail: str = ""
    calls: int = 0
    tokens: tuple[int, int] = (0, 0)
    attempts: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class RemoteAnswer:
    """What a remote member said about a batch.

    Parameters
    ----------
    probabilities : (n, c), or values (n, 1) in regression; float32; nan in rows without an answer.
    reasons : of each row one of `REASONS`; empty where there is an answer.
    details : of each row the reason in words; never a key.
    cost : price of the calls and tokens, in the currency of the specification's prices.
    calls : requests that the service answered with success, which it charges for.
    tokens : tokens of the prompts and of the answers.
    attempts : requests that were sent, retries included.
    """

    probabilities: Float[np.ndarray, "n c"]
    reasons: tuple[str, ...]
    details: tuple[str, ...]
    cost: float
    calls: int
    tokens: tuple[int, int]
    attempts: int

    @property
    def answered(self) -> np.ndarray:
        """Which rows have an answer, (n,) bool."""
        return np.array([not reason for reason in self.reasons], bool)

    @property
    def reason(self) -> str:
        """The most frequent reason why a row has no answer; empty where every row has one."""
        counts = Counter(reason for reason in self.reasons if reason)
        return counts.most_common(1)[0][0] if counts else ""

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows by reason, for the counters of a server; ``""`` counts the answers."""
        return dict(Counter(self.reasons))


def price(calls: int, tokens: tuple[int, int], per_call: float, per_1k: tuple[float, float]) -> Decimal:
    """Exact price of these calls and tokens: three calls of .1 cost .3, not .30000000000000004."""
    by_token = sum((Decimal(str(rate)) * count for rate, count in zip(per_1k, tokens, strict=True)), Decimal(0))
    return Decimal(str(per_call)) * calls + by_token / 1000


def joined(replies: Sequence[Reply], rates: tuple[float, tuple[float, float]], n_columns: int) -> RemoteAnswer:
    """The replies of several requests as one answer, in their order.

    Parameters
    ----------
    rates : price per call, and per 1,000 tokens of prompts and of answers.
    n_columns : classes, or 1 in regression.
    """
    rows = [reply.rows for reply in replies]
    empty = np.empty((0, n_columns), np.float32)
    calls = sum(reply.calls for reply in replies)
    tokens = (sum(reply.tokens[0] for reply in replies), sum(reply.tokens[1] for reply in replies))
    return RemoteAnswer(
        np.concatenate([empty, *rows]).astype(np.float32),
        tuple(reply.reason for reply in replies for _ in reply.rows),
        tuple(reply.detail for reply in replies for _ in reply.rows),
        float(price(calls, tokens, *rates)),
        calls,
        tokens,
        sum(reply.attempts for reply in replies),
    )
