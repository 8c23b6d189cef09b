"""What do the findings look like? Vega-Lite specifications as plain dicts, with their data inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from polyculture.errors import FileError, InputError
from polyculture.results import Audit

from ..atomic_write import write_atomically
from ..charts.vega import Spec
from ..sections import section_figures
from .leaderboard import ranking_figure
from .null_models import null_models_figure
from .pairwise import matrix_figure
from .recipes import recipes_of, with_recipes
from .shifts import shift_accuracy_figure, shift_n_eff_figure
from .systemic_failures import systemic_figure


def figures(audit: Audit) -> dict[str, Spec]:
    """Every figure of the report as a Vega-Lite 6 specification: plain JSON values, data inside, no nan.

    Keys: ``null_models``, ``leaderboard``, ``pairwise``, ``systemic`` and, where there are shifts, ``shift_n_eff`` and
    ``shift_accuracy``; then those of the sections, such as ``generalization_gaps``. Draw them with
    Vega-Lite, Altair (``alt.Chart.from_dict``) or `save_figure`.
    """
    specs = {
        "null_models": null_models_figure(audit),
        "leaderboard": ranking_figure(audit.leaderboard),
        "pairwise": matrix_figure(audit.pairwise),
        "systemic": systemic_figure(audit),
    }
    if len(audit.shifts):
        specs["shift_n_eff"] = shift_n_eff_figure(audit.shifts)
        specs["shift_accuracy"] = shift_accuracy_figure(audit.shifts)
    for section in audit.sections:
        specs |= section_figures(section)
    recipes = recipes_of(audit.leaderboard)
    return {name: with_recipes(spec, recipes) for name, spec in specs.items()} if recipes else specs


def save_figure(spec: Spec, path: str | Path) -> Path:
    """Draw one specification into a file: ``.svg``, ``.png`` (two pixels per point) or ``.pdf``, without network.

    Returns the path. Raises InputError for another ending and FileError where the file cannot be written.
    """
    import vl_convert

    path = Path(path)
    text = json.dumps({**spec, "background": "white"}, allow_nan=False)
    drawers: dict[str, Callable[[], bytes]] = {
        ".svg": lambda: str(vl_convert.vegalite_to_svg(text)).encode(),
        ".png": lambda: bytes(vl_convert.vegalite_to_png(text, scale=2)),
        ".pdf": lambda: bytes(vl_convert.vegalite_to_pdf(text)),
    }
    if path.suffix not in drawers:
        raise InputError(f"a figure named {path.name!r}", "a name that ends in .svg, .png or .pdf")
    content = drawers[path.suffix]()
    try:
        write_atomically(path, content)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}", "a folder that can be written") from error
    return path
