"""What would another panel of these models be worth? A part of the page that adds up the models that are ticked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

import numpy as np

from polyculture.errors import visible
from polyculture.results import Audit, Pairwise, Section
from polyculture.results.panel import LARGEST, PanelSums, packed, upper_half
from polyculture.studies.shell_words import shell_word

NULL_MODELS = {
    "N1": ("n_eff, given the true class", "n_eff"),
    "N0": ("n_eff, raw", "n_eff_raw"),
}


def panel_html(audit: Audit) -> str:
    """The part of the page in which models are ticked on and off; a note for many models, nothing without the sums.

    Parameters
    ----------
    audit : as it was computed; control characters in names become escapes here. The models of a portfolio, if it has
        such a section, are ticked at first.
    """
    import jinja2

    panel = audit.panel
    if panel is None and audit.n_models <= LARGEST:
        return ""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    ids = audit.pairwise.models
    values = None if panel is None else panel_values(audit, panel)
    return environment.from_string(_file("panel.html")).render(
        names=[visible(name) for name in ids],
        values=values,
        n_models=audit.n_models,
        most=LARGEST,
        content=_script_json(values),
        style=_file("panel.css"),
        script=_file("panel.js"),
    )


def with_commands(audit: Audit, source: str, selected: str = "") -> Audit:
    """The audit with the commands that its page offers for a panel, unless it has some.

    Parameters
    ----------
    source : what is audited, and how it is read, as words of a shell.
    selected : the same for select, where that differs.
    """
    commands = {"audit": f"polyculture audit {source}", "select": f"polyculture select {selected or source}"}
    return replace(audit, facts={"panel": commands, **audit.facts})


def panel_values(audit: Audit, panel: PanelSums) -> dict[str, Any]:
    """What the script adds up: tables as `packed`, of symmetric ones the upper half."""
    ids = audit.pairwise.models
    table = audit.leaderboard.table
    accuracy = dict(zip(map(str, table["model"]), table["accuracy"], strict=True))
    position = {name: k for k, name in enumerate(ids)}
    members = {str(name) for name in _members(audit.sections)}
    return {
        "order": [position[name] for name in accuracy],
        "accuracy": [None if math.isnan(accuracy[name]) else float(accuracy[name]) for name in ids],
        "kept": [k for k, name in enumerate(ids) if name in members],
        "nulls": [_null_model(panel, name) for name in NULL_MODELS if name == "N0" or name in panel.covariances],
        "counts": _counts(audit.pairwise),
        "votes": _votes(panel),
        "commands": _commands(audit, ids),
    }


def _null_model(panel: PanelSums, name: str) -> dict[str, Any]:
    """How a null model is called, and its covariances where they do not follow from the counts."""
    covariances = panel.covariances.get(name)
    label, key = NULL_MODELS[name]
    return {"label": label, "key": key, "covariances": None if covariances is None else packed(upper_half(covariances))}


def _members(sections: Sequence[Section]) -> list[Any]:
    """The models that a portfolio keeps, if there is one."""
    tables = [section.tables["members"] for section in sections if section.name == "portfolio"]
    return [name for members in tables if "member" in members for name in members["member"]]


def _counts(pairwise: Pairwise) -> dict[str, Any]:
    """Instances that two models share, the row's errors and the joint errors on them; less where all share all."""
    n, both_wrong = (pairwise.counts[name].astype(np.uint32) for name in ("n", "both_wrong"))
    counts = {"n": int(n[0, 0]), "pair_n": None, "row_wrong": None, "both_wrong": packed(upper_half(both_wrong))}
    if (n == n[0, 0]).all():
        return counts
    row_wrong = pairwise.counts["both_wrong"] + pairwise.counts["a_wrong_b_right"]
    return counts | {"pair_n": packed(upper_half(n)), "row_wrong": packed(row_wrong.astype(np.uint32))}


def _votes(panel: PanelSums) -> dict[str, Any] | None:
    """Outcomes and answers, instance after instance."""
    if panel.wrong is None:
        return None
    tables = {name: getattr(panel, name) for name in ("wrong", "observed", "answers")}
    return {"n": panel.wrong.shape[1]} | {
        name: None if cells is None else packed(cells.T) for name, cells in tables.items()
    }


def _commands(audit: Audit, ids: Sequence[str]) -> dict[str, Any]:
    """How the numbers of these models are computed again, with intervals: words of a shell, or Python."""
    source = audit.facts.get("panel")
    if isinstance(source, Mapping):
        words = [f" --models {shell_word(name)}" for name in ids]
        return {"shell": {name: str(source[name]) for name in ("audit", "select")}, "words": words}
    return {"shell": None, "words": [ascii(name) for name in ids]}


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
