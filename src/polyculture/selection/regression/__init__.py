"""Which few models should I keep where the truth is a number, and what is their weighted mean worth?

selecting (the verb) · choosing (floor, search, weights) · averages (members with weights) · quantities · exam ·
certificate
"""

from __future__ import annotations

from .averages import RULES
from .choice import SEARCH
from .objectives import QUANTITIES
from .portfolio import combine_values, select_values

__all__ = ["QUANTITIES", "RULES", "SEARCH", "combine_values", "select_values"]
