"""Does the page about JSON name every command that prints some, and every file of sections?"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import typer

from polyculture.cli import app
from polyculture.studies.run_folder import COMPARISON, COMPRESSION, DESIGN, SCALING

PAGE = Path(__file__).resolve().parents[2] / "docs" / "json.md"
MODULES = {
    "studies.federation.study": "SECTION",
    "studies.crowds.study": "SECTION",
    **dict.fromkeys([f"studies.{name}.study" for name in ("cleaning", "active", "panel", "explanation")], "SECTIONS"),
    "deployment.judging.study": "SECTIONS",
}


def test_every_command_with_json_is_on_the_page() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    printing = {name for name, command in commands.items() if any("--json" in p.opts for p in command.params)}
    words = set(re.findall(r"`([a-z]+)`", PAGE.read_text(encoding="utf-8").partition("## Conventions")[0]))
    assert len(printing) > 15
    assert printing <= words


def test_every_file_of_sections_is_on_the_page() -> None:
    pytest.importorskip("torch")
    text = PAGE.read_text(encoding="utf-8")
    files = {getattr(importlib.import_module(f"polyculture.{name}"), word) for name, word in MODULES.items()}
    for file in {*files, COMPARISON, COMPRESSION, DESIGN, SCALING}:
        assert f"`{file}`" in text
