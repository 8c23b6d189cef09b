"""select and breed from the shell's side: what is kept, what is stored, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.cli import main
from polyculture.results import Audit, Portfolio
from polyculture.testing import copying_errors


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """answers.csv: three kinds of models, three copies of each, on 600 instances."""
    monkeypatch.chdir(tmp_path)
    labels = np.arange(600) % 2
    wrong = copying_errors((3, 3, 3), 600, seed=1)
    answers = pd.DataFrame({f"model{i}": labels ^ row for i, row in enumerate(wrong)})
    answers.insert(0, "instance", [f"i{k}" for k in range(600)])
    answers.insert(1, "label", labels)
    answers.to_csv("answers.csv", index=False)
    answers.assign(instance=[f"j{k}" for k in range(600)]).to_csv("others.csv", index=False)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


def test_select_keeps_one_model_of_each_kind_and_stores_what_it_found(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "select", "answers.csv", "--members", "3", "--out", "kept")
    assert code == 0
    found = Portfolio.from_json((table / "kept" / "portfolio.json").read_text())
    assert sorted(int(member[-1]) // 3 for member in found.members) == [0, 1, 2]
    assert found.sentence in out
    assert f"next polyculture audit answers.csv --models {found.members[0]}" in out
    whole = Audit.from_json((table / "kept" / "audit.json").read_text())
    assert whole.chapter("portfolio").sentence == found.sentence
    assert "Which few should be kept" in (table / "kept" / "page.html").read_text()


def test_select_certifies_on_another_table(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("select", "answers.csv", "-k", "3", "--certify-on", "others.csv", "--json")
    code, out, err = said(capsys, *words)
    found = json.loads(out)
    assert code == 0
    assert (found["chosen_on"], found["certified_on"]) == (600, 600)
    assert "next  polyculture audit" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-k", "10"), "polyculture: 10 members out of 9 models; expected a size from 1 to 9."),
        (("--goal", "eror"), "polyculture: no quantity or numeric model column 'eror'; did you mean 'error'"),
        (("--rule", "voting"), "polyculture: no rule 'voting'"),
        (("--method", "exact"), "polyculture: the method 'exact' without a size; expected k, the number of members."),
        (("--share", "2"), "polyculture: a share of 2.0 to certify on; expected a number between 0 and 1, such as 0.5"),
    ],
)
def test_what_cannot_be_selected_is_one_line_and_exit_code_2(
    table: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code, out, err = said(capsys, "select", "answers.csv", *words)
    assert code == 2
    assert out == ""
    assert err.startswith(says)
    assert err.count("\n") == 1


@pytest.mark.slow
def test_breed_trains_generations_and_ends_in_a_page_with_a_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    Path("axes.toml").write_text(
        '[axes]\narchitecture = ["logistic", "knn", "forest", "naive-bayes"]\n'
        'data = ["half-a", "half-b"]\nseed = [0, 1]\n'
    )
    words = ("--axes", "axes.toml", "--budget", "8", "--first", "4", "--generation", "4", "--worthwhile", "-1")
    code, out, _ = said(capsys, "breed", "wine", *words, "--workers", "1", "--out", "bred")
    assert code == 0
    assert len(list((tmp_path / "bred" / "models").glob("[!.]*/recipe.json"))) == 8
    found = Audit.from_json((tmp_path / "bred" / "audit.json").read_text())
    assert "8 models were bred, 1 generation after the first" in found.chapter("breeding").sentence
    kept = Portfolio.from_json((tmp_path / "bred" / "portfolio.json").read_text())
    assert found.chapter("portfolio").sentence == kept.sentence
    assert "page bred/page.html" in out


def test_breed_refuses_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    code, _, err = said(capsys, "breed", "diabetes", "--out", str(tmp_path))
    assert code == 2
    assert err == "polyculture: breeding for diabetes, whose labels are numbers; expected classes.\n"
