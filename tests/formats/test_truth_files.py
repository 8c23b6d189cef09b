"""Is the truth found in a file next to the tables, and are submissions and lines of answers joined to it?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.cli import main
from polyculture.errors import InputError
from polyculture.formats import align, read

IDS = ["p1", "p2", "p3", "p4"]
TRUTH = ["cat", "dog", "cat", "dog"]
ANSWERS = {"ann": ["cat", "dog", "dog", "dog"], "bob": ["cat", "cat", "cat", "dog"]}
WRONG = [[False, False, True, False], [False, True, False, False]]


@pytest.fixture
def competition(tmp_path):
    """A folder of submissions as a competition has it: PassengerId and label, and the solution with a usage."""
    frame = pd.DataFrame({"PassengerId": IDS, "label": TRUTH})
    frame.assign(Usage=["Public", "Private"] * 2).to_csv(tmp_path / "solution.csv", index=False)
    frame.assign(label="cat").to_csv(tmp_path / "sample_submission.csv", index=False)
    for model, answers in ANSWERS.items():
        frame.assign(label=answers)[::-1].to_csv(tmp_path / f"{model}.csv", index=False)
    return tmp_path


def test_submissions_are_matched_with_the_solution_by_their_ids(competition):
    aligned = align(competition)
    assert aligned.predictions.model_ids == ["ann", "bob"]
    assert aligned.predictions.wrong.tolist() == WRONG
    assert aligned.predictions.instances.index.tolist() == IDS
    sentence = aligned.report.sentence
    assert f"the true answers are those of {competition}/solution.csv" in sentence
    assert f"{competition}/sample_submission.csv is left out: it shows the form of a submission" in sentence
    assert align(competition, groups="Usage").predictions.instances["Usage"].tolist() == ["Public", "Private"] * 2


def test_the_solution_can_be_named_anywhere(competition, tmp_path):
    truth = (competition / "solution.csv").rename(tmp_path / "elsewhere.csv")
    paths = [competition / f"{model}.csv" for model in ANSWERS]
    assert read(paths, label=truth).wrong.tolist() == WRONG
    assert read({"A": paths[0], "B": str(paths[1])}, label=str(truth)).model_ids == ["A", "B"]
    command = ["read", *map(str, paths), "--label", str(truth), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert read(tmp_path / "out").wrong.tolist() == WRONG


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("truth", ["csv", "parquet", "mapping"])
def test_a_wide_table_and_its_truth(form, truth, tmp_path):
    frame, labels = pd.DataFrame({"id": IDS, **ANSWERS}), pd.DataFrame({"id": IDS[::-1], "label": TRUTH[::-1]})
    path = tmp_path / f"wide.{form}"
    if form == "csv":
        frame.to_csv(path, index=False)
    elif form == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    label = tmp_path / f"truth.{truth}"
    if truth == "mapping":
        label = dict(zip(IDS, TRUTH, strict=True))
    elif truth == "csv":
        labels.to_csv(label, index=False)
    else:
        labels.to_parquet(label)
    assert sorted(read(path, label=label).wrong.tolist()) == sorted(WRONG)
    assert read(frame, label=label).wrong.sum() == 2


def test_a_long_table_and_its_truth(tmp_path):
    columns = pd.DataFrame({"item": IDS, **ANSWERS})
    columns.melt("item", var_name="model", value_name="answer").to_csv(tmp_path / "long.csv", index=False)
    pd.DataFrame({"item": IDS, "gold": TRUTH}).to_csv(tmp_path / "gold.csv", index=False)
    assert read(tmp_path / "long.csv", label=tmp_path / "gold.csv").wrong.tolist() == WRONG
    columns.rename(columns={"item": "PassengerId"}).melt("PassengerId", var_name="model", value_name="answer").to_csv(
        tmp_path / "other.txt", index=False
    )
    truth = dict(zip(IDS, TRUTH, strict=True))
    assert read(pd.read_csv(tmp_path / "other.txt"), label=truth, instance="PassengerId").wrong.tolist() == WRONG
    (tmp_path / "other.txt").unlink()
    assert read(tmp_path).wrong.tolist() == WRONG


@pytest.mark.parametrize("truth", ["labels.txt", "y_true.txt", "Ground_Truth.txt"])
def test_a_text_file_per_model_with_an_answer_per_line(truth, tmp_path):
    for name, lines in {"ann": ["New York, NY", "", "x"], "bob": ["Rome", "Bern", "x"]}.items():
        (tmp_path / f"{name}.txt").write_bytes("\r\n".join(lines).encode() + b"\r\n")
    (tmp_path / truth).write_text("\ufeffNew York, NY\nBern\nx", encoding="utf-8")
    predictions = read(tmp_path)
    assert predictions.model_ids == ["ann", "bob"]
    assert predictions.wrong.tolist() == [[False, False, False], [True, False, False]]
    assert predictions.observed.tolist() == [[True, False, True], [True, True, True]]
    paths = [tmp_path / "ann.txt", tmp_path / "bob.txt"]
    assert read(paths, label=tmp_path / truth).wrong.tolist() == predictions.wrong.tolist()


def test_predicted_numbers_of_a_competition(tmp_path):
    pd.DataFrame({"Id": [1, 2, 3], "SalePrice": [10.5, 20.0, 30.25]}).to_csv(tmp_path / "solution.csv", index=False)
    for name, error in (("ann", 0.5), ("bob", -1.25)):
        prices = np.array([10.5, 20.0, 30.25]) + error
        pd.DataFrame({"Id": [1, 2, 3], "SalePrice": prices}).to_csv(tmp_path / f"{name}.csv", index=False)
    predictions = pc.read(tmp_path)
    assert predictions.task == "regression"
    assert predictions.residuals.tolist() == [[0.5] * 3, [-1.25] * 3]


def test_instances_that_nobody_answered_are_left_out_and_counted(competition):
    with (competition / "solution.csv").open("a") as file:
        file.write("p5,cat,Private\n")
    aligned = align(competition)
    assert aligned.predictions.shape == (2, 4)
    assert f"1 instances of {competition}/solution.csv have no answer" in aligned.report.sentence


def test_dataframes_and_their_truth(competition):
    frames = {model: pd.DataFrame({"PassengerId": IDS, "label": answers}) for model, answers in ANSWERS.items()}
    for label in (competition / "solution.csv", dict(zip(IDS, TRUTH, strict=True))):
        assert read(frames, label=label, instance="PassengerId").wrong.tolist() == WRONG


def test_further_columns_that_all_submissions_have_are_no_models(competition):
    for path in competition.glob("*.csv"):
        pd.read_csv(path).assign(note="seed 1").to_csv(path, index=False)
    pd.DataFrame({"passengerid": IDS, "LABEL": TRUTH}).to_csv(competition / "solution.csv", index=False)
    assert read(competition).wrong.tolist() == WRONG


def test_tables_of_other_models_keep_their_columns(tmp_path):
    for model, answers in ANSWERS.items():
        pd.DataFrame({"id": IDS, "label": "old", model: answers}).to_csv(tmp_path / f"table-{model}.csv", index=False)
    pd.DataFrame({"id": IDS, "label": TRUTH}).to_csv(tmp_path / "labels.csv", index=False)
    predictions = read(tmp_path)
    assert predictions.model_ids == ["ann", "bob"]
    assert predictions.wrong.tolist() == WRONG


def test_single_columns_are_matched_by_their_rows(tmp_path):
    for name, answers in {"labels": TRUTH, **ANSWERS}.items():
        pd.DataFrame({"label": answers}).to_csv(tmp_path / f"{name}.csv", index=False)
    assert read(tmp_path).wrong.tolist() == WRONG


def test_lines_without_a_truth_say_how_to_name_it(tmp_path):
    for model, answers in ANSWERS.items():
        (tmp_path / f"{model}.txt").write_text("\n".join(answers))
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/ann.txt has no true answers next to it; expected labels.txt, or a file named with label (--label)."
    )
    (tmp_path / "key.txt").write_text("\n".join(TRUTH))
    assert read(tmp_path, label=f"{tmp_path}/../{tmp_path.name}/key.txt").wrong.tolist() == WRONG


def test_true_answers_alone_are_no_models(tmp_path):
    np.save(tmp_path / "labels.npy", np.array([0, 1]))
    with pytest.raises(InputError, match="has no npy file of a model"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "PassengerId,label\np1,cat\nq,cat\n",
            "1 of 2 ids of {}/ann.csv, such as 'q', are not in {}/solution.csv; expected a true answer for every "
            "instance; write the ids in the same form, or name their column with instance (--instance).",
        ),
        (
            "PassengerId,label\np1,cat\np1,dog\n",
            "{}/ann.csv has the id 'p1' more than once; expected one row per instance.",
        ),
    ],
)
def test_ids_that_do_not_fit(content, message, competition):
    (competition / "ann.csv").write_text(content)
    with pytest.raises(InputError) as caught:
        read(competition)
    assert str(caught.value) == message.replace("{}", str(competition))


def test_lines_of_another_number_than_the_labels(tmp_path, capsys):
    for name, lines in {"ann": "a\nb\n", "labels": "a\nb\nc\n"}.items():
        (tmp_path / f"{name}.txt").write_text(lines)
    assert main(["read", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.strip() == (
        f"polyculture: {tmp_path}/ann.txt has 2 rows but {tmp_path}/labels.txt has 3; expected a row for every true "
        "answer, in the same order; add the ids of the instances to both."
    )


def test_a_truth_with_several_columns_says_which_one_it_needs(competition):
    frame = pd.DataFrame({"PassengerId": IDS, "a": TRUTH, "b": TRUTH})
    frame.to_csv(competition / "solution.csv", index=False)
    with pytest.raises(
        InputError, match=r"has 2 columns that may be the truth \(a, b\); .*; call the second one label"
    ):
        read([competition / "ann.csv", competition / "bob.csv"], label=competition / "solution.csv")
