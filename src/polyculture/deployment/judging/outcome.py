"""What came of the calls? Verdicts, decisions, failures, and costs, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.stats import jeffreys

from .items import PanelItems
from .judges import Judges
from .ledger import CallKey, CallRecord, Ledger
from .options import JudgeOptions
from .stopping import StoppingRule
from .verdicts import mean_numbers, order_codes, order_table, plurality, verdict_codes


@dataclass(frozen=True, eq=False)
class CallOutcome:
    """What a ledger says about the items that were asked about.

    Parameters
    ----------
    judges, items, ids, options : who was asked about what, and how; `ids` are the items of this run.
    records : by call.
    costs, tokens, attempts : by judge.
    interrupted : calls in flight when earlier runs were stopped.
    rule : of sequential mode; None where all judges were asked about all items.
    """

    judges: Judges
    items: PanelItems
    ids: tuple[str, ...]
    options: JudgeOptions
    records: Mapping[CallKey, CallRecord]
    costs: Mapping[str, Decimal]
    tokens: Mapping[str, tuple[int, int]]
    attempts: Mapping[str, int]
    interrupted: int = 0
    rule: StoppingRule | None = None

    @classmethod
    def of(
        cls,
        ledger: Ledger,
        judges: Judges,
        items: PanelItems,
        ids: Sequence[str],
        options: JudgeOptions,
        rule: StoppingRule | None,
    ) -> CallOutcome:
        """The outcome that a ledger holds."""
        counts = dict(ledger.costs), dict(ledger.tokens), dict(ledger.attempts), ledger.interrupted
        return cls(judges, items, tuple(ids), options, dict(ledger.records), *counts, rule)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Orders, repeats, and classes (1 where numbers are asked for)."""
        return (1 + bool(self.judges.swap), self.options.repeats, len(self.judges.classes) or 1)

    @property
    def codes(self) -> Int[np.ndarray, "m n o"]:
        """Classes by judge, item and order."""
        return order_codes(self.records, self.judges.names, self.ids, self.shape)

    @property
    def votes(self) -> Int[np.ndarray, "m n"]:
        """Verdicts by judge and item; -1 where there is none."""
        return verdict_codes(self.codes, self.judges.tie)

    @property
    def numbers(self) -> Float[np.ndarray, "m n"]:
        """Numbers by judge and item."""
        return mean_numbers(self.records, self.judges.names, self.ids, self.options.repeats)

    @property
    def calls(self) -> list[CallRecord]:
        """Outcomes of the calls about these items."""
        ids, (orders, repeats, _) = set(self.ids), self.shape
        return [
            record
            for key, record in self.records.items()
            if key.item in ids and key.order <= orders and key.repeat <= repeats
        ]

    @property
    def possible(self) -> int:
        """Calls if all judges were asked about all items."""
        return len(self.judges.names) * len(self.ids) * self.shape[0] * self.shape[1]

    @property
    def labels(self) -> tuple[str, ...] | None:
        """True classes of the items asked about, where known."""
        return None if self.items.labels is None else self.items.labels[: len(self.ids)]


def verdict_table(outcome: CallOutcome) -> pd.DataFrame:
    """A row per item: id, label where known, and a column per judge; empty where there is no verdict."""
    table: dict[str, Sequence[object]] = {"id": outcome.ids}
    if outcome.labels is not None:
        table["label"] = outcome.labels
    classes = [*outcome.judges.classes, ""]
    rows = outcome.votes if outcome.judges.classes else outcome.numbers
    for name, row in zip(outcome.judges.names, rows.tolist(), strict=True):
        table[name] = [classes[code] for code in row] if outcome.judges.classes else row
    return pd.DataFrame(table)


def decision_table(outcome: CallOutcome) -> pd.DataFrame:
    """A row per item: id, decision (class with the most votes; empty where two have the most), votes for it, judges."""
    if not outcome.judges.classes:
        numbers = outcome.numbers
        judges = np.isfinite(numbers).sum(axis=0)
        total = np.nansum(numbers, axis=0)
        means = np.divide(total, judges, out=np.full(len(judges), np.nan), where=judges > 0)
        return pd.DataFrame({"id": outcome.ids, "decision": means, "judges": judges})
    votes, classes = outcome.votes, [*outcome.judges.classes, ""]
    decided = plurality(votes, len(outcome.judges.classes))
    return pd.DataFrame(
        {
            "id": outcome.ids,
            "decision": [classes[code] for code in decided.tolist()],
            "votes": ((votes == decided) & (decided >= 0)).sum(axis=0),
            "judges": (votes >= 0).sum(axis=0),
        }
    )


def failure_table(outcome: CallOutcome) -> pd.DataFrame:
    """Calls without a verdict: judge, reason, count, and whether the next run makes them again."""
    counts = Counter((record.key.judge, record.reason) for record in outcome.calls if record.reason)
    rows = [
        {
            "judge": name,
            "reason": reason,
            "count": counts[name, reason],
            "asked_again": not CallRecord(key, reason=reason).paid,
        }
        for name in outcome.judges.names
        for key in [CallKey(name, "", 1, 1)]
        for reason in sorted(reason for judge, reason in counts if judge == name)
    ]
    return pd.DataFrame(rows, columns=["judge", "reason", "count", "asked_again"])


def cost_table(outcome: CallOutcome) -> pd.DataFrame:
    """What each judge was paid: model (its id), price (per item asked about), cost (exact, as text), calls, tokens.

    Costs are of the whole ledger; `polyculture panel --prices` reads the table.
    """
    rows = []
    for name in outcome.judges.names:
        paid = [record for record in outcome.records.values() if record.key.judge == name and record.paid]
        items = len({record.key.item for record in paid})
        cost = outcome.costs.get(name, Decimal(0))
        tokens = outcome.tokens.get(name, (0, 0))
        rows.append(
            {"model": name, "price": float(cost / items) if items else 0.0, "cost": f"{cost.normalize():f}"}
            | {"answers": len(paid), "requests": outcome.attempts.get(name, 0)}
            | {"prompt_tokens": tokens[0], "answer_tokens": tokens[1]}
        )
    return pd.DataFrame(rows)


def judge_rows(outcome: CallOutcome) -> pd.DataFrame:
    """How each judge did: verdicts, share of items on which it differs from the panel's decision, refusals, cost."""
    costs, failures = cost_table(outcome), failure_table(outcome)
    table = pd.DataFrame({"judge": list(outcome.judges.names)})
    if outcome.judges.classes:
        votes = outcome.votes
        decided = plurality(votes, len(outcome.judges.classes))
        both = (votes >= 0) & (decided >= 0)
        level = outcome.options.level
        shares = [
            jeffreys(int((b & (v != decided)).sum()), int(b.sum()), level) for v, b in zip(votes, both, strict=True)
        ]
        table["verdicts"] = (votes >= 0).sum(axis=1)
        table["differs"] = [share.estimate for share in shares]
        table["low"], table["high"] = [share.low for share in shares], [share.high for share in shares]
    else:
        table["verdicts"] = np.isfinite(outcome.numbers).sum(axis=1)
    for reason in ("refused", "unparsable"):
        table[reason] = [_count(failures, name, [reason]) for name in table["judge"]]
    failed = sorted(set(failures["reason"]) - {"refused", "unparsable"})
    table["failed"] = [_count(failures, name, failed) for name in table["judge"]]
    table["cost"] = costs["cost"].astype(float)
    return table


def bias_rows(outcome: CallOutcome) -> pd.DataFrame:
    """How verdicts depend on the order; empty with one order."""
    if not outcome.judges.swap:
        return pd.DataFrame()
    return order_table(outcome.codes, outcome.judges.names, outcome.judges.tie, outcome.options.level)


def _count(failures: pd.DataFrame, judge: str, reasons: Sequence[str]) -> int:
    rows = failures[(failures["judge"] == judge) & failures["reason"].isin(list(reasons))]
    return int(rows["count"].sum())
