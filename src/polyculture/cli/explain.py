"""polyculture explain: what does each model look at, and do the models decide for the same reasons?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.studies.shell_words import shell_word

from .application import app
from .options import Json, Seed
from .output import show_sections


@app.command(short_help="Explain models, and compare their reasons.")
def explain(
    source: Annotated[
        str, Argument(metavar="RUN-or-BUNDLE", help="Folder of run; or of export or select, for those models only.")
    ],
    method: Annotated[
        str, Option(metavar="NAME", help="integrated-gradients, occlusion, kernel-shap, … (default: what fits all).")
    ] = "auto",
    instances: Annotated[int, Option(metavar="N", help="Instances of the test set, drawn by the seed.")] = 200,
    models: Annotated[list[str] | None, Option(metavar="GLOB", help="Model or pattern; repeatable.")] = None,
    target: Annotated[
        str, Option(metavar="CLASS", help="Class to explain: predicted, label, or its name.")
    ] = "predicted",
    baseline: Annotated[str, Option(metavar="WHAT", help="What an absent feature looks like: mean or zero.")] = "mean",
    samples: Annotated[
        int | None, Option(metavar="N", help="Steps or perturbations per instance (default: the method's).")
    ] = None,
    k: Annotated[int, Option("-k", "--top", metavar="K", help="Largest attributions that count as the reasons.")] = 5,
    out: Annotated[Path, Option(metavar="DIR", help="Folder for explanations and page.")] = Path(
        "polyculture-explanation"
    ),
    seed: Seed = 0,
    json: Json = False,
) -> int:
    """Explain the predictions of every model, and compare their reasons.

    \b
      polyculture explain polyculture-run
      polyculture explain polyculture-run --method integrated-gradients --models 'lenet*'
      polyculture explain bundle --target label --instances 500

    All models are explained by one method. The page shows how many of the top reasons two models share, next to what
    they share on different instances (floor) and what two seeds of one recipe, or one model explained twice, share
    (ceilings); where models agree in answer and differ in reason; and which ingredients make reasons alike.
    An interrupted call is resumed by the same command.
    """
    from polyculture.reporting.progress_bars import progress_bars
    from polyculture.studies.explanation import ExplainRunOptions, explain_run
    from polyculture.studies.explanation.study import SECTIONS

    options = ExplainRunOptions(method, tuple(models or ()), instances, target, baseline, samples, k, seed=seed)
    with progress_bars(announce=not json) as progress:
        result = explain_run(source, options, out=out, progress=progress)
    next_command = f"polyculture audit {shell_word(source)}"
    show_sections(result.sections, out / SECTIONS, json, next_command, ("agreement", "features"))
    return 0
