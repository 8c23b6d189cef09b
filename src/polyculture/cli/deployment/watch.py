"""polyculture watch: is a portfolio in production what it was when it was certified?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.errors import InputError
from polyculture.studies.shell_words import shell_word

from ..application import app, fail
from ..options import Json, Out
from ..output import show, show_sentences


@app.command(short_help="Audit a portfolio in production, and its alarms.")
def watch(
    source: Annotated[str, Argument(metavar="STORE|URL", help="Store of answers (file or database), or a server.")],
    bundle: Annotated[
        Path | None, Option(metavar="DIR", help="Bundle that answered: its reference numbers and alarms.")
    ] = None,
    since: Annotated[str, Option(metavar="TIME", help="Answers from then on: 2h, 7d, or 2026-11-30T12:00.")] = "",
    window: Annotated[int, Option(metavar="N", min=64, help="Most answers that are audited, the last ones.")] = 100_000,
    every: Annotated[float, Option(metavar="S", min=0, help="Look again every S seconds, until Ctrl-C.")] = 0.0,
    once: Annotated[bool, Option("--once", help="Look once (the default without --every).")] = False,
    webhook: Annotated[
        list[str] | None, Option(metavar="URL", help="Told when an alarm goes up or down; repeatable.")
    ] = None,
    out: Out = Path("polyculture-watch"),
    json: Json = False,
) -> int:
    """Audit the answers of a portfolio in production, next to what they were when it was certified.

    Exit code: 0 no alarm is up, 1 an alarm is up, 2 the input cannot be used. A webhook that ends in /api/v2/alerts is
    told in the format of Alertmanager, any other one by plain JSON.

    \b
      polyculture watch answers.sqlite --bundle bundle
      polyculture watch postgresql://user@host/answers --bundle bundle --since 7d --every 60 --webhook https://host/hook
      polyculture watch http://127.0.0.1:8080
    """
    from polyculture.deployment.watch.audit import WatchOptions
    from polyculture.deployment.watch.rounds import watch_rounds

    if once and every:
        raise InputError(f"--once with --every {every:g}", cure="leave one of the two out")
    code, shown = 0, False
    words = f"{shell_word(source)}{f' --bundle {shell_word(str(bundle))}' if bundle else ''}"
    try:
        for result in watch_rounds(source, bundle, WatchOptions(since, window), every, webhook or ()):
            code = int(bool(result.alarms_up))
            for note in result.notes:
                fail(note, 0)
            if shown and not json:
                show_sentences(result.audit.section("watch").sentence)
                continue
            shown = True
            following = f"retrain {shell_word(str(bundle))}" if code and bundle else f"watch {words} --every 60"
            show(result.audit, out, json, f"polyculture {following}", ("watch",), ("live", "alarms"), True)
    except KeyboardInterrupt:
        if not shown:
            raise
    return code
