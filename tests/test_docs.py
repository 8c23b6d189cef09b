"""README and docs say nothing that does not run: python blocks run in order, `polyculture` commands too."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
GENERATED = ("docs/example/", "docs/reference/")
"""What `make site` makes and checks."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return [(m[1], m[2]) for m in BLOCK.finditer(page.read_text(encoding="utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_block_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    output = ""
    for language, text in blocks(page):
        if language == "text" and page.name in ("README.md", "quickstart.md", "worked-example.md"):
            assert text in output
        if language == "python":
            output = run([sys.executable, "-W", "error", "-c", text], tmp_path, env)
        elif language == "console":
            for line in text.splitlines():
                if line.startswith("$ ") and not line.startswith(("$ make", "$ git", "$ pip", "$ cd")):
                    run(["bash", "-c", line[2:]], tmp_path, env)


def run(command: list[str], folder: Path, env: dict[str, str]) -> str:
    """What it printed, run where the page's files are; a failure shows it."""
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = [t for t in LINK.findall(page.read_text(encoding="utf-8")) if not t.startswith(("http", "mailto:"))]
    paths = [(page.parent / target).resolve().relative_to(ROOT).as_posix() for target in targets]
    assert [path for path in paths if not path.startswith(GENERATED) and not (ROOT / path).exists()] == []


def test_the_readme_is_read_in_a_minute_and_shows_the_example_of_the_quickstart() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.split()) <= 600
    for verb in ("train", "audit", "select", "deploy"):
        assert f"- **{verb}**" in readme
    pages = (ROOT / "README.md", ROOT / "docs" / "quickstart.md")
    first, second = (next(text for language, text in blocks(page) if language == "python") for page in pages)
    assert first == second


def test_the_list_of_decisions_has_every_decision_with_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    titles = {path.name: path.read_text(encoding="utf-8").partition("\n")[0] for path in folder.glob("0*.md")}
    listed = [re.sub(r"^# (\d+)\. (.*)", rf"\1. [\2]({name})", title) for name, title in sorted(titles.items())]
    assert [line for line in lines if re.match(r"\d", line)] == listed


def test_every_make_verb_named_in_the_pages_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {verb for page in PAGES for verb in re.findall(r"\bmake ([a-z]+)`", page.read_text(encoding="utf-8"))}
    assert named
    assert all(re.search(rf"^{verb}:", makefile, re.MULTILINE) for verb in named)


def test_the_guide_of_levels_names_every_level_of_every_axis_and_its_defaults() -> None:
    pytest.importorskip("torch")
    from dataclasses import fields

    from polyculture.training import ARCHITECTURES, DATA, OBJECTIVES, OPTIMIZERS, PRETRAINING
    from polyculture.training.hyperparameters import options
    from polyculture.training.schedule import Schedule

    guide = (ROOT / "docs" / "levels.md").read_text(encoding="utf-8")
    levels = [*ARCHITECTURES, *DATA, *OBJECTIVES, *OPTIMIZERS, *PRETRAINING, *(f.name for f in fields(Schedule))]
    assert [level for level in levels if f"`{level}`" not in guide and f"`{level}:" not in guide] == []
    for registry in (OBJECTIVES, OPTIMIZERS):
        for name, build in registry.items():
            rows = [line for line in guide.splitlines() if line.startswith(f"| `{name}` |")]
            said = f"| {', '.join(f'{key} {value}' for key, value in options(build).items())} |"
            assert any(row.endswith(said) for row in rows), name
