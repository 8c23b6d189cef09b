"""Are files that somebody else made or changed harmless: markup in names, a changed audit.json, runs that meet?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyculture.cli import main

MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An audit of two models with markup in a name, an id, a label and a group."""
    rows = "".join(f"q{i},{'x' if i % 3 else MARKUP},x,{MARKUP}\n" for i in range(60))
    (tmp_path / "t.csv").write_text(f"instance,label,ann,{MARKUP}\n{rows}")
    assert main(["audit", str(tmp_path / "t.csv"), "--out", str(tmp_path / "audit")]) == 0
    return tmp_path / "audit"


def test_markup_in_names_and_answers_is_text_on_the_page(folder: Path) -> None:
    page = next(folder.glob("*.html")).read_text(encoding="utf-8")
    assert MARKUP not in page
    assert "alert(1)" in page


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "{}",
        lambda text: "[]",
        lambda text: "null",
        lambda text: text.replace('"sections"', '"parts"'),
        lambda text: json.dumps(json.loads(text) | {"findings": "none"}),
        lambda text: json.dumps(json.loads(text) | {"sections": [1, 2]}),
        lambda text: json.dumps(json.loads(text) | {"null_models": {"a": None}}),
    ],
)
def test_a_changed_audit_is_one_line(change, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "audit.json"
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    capsys.readouterr()
    code = main(["report", str(folder)])
    error = capsys.readouterr().err.strip()
    assert code in (0, 2)
    assert bool(error) == (code == 2)
    assert "\n" not in error
    assert "Traceback" not in error


def test_markup_that_somebody_wrote_into_an_audit_is_text(folder: Path) -> None:
    file = folder / "audit.json"
    file.write_text(file.read_text(encoding="utf-8").replace("ann", "<img src=x onerror=alert(2)>"), encoding="utf-8")
    main(["report", str(folder), "--out", str(folder / "again.html")])
    assert "<img src=x" not in (folder / "again.html").read_text(encoding="utf-8")


def test_an_audit_does_not_take_the_place_of_other_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, predictions = str(folder.parent / "t.csv"), folder.parent / "predictions"
    assert main(["read", table, "--out", str(predictions)]) == 0
    (predictions / "notes.md").write_text("mine")
    assert main(["read", table, "--out", str(predictions)]) == 2
    assert (predictions / "notes.md").read_text() == "mine"
