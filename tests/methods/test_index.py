"""The methods as a whole: every page is listed, every formula has one number, every reference finds its formula."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "methods").glob("*.md"))}
NUMBER = re.compile(r"\\tag\{(\w+)\}|\\text\{\((\w+)\)\}")
"""Of a formula: displayed, or within a line."""
TAGS = Counter(displayed or inline for text in PAGES.values() for displayed, inline in NUMBER.findall(text))
SOURCES = [p for room in ("measures", "stats") for p in sorted((ROOT / "src" / "polyculture" / room).rglob("*.py"))]
COMMENTED = [
    ROOT / "src" / "polyculture" / name
    for name in (
        "measures/effective.py",
        "measures/effective_vectors.py",
        "measures/pairs.py",
        "measures/counts.py",
        "measures/systemic.py",
        "measures/structure.py",
        "measures/pair_excess.py",
        "measures/rasch.py",
        "measures/leave_one_out.py",
        "measures/streaming/effective.py",
        "measures/streaming/exact_sums.py",
        "stats/exact.py",
        "stats/influence.py",
        "stats/pairs.py",
        "stats/resampling.py",
        "stats/shares.py",
        "stats/systemic.py",
    )
]


def test_every_page_is_listed() -> None:
    others = set(PAGES) - {"index.md"}
    assert [page for page in sorted(others) if f"]({page})" not in PAGES["index.md"]] == []


def test_every_formula_has_a_number_of_its_own() -> None:
    assert [tag for tag, times in TAGS.items() if times > 1] == []


@pytest.mark.parametrize("page", PAGES)
def test_formulas_that_a_page_refers_to_exist(page: str) -> None:
    tags = set(re.findall(r"\(([A-Z]{1,2}\d+)\)", PAGES[page]))
    referred = {tag for tag in tags if not tag.startswith(("MC", "N0", "N1", "N2", "N3"))}  # simulations, null models
    assert sorted(referred - set(TAGS)) == []


def test_formulas_that_comments_refer_to_exist() -> None:
    comments = [line for path in SOURCES for line in path.read_text(encoding="utf-8").splitlines() if "# " in line]
    referred = {tag for line in comments for tag in re.findall(r"\(([A-Z]{1,2}\d+)\)", line.partition("# ")[2])}
    assert referred
    assert sorted(referred - set(TAGS)) == []


def test_what_is_not_obvious_is_commented() -> None:
    lines = [line for path in COMMENTED for line in path.read_text(encoding="utf-8").splitlines()]
    assert sum(line.lstrip().startswith("#") for line in lines) / len(lines) >= 0.03
