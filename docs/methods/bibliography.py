"""Which works does polyculture cite? `python docs/methods/bibliography.py` writes the page from bibliography.bib."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ENTRY = re.compile(r"^@(\w+)\{(\w+),\n(.*?)^\}$", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.MULTILINE)
ADDRESSES = {
    "doi": ("doi:{0}", "https://doi.org/{0}"),
    "eprint": ("arXiv:{0}", "https://arxiv.org/abs/{0}"),
    "url": ("{0}", "{0}"),
    "isbn": ("ISBN {0}", ""),
}
"""How an identifier is printed, and where it leads."""
TITLE = """# Bibliography

Every work that the code and these pages cite, made from [bibliography.bib](bibliography.bib) by
`docs/methods/bibliography.py`. An anchor is the first author's name and the year: `bibliography.md#kish1965`. A test
finds every citation in the source and in the docs and looks for its entry here.
"""


def entries(text: str) -> dict[str, dict[str, str]]:
    """The fields of every BibTeX entry, by key, in the order of the file; ``"type"`` is the type of the entry."""
    return {key: {"type": kind.lower(), **dict(FIELD.findall(body))} for kind, key, body in ENTRY.findall(text)}


def surnames(entry: Mapping[str, str]) -> list[str]:
    """Family names of the authors, in their order; ``"others"`` last where the entry does not list all."""
    return [author.split(",")[0] for author in entry["author"].split(" and ")]


def author_list(entry: Mapping[str, str]) -> str:
    """The authors as a reader expects them: ``Kuncheva, L. I. and Whitaker, C. J.``"""
    authors = entry["author"].split(" and ")
    if authors[-1] == "others":
        return f"{', '.join(authors[:-1])} et al."
    return ", ".join(authors[:-1]) + " and " + authors[-1] if len(authors) > 1 else authors[0]


def identifier(entry: Mapping[str, str]) -> str:
    """The first identifier of the entry as a link, a book number as plain text."""
    field = next(name for name in ADDRESSES if name in entry)
    label, address = (pattern.format(entry[field]) for pattern in ADDRESSES[field])
    target = address.replace("<", "%3C").replace(">", "%3E").replace("(", "%28").replace(")", "%29")
    label = label.replace("<", "&lt;").replace(">", "&gt;")
    return f"[{label}]({target})" if address else label


def line(key: str, entry: Mapping[str, str]) -> str:
    """One entry of the page, with its anchor."""
    venue = next((entry[name] for name in ("journal", "booktitle", "publisher", "howpublished") if name in entry), "")
    volume = f" {entry['volume']}" if "volume" in entry else ""
    place = f" {venue}{volume}." if venue else ""
    note = f" ({entry['note']})" if "note" in entry else ""
    title = entry["title"].strip("{}")
    stop = "" if title.endswith(("?", "!")) else "."
    return (
        f'- <a id="{key}"></a>{author_list(entry)} ({entry["year"]}). *{title}*{stop}{place} {identifier(entry)}{note}'
    )


def page(text: str) -> str:
    """The text of bibliography.md for the text of bibliography.bib."""
    return "\n".join([TITLE, *(line(key, entry) for key, entry in entries(text).items()), ""])


if __name__ == "__main__":
    (FOLDER / "bibliography.md").write_text(page((FOLDER / "bibliography.bib").read_text("utf-8")), encoding="utf-8")
