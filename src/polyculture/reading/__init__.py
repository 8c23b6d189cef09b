"""The door inwards: whatever tells what models answered (tables, arrays, logs) becomes Predictions."""

from __future__ import annotations

from .alignment import Aligned, Alignment
from .asking import ask
from .files import align, read
from .folder import write
from .normalizing import NORMALIZERS
from .rules import NAME_RULES, Rules
from .shards import read_shards

__all__ = ["NAME_RULES", "NORMALIZERS", "Aligned", "Alignment", "Rules", "align", "ask", "read", "read_shards", "write"]
