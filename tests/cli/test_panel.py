"""panel from the shell's side: what is printed and stored, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from polyculture.cli import main


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    truth = ["yes", "no"] * 20
    columns = {
        "gpt": ["no" if i % 7 == 0 else t for i, t in enumerate(truth)],
        "claude": ["no" if i % 7 < 2 else t for i, t in enumerate(truth)],
        "llama": ["yes" if i % 5 == 0 else t for i, t in enumerate(truth)],
    }
    pd.DataFrame({"instance": range(40), "label": truth, **columns}).to_csv("verdicts.csv", index=False)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


def test_panel_leads_with_its_answer_and_leaves_a_page(table, capsys) -> None:
    code, out, _ = said(capsys, "panel", "verdicts.csv")
    assert code == 0
    assert "3 judges are worth" in out
    assert "next polyculture select verdicts.csv --rule vote" in out
    stored = json.loads(Path("polyculture-panel/panel.json").read_text())
    assert [section["name"] for section in stored] == ["panel", "panel_agreement"]
    page = Path("polyculture-panel/page.html").read_text()
    assert "effective votes (Kish, from the mean error correlation)" in page


def test_panel_gives_json(table, capsys) -> None:
    code, out, _ = said(capsys, "panel", "verdicts.csv", "--json")
    assert code == 0
    assert json.loads(out)[0]["numbers"]["votes"]["estimate"] > 1


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({}, ["--scale", "cardinal"], "the scale 'cardinal'; expected nominal, ordinal or interval"),
        ({}, ["--family", "vendor"], "no column 'vendor' of judges"),
        ({}, ["--models", "gpt"], "two models or more"),
        ({"p.csv": "model,price\ngpt,1\nclaude,1\n"}, ["--prices", "p.csv"], "no price for the judge 'llama'"),
        (
            {"p.csv": "model,price\ngpt,1\nclaude,1\nllama,cheap\n"},
            ["--prices", "p.csv"],
            "'llama' in p.csv is no number",
        ),
        ({"h.csv": "instance,yes,maybe\n0,3,4\n"}, ["--humans", "h.csv"], "counts humans for 'maybe'"),
        ({"h.csv": "instance,yes,no\n0,3,-4\n"}, ["--humans", "h.csv"], "expected a count"),
        ({"h.csv": "instance,yes,no,n\n0,3,4,8\n"}, ["--humans", "h.csv"], "do not add up"),
        ({"h.csv": "instance,yes,no\nx,3,4\n"}, ["--humans", "h.csv"], "none of the items"),
    ],
)
def test_panel_refuses_in_one_line(table, capsys, files, options, message) -> None:
    for name, text in files.items():
        Path(name).write_text(text)
    code, _, err = said(capsys, "panel", "verdicts.csv", *options)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
