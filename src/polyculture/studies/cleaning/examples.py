"""What do faulty rows look like? Pairs side by side, as pictures or quoted, and columns with a spike as histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, UInt8

from polyculture.preparation.cleaning import Fault, mask
from polyculture.preparation.problems import RawData

from .masks import PATTERNS
from .sources import CleaningSource

PAIRED = ("leak", "near-leak", "conflict", "duplicate", "near-duplicate")
"""Kinds of fault that name two rows."""
SPIKES = ("disguised-missing", "undocumented-code")
MOST_PAIRS = 4
"""Of a kind."""
MOST_COLUMNS = 4
MOST_CELLS = 6
MOST_LETTERS = 160
BINS = 30
FEW_VALUES = 20
"""Distinct values up to which each has a bar of its own."""
LARGEST_SIDE = 32
PICTURES = ["example", "title", "caption", "height", "width", "channels", "levels"]


def pair_table(source: CleaningSource, faults: Sequence[Fault]) -> pd.DataFrame:
    """The first pairs of each kind: where both rows stand, their labels, and what they say."""
    pairs = _pairs(faults)
    columns = personal_columns(faults)
    rows = []
    for fault in pairs:
        assert fault.row is not None
        assert fault.other_row is not None
        sides = ((fault.part, fault.row), (fault.other_part, fault.other_row))
        words = [quote(source.parts[part], [row], columns)[0] for part, row in sides]
        labels = [str(source.parts[part].labels[row]) for part, row in sides]
        names = [f"{part} {source.instance(part, row)}" for part, row in sides]
        rows.append((fault.kind, *words, *labels, *names))
    table = pd.DataFrame(rows, columns=["kind", "content", "content_of_that", "label", "label_of_that", "row", "like"])
    return table if (table["content"] != "").any() else table.drop(columns=["content", "content_of_that"])


def pair_pictures(source: CleaningSource, faults: Sequence[Fault]) -> pd.DataFrame:
    """Both pictures of the first pairs of each kind; empty where the rows are no pictures."""
    rows: list[tuple[object, ...]] = []
    for k, fault in enumerate(_pairs(faults)):
        assert fault.row is not None
        assert fault.other_row is not None
        for part, row in ((fault.part, fault.row), (fault.other_part, fault.other_row)):
            raw = source.parts[part]
            caption = f"{part} {source.instance(part, row)}, labelled {raw.labels[row]}"
            rows += picture_row(raw, row, k, fault.kind, caption)
    return pd.DataFrame(rows, columns=PICTURES)


def _pairs(faults: Sequence[Fault]) -> list[Fault]:
    pairs: list[Fault] = []
    for kind in PAIRED:
        pairs += [f for f in faults if f.kind == kind and f.row is not None and f.other_row is not None][:MOST_PAIRS]
    return pairs


def picture_row(raw: RawData, row: int, example: int, title: str, caption: str) -> list[tuple[object, ...]]:
    """One row of a table of pictures, with its levels in hexadecimal; none where the instance is no picture."""
    if raw.modality not in ("image", "volume") or not isinstance(raw.inputs, np.ndarray):
        return []
    pixels = levels_of(raw, row)
    size = (pixels.shape[0], pixels.shape[1], pixels.shape[2] if pixels.ndim == 3 else 1)
    return [(example, title, caption, *size, pixels.tobytes().hex())]


def levels_of(raw: RawData, row: int) -> UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"]:
    """A picture in 0 … 255, at most 32 pixels a side; of a volume the middle slice."""
    pixels = np.asarray(np.asarray(raw.inputs)[row], np.float64)
    pixels = pixels[len(pixels) // 2] if raw.modality == "volume" else pixels
    pixels = pixels[..., :3] if pixels.ndim == 3 and pixels.shape[2] >= 3 else pixels
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] < 3 else pixels
    step = -(-max(pixels.shape[:2]) // LARGEST_SIDE)
    scaled = 255 * pixels[::step, ::step] / raw.full_pixel
    return np.rint(np.clip(np.nan_to_num(scaled), 0, 255)).astype(np.uint8)


def quote(raw: RawData, rows: Sequence[int], personal: Collection[str] = ()) -> list[str]:
    """What these rows say in a few words, with personal columns left out and addresses masked."""
    chosen = raw.take(np.asarray(rows, np.int64))
    if chosen.modality == "text" or isinstance(chosen.inputs, pd.DataFrame):
        chosen = mask(chosen, dict.fromkeys(PATTERNS, "mask"))
    if isinstance(chosen.inputs, pd.DataFrame):
        frame = chosen.inputs[[name for name in chosen.inputs.columns if name not in personal]]
        return [
            _cut(", ".join(f"{name} {_short(value)}" for name, value in row.items())) for _, row in frame.iterrows()
        ]
    if chosen.modality in ("text", "tags"):
        return [_cut(" ".join(text) if isinstance(text, tuple) else str(text)) for text in chosen.inputs]
    if chosen.modality == "table":
        return [_cut(", ".join(_short(value) for value in row)) for row in chosen.inputs]
    return [""] * len(rows)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else "–" if value is None else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def personal_columns(faults: Sequence[Fault]) -> frozenset[str]:
    """The columns that hold something personal."""
    return frozenset(fault.column for fault in faults if fault.kind == "personal" and fault.column)


def histogram_table(source: CleaningSource, faults: Sequence[Fault]) -> pd.DataFrame:
    """Bars of the columns with a spike: from, to, how many values, and how many of them are in question."""
    counts = Counter(fault.column for fault in faults if fault.kind in SPIKES and fault.column)
    columns = [name for name, _ in counts.most_common(MOST_COLUMNS)]
    tables = [table for name in columns if len(table := _histogram(source, faults, name))]
    empty = pd.DataFrame(columns=["column", "from", "to", "values", "in_question", "lowest", "highest"])
    return pd.concat(tables, ignore_index=True) if tables else empty


def _histogram(source: CleaningSource, faults: Sequence[Fault], name: str) -> pd.DataFrame:
    values, questioned = _values(source, faults, name)
    finite = np.isfinite(values)
    values, questioned = values[finite], questioned[finite]
    if not len(values):
        return pd.DataFrame()
    distinct = np.unique(values)
    if len(distinct) <= FEW_VALUES:
        gap = float(np.diff(distinct).min(initial=np.inf))
        half = 0.4 * (gap if np.isfinite(gap) else 1.0)
        edges = np.stack([distinct - half, distinct + half], axis=1)
        place = np.searchsorted(distinct, values)
    else:
        ends = np.histogram_bin_edges(values, BINS)
        edges = np.stack([ends[:-1], ends[1:]], axis=1)
        place = np.clip(np.searchsorted(ends, values, side="right") - 1, 0, BINS - 1)
    totals = np.bincount(place, minlength=len(edges))
    doubtful = np.bincount(place[questioned], minlength=len(edges))
    bars = {"column": name, "from": edges[:, 0], "to": edges[:, 1], "values": totals, "in_question": doubtful}
    bars |= {"lowest": distinct[0], "highest": distinct[-1]}
    return pd.DataFrame(bars).query("values > 0")


def _values(source: CleaningSource, faults: Sequence[Fault], name: str) -> tuple[Float[np.ndarray, " n"], np.ndarray]:
    """The numbers of a column in all parts, and which of them are in question."""
    numbers, questioned = [], []
    for part, raw in source.parts.items():
        column = column_of(raw, name)
        rows = [f.row for f in faults if f.kind in SPIKES and f.column == name and f.part == part and f.row is not None]
        numbers.append(pd.to_numeric(column, errors="coerce").to_numpy(np.float64))
        questioned.append(np.isin(np.arange(len(raw)), rows))
    return np.concatenate(numbers), np.concatenate(questioned)


def column_of(raw: RawData, name: str) -> pd.Series:
    """A column of a table by its name; the first is ``0`` where columns have no names."""
    if isinstance(raw.inputs, pd.DataFrame):
        return raw.inputs[name] if name in raw.inputs else pd.Series(np.nan, index=range(len(raw)))
    if raw.inputs.ndim == 2 and name.isdigit() and int(name) < raw.inputs.shape[1]:
        return pd.Series(raw.inputs[:, int(name)])
    return pd.Series(np.nan, index=range(len(raw)))


def source_table(source: CleaningSource, faults: Sequence[Fault]) -> pd.DataFrame:
    """By column and file or group: how many values are in question; empty where there is one source."""
    rows = []
    for part, raw in source.parts.items():
        name = next((name for name in ("file", "speaker") if name in raw.instances), "")
        if not name or raw.instances[name].nunique() < 2:
            continue
        groups = raw.instances[name].astype(str).to_numpy()
        sizes = Counter(groups)
        doubtful = Counter((f.kind, f.column, groups[f.row]) for f in faults if _spikes_in(f, part))
        for kind, column in sorted({(kind, column) for kind, column, _ in doubtful}):
            rows += [(kind, column, part, group, doubtful[kind, column, group], n) for group, n in sizes.items()]
    return pd.DataFrame(rows, columns=["kind", "column", "part", "source", "in_question", "rows"])


def _spikes_in(fault: Fault, part: str) -> bool:
    return fault.kind in SPIKES and fault.part == part and fault.row is not None


def faulty_rows(faults: Sequence[Fault], kind: str, part: str) -> Int[np.ndarray, " k"]:
    """The rows of a part that have a fault of a kind, each counted at most once."""
    rows = {f.row for f in faults if f.kind == kind and f.part == part and f.row is not None}
    return np.array(sorted(rows), np.int64)
