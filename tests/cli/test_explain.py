"""explain from the shell's side: what is printed and stored, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import polyculture as pc
from polyculture.cli import main
from polyculture.recipe import Recipe

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained") / "run"
    recipes = [Recipe("logistic"), Recipe("knn"), Recipe("naive-bayes")]
    pc.run(pc.load_problem("iris", 0, pc.DataOptions(shifts=())), pc.RunOptions(recipes=recipes, workers=1), out=folder)
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


def test_explain_prints_the_answer_and_stores_page_and_explanations(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, _ = said(capsys, "explain", str(run), "--instances", "12", "-k", "2", "--out", "why")
    assert code == 0
    assert "3 models give the same answer on" in out
    assert "the same on different instances (floor)" in out
    assert f"next polyculture audit {run}" in out
    stored = json.loads((tmp_path / "why" / "explain.json").read_text())
    assert [section["name"] for section in stored] == ["explanation", "representations", "surrogate", "attribution"]
    assert "Do the models decide for the same reasons?" in (tmp_path / "why" / "page.html").read_text()
    assert (tmp_path / "why" / "explanations" / "values.npy").is_file()


def test_explain_gives_json(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ("explain", str(run), "--instances", "8", "--models", "knn", "--models", "log*", "--json", "--out", "why")
    code, out, err = said(capsys, *words)
    assert code == 0
    assert json.loads(out)[0]["numbers"]["pairs"]["estimate"] >= 0
    assert "page  why/page.html" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "grad-cam"], "grad-cam"),
        (["--method", "ocllusion"], "no method of explanation 'ocllusion'; did you mean 'occlusion'?"),
        (["--models", "forest"], "has no model 'forest'"),
        (["--target", "rose"], "no class 'rose'"),
        (["--method", "kernel-shap", "--samples", "2"], "2 samples for the method 'kernel-shap'"),
        (["--baseline", "black"], "the baseline 'black'; expected 'mean' or 'zero'."),
        (["--instances", "1"], "instances of an explanation is 1; expected a whole number of 2 or more."),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(run, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, "explain", str(run), "--out", "why", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_folder_that_is_no_run_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, "explain", "nothing")
    assert code == 2
    assert err == (
        "polyculture: nothing is neither a run nor a bundle; expected the folder of polyculture run, or one that "
        "export or select made of it.\n"
    )
