"""Is the data in order? Every kind of fault in every part, and what became of the rows, as a section."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from polyculture.preparation.cleaning import KINDS, Fault
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, percent, plural

from .examples import faulty_rows, histogram_table, pair_pictures, pair_table, source_table
from .masks import PATTERNS, found_in_texts
from .options import LABEL_ERROR, CleanOptions
from .sources import CleaningSource

CAUTION = "A fault is a reason to look, not a verdict: a repeated row may be what the world is like."
FIRST = ("leak", "near-leak", "conflict", "duplicate", "near-duplicate", "disguised-missing", "undocumented-code")
"""Kinds that the answer names first."""
_UNCOUNTED = ("imbalance", "lack of normalization")
MOST_KINDS = 5
"""Of fault that the answer names."""
MOST_ROWS = 5
"""Of a kind and part that are listed on the page."""


def cleaning_section(
    source: CleaningSource,
    faults: Sequence[Fault],
    removed: pd.DataFrame,
    options: CleanOptions,
    contradicted: int | None = None,
) -> Section:
    """The section of these faults; `contradicted` is how many labels models contradict, where they were asked."""
    sizes = {part: len(raw) for part, raw in source.parts.items()}
    tables = {"faults": kind_table(faults, sizes)}
    examples = {
        "remedies": remedy_table(faults),
        "pairs": pair_table(source, faults),
        "sources": source_table(source, faults),
        "columns": _column_table(faults),
        "rows": _row_table(source, faults),
        "left_out": left_out_table(removed),
        "pictures": pair_pictures(source, faults),
        "histograms": histogram_table(source, faults),
    }
    tables |= {name: table for name, table in examples.items() if len(table)}
    text = [sentence(source.raw.name, faults, sizes), *leak_sentences(faults, sizes)]
    text += [f"Models contradict {plural(contradicted, 'label')}."] if contradicted is not None else []
    text += [_actions(removed, options, _hidden(source)), CAUTION if faults or contradicted else NOTHING]
    return SPEC.answer(" ".join(text), row_counts(faults, sizes), tables)


NOTHING = "That nothing was found does not show that the data are right."


def kind_table(faults: Sequence[Fault], sizes: dict[str, int]) -> pd.DataFrame:
    """One row per kind and part: how many rows or columns have it, and the share of rows."""
    rows = []
    for kind, description in KINDS.items():
        for part, size in sizes.items():
            own = [fault for fault in faults if fault.kind == kind and fault.part == part]
            if own:
                count = len(faulty_rows(own, kind, part))
                columns = sum(fault.row is None for fault in own)
                share = count / size if size and count else float("nan")
                rows.append((description.title, kind, part, count, columns, share))
    return pd.DataFrame(rows, columns=["fault", "kind", "part", "rows", "columns", "share"])


def remedy_table(faults: Sequence[Fault]) -> pd.DataFrame:
    """What each kind of fault is, and what one may do about it."""
    kinds = [kind for kind in KINDS if any(fault.kind == kind for fault in faults)]
    rows = [(KINDS[kind].title, KINDS[kind].meaning, KINDS[kind].remedy) for kind in kinds]
    return pd.DataFrame(rows, columns=["fault", "meaning", "remedy"])


def counts(faults: Sequence[Fault]) -> dict[str, int]:
    """How many rows of each kind, or columns where it has no rows; the kinds that matter most first."""
    order = [*FIRST, *(kind for kind in KINDS if kind not in FIRST)]
    totals = {}
    for kind in order:
        own = [fault for fault in faults if fault.kind == kind]
        rows = {(fault.part, fault.row) for fault in own if fault.row is not None}
        totals[kind] = len(rows) or len(own)
    return {kind: total for kind, total in totals.items() if total}


def sentence(name: str, faults: Sequence[Fault], sizes: dict[str, int]) -> str:
    """How many rows there are, and how many have which fault."""
    rows = plural(sum(sizes.values()), "row")
    if len(sizes) > 1:
        rows += f" ({', '.join(f'{part} {size:,}' for part, size in sizes.items())})"
    totals = counts(faults)
    if not totals:
        return f"{name}: no fault is seen in {rows}."
    words = [_counted(total, KINDS[kind].title) for kind, total in totals.items()]
    others = len(words) - MOST_KINDS
    words = words[:MOST_KINDS] + ([plural(others, "further kind")] if others > 0 else [])
    listing = " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
    return f"{name}: {listing} in {rows}."


def _counted(total: int, title: str) -> str:
    if title in _UNCOUNTED:
        return title
    return f"{total:,} {title.removesuffix('s') if total == 1 else title}"


def leak_sentences(faults: Sequence[Fault], sizes: dict[str, int]) -> list[str]:
    """Of each part that shares rows with an earlier one, how many."""
    words = []
    pairs = dict.fromkeys((f.part, f.other_part) for f in faults if f.kind == "leak")
    for part, other in pairs:
        own = [fault for fault in faults if fault.other_part == other]
        count = len(faulty_rows(own, "leak", part))
        share = percent(count / sizes[part])
        words.append(f"Of {part}, {count:,} of {plural(sizes[part], 'row')} ({share}) are in {other}, too.")
    return words


def _hidden(source: CleaningSource) -> str:
    """What is hidden in all that is stored; of what is looked for in texts how often it was found."""
    original, _ = source.texts
    columns = set(original.columns) if isinstance(original, pd.DataFrame) else set()
    looked_for = [name for name in source.masks.fields if name in PATTERNS and name not in columns]
    found = found_in_texts(original, looked_for) if looked_for else {}
    shown = []
    for name, how in source.masks.fields.items():
        if name not in looked_for:
            shown.append(f"{name} ({how})")
        elif found[name]:
            shown.append(f"{name} ({how}, {plural(found[name], 'place')})")
    text = f" Hidden in all that is stored: {', '.join(shown)}." if shown else ""
    absent = [name for name in looked_for if not found[name]]
    return text + (f" None was found to hide: {', '.join(absent)}." if absent else "")


def _actions(removed: pd.DataFrame, options: CleanOptions, masks: str) -> str:
    if not options.apply:
        return f"Nothing was left out.{masks}"
    if not len(removed):
        return f"No training row has a fault that was to be left out ({', '.join(options.apply)}).{masks}"
    kinds = removed["kind"].value_counts(sort=False)
    titles = {LABEL_ERROR: "labels that models contradict"} | {name: kind.title for name, kind in KINDS.items()}
    listing = ", ".join(f"{titles[str(kind)]} {count:,}" for kind, count in kinds.items())
    return f"Left out of the copy: {plural(len(removed), 'training row')} ({listing}); undo gives them back.{masks}"


def row_counts(faults: Sequence[Fault], sizes: dict[str, int]) -> dict[str, Interval]:
    """How many rows there are, and the share of them that have any fault; all parts together."""
    n = sum(sizes.values())
    rows = {(fault.part, fault.row) for fault in faults if fault.row is not None}
    return {
        "rows": Interval(float(n), n=n, method="counted"),
        "faulty": Interval(len(rows) / n, n=n, method="counted") if n else Interval.undefined("no rows"),
    }


def left_out_table(removed: pd.DataFrame) -> pd.DataFrame:
    """How many rows of each part were left out for which fault."""
    if not len(removed):
        return pd.DataFrame(columns=["part", "kind", "rows"])
    table = removed.groupby(["part", "kind"], sort=False).size().rename("rows").reset_index()
    return pd.DataFrame(table)


def _column_table(faults: Sequence[Fault]) -> pd.DataFrame:
    rows = [(f.kind, f.part, f.column, f.reason) for f in faults if f.row is None]
    return pd.DataFrame(rows, columns=["kind", "part", "column", "reason"])


def _row_table(source: CleaningSource, faults: Sequence[Fault]) -> pd.DataFrame:
    """The first rows of every kind and part."""
    listed: dict[tuple[str, str], int] = {}
    rows = []
    for fault in faults:
        key = (fault.kind, fault.part)
        listed[key] = listed.get(key, 0) + (fault.row is not None)
        if fault.row is not None and listed[key] <= MOST_ROWS:
            instance = source.instance(fault.part, fault.row)
            rows.append((fault.kind, fault.part, fault.row, instance, fault.column, fault.reason))
    return pd.DataFrame(rows, columns=["kind", "part", "row", "instance", "column", "reason"])


SPEC = SectionSpec(
    "cleaning",
    "Is the data in order?",
    numbers={"rows": "rows", "faulty": "rows with any fault", "left_out": "training rows left out"},
    percent=("faulty", "left_out"),
    tables={
        "faults": TableSpec(
            "Rows: that have the fault. Columns: faults of whole columns or parts. Share: of the rows of the part.",
            rows=100,
        ),
        "pairs": TableSpec(
            "The first pairs of each kind. Addresses and numbers of persons are masked.",
            headings={"like": "is like", "label_of_that": "its label", "content_of_that": "its content"},
            rows=20,
            ranked=True,
        ),
        "sources": TableSpec("Values in question by where the rows come from."),
        "columns": TableSpec(rows=60, ranked=True),
        "rows": TableSpec("The first rows of each kind and part; faults.csv has all.", rows=80, ranked=True),
        "left_out": TableSpec("removed.csv has every row, with its reason and its content."),
        "pictures": TableSpec(rows=0, ranked=True),
        "histograms": TableSpec(rows=0, ranked=True),
    },
)
