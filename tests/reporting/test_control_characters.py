"""Are control characters in names and answers shown as text, and kept in data?"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import polyculture as pc
from polyculture.dataset import Dataset, Split
from polyculture.formats import align
from polyculture.predictions import Predictions
from polyculture.reporting import terminal
from polyculture.reporting.control_characters import shown
from polyculture.reporting.progress_bars import progress_bars
from polyculture.reporting.terminal_section import terminal_section
from polyculture.results import Audit
from polyculture.results.figure import Figure

NAMES = ["evil\x1b[2J\x1b]0;title\x07", "c1\x9b31m", "turned\u202egnp", "usual"]
CONTROLS = ("\x1b", "\x07", "\x9b", "\u202e")


@pytest.fixture(scope="module")
def audit() -> Audit:
    rng = np.random.default_rng(0)
    labels = np.array(["yes\x1b[31m", "no", "\x9bmaybe"])[rng.integers(0, 3, 300)]
    answers = {name: np.where(rng.random(300) < 0.3, "no", labels) for name in NAMES}
    return pc.audit(Predictions.from_answers(answers, labels), source="file\x1b[2J.csv")


def test_the_terminal_page_shows_them_as_escapes(audit: Audit) -> None:
    for size in (80, 200):
        text = io.StringIO()
        terminal(audit, Console(file=text, width=size))
        assert not set(CONTROLS) & set(text.getvalue())
        assert "evil\\x1b[2J" in text.getvalue()
    for section in audit.sections:
        text = io.StringIO()
        terminal_section(section, Console(file=text))
        assert not set(CONTROLS) & set(text.getvalue())


def test_the_page_shows_them_as_escapes(audit: Audit, tmp_path: Path) -> None:
    page = pc.report(audit, tmp_path / "page.html").read_text("utf-8")
    assert not set(CONTROLS) & set(page)
    assert "evil\\x1b[2J" in page


def test_what_a_result_prints_shows_them_as_escapes(audit: Audit) -> None:
    for value in (audit, audit.leaderboard, audit.systemic, audit.pairwise, *audit.findings, *audit.sections):
        assert not set(CONTROLS) & set(repr(value))
    assert not set(CONTROLS) & set(audit._repr_html_())


def test_progress_shows_them_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars(announce=True) as advance:
        advance("reading", 0, 0, "file\x1b[2J")
    assert capsys.readouterr().out == "read  file\\x1b[2J\n"


def test_data_keep_them(audit: Audit) -> None:
    assert set(Audit.from_json(audit.to_json()).leaderboard.table["model"]) == set(NAMES)
    shown(audit)
    assert set(audit.leaderboard.table["model"]) == set(NAMES)


def test_what_a_noun_prints_shows_them_as_escapes(tmp_path: Path) -> None:
    labels = ["yes\x1b[31m", "no\x9b"] * 20
    answers = {name: labels[::-1] if k else labels for k, name in enumerate(NAMES)}
    aligned = align(pd.DataFrame({"label\u202e": labels} | answers), label="label\u202e")
    dataset = Dataset(np.zeros((4, 2)), np.arange(4) % 2, ("a\x1b", "b"), name="digits\x1b[2J")
    split = Split(dataset, dataset, dataset, {"noise\x1b[2J": dataset})
    for value in (aligned, aligned.report, aligned.predictions, dataset, split, Figure(description="of\x1b[2J")):
        assert not set(CONTROLS) & set(repr(value)), repr(value)


def test_categories_are_shown_as_escapes_in_their_order() -> None:
    kind = pd.CategoricalDtype(["small\x1b", "large"], ordered=True)
    table = pd.DataFrame({"size": pd.Series(["large", "small\x1b"], dtype=kind), "plain": ["a", "b"]})
    assert shown(table)["size"].tolist() == ["large", "small\\x1b"]
    plain = table.assign(size=table["size"].cat.rename_categories(["small", "large"]))
    assert shown(plain)["size"].dtype == pd.CategoricalDtype(["small", "large"], ordered=True)
    assert shown(np.array(["a\x1b", "b"])).tolist() == ["a\\x1b", "b"]
