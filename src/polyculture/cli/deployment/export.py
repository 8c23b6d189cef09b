"""polyculture export: how does what was selected become something that answers requests?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.studies.shell_words import shell_word

from ..application import app
from ..options import Json
from ..output import show_lines, show_sentences


@app.command(short_help="Write a portfolio as a bundle of graphs.")
def export(
    source: Annotated[str, Argument(metavar="RUN-or-PORTFOLIO", help="Folder of run, or folder or file of select.")],
    out: Annotated[Path, Option(metavar="DIR", help="Folder of the bundle.")] = Path("bundle"),
    run: Annotated[
        str | None, Option(metavar="RUN", help="Folder with the models, where the portfolio does not name it.")
    ] = None,
    name: Annotated[str, Option(metavar="NAME", help="Name of the bundle (default: that of the problem).")] = "",
    quorum: Annotated[
        int | None, Option(metavar="N", help="Fewest members that have to answer (default: more than half).")
    ] = None,
    mask: Annotated[list[str] | None, Option(metavar="COL", help="Column never to store; repeatable.")] = None,
    requests: Annotated[
        int, Option(metavar="N", help="Requests in which the watch may give one false alarm, on average.")
    ] = 10_000,
    json: Json = False,
) -> int:
    """Write a portfolio as a bundle: a folder of ONNX graphs and plain files that answers without torch.

    \b
    The models that select kept; of a run, those that it keeps by default:
      polyculture export polyculture-portfolio --out bundle
      polyculture export polyculture-run --out bundle

    Every graph is compared with its model on held-out instances: a model whose probabilities differ by more than
    0.0001 is refused by name. In the folder are also what the watch compares live traffic with, alarms, a certificate
    and a model card. The folder is complete or absent; a bundle that is there already is replaced.
    """
    from polyculture.deployment import ExportOptions, export_bundle
    from polyculture.reporting.progress_bars import progress_bars

    options = ExportOptions(name, quorum, tuple(mask or ()), requests)
    with progress_bars(announce=not json) as progress:
        bundle = export_bundle(source, out, run=run, options=options, progress=progress)
    if json:
        print(bundle.manifest.to_json(), end="")
    else:
        show_sentences(bundle.sentence)
    show_lines(f"bundle  {out}", f"next  polyculture serve {shell_word(str(out))}", json=json)
    return 0
