"""What would asking a panel cost? The calls that are left, and their price, before any of them is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, plural

from ..remote import RemoteSpec
from ..remote.answer import price
from ..remote.chat import chat_body
from .items import PanelItems, panel_items
from .judges import Judges, panel_judges
from .ledger import CallKey, Ledger
from .options import JudgeOptions

BYTES_PER_TOKEN = 4
"""Of English text, about; a token is at least one byte."""


def judging_bill(
    panel: str | Path, items: str | Path | Iterable[Mapping[str, Any]], options: JudgeOptions, ledger: Path
) -> Section:
    """Calls that `judge` would make now, and their price: about, and at most.

    A prompt has about a token for each four bytes, at most one for each byte; an answer at most `max_tokens`.
    Repetitions of failed calls are not counted, since services charge for answers only. In sequential mode fewer calls
    are made.

    Parameters
    ----------
    panel, items, options : as in `judge`.
    ledger : file of the calls that an earlier run has made; need not exist, and is not changed.

    Raises the errors of `judge`.
    """
    asked_about = panel_items(items)
    judges = panel_judges(panel, asked_about, options.orders)
    answered = _answered(ledger, {"panel": judges.fingerprint, "items": asked_about.fingerprint})
    rows = [_row(name, judges, asked_about, options, answered) for name in judges.names]
    table = pd.DataFrame(rows)
    calls, kept = int(table["calls"].sum()), int(table["answered"].sum())
    about, most = (Interval(float(table[name].sum())) for name in ("about", "at_most"))
    numbers = {"calls": Interval(float(calls)), "answered": Interval(float(kept)), "about": about, "at_most": most}
    return SPEC.answer(_sentence(len(judges.names), calls, kept, table, options), numbers, {"bill": table})


def _answered(path: Path, fingerprint: Mapping[str, str]) -> frozenset[CallKey]:
    """Calls that an earlier run has an answer to."""
    if not path.exists():
        return frozenset()
    ledger = Ledger(path, fingerprint)
    ledger.close()
    return frozenset(key for key, record in ledger.records.items() if record.paid)


def _row(
    name: str, judges: Judges, items: PanelItems, options: JudgeOptions, answered: frozenset[CallKey]
) -> dict[str, Any]:
    """One judge: calls left and what they cost."""
    spec, calls, kept, n_bytes = judges.specs[name], 0, 0, 0
    for position, item in enumerate(items.ids[: options.limit]):
        for order in range(1, 2 + bool(judges.swap)):
            keys = [CallKey(name, item, order, repeat + 1) for repeat in range(options.repeats)]
            left = sum(key not in answered for key in keys)
            calls, kept = calls + left, kept + len(keys) - left
            if left:
                n_bytes += left * len(chat_body(spec, judges.record(items, position, order), judges.classes))
    about = _cost(spec, calls, n_bytes // BYTES_PER_TOKEN)
    row = {"judge": name, "calls": calls, "answered": kept, "about": float(about)}
    return row | {"at_most": float(_cost(spec, calls, n_bytes))}


def _cost(spec: RemoteSpec, calls: int, prompt_tokens: int) -> Decimal:
    rates = spec.price_per_call, (spec.price_per_1k_input, spec.price_per_1k_output)
    return price(calls, (prompt_tokens, calls * spec.max_tokens), *rates)


def _sentence(judges: int, calls: int, kept: int, table: pd.DataFrame, options: JudgeOptions) -> str:
    about, most = (table[name].sum() for name in ("about", "at_most"))
    text = f"{plural(judges, 'judge')} would be asked {plural(calls, 'time')}"
    if kept:
        text += f"; {plural(kept, 'answer')} of an earlier run need not be paid again"
    if not most:
        return f"{text}. The panel names no prices, so nothing can be said about the cost."
    text += f". That costs about {about:.4g}, and at most {most:.4g}"
    if options.sequential is not None:
        text += ", less what the sequential mode saves"
    return f"{text}. No call was made."


SPEC = SectionSpec(
    "judging-bill",
    "What would asking the panel cost?",
    numbers={
        "calls": "calls to be made",
        "answered": "answers of an earlier run",
        "about": "price, about",
        "at_most": "price, at most",
    },
    tables={
        "bill": TableSpec(
            "About: four bytes of a prompt are a token. At most: each byte is one. Answers have max_tokens tokens.",
            rows=60,
        )
    },
)
