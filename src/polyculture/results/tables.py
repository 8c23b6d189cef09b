"""How does a frame read as a table on a page? Headings in words, numbers in the digits that say something."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from polyculture.stats import percent

if TYPE_CHECKING:
    from .audit import Audit


HEADINGS = {
    "model_a": "model A",
    "model_b": "model B",
    "n": "instances",
    "models_wrong": "models wrong",
    "n_eff": "n_eff",
    "rho": "ρ",
    "kappa": "κ",
    "phi": "φ",
    "h": "H",
    "best": "best model",
    "all_wrong": "all wrong",
    "answer": "most common wrong answer",
    "share": "share of the wrong",
    "wrong": "models wrong",
    "models": "of",
}
"""What a column of a frame is called for a reader, where its own name does not say it."""

_PAGE_FACTS = ("next", "answers", "panel")
"""Facts that say how the page is laid out and what it offers; they are not listed on it."""

_SHARES = ("accuracy", "best", "all_wrong", "share")
PATTERN = "N3"
"""The null model that shows only which models are more alike than others, never how alike all of them are."""
MOST_ROWS = 120
"""Rows of a table on the page; the full table is in the JSON and in .frame()."""


@dataclass(frozen=True)
class DisplayTable:
    """A table as text: headings, which columns are numbers, cells, and a remark where rows are omitted."""

    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    remark: str = ""


def table(
    frame: pd.DataFrame,
    source: str = "",
    columns: Sequence[str] = (),
    shares: Sequence[str] = _SHARES,
    headings: Mapping[str, str] = HEADINGS,
    limit: int = MOST_ROWS,
) -> DisplayTable:
    """A frame as text.

    Parameters
    ----------
    frame : anything that `.frame()` gives.
    source : where the full table is, should it be too long; such as ``"audit.pairwise.frame()"``.
    columns : those to show; all if empty. Names that the frame lacks are skipped.
    shares : columns that read in percent.
    headings : what a column is called, where its own name does not say it.
    limit : rows to show; of more, the first and the last half.
    """
    frame = frame[[c for c in columns if c in frame.columns]] if columns else frame
    cut = frame if len(frame) <= limit else pd.concat([frame.head(limit // 2), frame.tail(limit // 2)])
    numeric = tuple(pd.api.types.is_numeric_dtype(frame[c]) for c in frame.columns)
    cells = [[cell(v, str(name) in shares) for v in frame_column.tolist()] for name, frame_column in cut.items()]
    remark = ""
    if len(cut) < len(frame):
        remark = f"The first and the last {limit // 2} of {len(frame):,} rows; {full_table(source)}"
    return DisplayTable(
        headings=tuple(headings.get(str(c), str(c).replace("_", " ")) for c in frame.columns),
        numeric=numeric,
        rows=tuple(zip(*cells, strict=True)) if cells else (),
        remark=remark,
    )


def full_table(source: str) -> str:
    """Where the full table is."""
    return f"the full table is {source}, or polyculture audit --json."


def cell(value: Any, share: bool = False) -> str:
    """One value as text: shares in percent, floats to three digits or three decimals, – for what is missing."""
    if value is None or value is pd.NA:
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    return _decimal(float(value), share) if isinstance(value, (float, np.floating)) else str(value)


def _decimal(value: float, share: bool) -> str:
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if share:
        return percent(value).replace(" ", "\u00a0")
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    if abs(value) < 0.0005:
        return "< 0.001" if value > 0 else "> -0.001"
    if abs(value) < 0.01:
        return f"{value:.3g}"
    return f"{value:,.3f}" if abs(value) < 1000 else f"{value:,.0f}"


def moment(time: float) -> str:
    """Seconds since 1970 as a date and time (UTC); – where there is none, or it is beyond the calendar."""
    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}"
    except (TypeError, ValueError, OverflowError, OSError):
        return "–"


def null_model_table(audit: Audit) -> DisplayTable:
    """One row per null: n_eff and ρ with their limits, z and p."""
    rows = [
        {
            "null": null_model.name,
            "given": null_model.given.removesuffix(" (descriptive)")
            + (" (pattern only, descriptive)" if null_model.name == PATTERN else ""),
            "n_eff": null_model.n_eff.estimate,
            "low": null_model.n_eff.low,
            "high": null_model.n_eff.high,
        }
        | {
            "rho": null_model.rho.estimate,
            "ρ low": null_model.rho.low,
            "ρ high": null_model.rho.high,
            "z": null_model.z,
        }
        | {"p": "–" if math.isnan(null_model.p) else "< 0.001" if null_model.p < 0.001 else f"{null_model.p:.3f}"}
        for null_model in audit.null_models
    ]
    return table(pd.DataFrame(rows))


def leaderboard_table(audit: Audit) -> DisplayTable:
    """One row per model, best first."""
    return table(audit.leaderboard.frame(), "audit.leaderboard.frame()", shares=("accuracy", "low", "high"))


def pair_tables(audit: Audit, limit: int) -> tuple[DisplayTable, DisplayTable]:
    """The most alike and the least alike pairs by κ."""
    frame = audit.pairwise.frame()
    columns = [
        "model_a",
        "model_b",
        "n",
        "kappa",
        *(c for c in ("phi", "h", "both_wrong", "both_wrong_agreement") if c in frame),
    ]
    pairs = frame[np.isfinite(frame["kappa"])].sort_values("kappa", ascending=False, kind="stable")
    top, bottom = pairs.head(limit), pairs.iloc[limit:].tail(limit).iloc[::-1]
    return table(top, columns=columns), table(bottom, columns=columns)


def fact_list(audit: Audit) -> list[tuple[str, str]]:
    """Where the numbers come from, as pairs of words."""
    return [(str(k).replace("_", " "), _fact(v)) for k, v in audit.facts.items() if k not in _PAGE_FACTS and v != ""]


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_fact(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_fact(v) for v in value)
    if isinstance(value, (int, float)) and abs(value) >= 1000:
        return f"{value:,.0f}"
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3g}"
    return str(value)
