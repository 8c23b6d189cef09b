"""What does a panel say about some items? Judges are asked, every answer is kept, and the panel decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from polyculture.errors import FileError, InputError, visible
from polyculture.predictions import Predictions
from polyculture.results import Section
from polyculture.studies.panel import panel as panel_worth
from polyculture.studies.progress import Progress

from ..remote.event_loop import run
from ..retraining.pointer import write_whole
from .asking import Interview
from .items import PanelItems, panel_items
from .judges import Judges, panel_judges
from .ledger import CallKey, Ledger
from .options import JudgeOptions
from .outcome import CallOutcome, cost_table, decision_table, failure_table, verdict_table
from .section import judging_section
from .stopping import StoppingRule
from .verdicts import order_codes, verdict_codes

LEDGER, SECTIONS, VERDICTS = "calls.jsonl", "judging.json", "verdicts.csv"
"""Files in the folder: every call, the sections next to their page, and the verdicts that `panel` reads."""


@dataclass(frozen=True, eq=False)
class JudgeResult:
    """What a panel said.

    Parameters
    ----------
    sections : the answer first; then, with labels, what the panel is worth.
    verdicts : a row per item, a column per judge; empty where there is none.
    decisions : the panel's decision on each item, votes for it, and judges who gave a verdict.
    failures : calls without a verdict by judge and reason.
    costs : what each judge was paid, exact as text.
    folder : where all of it is.

    Examples
    --------
    >>> pc.judge.__name__  # an example that runs is in the guide: it needs a service that answers
    'judge'
    """

    sections: tuple[Section, ...]
    verdicts: pd.DataFrame
    decisions: pd.DataFrame
    failures: pd.DataFrame
    costs: pd.DataFrame
    folder: Path

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return self.sections[0].sentence

    @property
    def cost(self) -> Decimal:
        """Of all calls, exact, in the currency of the panel's prices."""
        return sum((Decimal(cost) for cost in self.costs["cost"]), Decimal(0))

    def __repr__(self) -> str:
        return visible(f"JudgeResult: {self.sentence}") + f"\nnext: pc.panel({str(self.folder / VERDICTS)!r})"


def judge(
    panel: str | Path,
    items: str | Path | Iterable[Mapping[str, Any]],
    options: JudgeOptions | None = None,
    *,
    out: str | Path,
    progress: Progress | None = None,
) -> JudgeResult:
    """Ask a panel of chat models about items, keep every answer that was paid for, and decide by plurality.

    The folder gets ``calls.jsonl`` (every call, on the disk before its answer is used), ``verdicts.csv``,
    ``decisions.csv``, ``failures.csv`` and ``costs.csv``. The same call goes on where a run was stopped, and makes only
    calls that were not answered.

    Parameters
    ----------
    panel : TOML file with a ``[panel]`` table (classes, and ``swap`` for both orders) and a ``[[member]]`` table for
        each judge, in the order in which they are asked.
    items : JSON Lines or CSV file, or mappings: ``id``, the columns of the prompts, and ``label`` where it is known.
    options : orders, repeats, sequential mode.
    out : folder; that of an earlier run of the same panel and items is continued.
    progress : called after every call.

    Raises InputError and FileError before any call: fewer than two judges, no items, ids that repeat, a prompt that
    names a column which items lack, a key that is not in the environment, a folder of another panel or other items.

    Examples
    --------
    >>> pc.judge("no-such-panel.toml", [{"id": "1", "text": "A dog."}], out="judged")
    Traceback (most recent call last):
        ...
    polyculture.errors.FileError: cannot read no-such-panel.toml: No such file or directory; expected a TOML file with \
[panel] and [[member]] tables.
    """
    options = options or JudgeOptions()
    asked_about = panel_items(items)
    judges = panel_judges(panel, asked_about, options.orders)
    if not judges.classes and options.sequential is not None:
        raise InputError("sequential mode of judges who give numbers", "judges who name classes", "leave it out")
    ids = asked_about.ids[: options.limit]
    folder = Path(out)
    ledger = Ledger(folder / LEDGER, {"panel": judges.fingerprint, "items": asked_about.fingerprint})
    try:
        rule = run(_ask(ledger, judges, asked_about, ids, options, progress))
        outcome = CallOutcome.of(ledger, judges, asked_about, ids, options, rule)
    finally:
        ledger.close()
    result = _result(outcome, folder)
    for name in ("verdicts", "decisions", "failures", "costs"):
        write_whole(folder / f"{name}.csv", getattr(result, name).to_csv(index=False))
    return result


async def _ask(
    ledger: Ledger,
    judges: Judges,
    items: PanelItems,
    ids: tuple[str, ...],
    options: JudgeOptions,
    progress: Progress | None,
) -> StoppingRule | None:
    """Make the calls; in sequential mode the rule by which they were made."""
    places = {name: place for place, name in enumerate(items.ids)}

    def ask(key: CallKey) -> Any:
        return judges.ask(key, judges.record(items, places[key.item], key.order))

    shape = (1 + bool(judges.swap), options.repeats, len(judges.classes) or 1)
    interview = Interview(ledger, ask, judges.names, ids, shape, judges.tie, options.passes, progress)
    concurrency = {name: spec.concurrency for name, spec in judges.specs.items()}
    try:
        return await interviewed(interview, concurrency, options)
    finally:
        await judges.aclose()


async def interviewed(
    interview: Interview, concurrency: Mapping[str, int], options: JudgeOptions
) -> StoppingRule | None:
    """All calls of an interview; in sequential mode the first items of all judges, and the others by the rule."""
    ids, rate = interview.ids, options.sequential
    n_first = len(ids) if rate is None else min(options.calibration, len(ids))
    await interview.all_of(ids[:n_first], concurrency)
    if rate is None:
        return None
    codes = order_codes(interview.ledger.records, interview.judges, ids[:n_first], interview.shape)
    rule = StoppingRule.fit(verdict_codes(codes, interview.tie), interview.shape[2], rate)
    await interview.in_sequence(ids[n_first:], rule, max(concurrency.values()))
    return rule


def _result(outcome: CallOutcome, folder: Path) -> JudgeResult:
    tables = verdict_table(outcome), decision_table(outcome), failure_table(outcome), cost_table(outcome)
    return JudgeResult((judging_section(outcome), *_worth(outcome, tables[0])), *tables, folder)


def _worth(outcome: CallOutcome, verdicts: pd.DataFrame) -> tuple[Section, ...]:
    """With labels, what the panel is worth; in sequential mode from the items that all judges were asked about."""
    if outcome.labels is None or not outcome.judges.classes:
        return ()
    n_first = None if outcome.rule is None else outcome.options.calibration
    rows = verdicts.head(n_first) if n_first else verdicts
    rows = rows[rows["label"] != ""]
    answers = {name: [value or None for value in rows[name]] for name in outcome.judges.names}
    answers = {name: column for name, column in answers.items() if any(column)}
    if len(answers) < 2 or not len(rows):
        return ()
    try:
        return panel_worth(Predictions.from_answers(answers, rows["label"].tolist())).sections
    except (InputError, FileError):  # too few verdicts in common; the answer stands without it
        return ()
