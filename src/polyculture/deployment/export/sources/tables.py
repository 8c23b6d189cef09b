"""How do the columns of files reach the bundle? As data: numbers, categories, and how gaps are filled."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from polyculture.preparation.problems.column_encoding import ColumnEncoder

from ...bundle.encoding import GAP
from ...bundle.manifest import Column


def raw_columns(encoder: ColumnEncoder) -> tuple[Column, ...]:
    """The columns that a record has to have; cells may be empty where some were in training."""
    numbers = [Column(name, missing=gaps) for name, _, gaps in encoder.numeric]
    categories = [
        Column(name, "category", tuple(level for level in levels if level != GAP), GAP in levels)
        for name, levels in encoder.categories
    ]
    return (*numbers, *categories)


def table_document(encoder: ColumnEncoder) -> dict[str, Any]:
    """How these columns become numbers: medians and flags of gaps; of categories the levels that have a column."""
    numbers = [{"median": median, "flag": gaps} for _, median, gaps in encoder.numeric]
    return {"columns": [*numbers, *({"levels": list(levels)} for _, levels in encoder.categories)]}


def raw_rows(encoder: ColumnEncoder, numbers: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
    """The raw cells of encoded rows: numbers with nan for gaps, positions of categories, −1 for unknown ones."""
    cells, position = [], 0
    for _, _, gaps in encoder.numeric:
        column = numbers[:, position].astype(np.float64)
        cells.append(np.where(numbers[:, position + 1] > 0, np.nan, column) if gaps else column)
        position += 2 if gaps else 1
    for _, levels in encoder.categories:
        block = numbers[:, position : position + len(levels)]
        named = [level for level in levels if level != GAP]
        codes = np.array([named.index(level) if level != GAP else np.nan for level in levels])
        cells.append(np.where(block.any(axis=1), codes[block.argmax(axis=1)], -1.0))
        position += len(levels)
    return np.stack(cells, axis=1)
