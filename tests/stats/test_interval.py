"""Is a number written as people read it?"""

from __future__ import annotations

import pytest

from polyculture import Interval


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7890.0, "7,890"),
        (789.4, "789"),
        (1.0, "1"),
        (-7890.0, "-7,890"),
        (999.6, "1,000"),
        (7.89e8, "789,000,000"),
        (7.89e9, "7.89 × 10^9"),
        (3.1e24, "3.1 × 10^24"),
        (1.2e-7, "1.2 × 10^-7"),
        (0.0, "0"),
    ],
)
def test_large_and_small_numbers_have_no_exponent(number: float, text: str) -> None:
    assert Interval(number, number, number).format(".3g") == f"{text} [{text}, {text}]"
