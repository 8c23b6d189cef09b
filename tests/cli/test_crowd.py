"""crowd from the shell's side: what is printed and stored, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyculture.cli import main

TABLE = "worker,item,label,gold\n" + "".join(
    f"{worker},{item},{label},{'ab'[item % 2]}\n"
    for item in range(40)
    for worker, label in (
        *(("ann", "ab"[item % 2]), ("bob", "ab"[(item + (item % 7 == 0)) % 2])),
        *(("cyd", "ab"[(item + (item % 5 == 0)) % 2]), ("dan", "a")),
    )
)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text(TABLE)


def test_crowd_prints_the_answer_and_stores_labels_workers_and_page(capsys):
    code, out, _ = said(capsys, "crowd", "labels.csv", "--out", "said")
    assert code == 0
    assert "160 labels of 4 workers for 40 items: dawid-skene is over 0.999 sure of" in out
    assert "next polyculture audit labels.csv --model worker --instance item --answer label --label gold" in out
    assert {path.name for path in Path("said").iterdir()} == {"labels.csv", "workers.csv", "crowd.json", "page.html"}


def test_the_next_command_runs(capsys):
    said(capsys, "crowd", "labels.csv")
    words = "audit labels.csv --model worker --instance item --answer label --label gold --out audited"
    assert said(capsys, *words.split())[0] == 0


def test_crowd_gives_json(capsys):
    code, out, err = said(capsys, "crowd", "labels.csv", "--method", "one-coin", "--n-eff", "2", "--json")
    assert code == 0
    assert json.loads(out)["numbers"]["n_eff"]["estimate"] == 2
    assert "page  polyculture-crowd/page.html" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "maze"], "no method 'maze' to combine labels; expected one of vote, dawid-skene, one-coin, glad"),
        (["--worker", "who"], "labels.csv has no column 'who'"),
        (["--n-eff", "9"], "9 effective workers of 4; expected a number from 1 to 4"),
    ],
)
def test_what_cannot_be_done_is_one_line(capsys, options, message):
    code, out, err = said(capsys, "crowd", "labels.csv", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
