"""select and evolve from the shell's side: what is kept, what is stored, what is refused."""

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
    assert whole.section("portfolio").sentence == found.sentence
    assert "Which few should be kept" in (table / "kept" / "page.html").read_text()


def test_select_tells_what_every_column_is_taken_for(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("answers", "others"):
        frame = pd.read_csv(f"{name}.csv").melt(["instance", "label"], var_name="model", value_name="prediction")
        frame.to_csv(f"{name}-long.csv", index=False)
    code, out, _ = said(capsys, "select", "answers-long.csv", "-k", "3", "--certify-on", "others-long.csv")
    roles = "columns: model = model, answer = prediction, label = label, instance = instance."
    assert (code, out.count(roles), out.count("read 9 models, 600 instances")) == (0, 2, 2)
    code, out, _ = said(capsys, "select", "answers-long.csv", "-k", "3", "--json")
    assert code == 0
    json.loads(out)


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
def test_evolve_trains_generations_and_ends_in_a_page_with_a_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    Path("axes.toml").write_text(
        '[axes]\narchitecture = ["logistic", "knn", "forest", "naive-bayes"]\n'
        'data = ["half-a", "half-b"]\nseed = [0, 1]\n'
    )
    words = ("--axes", "axes.toml", "--budget", "8", "--first", "4", "--generation", "4", "--worthwhile", "-1")
    code, out, _ = said(capsys, "evolve", "wine", *words, "--workers", "1", "--out", "bred")
    assert code == 0
    assert len(list((tmp_path / "bred" / "models").glob("[!.]*/recipe.json"))) == 8
    found = Audit.from_json((tmp_path / "bred" / "audit.json").read_text())
    assert "8 models were trained, 1 generation after the first" in found.section("breeding").sentence
    kept = Portfolio.from_json((tmp_path / "bred" / "portfolio.json").read_text())
    assert found.section("portfolio").sentence == kept.sentence
    assert "page bred/page.html" in out


def test_evolve_refuses_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    code, _, err = said(capsys, "evolve", "diabetes", "--out", str(tmp_path))
    assert code == 2
    assert err == "polyculture: an evolution on diabetes, whose labels are numbers; expected classes.\n"


@pytest.fixture
def numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """left/values as run leaves it, and numbers.csv: six models of three families, of hours in blocks."""
    from polyculture.formats import write_values
    from polyculture.predictions import Predictions, PredictionSets

    def values(n: int, start: int, drift: float = 0.0) -> Predictions:
        draw = np.random.default_rng(start)
        truth, shared = draw.normal(size=n), draw.normal(size=(3, n))
        predicted = np.stack([truth + drift * i + shared[i % 3] + 0.2 * draw.normal(size=n) for i in range(6)])
        known = pd.DataFrame({"block": np.arange(start, start + n) // 5}, index=range(start, start + n))
        models = pd.DataFrame({"seconds": np.arange(1.0, 7)}, index=[f"m{i}" for i in range(6)])
        return Predictions(models, known, values=predicted, targets=truth)

    monkeypatch.chdir(tmp_path)
    test = values(200, 1000)
    shifted = {"drift@1": values(200, 1000, 0.5)}
    write_values(PredictionSets(test, values(300, 0), shifted, "block"), tmp_path / "left" / "values")
    table = pd.DataFrame(dict(zip(test.model_ids, test.values, strict=True))).assign(target=test.targets)
    table.assign(site=np.arange(200) % 2).to_csv("numbers.csv", index=False)
    return tmp_path


def test_select_chooses_regressors_on_the_selection_part_and_certifies_on_the_test(
    numbers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "select", "left", "-k", "3", "--out", "kept")
    assert code == 0
    found = Portfolio.from_json((numbers / "kept" / "portfolio.json").read_text())
    assert {int(member[1]) % 3 for member in found.members} == {0, 1, 2}
    assert (found.loss, found.chosen_on, found.certified_on) == ("squared_error", 300, 200)
    assert "40 clusters" in found.certificate.scores["squared_error"].method
    assert found.certificate.shifts["shift"].tolist() == ["drift@1"]
    assert found.sentence in out
    assert out.endswith("next polyculture report kept --out page-to-share.html ".strip())
    whole = Audit.from_json((numbers / "kept" / "audit.json").read_text())
    assert whole.section("portfolio").sentence == found.sentence
    assert (whole.headline, whole.n_instances) == ("R", 200)
    assert "What it gains elsewhere" in (numbers / "kept" / "page.html").read_text()


def test_select_by_shifted_tests_parts_the_test_in_two(numbers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "select", "left", "-k", "1", "--goal", "worst_shift", "--json")
    found = json.loads(out)
    assert (code, found["members"]) == (0, ["m0"])
    assert (found["chosen_on"], found["certified_on"]) == (100, 100)


def test_select_takes_a_table_of_numbers(numbers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--group", "site", "--rule", "mean", "-k", "2", "--json")
    code, out, _ = said(capsys, "select", "numbers.csv", *words)
    found = json.loads(out)
    assert code == 0
    assert (found["rule"], len(found["members"])) == ("mean", 2)
    assert found["certificate"]["groups"]["group"] == ["0", "1"]
    code, out, _ = said(capsys, "select", "left", "--models", "m[012]", "--json")
    assert code == 0
    assert set(json.loads(out)["members"]) == {"m0", "m1", "m2"}


def test_values_reads_whole_numbers_as_numbers(numbers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (10 * pd.read_csv("numbers.csv")).round().astype(int)
    whole.to_csv("whole.csv", index_label="id")
    whole.set_axis(whole.index + 200).to_csv("others.csv", index_label="id")
    words = ("select", "whole.csv", "-k", "2", "--certify-on", "others.csv", "--models", "m*", "--json", "--values")
    code, out, err = said(capsys, *words)
    assert code == 0, err
    assert json.loads(out)["loss"] == "squared_error"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("left", "--goal", "accuracy"), "the goal 'accuracy' where the truth is a number; expected squared_error, "),
        (("left", "--rule", "vote"), "no rule 'vote' where the truth is a number; known: average, mean."),
        (("left", "--correct"), "correct is given but left/values is a Predictions folder; expected its own names"),
        (
            ("left", "--normalize", "code"),
            "--normalize with numbers to predict; expected a table of numbers, as it is.",
        ),
        (
            ("left", "--certify-on", "numbers.csv"),
            "--certify-on with left; expected nothing, as the folder has its own.",
        ),
        (("left", "--factors", "f.csv"), "--factors with left; expected nothing, as the folder has its own."),
        (("left", "--label", "y"), "label is given but left/values is a Predictions folder; expected its own names"),
        (
            ("left", "numbers.csv"),
            "left/values is a Predictions folder of numbers among other sources; expected a Predictions folder of "
            "numbers by itself; join all in one table, with the ids and a column per model.",
        ),
    ],
)
def test_what_cannot_be_selected_among_numbers_is_one_line_and_exit_code_2(
    numbers: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code, out, err = said(capsys, "select", *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"polyculture: {says}")
    assert err.count("\n") == 1
