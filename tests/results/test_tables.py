"""Does a table read as people write, and is a small share still different from zero?"""

from __future__ import annotations

import math

import pandas as pd
import pytest

from polyculture.results.summary import share_text
from polyculture.results.tables import MOST_ROWS, cell, table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (pd.NA, "–"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (True, "yes"),
        (False, "no"),
        (50_000, "50,000"),
        (3.0, "3"),
        (0.12345, "0.123"),
        (0.0045123, "0.00451"),
        (-0.0312, "-0.031"),
        (31_622_776.6016, "31,622,777"),
        (1e-9, "< 0.001"),
        (-1e-9, "> -0.001"),
        ("<b>", "<b>"),
    ],
)
def test_a_cell_reads_as_people_write(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_share_reads_in_percent() -> None:
    assert cell(0.1234, share=True) == "12.3\u00a0%"


def test_a_long_table_is_cut_and_says_where_the_whole_is() -> None:
    cut = table(pd.DataFrame({"n": range(1000)}), "audit.pairwise.frame()")
    assert len(cut.rows) == MOST_ROWS
    assert cut.rows[-1] == ("999",)
    assert cut.remark == (
        "The first and the last 60 of 1,000 rows; the full table is audit.pairwise.frame(), or polyculture audit "
        "--json."
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.983, "98.3 %"), (0.00012, "0.012 %"), (1e-30, "< 0.0001 %")],
)
def test_a_small_share_keeps_digits_that_say_something(share: float, text: str) -> None:
    assert share_text(share).replace("\u00a0", " ") == text


def test_an_undefined_share_says_so() -> None:
    assert share_text(math.nan) == "undefined"
