"""What are the results? Frozen values with a short text, HTML for notebooks, tables, figures and JSON.

audit · section · panel · portfolio · gates (bounds on an audit) · summary (text and HTML) · tables (frames as text) ·
figure (on demand) · encoding (JSON) · packing and pair_storage (large tables in JSON) · json_schema
"""

from .audit import FEWEST_INSTANCES, Audit, Finding, Leaderboard, NullModel, Pairwise, Systemic, section_json
from .figure import Figure
from .gates import CheckResult, Gate, GateResult
from .json_schema import json_schema
from .panel import PanelSums
from .portfolio import Certificate, Portfolio
from .section import Section, SectionSpec, Severity, TableSpec

__all__ = [
    "FEWEST_INSTANCES",
    "Audit",
    "Certificate",
    "CheckResult",
    "Figure",
    "Finding",
    "Gate",
    "GateResult",
    "Leaderboard",
    "NullModel",
    "Pairwise",
    "PanelSums",
    "Portfolio",
    "Section",
    "SectionSpec",
    "Severity",
    "Systemic",
    "TableSpec",
    "json_schema",
    "section_json",
]
