"""query from the shell's side: a batch goes out, comes back, and mistakes are a line each."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from polyculture.cli import main

pytest.importorskip("torch")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


@pytest.fixture(autouse=True)
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"a": k % 2 * 3 + k / 40, "b": k / 10, "y": "yn"[k % 2] if k < 10 else ""} for k in range(40)]
    pd.DataFrame(rows).to_csv("pool.csv", index=False)


WORDS = ("query", "pool.csv", "--label-column", "y", "--budget", "6", "--batch", "6", "--out", "q")


def fill(**wrong: str) -> None:
    table = pd.read_csv("q/to-label.csv", dtype=str, keep_default_na=False)
    table["y"] = [wrong.get(f"i{name}", "yn"[int(name) % 2]) for name in table["instance"]]
    table.to_csv("q/to-label.csv", index=False)


def test_a_batch_goes_out_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, *WORDS)
    assert code == 0
    assert "label q/to-label.csv" in out
    assert "6 instances chosen by margin-of-mean to be labelled next" in out
    assert "next polyculture query pool.csv --label-column=y --budget=6 --batch=6 --out=q" in out
    assert "Which instances are worth a label next?" in Path("q/page.html").read_text()
    first = pd.read_csv("q/to-label.csv")["instance"].tolist()[0]
    fill(**{f"i{first}": "maybe"})
    code, _, err = said(capsys, *WORDS)
    assert code == 1
    assert err.splitlines()[-1] == (
        "polyculture: row 1 of q/to-label.csv has the label 'maybe', which is no class; known: n, y"
    )
    fill()
    code, out, _ = said(capsys, *WORDS)
    assert code == 0
    assert "6 labels of a budget of 6 given" in out
    assert "next polyculture run q/labelled.csv --label=y" in out


def test_a_simulation_prints_strategies_and_stores_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "query",
        "iris",
        "--simulate",
        "--compare",
        "margin-of-mean",
        "--seeds",
        "2",
        "--budget",
        "30",
        "--out",
        "s",
    )
    code, out, _ = said(capsys, *words, "--json")
    assert code == 0
    section = json.loads(out)
    assert section["name"] == "active"
    assert set(section["numbers"]) >= {"random", "margin_of_mean", "n_eff_random"}
    page = Path("s/page.html").read_text()
    assert "Which strategy learns most from the same number of labels?" in page
    assert "What each strategy adds to labels by chance" in page
    assert (Path("s") / "runs" / "margin-of-mean-1.json").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("absent.csv",), "cannot read absent.csv"),
        (("pool.csv", "--label-column", "z"), "pool.csv has no column 'z'"),
        (
            ("pool.csv", "--classes", "y,m"),
            "row 2 of pool.csv has the label 'n'; expected one of the classes; known: m, y.",
        ),
        (("pool.csv", "--strategy", "margn"), "no query strategy 'margn'; did you mean 'margin'"),
        (("pool.csv", "--strategy", "kl"), "10 labels to calibrate the members of a committee by"),
        (("pool.csv", "--batch", "0"), "batch of a query is 0; expected a whole number of 1 or more."),
    ],
)
def test_what_cannot_be_queried_is_refused_in_one_line(capsys, words: tuple[str, ...], message: str) -> None:
    code, out, err = said(capsys, "query", *words, "--out", "q", "--json")
    assert (code, out) == (2, "")
    assert message in err
    assert err.splitlines()[-1].startswith("polyculture: ")
