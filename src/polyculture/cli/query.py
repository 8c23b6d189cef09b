"""polyculture query: which instances are worth a label next, and what do labels that are asked for teach?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.studies.shell_words import option_words, shell_word

from .application import app, fail
from .options import Json, Seed
from .output import show_lines, show_sections


@app.command(short_help="Choose which instances to label next.")
def query(
    pool: Annotated[str, Argument(metavar="POOL", help="Table with labels in some rows; to simulate, also a problem.")],
    label_column: Annotated[str, Option(metavar="COL", help="Column of labels (default: usual names, or last).")] = "",
    budget: Annotated[int, Option(metavar="N", help="Labels to ask for in all.")] = 200,
    batch: Annotated[int, Option(metavar="N", help="Labels to ask for at once.")] = 20,
    growth: Annotated[float, Option(metavar="X", help="Batches of this share of the labels, where more.")] = 0.0,
    strategy: Annotated[
        str, Option(metavar="NAME", help="random, entropy, margin, badge, vote-entropy, kl or margin-of-mean.")
    ] = "margin-of-mean",
    candidates: Annotated[int, Option(metavar="N", help="Of N per place take instances that lie far apart.")] = 1,
    chance: Annotated[
        float | None, Option(metavar="X", help="Share of each batch drawn by chance (default: half for texts).")
    ] = None,
    classes: Annotated[str, Option(metavar="A,B,…", help="Names of all classes (default: those in the pool).")] = "",
    text: Annotated[str, Option(metavar="COL", help="Column of texts to learn from.")] = "",
    simulate: Annotated[bool, Option("--simulate", help="Hold labels back, and compare strategies.")] = False,
    compare: Annotated[
        list[str] | None, Option(metavar="NAME", help="Simulation: strategy to compare; repeatable (default: all).")
    ] = None,
    seeds: Annotated[int, Option(metavar="N", help="Simulation: repetitions.")] = 5,
    out: Annotated[Path, Option(metavar="DIR", help="Folder of the query.")] = Path("polyculture-query"),
    seed: Seed = 0,
    json: Json = False,
) -> int:
    """Choose which instances to label next, and read the labels when they are there.

    \b
      polyculture query pool.csv --label-column y --budget 200 --batch 20 --out labels
      polyculture query pool.csv --label-column y --simulate

    A few models of different kinds learn from the rows that have a label, and ask for those that their mean leaves
    most undecided: to-label.csv. Fill in its last column (? where nobody can tell) and run the same command again. All
    labels are in labels.csv, the pool with all labels is in labelled.csv. A simulation holds labels back, and shows
    what the learner would have learned by each strategy. An interrupted call is resumed by the same command.
    """
    from polyculture.reporting.progress_bars import progress_bars
    from polyculture.studies.active import QueryOptions
    from polyculture.studies.active import query as run_query
    from polyculture.studies.active.labelling import LABELLED, TO_LABEL
    from polyculture.studies.active.options import COMPARED
    from polyculture.studies.active.study import SECTIONS

    names = tuple(name.strip() for name in classes.split(",") if name.strip())
    options = QueryOptions(
        *(strategy, budget, batch, growth, 0, candidates, chance),
        simulate=simulate,
        seeds=seeds,
        label=label_column,
        text=text,
        classes=names,
        seed=seed,
        strategies=tuple(compare) if compare else COMPARED,
    )
    with progress_bars(announce=not json) as progress:
        result = run_query(pool, options, out=out, progress=progress)
    for note in result.notes:
        fail(note.rstrip("."), 1)
    reading = {"label_column": label_column, "classes": classes, "text": text}
    asking: dict[str, object] = {"budget": budget != 200 and budget, "batch": batch != 20 and batch, "growth": growth}
    asking |= {"strategy": strategy != "margin-of-mean" and strategy, "candidates": candidates > 1 and candidates}
    asking |= {"chance": "" if chance is None else chance}
    options_again = option_words(**reading, **asking, out=str(out), seed=seed)
    if simulate:
        next_command = f"polyculture run {shell_word(pool)}{option_words(label=label_column)}"
    elif result.finished:
        next_command = f"polyculture run {shell_word(str(out / LABELLED))}{option_words(label=label_column)}"
    else:
        next_command = f"polyculture query {shell_word(pool)}{options_again}"
        show_lines(f"label  {shell_word(str(out / TO_LABEL))}", json=json)
    show_sections(result.sections, out / SECTIONS, json, next_command, ("strategies", "batches"))
    return 1 if result.notes else 0
