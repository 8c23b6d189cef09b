"""Does the panel still have enough independent votes? A fixture for pytest: ``assert_panel(votes=2)`` in a test.

    def test_our_judges_are_not_one(assert_panel):
        assert_panel("verdicts.csv", votes=2.0, gap=0.10)

The package registers it with pytest. A test fails where the interval shows the bound to be broken, and not by accident.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from polyculture.studies.panel import PanelResult

__all__ = ["assert_panel", "hold_panel"]


@pytest.fixture
def assert_panel() -> Callable[..., PanelResult]:
    """Function that reads verdicts as `polyculture.panel` does and holds them to bounds; it gives the result back."""
    return hold_panel


def hold_panel(
    source: Any, *, votes: float | None = None, gap: float | None = None, error: float | None = None, **columns: Any
) -> PanelResult:
    """Fail the test where the panel is shown to break a bound.

    Parameters
    ----------
    source, columns : as in `polyculture.panel`.
    votes : effective votes that the panel must have; fails where the upper limit is below.
    gap : most points of error, as a share, that dependence may cost; fails where the lower limit is above.
    error : highest share of items on which the panel may err; fails where the lower limit is above.
    """
    from polyculture.studies.panel import panel

    result = panel(source, **columns)
    numbers = result.numbers
    for name, bound, above in (("votes", votes, False), ("gap", gap, True), ("panel_error", error, True)):
        if bound is None:
            continue
        interval = numbers[name]
        if not interval.defined:
            pytest.fail(f"{name} of the panel is undefined: {interval.reason}")
        if interval.low > bound if above else interval.high < bound:
            kept = "at most" if above else "at least"
            pytest.fail(f"{name} of the panel is {interval.format('.3g')}, not {kept} {bound:g}. {result.sentence}")
    return result
