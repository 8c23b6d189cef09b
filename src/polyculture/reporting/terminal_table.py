"""How does a table fit a terminal? Numbers stay whole, texts wrap at spaces, and long names are cut in the middle."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from polyculture.results.tables import DisplayTable

NARROWEST = 14
"""Cells that a column of texts keeps, where a terminal is narrow."""
GAP = 2
"""Cells between columns."""
_SPACE = re.compile(r"[ \u00a0](?!%)|\n")
"""Where a line may end: a number keeps its unit."""


def terminal_table(display: DisplayTable, width: int) -> tuple[Table, str]:
    """A table that is at most this wide, and which columns are left out for it; empty where none is.

    Parameters
    ----------
    display : the table as text, numbers in the digits of the page.
    width : cells of the terminal.

    Columns of numbers are never cut. Those of texts become narrower, the widest first: texts wrap at spaces, and words
    that are longer than their column lose their middle. Where that is not enough the last columns are left out.
    """
    columns = [[display.headings[c], *(row[c] for row in display.rows)] for c in range(len(display.headings))]
    count = len(columns)
    while count > 1 and sum(map(_narrowest, columns[:count], display.numeric)) + GAP * (count - 1) > width:
        count -= 1
    widths = _widths(columns[:count], display.numeric[:count], width - GAP * (count - 1))
    grid = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_edge=False, header_style="dim")
    for heading, numeric, cells in zip(display.headings, display.numeric, widths, strict=False):
        grid.add_column(fitted(heading, cells), justify="right" if numeric else "left", width=cells)
    for row in display.rows:
        grid.add_row(*(fitted(cell, cells) for cell, cells in zip(row, widths, strict=False)))
    return grid, ", ".join(display.headings[count:])


def wrapped(text: str, width: int) -> str:
    """The text with line ends in place of spaces, so that no line is wider; a number and its % stay on one line."""
    lines: list[str] = []
    for word in _SPACE.split(text):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


def elided(text: str, width: int) -> str:
    """The text without its middle, where it is wider than that: ``vendor/mod…q4_K_M``."""
    if cell_len(text) <= width:
        return text
    head, tail, room = "", "", width - 1
    for first, last in zip(text, text[::-1], strict=True):
        for start, end in ((first, ""), ("", last)):
            if cell_len(head + start + end + tail) > room:
                return f"{head}…{tail}"
            head, tail = head + start, end + tail
    return text


def fitted(cell: str, width: int) -> Text:
    """The text on lines of that width, its long words without their middle."""
    return Text(wrapped(" ".join(elided(word, width) for word in _SPACE.split(cell)), width))


def _narrowest(cells: Sequence[str], numeric: bool) -> int:
    """Cells that a column needs: its numbers, or a part of its texts; a heading wraps at its spaces."""
    heading = max(map(cell_len, _SPACE.split(cells[0])))
    if numeric:
        return max([heading, *map(cell_len, cells[1:])])
    return min(max(heading, NARROWEST), _widest(cells))


def _widest(cells: Sequence[str]) -> int:
    return max(map(cell_len, cells))


def _widths(columns: Sequence[Sequence[str]], numeric: Sequence[bool], width: int) -> list[int]:
    """Cells of each column, the widest texts shortened until all fit."""
    least = [_narrowest(cells, number) for cells, number in zip(columns, numeric, strict=True)]
    widths = [_widest(cells) for cells in columns]
    while sum(widths) > width:
        spare = [(cells, c) for c, (cells, low) in enumerate(zip(widths, least, strict=True)) if cells > low]
        if not spare:
            break
        widths[max(spare)[1]] -= 1
    return widths
