"""Does the terminal page say the same, in eighty columns, without colour where nobody sees it?"""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from polyculture.reporting import terminal
from polyculture.results import Audit


def printed(audit: Audit, width: int = 80, **more: bool) -> str:
    console = Console(file=io.StringIO(), width=width, **more)
    terminal(audit, console)
    return console.file.getvalue()


@pytest.mark.parametrize("name", ["digits", "imagenet", "crowd", "pair", "perfect", "hostile"])
def test_the_sentence_comes_first_and_no_line_is_wider_than_the_terminal(
    name: str, request: pytest.FixtureRequest
) -> None:
    audit = request.getfixturevalue(name)
    text = printed(audit)
    assert " ".join(text.split()).startswith(audit.sentence)
    assert max(map(len, text.splitlines())) <= 80


def test_there_is_no_colour_where_the_output_is_no_terminal(digits: Audit) -> None:
    assert "\x1b" not in printed(digits)
    assert "\x1b" in printed(digits, force_terminal=True)


def test_the_terminal_shows_the_null_models_the_numbers_and_the_sections(digits: Audit) -> None:
    text = printed(digits).replace("\u00a0", " ")
    for expected in (
        "N1  ━",
        "mean κ",
        "alert",
        "Far fewer models than it seems.",
        "pairs can be told apart by accuracy.",
        "Models that share a letter cannot be told apart.",
        "The most alike pairs",
        "of them say",
        "Along the shifts",
    ):
        assert expected in text
    assert "the table names no groups" not in text


def test_only_the_best_and_the_worst_of_many_models_are_listed(digits: Audit) -> None:
    text = printed(digits)
    names = list(digits.leaderboard.table["model"])
    assert names[0] in text
    assert names[-1] in text
    assert "26 more" in text


def test_names_that_look_like_markup_stay_text(hostile: Audit) -> None:
    assert "[red]markup[/red]" in printed(hostile)


def test_a_narrow_terminal_cuts_names_in_the_middle_and_no_number(digits: Audit) -> None:
    text = printed(digits, width=50)
    assert max(map(len, text.splitlines())) <= 50
    for row in digits.leaderboard.table.head(5).to_dict("records"):
        start, end = row["model"][:6], row["model"][-4:]
        limits = f"{row['accuracy']:.1%}  [{row['low']:.1%}, {row['high']:.1%}]".replace("%", "\u00a0%")
        assert any(limits in line and start in line and end in line for line in text.splitlines())
