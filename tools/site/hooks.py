"""What does the site add to the pages in docs? Generated pages, formulas, links out of docs, and checks.

mkdocs calls the functions `on_...` while it builds. A warning fails the build (`mkdocs build --strict`).
"""

from __future__ import annotations

import logging
import re
from typing import Any

import command_line
import example
import formulas
import interface
import navigation
import notebooks
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.plugins.polyculture")
ROOT = example.ROOT
SOURCE = "https://github.com/polyculture/polyculture/blob/main/"
LINK = re.compile(r"(?<=\]\()((?:\.\./)+[^)#\s]*)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and fill the folders of the navigation."""
    contents = {"reference/command-line.md": command_line.reference()} | interface.pages() | example.files()
    for file in files:
        if file.src_uri.endswith(".ipynb"):
            page = notebooks.page(file.content_string, file.name + ".ipynb")
            contents[file.src_uri.removesuffix(".ipynb") + ".md"] = page
    for path, content in contents.items():
        files.append(File.generated(config, path, content=content))
    for path in interface.undocumented():
        log.warning("%s is public and has no docstring", path)
    pages = [file.src_uri for file in files.documentation_pages()]
    config.nav = navigation.expand(config.nav or [], pages)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links that leave docs lead to the repository; a page has one heading of the first rank."""
    headings = re.findall(r"^# .+", FENCE.sub("", markdown), re.MULTILINE)
    if len(headings) != 1:
        log.warning("%s has %d headings of the first rank, expected 1", page.file.src_uri, len(headings))
    return LINK.sub(lambda match: _outside(match[1], page), markdown)


def _outside(target: str, page: Page) -> str:
    folder = (ROOT / "docs" / page.file.src_uri).parent
    path = (folder / target).resolve()
    if path.is_relative_to(ROOT / "docs"):
        return target
    if not path.exists():
        log.warning("%s links to %s, which is not in the repository", page.file.src_uri, target)
    return SOURCE + path.relative_to(ROOT).as_posix()


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Formulas as MathML."""
    try:
        return formulas.draw(html)
    except ValueError as error:
        log.warning("%s: %s", page.file.src_uri, error)
        return html
