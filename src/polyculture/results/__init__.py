"""What are the results? Frozen values with a short text, HTML for notebooks, tables, figures and JSON.

audit · section · panel · portfolio · summary (text and HTML) · tables (frames as text) · figure (on demand) · encoding
"""

from .audit import FEWEST_INSTANCES, Audit, Finding, Leaderboard, NullModel, Pairwise, Systemic, section_json
from .figure import Figure
from .panel import PanelSums
from .portfolio import Certificate, Portfolio
from .section import Section, SectionSpec, Severity, TableSpec

__all__ = [
    "FEWEST_INSTANCES",
    "Audit",
    "Certificate",
    "Figure",
    "Finding",
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
    "section_json",
]
