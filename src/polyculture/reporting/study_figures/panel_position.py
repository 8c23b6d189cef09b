"""Which judges prefer a position? What being shown first is worth to each."""

from __future__ import annotations

from polyculture.results import Section

from ..charts.judge_biases import bias_figure
from ..charts.vega import Spec


def draw(section: Section) -> dict[str, Spec]:
    """A row per judge: what an output gains by being shown first."""
    return bias_figure(section, "first", "What being shown first is worth", "share of the win gained by being first")
