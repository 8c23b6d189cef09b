"""A table fits any terminal: numbers whole, texts wrapped at spaces, long names without their middle."""

from __future__ import annotations

import io

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from polyculture.reporting.terminal_section import terminal_section
from polyculture.reporting.terminal_table import elided, terminal_table, wrapped
from polyculture.results import Section
from polyculture.results.tables import table

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=90)
SENTENCES = st.lists(NAMES, max_size=6).map(" ".join)


def lines(frame: pd.DataFrame, width: int) -> tuple[list[str], str]:
    grid, omitted = terminal_table(table(frame), width)
    console = Console(file=io.StringIO(), width=width)
    console.print(grid)
    return console.file.getvalue().split("\n"), omitted


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(NAMES, SENTENCES, st.floats(-1e6, 1e6), st.floats(0, 1), NAMES), min_size=1, max_size=4),
    st.integers(30, 120),
)
def test_no_line_is_wider_and_no_number_is_cut(rows: list[tuple[str, str, float, float, str]], width: int) -> None:
    frame = pd.DataFrame(rows, columns=["model", "why it is not kept", "gain over the best", "low", "rival"])
    printed, omitted = lines(frame, width)
    assert max(map(cell_len, printed)) <= width
    text = " ".join(printed)
    for heading, column in zip(table(frame).headings, zip(*table(frame).rows, strict=True), strict=True):
        if heading in ("gain over the best", "low") and heading not in omitted:
            assert all(cell in text for cell in column)


@given(NAMES, st.integers(3, 40))
def test_a_long_name_keeps_its_ends(name: str, width: int) -> None:
    text = elided(name, width)
    assert cell_len(text) <= width
    if cell_len(name) <= width:
        assert text == name
    else:
        head, tail = text.split("…")[0], text.split("…")[-1]
        assert name.startswith(head)
        assert name.endswith(tail)


def test_an_elided_name_keeps_as_much_of_both_ends() -> None:
    assert elided("vendor/model-70B-instruct-q4_K_M", 17) == "vendor/m…t-q4_K_M"
    assert elided("模型模型模型模型", 9) == "模型…模型"


def test_a_number_and_its_percent_sign_stay_on_one_line() -> None:
    assert wrapped("error 2.64 % [1.65\u00a0%, 4.01 %]", 12) == "error 2.64 %\n[1.65\u00a0%,\n4.01 %]"


def test_columns_that_do_not_fit_are_named() -> None:
    frame = pd.DataFrame({f"measure{i}": [1234.5678 + i] for i in range(20)}, index=["a"])
    printed, omitted = lines(frame, 60)
    assert max(map(len, printed)) <= 60
    assert omitted.endswith("measure19")
    assert "measure0" in printed[0]


def test_a_section_names_what_it_leaves_out_and_leaves_out_what_is_empty() -> None:
    wide = pd.DataFrame({"model": ["m"], "empty": [""]} | {f"measure{i}": [0.5] for i in range(20)})
    section = Section("mine", "What is wide?", "This is.", {}, {"wide": wide})
    console = Console(file=io.StringIO(), width=80)
    terminal_section(section, console)
    text = console.file.getvalue()
    assert "Columns that do not fit: measure" in text
    assert "empty" not in text
    assert max(map(len, text.split("\n"))) <= 80
