"""Which judges prefer their own side? What each gives to it more than others do."""

from __future__ import annotations

from polyculture.results import Section

from ..charts.judge_biases import bias_figure
from ..charts.vega import Spec


def draw(section: Section) -> dict[str, Spec]:
    """A row per judge and relation: what its own side gets from it more than from others."""
    return bias_figure(section, "more", "What judges give to their own side", "share of the win beyond others'")
