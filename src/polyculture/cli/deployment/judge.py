"""polyculture judge: what does a panel of chat models say about some items, and what does it cost?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.studies.shell_words import option_words, shell_word

from ..application import app
from ..options import Json
from ..output import show_sections

FOLDER = Path("polyculture-judged")


@app.command(short_help="Ask a panel of chat models to judge items.")
def judge(
    panel: Annotated[Path, Argument(metavar="PANEL", help="TOML with [panel] and a [[member]] table for each judge.")],
    items: Annotated[
        Path, Argument(metavar="ITEMS", help="JSON Lines or CSV: id, the prompt's columns, label if known.")
    ],
    out: Annotated[
        Path, Option(metavar="DIR", help="Folder for calls, verdicts and page; continued if it exists.")
    ] = FOLDER,
    orders: Annotated[
        str, Option(metavar="WHICH", help="one, or both: ask a second time with the columns of swap exchanged.")
    ] = "one",
    repeats: Annotated[int, Option(metavar="N", help="Times that each judge is asked about each item and order.")] = 1,
    sequential: Annotated[
        float | None,
        Option(metavar="RATE", help="Ask the next judge only while all judges would decide otherwise more often."),
    ] = None,
    calibration: Annotated[
        int, Option(metavar="N", help="With --sequential: first items, which all judges are asked about.")
    ] = 100,
    limit: Annotated[int | None, Option(metavar="N", help="Ask about the first N items only.")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Tell the number of calls and their price; make none.")] = False,
    json: Json = False,
) -> int:
    """Ask a panel of chat models to judge items, and decide by plurality.

    \b
      polyculture judge panel.toml items.jsonl --dry-run
      polyculture judge panel.toml items.jsonl
      polyculture judge panel.toml pairs.jsonl --orders both --out judged
      polyculture judge panel.toml items.csv --sequential 0.02

    Judges are OpenAI-compatible endpoints, hosted or local; keys come from the environment. Every answer is on the disk
    before it is used, and the same command goes on where a run was stopped: no answer is paid for twice. Refusals and
    answers that name no class are kept and counted. With --sequential the judges are asked in the order of the file,
    cheapest first, until the panel's decision is all but certain.
    """
    from polyculture.deployment.judging import JudgeOptions, judging_bill
    from polyculture.deployment.judging import judge as ask_panel
    from polyculture.deployment.judging.study import LEDGER, SECTIONS, VERDICTS
    from polyculture.reporting.progress_bars import progress_bars

    options = JudgeOptions(orders, repeats, sequential, calibration, limit)
    if dry_run:
        words = option_words(options, out="" if out == FOLDER else str(out))
        same_call = f"polyculture judge {shell_word(str(panel))} {shell_word(str(items))}{words}"
        show_sections([judging_bill(panel, items, options, out / LEDGER)], None, json, same_call, ("bill",))
        return 0
    with progress_bars(announce=not json) as progress:
        result = ask_panel(panel, items, options, out=out, progress=progress)
    next_command = f"polyculture panel {shell_word(str(out / VERDICTS))}"
    show_sections(result.sections, out / SECTIONS, json, next_command, ("judges", "orders", "failures"))
    return 0
