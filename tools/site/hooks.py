"""What does the site add to the pages in docs? Generated pages, formulas, linked files of the repository, and checks.

mkdocs calls the functions `on_...` while it builds. A warning fails the build (`mkdocs build --strict`).
"""

from __future__ import annotations

import logging
import posixpath
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
PAGES = {"benchmarks/README.md": "experiments/measured-speed.md"}
"""Pages of the repository outside docs that are pages of the site, too."""
LINK = re.compile(r"(?<=\]\()((?:\.\./)+[^)#\s]*)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """No page for addresses that are not there: its links begin with /, which leads nowhere in a file system."""
    config.theme.static_templates.discard("404.html")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and fill the folders of the navigation."""
    contents = {"reference/command-line.md": command_line.reference()} | interface.pages() | example.files()
    for file in files:
        if file.src_uri.endswith(".ipynb"):
            page = notebooks.page(file.content_string, file.name + ".ipynb")
            contents[file.src_uri.removesuffix(".ipynb") + ".md"] = page
    for path, content in contents.items():
        files.append(File.generated(config, path, content=content))
    for source, path in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8").replace("](../docs/", "](../")
        files.append(File.generated(config, path, content=text))
    for path in interface.undocumented():
        log.warning("%s is public and has no docstring", path)
    pages = {file.src_uri: file.content_string for file in files.documentation_pages()}
    config.nav = navigation.expand(config.nav or [], pages)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Files of the repository that a page links are in the site, too; a page has one heading of the first rank."""
    headings = re.findall(r"^# .+", FENCE.sub("", markdown), re.MULTILINE)
    if len(headings) != 1:
        log.warning("%s has %d headings of the first rank, expected 1", page.file.src_uri, len(headings))
    return LINK.sub(lambda match: _linked(match[1], page, config, files), markdown)


def _linked(target: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Where the target is in the site; what is outside docs is copied into it."""
    folder = (ROOT / "docs" / page.file.src_uri).parent
    path = (folder / target).resolve()
    if path.is_relative_to(ROOT / "docs"):
        return target
    if not path.is_file():
        log.warning("%s links to %s, which is no file of the repository", page.file.src_uri, target)
        return target
    source = path.relative_to(ROOT).as_posix()
    place = PAGES.get(source, f"repository/{source}")
    if files.get_file_from_path(place) is None:
        files.append(File.generated(config, place, abs_src_path=str(path)))
    return posixpath.relpath(place, posixpath.dirname(page.file.src_uri) or ".")


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Formulas as MathML."""
    try:
        return formulas.draw(html)
    except ValueError as error:
        log.warning("%s: %s", page.file.src_uri, error)
        return html
