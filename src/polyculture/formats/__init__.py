"""The door inwards: whatever tells what models answered (tables, arrays, logs) becomes Predictions."""

from __future__ import annotations

from .alignment import Aligned, Alignment
from .inference import ask
from .normalization import NORMALIZERS
from .predictions_folder import write
from .reader import align, read
from .rules import NAME_RULES, Rules
from .tables.shards import read_shards
from .values import ValueSets, read_value_sets, read_values, values_folder, write_values

__all__ = [
    "NAME_RULES",
    "NORMALIZERS",
    "Aligned",
    "Alignment",
    "Rules",
    "ValueSets",
    "align",
    "ask",
    "read",
    "read_shards",
    "read_value_sets",
    "read_values",
    "values_folder",
    "write",
    "write_values",
]
