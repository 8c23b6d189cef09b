"""What was found? Frozen values that the report draws; every picture is also a table, and all of it is JSON.

audit (how alike, why, whom it hurts) · section (further questions) · portfolio (which few to keep) · encoding (JSON)
"""

from __future__ import annotations

from .audit import (
    FEWEST_INSTANCES,
    Audit,
    Finding,
    Leaderboard,
    NullModel,
    Pairwise,
    Systemic,
    section_json,
)
from .portfolio import Certificate, Portfolio
from .section import Section, SectionSpec, Severity, TableSpec

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
    "SectionSpec",
    "Severity",
    "Systemic",
    "TableSpec",
    "section_json",
]
