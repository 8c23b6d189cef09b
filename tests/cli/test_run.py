"""Does `polyculture run` learn from files of every kind, and say in one line what is wrong with them?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture import read
from polyculture.cli import main
from polyculture.results import Audit

RECIPES = '[[recipe]]\narchitecture = "{}"\n[[recipe]]\narchitecture = "{}"\n{}'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with tables of three sites, a series and tagged tokens."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.Generator(np.random.PCG64(0))
    for site in "abc":
        sizes = generator.normal(0, 1, (60, 3))
        table = pd.DataFrame(sizes, columns=["u", "v", "w"]).round(3)
        table["sick"] = np.where(sizes[:, 0] + generator.normal(0, 0.5, 60) > 0, 2, 0)
        table["who"] = np.arange(60) // 2
        table.to_csv(f"site_{site}.csv", index=False)
    walk = np.cumsum(generator.normal(0, 1, (150, 2)), axis=0).round(3)
    pd.DataFrame(walk, columns=["left", "right"]).to_csv("walk.csv", index=False)
    words = generator.integers(0, 9, (60, 5))
    Path("t.conll").write_text("".join("".join(f"w{k}\tT{k % 2}\n" for k in row) + "\n" for row in words))
    return tmp_path


def recipes(first: str, second: str, more: str = "") -> list[str]:
    Path("r.toml").write_text(RECIPES.format(first, second, more))
    return ["--recipes", "r.toml", "--workers", "1"]


def test_help_tells_what_can_be_learned_from(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "polyculture run recordings.zip --hold-out george" in said
    for option in ("--label", "--group", "--hold-out", "--test-on", "--limit", "--positive", "--kind", "--cluster"):
        assert option in said


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("none.csv", "no such file or folder: none.csv; expected files or a folder to learn from; check the path."),
        ("site_a.csv --label sik", "site_a.csv has no column 'sik'; did you mean 'sick'?"),
        ("site_a.csv --group hospital", "site_a has no column 'hospital'; there are none."),
        ("empty.csv", "empty.csv is empty; expected a table with one row per instance."),
        (
            "one.csv",
            "all 9 instances of one are of the class 'x'; expected two classes or more; name another column by label.",
        ),
        ("site_a.csv --kind tabel", "no kind of problem 'tabel'; did you mean 'table'?"),
        ("site_a.csv --label sick --shifts nois", "no shift 'nois' of table; did you mean 'noise'?"),
        ("digits --limit 0", "a limit of 0 instances; expected 1 or more."),
    ],
)
def test_what_cannot_be_learned_from_is_answered_in_one_line(
    words: str, line: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("empty.csv").write_text("")
    Path("one.csv").write_text("a,b\n" + "".join(f"{k},x\n" for k in range(9)))
    assert main(["run", *words.split(), "--out", "x"]) == 2
    assert capfd.readouterr() == ("", f"polyculture: {line}\n")
    assert not Path("x").exists()


@pytest.mark.slow
def test_run_learns_from_tables_and_tests_on_the_site_held_out(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = [f"site_{site}.csv" for site in "abc"]
    words = [
        "--label",
        "sick",
        "--positive",
        ">0",
        "--ignore",
        "who",
        "--hold-out",
        "site_b",
        "--shifts",
        "noise,prior",
    ]
    code = main(["run", *files, *words, *recipes("knn", "logistic")])
    out = capfd.readouterr().out
    assert code == 0
    assert " ".join(out.split()).startswith(
        "read site_a and 2 others: 2 classes, 54 instances to learn from, 18 to choose on, 48 to be tested on, "
        "and elsewhere: file=site_b; the label is column 'sick'. "
    )
    audit = Audit.from_json(Path("polyculture-run/audit.json").read_text())
    assert (audit.n_models, audit.n_instances) == (2, 48)
    assert list(dict.fromkeys(audit.shifts["shift"])) == ["none", "file=site_b", "noise", "prior"]
    assert audit.shifts.set_index("shift").loc["file=site_b", "n"] == 60
    assert audit.facts["groups"] == "file"
    assert set(read("polyculture-run/predictions").instances["file"]) == {"site_a", "site_c"}
    assert Path("polyculture-run/page.html").is_file()


@pytest.mark.slow
def test_run_keeps_clusters_together_and_tells_how_to_go_on(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["site_a.csv", "--label", "sick", "--cluster", "who", "--shifts", "none"]
    assert main(["run", *words, *recipes("knn", "logistic")]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "next  polyculture select polyculture-run"
    assert Audit.from_json(Path("polyculture-run/audit.json").read_text()).facts["clusters"] == "who"


@pytest.mark.slow
def test_run_predicts_numbers_and_keeps_them(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["walk.csv", "--kind", "series", "--window", "4", "--shifts", "drift", "--out", "w"]
    assert main(["run", *words, *recipes("knn", "ridge")]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "next  polyculture select w"
    audit = Audit.from_json(Path("w/audit.json").read_text())
    values = pd.read_csv("w/values/test.csv", index_col="instance")
    assert audit.headline == "R"
    assert len(audit.shifts) == 6
    assert values.shape == (audit.n_instances, 4)
    error = values["target"] - values.filter(like="ridge").iloc[:, 0]
    assert np.sqrt((error**2).mean()) < 2 < values["target"].std()


@pytest.mark.slow
def test_run_tags_tokens_in_sequences(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "t.conll", "--shifts", "drop", "--out", "t", *recipes("logistic", "knn")])
    assert code == 0
    assert capfd.readouterr().out.splitlines()[-1] == "next  polyculture select t"
    audit = Audit.from_json(Path("t/audit.json").read_text())
    assert audit.facts["clusters"] == "sequence"
    assert main(["select", "t", "--members", "2", "--out", "kept"]) == 0
    assert '"clusters": "sequence"' in Path("kept/portfolio.json").read_text()
    assert audit.n_instances == 24 * 5
    assert audit.shifts["accuracy"].iloc[0] > 0.9
    assert main(["audit", "t/predictions", "--cluster", "sequence"]) == 0


@pytest.mark.slow
def test_run_is_resumed_with_the_same_files_and_refuses_another_split(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "site_a.csv", "--label", "sick", "--shifts", "none", *recipes("knn", "logistic")]
    assert main(words) == 0
    weights = {p: p.stat().st_mtime_ns for p in Path("polyculture-run/models").rglob("weights.*")}
    assert main(words) == 0
    assert {p: p.stat().st_mtime_ns for p in Path("polyculture-run/models").rglob("weights.*")} == weights
    capfd.readouterr()
    assert main([*words, "--limit", "20"]) == 2
    assert "was made for another problem or split: site_a " in capfd.readouterr().err


def test_a_model_that_takes_too_long_is_given_up_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recipes = '[[recipe]]\narchitecture = "knn"\n[[recipe]]\narchitecture = "naive-bayes"\n'
    long = '[[recipe]]\narchitecture = "mlp"\noptimizer = "adam"\nhyperparameters = {epochs = 100000}\n'
    Path("three.toml").write_text(recipes + long)
    words = ["run", "wine", "--recipes", "three.toml", "--seconds", "2", "--shifts", "none", "--workers", "1"]
    assert main([*words, "--out", "out"]) == 1
    out, err = capsys.readouterr()
    assert "\n2 models; " in out
    assert "could not be trained and is left out" in err


def test_an_engine_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "wine", "--engine", "rai", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "polyculture: no engine 'rai'; expected one of auto, ray; did you mean 'ray'?"
