"""The numbers that a page of docs/methods states under "Worked example", for the test of the same name."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "methods"
ROW = re.compile(r"^\| ([^|]+?) \| (-?[\d.]+(?:/\d+)?) \|", re.MULTILINE)


class StatedNumbers:
    """Numbers by name; each holds to the digits in which the page states it."""

    def __init__(self, page: Path) -> None:
        example = page.read_text(encoding="utf-8").partition("## Worked example")[2]
        self.numbers = dict(ROW.findall(example))

    def agree(self, computed: dict[str, float]) -> None:
        """Every number of the page was computed, and rounds to what the page says."""
        assert set(computed) == set(self.numbers)
        for name, value in computed.items():
            text = self.numbers[name]
            digits = 12 if "/" in text else len(text.partition(".")[2])
            assert abs(value - float(Fraction(text))) <= 0.5 * 10**-digits + 1e-9, f"{name}: {value}, stated {text}"


@pytest.fixture
def stated(request: pytest.FixtureRequest) -> StatedNumbers:
    """What the page with the name of the test file states."""
    name = request.path.stem.removeprefix("test_").replace("_", "-")
    return StatedNumbers(PAGES / f"{name}.md")
