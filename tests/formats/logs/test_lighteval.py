"""Do the details of lighteval become what its models answered, in the layout of older versions and of newer ones?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyculture.cli import main
from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read

DATE = "2025-01-01T10-00-00.000000"
CHOICES = [" red", " blue", " green"]
ANSWERS = {"org/ann": [0, 1, 2], "bob": [0, 2, 1]}
GOLD = [0, 1, 1]
WRONG = {"org/ann": [False, False, True], "bob": [False, True, False]}


def logs_of(choice):
    return [-0.1 if k == choice else -3.0 for k in range(3)]


def old_choice(i, choice):
    predictions = [[log, log > -1] for log in logs_of(choice)]
    return {"choices": CHOICES, "gold": [], "gold_index": [GOLD[i]], "predictions": [str(p) for p in predictions]}


def old_text(i, choice):
    """Texts as lists of one answer."""
    return {"choices": [], "gold": [CHOICES[GOLD[i]]], "gold_index": [], "predictions": [[CHOICES[choice].upper()]]}


def old_row(i, choice, cells):
    metrics = {"acc": int(choice == GOLD[i]), "acc_norm": int(choice != GOLD[i])}
    more = {"example": f"Which is {i}?", "full_prompt": f"Q: Which is {i}?", "instruction": "", "specifics": None}
    return more | cells(i, choice) | {"metrics": metrics, "truncated": [0], "padded": [0]}


def new_row(i, choice, is_choice):
    document = {"query": f"Which is {i}?", "choices": CHOICES, "gold_index": [GOLD[i]], "id": str(i), "task_name": "q"}
    response = {"text": [] if is_choice else [CHOICES[choice]], "logprobs": logs_of(choice) if is_choice else []}
    metric = {"acc" if is_choice else "extractive_match": float(choice == GOLD[i])}
    return {"doc": document, "model_response": response | {"input": "Q"}, "metric": metric}


def details(folder, rows, date=DATE, task="leaderboard|colours|0"):
    """Files in the folders that lighteval makes: details/MODEL/DATE/details_TASK_DATE.parquet."""
    for model, answers in ANSWERS.items():
        place = Path(folder, "details", model, date)
        place.mkdir(parents=True)
        table = pa.Table.from_pylist([rows(i, choice) for i, choice in enumerate(answers)])
        pq.write_table(table, place / f"details_{task}_{date}.parquet")
    return folder


FORMS = {
    "old, choices": lambda i, choice: old_row(
        i, choice, lambda i, c: old_choice(i, c) | {"predictions": [[log, float(log > -1)] for log in logs_of(c)]}
    ),
    "old, texts": lambda i, choice: old_row(i, choice, old_text),
    "new, choices": lambda i, choice: new_row(i, choice, True),
    "new, texts": lambda i, choice: new_row(i, choice, False),
    "as text": lambda i, choice: {name: str(cell) for name, cell in new_row(i, choice, True).items()},
    "old, as text": lambda i, choice: {name: str(cell) for name, cell in old_row(i, choice, old_text).items()},
}


@pytest.mark.parametrize("form", FORMS)
def test_models_are_named_by_their_folders_and_matched_by_questions(form, tmp_path):
    aligned = align(details(tmp_path, FORMS[form]))
    predictions = aligned.predictions
    assert {m: predictions.wrong[k].tolist() for k, m in enumerate(predictions.model_ids)} == WRONG
    assert predictions.instances.index.tolist() == [f"Which is {i}?" for i in range(3)]
    assert "their questions" in aligned.report.sentence


@pytest.mark.parametrize("form", ["old, choices", "new, choices", "as text"])
def test_log_likelihoods_are_probabilities(form, tmp_path):
    predictions = read(details(tmp_path, FORMS[form]))
    assert predictions.classes == ("red", "blue", "green")
    row = predictions.probabilities[predictions.model_ids.index("bob"), 1]
    assert np.allclose(row, np.exp([-3, -3, -0.1]) / np.exp([-3, -3, -0.1]).sum())


def test_single_answers_come_out_of_their_lists(tmp_path):
    predictions = read(details(tmp_path, FORMS["old, texts"]), rules=ReadingRules(normalize="quasi-exact"))
    assert set(predictions.classes) == {"red", "blue", "green"}


def test_another_metric(tmp_path):
    folder = details(tmp_path, FORMS["old, choices"])
    predictions = read(folder, rules=ReadingRules(metric="acc_norm"))
    assert predictions.wrong[predictions.model_ids.index("bob")].tolist() == [True, False, True]
    with pytest.raises(InputError, match="has no metric 'f1'; expected one of acc, acc_norm"):
        read(folder, rules=ReadingRules(metric="f1"))


def test_the_latest_run_counts_and_earlier_ones_are_repeats_on_request(tmp_path, capsys):
    details(tmp_path, lambda i, choice: new_row(i, (choice + 1) % 3, True), "2024-05-01T10-00-00.000000")
    details(tmp_path, FORMS["new, choices"])
    aligned = align(tmp_path)
    assert sorted(aligned.predictions.model_ids) == ["bob", "org/ann"]
    assert aligned.predictions.wrong.sum() == 2
    assert "earlier runs of the same task are left out: 2 (repeat runs with --repeats)" in aligned.report.sentence
    repeats = read(tmp_path, rules=ReadingRules(repeats=True))
    assert sorted(repeats.model_ids) == ["bob@1", "bob@2", "org/ann@1", "org/ann@2"]
    assert main(["read", str(tmp_path), "--repeats", "--out", str(tmp_path / "out")]) == 0
    assert read(tmp_path / "out").shape == (4, 3)


def test_no_finite_log_likelihood_is_no_answer(tmp_path):
    def rows(i, choice):
        row = new_row(i, choice, True)
        if i == 1:
            row["model_response"]["logprobs"] = [float("nan")] * 3
        return row

    predictions = read(details(tmp_path, rows))
    assert (predictions.answers[:, 1] == -1).all()
