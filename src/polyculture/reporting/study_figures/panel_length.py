"""Which judges prefer length? What being longer is worth to each, given who made the outputs."""

from __future__ import annotations

from polyculture.results import Section

from ..charts.judge_biases import bias_figure
from ..charts.vega import Spec


def draw(section: Section) -> dict[str, Spec]:
    """A row per judge: what an output gains by being the longer one."""
    return bias_figure(section, "given", "What being longer is worth", "share of the win gained by being longer")
