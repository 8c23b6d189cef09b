"""clean from the shell's side: what is printed and stored, what comes next, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyculture.cli import main

TABLE = "email,height,y\nann@example.org,1.7,a\nbob@example.org,1.8,b\nann@example.org,1.7,a\ncy@example.org,1.6,b\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_text(TABLE)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


def test_clean_prints_the_answer_and_the_next_command(capsys):
    code, out, _ = said(capsys, "clean", "people.csv", "--out", "out")
    assert code == 0
    assert "Is the data in order? people: 1 exact duplicate" in out
    assert "Nothing was left out." in out
    assert "next polyculture clean people.csv --apply duplicate" in out
    assert out.endswith("rows out/faults.csv")
    assert sorted(path.name for path in Path("out").iterdir()) == ["clean.json", "faults.csv", "page.html"]


def test_a_copy_and_the_way_back(capsys):
    words = ("clean", "people.csv", "--apply", "duplicate", "--label", "y", "--out", "out")
    code, out, _ = said(capsys, *words)
    assert code == 0
    assert "next polyculture run out/clean/people.csv --label=y" in out
    assert Path("out/clean/people.csv").read_text().count("ann") == 1
    code, out, _ = said(capsys, "clean", "--undo", "out")
    assert (code, out) == (0, "original out/original")
    assert Path("out/original/people.csv").read_text() == TABLE


def test_json_only_on_stdout(capsys):
    code, out, err = said(capsys, "clean", "people.csv", "--json", "--faults", "duplicate", "--out", "out")
    assert code == 0
    assert json.loads(out)["name"] == "cleaning"
    assert "rows  out/faults.csv" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["people.csv", "--mask", "email"], "the mask 'email'; expected FIELD=mask|hash|drop; such as email=hash."),
        (["people.csv", "--mask", "mail=hash"], "no field 'mail' to hide; did you mean 'email' or 'e-mail'?"),
        (
            ["people.csv", "--apply", "constant-column"],
            "rows left out for 'constant-column'; expected one of duplicate",
        ),
        (["people.csv", "--faults", "dup"], "no kind of fault 'dup'"),
        (["absent.csv"], "no such file or folder: absent.csv"),
        (["--undo", "absent"], "absent holds no cleaned copy"),
        (
            ["people.csv", "--undo", "out"],
            "--undo with data or other options; expected the folder of a cleaned copy only.",
        ),
        (["people.csv", "--out", "."], ". holds other files, such as people.csv; expected an empty folder, or one of"),
    ],
)
def test_what_is_refused_is_said_in_one_line(capsys, words, message):
    code, out, err = said(capsys, "clean", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.splitlines()[-1].startswith("polyculture: ")
    assert "Traceback" not in err


def test_run_takes_clean_and_mask(capsys):
    pytest.importorskip("torch")
    Path("t.toml").write_text('[[recipe]]\narchitecture = "logistic"\n[[recipe]]\narchitecture = "knn"\n')
    rows = "".join(f"p{k % 9}@example.org,{k % 7},{k % 11},{'ab'[k % 7 > 2]}\n" for k in range(99))
    Path("many.csv").write_text(f"email,a,b,y\n{rows}")
    words = ("run", "many.csv", "--clean", "--mask", "email=drop", "--recipes", "t.toml", "--workers", "1")
    code, out, _ = said(capsys, *words, "--shifts", "none", "--out", "run")
    assert code == 0
    assert "were left out before training" in out
    assert b"example.org" not in Path("run/audit.json").read_bytes()
