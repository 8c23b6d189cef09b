"""Are the columns of a long table found under any name, in every format, and is what they are taken for said?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.cli import main
from polyculture.errors import InputError
from polyculture.formats import align, read

from .test_every_format import FORMATS, LONG, TRUTH, WIDE, WRONG, as_csv, check_errors

SHARED = Path(__file__).parents[4] / "shared" / "data"
OTHER = {"id": "imagename", "model": "subj", "answer": "object_response", "label": "category"}
TRIALS = {OTHER[name]: cells for name, cells in LONG.items()} | {
    "trial": [*range(1, 61), *range(60, 0, -1)],
    "rt": [0.25 + i / 100 for i in range(120)],
    "session": [1, 2] * 60,
}
ROLES = {"model": "subj", "answer": "object_response", "label": "category", "instance": "imagename"}
OUTCOMES = [int(not wrong) for row in WRONG.values() for wrong in row]
SENTENCE = "columns: model = subj, answer = object_response, label = category, instance = imagename"


@pytest.mark.parametrize("form", FORMATS)
def test_columns_of_any_name_are_named_and_said(form, tmp_path):
    aligned = align(FORMATS[form](TRIALS, tmp_path), **ROLES)
    check_errors(aligned.predictions)
    assert SENTENCE in aligned.report.sentence


@pytest.mark.parametrize("form", FORMATS)
def test_the_outcome_of_any_name_is_named(form, tmp_path):
    table = {name: cells for name, cells in TRIALS.items() if name != "category"} | {"hit": OUTCOMES}
    aligned = align(FORMATS[form](table, tmp_path), model="subj", instance="imagename", correct="hit")
    check_errors(aligned.predictions)
    assert "columns: model = subj, correct = hit, instance = imagename" in aligned.report.sentence


@pytest.mark.parametrize("orient", ["records", "split", "index", "columns", "table"])
def test_every_orient_of_pandas_is_a_long_table_of_any_names(orient, tmp_path):
    pd.DataFrame(TRIALS).to_json(tmp_path / "t.json", orient=orient)
    check_errors(read(tmp_path / "t.json", **ROLES))


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_plainly_no_model_is_refused_with_the_cure(form, tmp_path):
    source = FORMATS[form](TRIALS, tmp_path)
    with pytest.raises(InputError) as error:
        read(source, label="category")
    assert "columns 'subj', 'trial', 'rt', 'session' do not look like models" in str(error.value)
    assert "name its columns with model, answer and instance (--model, --answer, --instance)" in str(error.value)
    with pytest.raises(InputError, match="has no column of answers or outcomes"):
        read(source, model="subj", label="category")
    with pytest.raises(InputError, match="no column with the instance"):
        read(source, model="subj", answer="object_response", label="category")
    with pytest.raises(InputError, match="has no column of models"):
        read(source, answer="object_response", label="category", instance="imagename")
    with pytest.raises(InputError, match=r"'category' holds both '.*' and '.*' for instance"):
        read(source, **(ROLES | {"instance": "trial"}))


@pytest.mark.parametrize("name", ["trial", "rt", "fold", "Epoch", "seed", "response time", "prediction", "correct"])
def test_a_column_of_such_a_name_is_refused_even_where_its_values_are_labels(name):
    digits = np.arange(60) % 5
    table = pd.DataFrame({"label": digits, "ann": digits, "bob": np.roll(digits, 1), name: digits[::-1]})
    with pytest.raises(InputError, match=f"column '{name}' does not look like a model"):
        read(table)
    assert read(table, models=["ann", "bob"]).shape == (2, 60)
    assert read(table, models=["ann", "bob", name]).shape == (3, 60)
    assert name in read(table, groups=[name]).instances


@pytest.mark.parametrize("rows", [2, 5, 60])
def test_questions_are_no_model_however_few_there_are(rows):
    labels = ["cat", "dog"] * 30
    table = {
        "label": labels,
        "ann": labels,
        "bob": labels[::-1],
        "asked": [f"What is in picture {i}?" for i in range(60)],
    }
    frame = pd.DataFrame(table)[:rows]
    with pytest.raises(InputError, match="column 'asked' does not look like a model"):
        read(frame)
    with pytest.raises(InputError, match="column 'asked' does not look like a model"):
        read(frame.assign(label="cat", ann="cat", bob="dog"))


def test_a_fold_among_predicted_numbers_is_no_model():
    table = pd.DataFrame({"target": np.arange(60) / 7, "ann": np.arange(60) / 7 + 0.1, "fold": np.arange(60) % 5})
    with pytest.raises(InputError, match="column 'fold' does not look like a model"):
        read(table)
    assert read(table, groups=["fold"]).task == "regression"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "subject"}, "has no column 'subject'; expected a column to use as model; did you mean 'subj'?"),
        ({"model": "subj", "answer": "subj"}, "column 'subj' is named as model and as answer"),
        ({"correct": "hits"}, "has no column 'hits'; expected a column to use as outcome"),
    ],
)
def test_a_wrong_name_is_one_line(options, message):
    with pytest.raises(InputError) as error:
        read(pd.DataFrame(TRIALS), **options)
    assert message in str(error.value)


def test_a_long_table_of_outcomes_without_a_column_of_them_is_refused():
    with pytest.raises(InputError, match=r"no column that says what is right .* \(--correct COL\)"):
        read(pd.DataFrame(LONG), correct=True)


def test_files_of_one_model_each_have_columns_of_any_names(tmp_path):
    table = pd.DataFrame(TRIALS)
    for model in ("ann", "bob"):
        rows = table[table.subj == model].drop(columns="subj")
        rows.to_csv(tmp_path / f"{model}.csv", index=False)
    options = {role: name for role, name in ROLES.items() if role != "model"}
    check_errors(read([tmp_path / "ann.csv", tmp_path / "bob.csv"], **options))


def test_usual_names_are_said_where_they_are_others():
    wide = pd.DataFrame(WIDE).rename(columns={"label": "y_true", "id": "question_id"})
    assert "columns: label = y_true, instance = question_id" in align(wide).report.sentence
    assert "columns:" not in align(pd.DataFrame(WIDE)).report.sentence


NAMED = ["--model", "subj", "--answer", "object_response", "--label", "category", "--instance", "imagename"]


@pytest.mark.parametrize("command", ["read", "audit", "select", "scaling", "compare"])
def test_every_command_that_reads_takes_the_names(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sizes = tmp_path / "sizes.csv"
    sizes.write_text("model,size\nann,7B\nbob,1.5k\n")
    path = str(as_csv(TRIALS, tmp_path))
    more = {"compare": [path], "scaling": ["--factors", str(sizes), "--scale", "size"]}.get(command)
    more = ["--out", str(tmp_path / "out")] if more is None else more
    assert main([command, path, *more, *NAMED]) == 0
    if command in ("read", "audit"):
        assert SENTENCE in " ".join(capsys.readouterr().out.split())
    if command == "audit":
        assert "object_response" in (tmp_path / "out" / "audit.json").read_text()


@pytest.mark.parametrize("command", ["select", "compare"])
def test_the_next_command_has_the_names_too(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    as_csv(TRIALS, tmp_path)
    more = ["--out", "out"] if command == "select" else ["t.csv"]
    assert main([command, "t.csv", *more, *NAMED, "--normalize", "quasi-exact"]) == 0
    words = capsys.readouterr().out.rpartition("next  polyculture ")[2].split()
    assert words[0] == "audit"
    assert {"--model=subj", "--answer=object_response", "--normalize=quasi-exact"} <= set(words)
    assert main([*words, "--out", "audit"]) == 0


@pytest.mark.parametrize("order", ["first", "last", "equals"])
def test_correct_is_a_flag_and_names_a_column(order, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame(TRIALS).assign(hit=OUTCOMES).drop(columns="category").to_csv("long.csv", index=False)
    pd.DataFrame({"id": WIDE["id"]} | {model: 1 - wrong for model, wrong in WRONG.items()}).to_csv(
        "wide.csv", index=False
    )
    named = ["--model", "subj", "--instance", "imagename"]
    long, wide = {
        "first": (["--correct", "hit", "long.csv", *named], ["--correct", "wide.csv"]),
        "last": (["long.csv", *named, "--correct", "hit"], ["wide.csv", "--correct"]),
        "equals": (["long.csv", "--correct=hit", *named], ["wide.csv", "--correct", "--unify"]),
    }[order]
    for words in (long, wide):
        assert main(["read", *words, "--out", "out"]) == 0
        check_errors(read("out"))


def test_a_column_with_stream_or_of_a_log_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame(WIDE).to_parquet("t.parquet")
    assert main(["audit", "t.parquet", "--stream", "--model", "id"]) == 2
    assert "--model with --stream" in capsys.readouterr().err
    assert main(["audit", "t.parquet", "--stream", "--normalize", "numeric"]) == 2
    assert "--normalize with --stream" in capsys.readouterr().err
    Path("ann.jsonl").write_text(json.dumps({"custom_id": "q", "response": {"body": {"choices": []}}}))
    assert main(["read", "ann.jsonl", "--model", "m", "--out", "out"]) == 2
    assert "model is given but ann.jsonl is a log" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "shape"), [("bluebirds", (39, 108)), ("snow_rte", (164, 800))])
def test_crowds_of_workers_whose_answers_are_called_labels(name, shape):
    path = SHARED / "crowd" / f"{name}.csv.gz"
    if not path.is_file():
        pytest.skip("the shared data sets are not here")
    options = {"model": "worker", "answer": "label", "label": "gold"}
    predictions = read(path, **options)
    assert predictions.shape == shape
    table = pd.read_csv(path)
    accuracy = (table.label == table.gold).groupby(table.worker).mean()
    observed = np.ones(shape, bool) if predictions.observed is None else predictions.observed
    own = 1 - predictions.wrong.sum(axis=1) / observed.sum(axis=1)
    np.testing.assert_allclose(own, accuracy.loc[[int(m) for m in predictions.model_ids]])
    with pytest.raises(InputError, match="'worker' does not look like a model"):
        read(path)


def test_order_of_trials_has_no_part_in_the_answers():
    shuffled = pd.DataFrame(TRIALS).sample(frac=1, random_state=1)
    wrong = read(shuffled, **ROLES)
    order = [wrong.instances.index.tolist().index(f"q{i}") for i in range(60)]
    rows = [wrong.model_ids.index(model) for model in WRONG]
    np.testing.assert_array_equal(wrong.wrong[rows][:, order], list(WRONG.values()))
    assert set(TRUTH) == set(wrong.classes)


def test_an_index_of_model_and_instance_is_a_long_table():
    frame = pd.DataFrame(LONG).set_index(["model", "id"])
    check_errors(read(frame))
    with pytest.raises(InputError, match="2 columns called 'label'"):
        read(frame.assign(again=1).rename_axis(["model", "label"]))


def test_a_measurement_among_outcomes_is_named_with_the_cure():
    right = {model: 1 - wrong for model, wrong in WRONG.items()}
    with pytest.raises(InputError, match=r"column 'millis' holds .* name the columns that are models"):
        read(pd.DataFrame(right | {"millis": np.linspace(0, 1, 60)}), correct=True)
