"""polyculture select: which few models should be kept, and how good are they together?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from polyculture.studies.run_folder import PORTFOLIO, writable_folder
from polyculture.studies.shell_words import shell_word, source_words

from .application import app, fail
from .options import Cluster, Group, Json, Out, Paths, ReadingOptions, Seed, TableOptions, with_option_groups
from .output import show_next, show_reports, show_section


@app.command(short_help="Select a complementary subset of models, certified.")
@with_option_groups
def select(
    paths: Paths,
    table: TableOptions,
    reading: ReadingOptions,
    members: Annotated[
        int | None,
        Option("--members", "-k", metavar="K", help="Number of models to keep (default: chosen automatically)."),
    ] = None,
    goal: Annotated[str, Option(metavar="GOAL", help="log_loss, error, worst_shift, …, or a model column.")] = "",
    rule: Annotated[str, Option(metavar="RULE", help="How to combine: mixture, vote, mean, stacking, ….")] = "",
    method: Annotated[str, Option(metavar="METHOD", help="How to search: mixture, greedy, exact, swap, ….")] = "",
    certify_on: Annotated[
        str | None,
        Option(metavar="PATH", help="Predictions on other instances to certify on (default: a part of these)."),
    ] = None,
    share: Annotated[float, Option(metavar="SHARE", help="Share of the instances to certify on.")] = 0.5,
    cost: Annotated[str, Option(metavar="COL", help="Model column with a cost, such as seconds.")] = "",
    budget: Annotated[
        float | None, Option(metavar="X", help="Most that the members may cost together, by --cost or a column price.")
    ] = None,
    values: Annotated[bool, Option("--values", hidden=True)] = False,
    cluster: Cluster = None,
    group: Group = None,
    seed: Seed = 0,
    out: Out = Path("polyculture-portfolio"),
    json: Json = False,
) -> int:
    """Select a complementary subset of models, and certify it on instances that had no part in the selection.

    \b
    Five models that vote, from a table of answers:
      polyculture select answers.parquet --members 5
    \b
    The best panel for .01 per item, with prices in a table of models (model, price):
      polyculture select verdicts.csv --rule vote --factors prices.csv --budget 0.01
    \b
    From the folder of run, with weights for the log-loss, or in regression for the squared error:
      polyculture select polyculture-run
    """
    from polyculture.reporting import with_commands
    from polyculture.reporting.atomic_write import write_atomically
    from polyculture.reporting.result_folder import store_audit
    from polyculture.selection import SelectionOptions, section
    from polyculture.studies.candidates import read_candidates, select_and_audit

    options = SelectionOptions(
        method=method,
        share=share,
        groups=tuple(group or ()),
        clusters=cluster or "",
        cost=cost,
        budget=budget,
        seed=seed,
    )
    columns = table.columns(cluster, group) | {"correct": reading.outcomes}
    candidates = read_candidates(paths, certify_on, goal, reading.rules(), columns, values)
    if candidates.remark:
        fail(candidates.remark, 0)
    writable_folder(out)
    portfolio, result = select_and_audit(candidates, members, goal, rule, options, ", ".join(paths))
    portfolio_section = section(portfolio)
    write_atomically(out / PORTFOLIO, portfolio.to_json().encode())
    if candidates.selection.task == "regression" or portfolio.k == 1:  # one model has no pairs to audit
        next_command = f"polyculture report {shell_word(str(out))} --out page-to-share.html"
    else:
        patterns = " ".join(f"--models {shell_word(member)}" for member in portfolio.members)
        next_command = f"polyculture audit {source_words(paths, table, reading)} {patterns}"
    certified = source_words([certify_on] if certify_on else paths, table, reading, cluster=cluster, group=group)
    source = source_words(paths, table, reading, cluster=cluster, group=group, certify_on=certify_on)
    store_audit(with_commands(result, certified, source), out, next_command, [portfolio_section])
    show_reports(*candidates.reports, json=json)
    if json:
        print(portfolio.to_json())
    else:
        show_section(portfolio_section, tables=("members", "gains"))
    show_next(out, json, next_command)
    return 0
