"""polyculture panel: how many independent votes is a panel of judges worth, and which judges?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from polyculture.studies.shell_words import source_words

from .application import app
from .options import Cluster, Json, Paths, ReadingOptions, Seed, TableOptions, with_option_groups
from .output import show_reports, show_sections


@app.command(short_help="Tell what a panel of judges is worth.")
@with_option_groups
def panel(
    paths: Paths,
    table: TableOptions,
    reading: ReadingOptions,
    cluster: Cluster = None,
    family: Annotated[str, Option(metavar="COL", help="Column of --factors with each judge's family.")] = "",
    prices: Annotated[Path | None, Option(metavar="CSV", help="Price of one verdict: model, price.")] = None,
    humans: Annotated[
        Path | None, Option(metavar="CSV", help="Humans per class and item: instance, a column per class.")
    ] = None,
    truth: Annotated[str, Option(metavar="KEY", help="Inspect: metadata of a sample with the true verdict.")] = "",
    no_truth: Annotated[bool, Option("--no-truth", help="Only agreement, and what hidden-truth models claim.")] = False,
    scale: Annotated[str, Option(metavar="SCALE", help="For agreement: nominal, ordinal or interval.")] = "nominal",
    max_error: Annotated[
        float | None, Option(metavar="X", help="Error to guarantee where the panel answers, such as 0.05.")
    ] = None,
    rating_range: Annotated[
        tuple[float, float] | None, Option("--range", metavar="LOW HIGH", help="Lowest and highest rating there is.")
    ] = None,
    seed: Seed = 0,
    out: Annotated[Path, Option(metavar="DIR", help="Folder for the page and panel.json.")] = Path("polyculture-panel"),
    json: Json = False,
) -> int:
    """Tell how many independent votes the verdicts of some judges are worth, and which judges to keep.

    \b
      polyculture panel verdicts.csv
      polyculture panel logs/ --prices prices.csv
      polyculture panel verdicts.csv --humans counts.csv --cluster document

    Reads verdicts as polyculture audit does: a row per item with a column per judge and the truth, a row per
    verdict, or logs (Inspect, lm-eval, promptfoo, TruLens, preferences of alpaca_eval, MT-bench, the arena). Leads
    with the effective votes (Kish's formula on the mean error correlation), how much more the panel errs than
    independent judges of the same accuracies would, and the best single judge; then who could leave, seats per
    family, price per vote, and how many humans the panel is worth. Of comparisons of two outputs it tells what their
    order, their length and the judge's own side do to the verdicts, also where no true preference is known.
    """
    from polyculture.studies.panel import SECTIONS, PanelOptions
    from polyculture.studies.panel import panel as of_panel

    options = PanelOptions(
        family, prices, humans, truth, cluster or "", scale, rating_range, no_truth, max_error, seed=seed
    )
    columns = table.columns(cluster) | {"correct": reading.outcomes}
    result = of_panel([str(path) for path in paths], options, rules=reading.rules(), **columns)
    if result.note:
        show_reports(result.note, json=json)
    words = source_words(paths, table, reading, cluster=cluster)
    next_command = f"polyculture crowd {words}" if no_truth else f"polyculture select {words} --rule vote"
    show_sections(result.sections, out / SECTIONS, json, next_command, ("judges",))
    return 0
