"""Which figures does a result have? By the names that `.plot` takes."""

from __future__ import annotations

from polyculture.results import Audit, Portfolio, Section

from .audit_figures import figures
from .charts.vega import Spec
from .sections import section_figures


def figures_of(result: Audit | Section | Portfolio) -> dict[str, Spec]:
    """Every figure of a result by name; those of a section or a portfolio without the section's name in front."""
    if isinstance(result, Audit):
        return figures(result)
    if isinstance(result, Portfolio):
        from polyculture.selection import section

        result = section(result)
    return {key.removeprefix(f"{result.name}_"): spec for key, spec in section_figures(result).items()}
