"""Every work that the source or the docs cite by author and year is in docs/methods/bibliography.bib."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
METHODS = ROOT / "docs" / "methods"
NAME = r"(?:(?:Ben|Le) )?[A-Z][\w’'-]*\w"
YEAR = r"((?:18|19|20)\d\d)(?![\d-])"
INITIALS = r"(?:,? [A-Z]\.(?: ?[A-Z]\.)*)?"
CITATION = re.compile(
    rf"({NAME}(?:, {NAME})*){INITIALS}(?:,? (?:and|&) ({NAME}){INITIALS}|,? (et al)\.?)?(?:['’]s)?,?(?: in)?"
    rf" [(\[]*{YEAR}"
)
POSSESSIVE = re.compile(rf"({NAME})['’]s(?: [\w-]+){{1,4}} \({YEAR}\)")
ANCHOR = re.compile(r"bibliography\.md#(\w+)")
NO_AUTHORS = frozenset({"January", "March", "June", "November", "Python", "Ubuntu"})
"""Words that may stand before a year and are no authors."""


@cache
def writer() -> ModuleType:
    """The script that makes the page, read from its file."""
    spec = importlib.util.spec_from_file_location("bibliography", METHODS / "bibliography.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def works() -> dict[str, dict[str, str]]:
    """Every entry of the .bib, by key."""
    entries: dict[str, dict[str, str]] = writer().entries((METHODS / "bibliography.bib").read_text(encoding="utf-8"))
    return entries


def pages() -> list[Path]:
    """Everything that cites: the source, the docs and the tables of measured speed."""
    documents = [path for path in (ROOT / "docs").rglob("*.md") if path != METHODS / "bibliography.md"]
    return sorted([*(ROOT / "src").rglob("*.py"), *documents, ROOT / "README.md", ROOT / "benchmarks" / "README.md"])


def citations(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """(surnames, year) of every citation; ``"others"`` stands for *et al.*"""
    joined = re.sub(r"\s+", " ", re.sub(r"\s*\n\s*(?:# ?)?", " ", text).replace("*", ""))
    for listed, last, others, year in CITATION.findall(joined):
        names = (*listed.split(", "), *((last,) if last else ()), *(("others",) if others else ()))
        if names[-1] not in NO_AUTHORS:
            yield tuple(re.sub(r"['’]s$", "", name) for name in names), year
    for name, year in POSSESSIVE.findall(joined):
        yield (name,), year


def cites(names: tuple[str, ...], year: str, entry: dict[str, str]) -> bool:
    """Whether these names are the authors of the entry; a word before them may belong to the sentence."""
    authors: list[str] = writer().surnames(entry)
    if entry["year"] != year:
        return False
    if names[-1] == "others":
        return len(authors) > 2 - (authors[-1] == "others") and authors[0] == names[-2]
    return any(list(names[start:]) == authors for start in range(len(names)))


@pytest.mark.parametrize(
    ("text", "authors"),
    [
        ("as Kish's (1965) design effect", [(("Kish",), "1965")]),
        ("Source: Marx, Calmon and\n    Ustun 2020.", [(("Marx", "Calmon", "Ustun"), "2020")]),
        ("(Northcutt et al. 2021, section 3)", [(("Northcutt", "others"), "2021")]),
        ("Rasch 1960, Andersen 1972", [(("Rasch",), "1960"), (("Andersen",), "1972")]),
        ("Newcombe's hybrid score interval (1998)", [(("Newcombe",), "1998")]),
        ("*Smith et al* (2019), **Lee**  2018", [(("Smith", "others"), "2019"), (("Lee",), "2018")]),
        ("Smith, J. A. 2019; shown by Wu in 2017", [(("Smith",), "2019"), (("Wu",), "2017")]),
        ("Smith, A., and Jones, B. (2019)", [(("Smith", "Jones"), "2019")]),
        ("Run of 2026-11-22, DRAWS = 1999", []),
    ],
)
def test_citations_are_recognised_in_running_text(text: str, authors: list[tuple[tuple[str, ...], str]]) -> None:
    assert list(citations(text)) == authors


def unknown(text: str) -> list[str]:
    """Citations without an entry of these authors and this year."""
    return [
        f"{', '.join(names)} {year}"
        for names, year in citations(text)
        if not any(cites(names, year, entry) for entry in works().values())
    ]


def test_every_citation_has_an_entry_with_its_authors_and_its_year() -> None:
    missing = {path.relative_to(ROOT).as_posix(): unknown(path.read_text(encoding="utf-8")) for path in pages()}
    assert {path: names for path, names in missing.items() if names} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "as Nobody 2019 shows",
        "(Nobody and Noone 2019)",
        "Nobody *et al.* 2019",
        "Kuncheva and Whitaker 2004",
        "Whitaker and Kuncheva 2003",
        "Kuncheva 2003",
        "Nobody's (2019) test",
    ],
)
def test_a_citation_of_a_work_that_is_not_there_is_missed(planted: str) -> None:
    assert unknown("the Q of Kuncheva and Whitaker 2003") == []
    assert len(unknown(planted)) == 1


def test_nearly_every_entry_is_cited_somewhere() -> None:
    """Entries may wait for the page that cites them, a few at a time."""
    mentions = {mention for path in pages() for mention in citations(path.read_text(encoding="utf-8"))}
    waiting = [key for key, entry in works().items() if not any(cites(*mention, entry) for mention in mentions)]
    assert len(waiting) <= 10, waiting


@pytest.mark.parametrize("key", list(works()))
def test_an_entry_has_an_identifier_of_the_right_form(key: str) -> None:
    entry = works()[key]
    assert {"author", "title", "year"} <= set(entry)
    assert "doi" in entry or "eprint" in entry or "isbn" in entry or "url" in entry
    assert re.fullmatch(r"10\.\d{4,9}/[^\s{}]+", entry.get("doi", "10.1000/none"))
    assert entry.get("url", "https://").startswith("https://")
    if "eprint" in entry:
        assert re.fullmatch(r"\d{4}\.\d{4,5}", entry["eprint"])
        assert 2007 <= 2000 + int(entry["eprint"][:2]) <= int(entry["year"])
    if "isbn" in entry:
        assert entry["type"] == "book"
        assert sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(entry["isbn"])) % 10 == 0


@pytest.mark.parametrize("key", list(works()))
def test_a_key_is_the_first_author_and_the_year(key: str) -> None:
    plain = unicodedata.normalize("NFKD", writer().surnames(works()[key])[0]).encode("ascii", "ignore").decode()
    assert re.fullmatch(re.sub(r"\W", "", plain).lower() + works()[key]["year"] + r"[a-z]*", key)


def test_no_two_entries_name_the_same_work() -> None:
    identifiers = [
        entry.get("doi") or entry.get("eprint") or entry.get("isbn") or entry["url"] for entry in works().values()
    ]
    assert len(set(identifiers)) == len(identifiers)
    assert list(works()) == sorted(works())


def test_the_page_is_made_from_the_entries() -> None:
    page = writer().page((METHODS / "bibliography.bib").read_text(encoding="utf-8"))
    assert page == (METHODS / "bibliography.md").read_text(encoding="utf-8"), "run python docs/methods/bibliography.py"
    assert page.count("<a id=") == len(works()) == (METHODS / "bibliography.bib").read_text("utf-8").count("\n@") + 1


def test_every_link_to_the_bibliography_leads_to_an_entry() -> None:
    anchors = {anchor for path in pages() for anchor in ANCHOR.findall(path.read_text(encoding="utf-8"))}
    assert anchors <= set(works())
