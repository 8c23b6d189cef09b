"""The site has every public name, command and page, and needs no other host."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import polyculture

for package in ("mkdocs", "mkdocstrings", "griffe", "latex2mathml"):
    pytest.importorskip(package, reason="the extra site is not installed")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools" / "site"))

import command_line
import docstrings
import example
import formulas
import hooks
import interface
import navigation
import notebooks
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files

LAZY = ["polyculture", *(f"polyculture.{room}" for room in interface.ROOMS)]
LAZY = [name for name in LAZY if hasattr(importlib.import_module(name), "_HOMES")]
"""Packages that load what they offer on first use."""
COMMANDS = {"cli"}
"""Rooms whose reference is the page of the command line."""
IMPORTED = re.compile(r"^(?:>>> |\.\.\. )?from polyculture\.([\w.]+) import ([\w, ]+)$", re.MULTILINE)


def stubs(module: ModuleType) -> set[str]:
    """Names that type checkers see: what the block under TYPE_CHECKING imports under its own name or assigns."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    names = {alias.asname for n in block.body if isinstance(n, ast.ImportFrom) for alias in n.names if alias.asname}
    return names | {ast.unparse(n.targets[0]) for n in block.body if isinstance(n, ast.Assign)}


@pytest.mark.parametrize("package", LAZY)
def test_one_list_holds_the_public_names_their_homes_and_the_type_stubs_together(package: str) -> None:
    module = importlib.import_module(package)
    errors = {name for name in module.__all__ if name.endswith("Error")}
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module._HOMES) == stubs(module) == set(module.__all__) - errors
    assert set(module.__all__) <= set(dir(module))
    for name, path in module._HOMES.items():
        inside, _, attribute = path.partition(":")
        assert getattr(module, name) is getattr(importlib.import_module(f"{package}.{inside}"), attribute or name)


@pytest.mark.parametrize("package", LAZY)
def test_a_name_that_is_loaded_on_first_use_is_never_hidden_by_a_module(package: str) -> None:
    """Importing the submodule `measures.effective` would replace a function `measures.effective`."""
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if importlib.util.find_spec(f"{package}.{name}")] == []
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


def test_the_reference_has_an_entry_for_every_public_name_in_their_order() -> None:
    documented = re.findall(r"^::: (\S+)", interface.pages()[interface.PAGE], re.MULTILINE)
    assert documented == [interface.anchor(name) for name in polyculture.__all__]
    assert "polyculture.scaling" in documented


def test_every_room_with_public_names_has_a_page() -> None:
    rooms = {
        file.parent.name
        for file in (ROOT / "src" / "polyculture").glob("*/__init__.py")
        if "__all__" in file.read_text("utf-8")
    }
    assert rooms - COMMANDS <= set(interface.ROOMS)


def test_every_name_of_a_room_is_documented_once_and_every_page_is_in_the_navigation() -> None:
    pages = interface.pages()
    documented = [path for page in pages.values() for path in re.findall(r"^::: (\S+)", page, re.MULTILINE)]
    assert len(set(documented)) == len(documented)
    for room in interface.ROOMS:
        page = pages[f"reference/{room}.md"]
        for name in interface.names(room):
            assert f"::: {interface.anchor(name, room)}\n" in page or f"[`{name}`](" in page
    configuration = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [path for path in pages if f"{path}\n" not in configuration] == []


def test_every_name_that_the_docs_import_is_in_the_reference() -> None:
    documented = {interface.home(name, room) for room in ("", *interface.ROOMS) for name in interface.names(room)}
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    for notebook in (ROOT / "docs").rglob("*.ipynb"):
        texts += ["".join(cell["source"]) for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]]
    imports = {
        (room, name.strip()) for text in texts for room, names in IMPORTED.findall(text) for name in names.split(",")
    }
    assert ("formats", "align") in imports
    assert [f"{room}.{name}" for room, name in sorted(imports) if interface.home(name, room) not in documented] == []


def test_every_public_name_has_a_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert interface.undocumented() == []


def test_the_reference_of_the_command_line_has_every_command_and_every_option_that_help_shows() -> None:
    page = command_line.reference()
    from polyculture.cli.application import VERBS

    assert re.findall(r"^## (\w+)", page, re.MULTILINE) == list(VERBS)
    assert "| `-k, --members K` | Number of models to keep (default: chosen automatically). |  |" in page
    assert "| `--seed S` | Seed of everything that is random. | `0` |" in page
    assert "| `PATH...` | Tables, logs, folders, or mlflow:EXPERIMENT. | required |" in page
    assert "--values" not in page


def test_a_folder_in_the_navigation_stands_for_its_pages_in_the_order_of_its_index() -> None:
    pages = dict.fromkeys(["a.md", "x/one.md", "x/README.md", "x/two.md", "x/z.md", "y/z.md"], "")
    pages["x/README.md"] = "[2](two.md) [1](one.md#part) [2 again](two.md), [elsewhere](../a.md)"
    assert navigation.expand(["a.md", {"X": ["x/"]}, {"E": ["none/"]}, {"B": "a.md"}], pages) == [
        "a.md",
        {"X": ["x/README.md", "x/two.md", "x/one.md", "x/z.md"]},
        {"B": "a.md"},
    ]


def test_a_formula_is_mathml_with_its_number_and_an_unreadable_one_is_named() -> None:
    inline = formulas.draw(r'so <span class="arithmatex">\(a &lt; b\)</span> holds')
    assert inline.startswith("so <math")
    assert "&lt;" in inline or "&#x0003C;" in inline
    block = formulas.draw('<div class="arithmatex">\\[n = \\frac{1}{2} \\tag{E1}\\]</div>')
    assert "<mfrac>" in block
    assert '<span class="equation-number">(E1)</span>' in block
    for latex in (r"\frac{1", r"\nosuch x", r"\frac"):
        with pytest.raises(ValueError, match=re.escape(f"the formula {latex!r} cannot be read")):
            formulas.draw(rf'<span class="arithmatex">\({latex}\)</span>')


def test_a_notebook_is_a_page_of_its_cells_with_a_link_to_it() -> None:
    cells = [{"cell_type": "markdown", "source": ["# A\n", "b"]}, {"cell_type": "code", "source": ["x = 1\n"]}]
    text = notebooks.page(json.dumps({"cells": cells}), "a.ipynb")
    assert text == "# A\nb\n\n```python\nx = 1\n```\n\n[This page as a notebook](a.ipynb)\n"


def test_parameters_of_a_docstring_are_a_list() -> None:
    text = "Draws.\n\nParameters\n----------\nsizes : models in\n    each cluster.\nseed : of the rest.\n\nMore."
    shown = docstrings.SECTION.sub(docstrings._markdown_list, text)
    assert shown == "Draws.\n\n**Parameters**\n\n- `sizes`: models in each cluster.\n- `seed`: of the rest.\n\nMore."


def test_a_dark_figure_has_the_dark_palette() -> None:
    assert example.dark('<rect fill="rgb(31, 111, 178)"/><path stroke="#1f6fb2"/>') == (
        '<rect fill="#6bb1ee"/><path stroke="#6bb1ee"/>'
    )


def test_a_file_of_the_repository_that_a_page_links_is_in_the_site_and_a_missing_one_is_a_warning(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    configuration, files = MkDocsConfig(), Files([])
    configuration.load_dict(
        {"site_name": "x", "docs_dir": str(ROOT / "docs"), "site_dir": str(tmp_path), "plugins": []}
    )
    assert configuration.validate() == ([], [])
    configuration.plugins.on_startup(command="build", dirty=False)
    page = SimpleNamespace(file=SimpleNamespace(src_uri="experiments/x.md"))
    with caplog.at_level(logging.WARNING):
        source = "# X\n[b](../../benchmarks/README.md) [w](../wording.md) [a](../../examples/mnist-axes/axes.toml)"
        text = hooks.on_page_markdown(source, page, configuration, files)
        assert caplog.messages == []
        hooks.on_page_markdown("[b](../../nowhere.md)", page, configuration, files)
    assert text == "# X\n[b](measured-speed.md) [w](../wording.md) [a](../repository/examples/mnist-axes/axes.toml)"
    assert "repository/examples/mnist-axes/axes.toml" in files.src_uris
    assert caplog.messages == [
        "experiments/x.md has 0 headings of the first rank, expected 1",
        "experiments/x.md links to ../../nowhere.md, which is no file of the repository",
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built strictly: no warning."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_built_reference_has_a_heading_for_every_public_name(site: Path) -> None:
    for page, text in interface.pages().items():
        html = (site / page).with_suffix(".html").read_text(encoding="utf-8")
        headings = set(re.findall(r'<h2 id="([^"]+)"', html))
        assert set(re.findall(r"^::: (\S+)", text, re.MULTILINE)) <= headings, page
    assert '<span class="nf">effective_number</span>' in (site / "reference/measures.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """The anchors of a page and what it refers to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.anchors |= {
            text for text in (attributes.get("id"), attributes.get("name") if tag == "a" else None) if text
        }
        self.links += [text for text in (attributes.get("href"), attributes.get("src")) if text]


@pytest.mark.slow
def test_every_link_inside_the_site_leads_to_a_file_and_to_an_anchor_in_it(site: Path) -> None:
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            fragment = unquote(address.fragment)
            if address.scheme == "" and (
                not target.is_file()
                or (fragment and target in pages and fragment not in pages[target].anchors | {"__top"})
            ):
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    assert len(pages) > 70
    assert broken == []


@pytest.mark.slow
def test_the_site_is_read_from_the_file_system_without_any_other_host(site: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    for name in ("index", "quickstart", "reference/api", "reference/command-line", "levels"):
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert page.evaluate("document.body.dataset.mdColorScheme") == "slate"
    page.goto((site / "quickstart.html").as_uri())
    assert page.locator("img[src*='pairwise-dark.svg']").is_visible()
    assert not page.locator("img[src*='pairwise-light.svg']").is_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.locator(".md-search__input").fill("certificate")
    page.locator(".md-search-result__link").first.wait_for()
    assert [address for address in addresses if not address.startswith(("file:", "data:", "blob:"))] == []
