"""Do MLflow's evaluation tables become what the models answered? From a real local store, and as files."""

from __future__ import annotations

import json
import sys

import pytest

from polyculture.errors import InputError, MissingExtraError
from polyculture.formats import ReadingRules, align, read

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow and its store warn about each other


@pytest.fixture(scope="module")
def store(logs):
    return f"sqlite:///{logs('mlflow_store', 'mlflow')}/mlflow.db"


@pytest.mark.slow
def test_real_runs_of_an_experiment_are_models(store):
    aligned = align(f"mlflow:exam?{store}")
    predictions = aligned.predictions
    assert predictions.model_ids == ["ann", "bob"]
    assert predictions.instances.index.tolist() == ["What is 1+1?", "What is 2+2?", "Who wrote it?"]
    assert predictions.wrong.tolist() == [[False, False, True], [False, True, False]]
    assert predictions.models.to_dict("list") == {"family": ["small", "small"], "size": [7, 13]}
    assert aligned.report.matched_by == "their questions"
    assert "exact_match/v1/score says what is right." in aligned.report.notes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("mlflow:exams?{}", "MLflow has no experiment 'exams'; did you mean 'exam'?"),
        ("mlflow:exam/anne?{}", "the experiment 'exam' has no run 'anne'; did you mean 'ann'?"),
        (
            "mlflow:exam/ann?{}",
            "1 model: 'ann'; expected two models or more; similarity is measured between models.",
        ),
    ],
)
def test_a_wrong_name_is_answered_with_the_near_ones(uri, text, store):
    with pytest.raises(InputError) as caught:
        read(uri.format(store))
    assert str(caught.value) == text


def test_without_mlflow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError) as caught:
        read("mlflow:exam")
    assert str(caught.value) == "the package 'mlflow' is not installed; pip install \"polyculture[logs]\"."


def write(folder, model, columns, *rows):
    (folder / f"{model}.json").write_text(json.dumps({"columns": columns, "data": rows}))


def test_tables_that_lie_in_a_folder_are_models_called_like_their_files(tmp_path):
    write(tmp_path, "a", ["inputs", "targets", "outputs"], ["x", "1", "1"], ["y", "2", "3"])
    write(tmp_path, "b", ["inputs", "targets", "outputs"], ["y", "2", "2"], ["x", "1", None])
    aligned = align(tmp_path)
    assert aligned.predictions.instances.index.tolist() == ["x", "y"]
    assert aligned.predictions.wrong.tolist() == [[False, True], [True, False]]
    assert aligned.report.frame()["unparsed"].tolist() == [0, 1]
    assert "equality with targets says what is right." in aligned.report.notes


def test_a_score_can_be_named(tmp_path):
    for model, judged in (("a", 1), ("b", 0)):
        write(tmp_path, model, ["inputs", "outputs", "judge/v1/score"], ["x", "long text", judged])
    assert read(tmp_path, rules=ReadingRules(metric="judge/v1/score")).wrong.tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("table", "rules", "text"),
    [
        (
            (["inputs", "outputs"], ["x", "1"]),
            ReadingRules(),
            "a.json has no true answers (its columns: inputs, outputs); "
            "expected targets in a column such as targets, or a score; name the score with metric (--metric).",
        ),
        (
            (["inputs", "outputs", "x/score"], ["x", "1", 1]),
            ReadingRules(metric="y/score"),
            "a.json has no score 'y/score'; did you mean 'x/score'?",
        ),
        (
            (["inputs", "outputs"], ["x"]),
            ReadingRules(),
            "a.json has rows that are not as long as its columns; expected 2 cells in every row.",
        ),
    ],
)
def test_a_table_that_cannot_be_used(table, rules, text, tmp_path):
    write(tmp_path, "a", *table)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "a.json", rules=rules)
    assert str(caught.value).replace(f"{tmp_path}/", "") == text


@pytest.mark.parametrize(("good", "bad"), [("yes", "no"), (True, False), (1, 0)])
def test_rows_without_a_score_are_not_scored(good, bad, tmp_path):
    for model in "ab":
        rows = [["x", "1", "1", good], ["y", "1", "1", bad], ["z", "1", "2", None]]
        write(tmp_path, model, ["inputs", "targets", "outputs", "correctness/value"], *rows)
    aligned = align(tmp_path)
    assert aligned.predictions.wrong.tolist() == [[False, True, False]] * 2
    assert aligned.predictions.observed.tolist() == [[True, True, False]] * 2
    assert aligned.report.frame()["unscored"].tolist() == [1, 1]


def test_grades_of_1_to_5_need_a_threshold(tmp_path):
    name = "answer_correctness/v1/score"
    for model in "ab":
        write(tmp_path, model, ["inputs", "targets", "outputs", name], ["x", "1", "1", 5], ["y", "1", "1", 3])
    with pytest.raises(InputError) as caught:
        read(tmp_path, rules=ReadingRules(metric=name))
    assert f"by {name}; expected a score from 0 to 1; give the score from which" in str(caught.value)
    assert read(tmp_path, rules=ReadingRules(metric=name, threshold=4)).wrong.tolist() == [[False, True]] * 2


def test_one_score_counts_for_all_tables(tmp_path):
    write(tmp_path, "a", ["inputs", "targets", "outputs", "correctness/value"], ["x", "1", "1", "no"])
    write(tmp_path, "b", ["inputs", "targets", "outputs"], ["x", "1", "1"])
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/b.json has no score 'correctness/value', by which other tables are judged; "
        "expected one score for all tables; name a score that all of them have with metric (--metric)."
    )
