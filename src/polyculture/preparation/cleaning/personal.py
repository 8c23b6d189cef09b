"""Which fields may identify a person? By their form and checksum, by the name of a column, by being distinct."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from .columns import PooledColumn
from .fault import Fault
from .personal_patterns import FIELD_NAMES, identifier_header, personal_header, personal_spans
from .pool import Pool

DISTINCT_SHARE = 0.95
"""Share of distinct values that makes a column with an identifier's name one of identifiers."""
CARD_SHARE = 0.5
"""Share of the numbers of a column of numbers that are valid cards; a tenth is by chance."""


def personal_fields(pool: Pool) -> Iterator[Fault]:
    """Columns of tables and of the instances as one fault each, texts row by row. No value is quoted.

    What is looked for are e-mail addresses, phone numbers, bank accounts (check digits modulo 97) and cards (Luhn's
    check digit) in texts; columns whose name says that they are personal; and identifiers.
    """
    first = pool.parts[0].name
    for column in (*pool.columns, *_instance_columns(pool)):
        reason = _reason(column)
        if reason:
            yield Fault("personal", first, None, reason, column.name)
    for part, start, name, inputs in pool.other_inputs():
        if part.modalities[name] in ("text", "tags"):
            for row, text in enumerate(inputs):
                kinds = Counter(
                    kind for _, _, kind in personal_spans(text if isinstance(text, str) else " ".join(text))
                )
                if kinds:
                    reason = "holds " + " and ".join(FIELD_NAMES[kind] for kind in kinds)
                    yield pool.fault("personal", start + row, reason, pool.input_label(name))


def _instance_columns(pool: Pool) -> Iterator[PooledColumn]:
    """What is known about instances, and their ids where they are no row numbers."""
    frames = [part.instances for part in pool.parts if len(part)]
    if not frames:
        return
    names = dict.fromkeys(str(name) for frame in frames for name in frame.columns)
    frame = pd.concat(frames, ignore_index=True)
    for name in names:
        if name != "file":
            yield PooledColumn.of(name, frame[name])
    if not all(isinstance(rows.index, pd.RangeIndex) or rows.index.dtype.kind in "iu" for rows in frames):
        yield PooledColumn.of(
            "instance", pd.Series(np.concatenate([np.asarray(rows.index, object) for rows in frames]))
        )


def _reason(column: PooledColumn) -> str:
    name = column.name.rpartition(": ")[2]
    total = int((~column.gaps).sum())
    if not total:
        return ""
    if meaning := personal_header(name):
        return f"may hold {meaning}, by its name"
    if column.numeric:
        cards = _card_share(column)
        if cards >= CARD_SHARE:
            return f"holds {FIELD_NAMES['card']} in most rows"
    else:
        counts = Counter(kind for text in column.present for kind in {kind for _, _, kind in personal_spans(text)})
        if counts:
            kind, count = counts.most_common(1)[0]
            return f"holds {FIELD_NAMES[kind]} in {count:,} of {total:,} rows"
    distinct = len(pd.unique(column.present))
    if identifier_header(name) and total >= 5 and distinct >= DISTINCT_SHARE * total:
        return f"may identify a person: {distinct:,} distinct values in {total:,} rows, and its name"
    return ""


def _card_share(column: PooledColumn) -> float:
    """Share of whole numbers of a column that are valid cards."""
    numbers = column.present
    if not len(numbers) or numbers.min() < 1e12 or numbers.max() >= 2**53:
        return 0.0
    texts = [str(int(number)) for number in numbers]
    return float(np.mean([any(kind == "card" for _, _, kind in personal_spans(text)) for text in texts]))
