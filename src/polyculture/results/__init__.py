"""What was found? Frozen values that the report draws; every picture is also a table, and all of it is JSON.

audit (how alike, why, whom it hurts) · portfolio (which few to keep) · encoding (JSON in and out)
"""

from __future__ import annotations

from .audit import (
    FEWEST_INSTANCES,
    Audit,
    Finding,
    Leaderboard,
    NullModel,
    Pairwise,
    Section,
    Severity,
    Systemic,
    section_json,
)
from .portfolio import Certificate, Portfolio

__all__ = [
    "FEWEST_INSTANCES",
    "Audit",
    "Certificate",
    "Finding",
    "Leaderboard",
    "NullModel",
    "Pairwise",
    "Portfolio",
    "Section",
    "Severity",
    "Systemic",
    "section_json",
]
