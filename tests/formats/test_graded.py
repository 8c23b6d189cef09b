"""Do scores between 0 and 1 stay what they are, unless a threshold makes them right or wrong?"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.cli import main
from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read
from polyculture.rng import stream

SCORES = {"ann": [1.0, 0.5, 0.25, 0.0], "bob": [0.75, 1.0, 0.0, 0.5]}
AT_HALF = [[False, False, True, True], [False, False, True, False]]
SENTENCE = (
    "4 of 8 scores (50.0 %) are neither 0 nor 1 and count as grades, numbers with the target 1, and for right or wrong "
    "give the score from which an answer is right with threshold (--threshold)"
)


def lm_eval(folder, metric="rouge"):
    for model, scores in SCORES.items():
        (folder / model).mkdir()
        rows = [
            {"doc_id": i, "doc": {"q": i}, "target": "t", "arguments": [["?"]], "filtered_resps": [f"{model} {i}"]}
            | {"filter": "none", "metrics": [metric], metric: score}
            for i, score in enumerate(scores)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / model / "samples_sums_2025-01-01T00-00-00.000000.jsonl").write_text(text)
    return folder


def inspect(folder):
    for model, scores in SCORES.items():
        samples = [
            {"id": i, "input": "?", "target": "t", "scores": {"judge": {"value": s}}} for i, s in enumerate(scores)
        ]
        log = {"version": 2, "status": "success", "eval": {"model": model, "task": "quiz"}, "samples": samples}
        (folder / f"{model}.json").write_text(json.dumps(log))
    return folder


def long(folder):
    rows = [{"model": m, "item": i, "correct": s} for m, scores in SCORES.items() for i, s in enumerate(scores)]
    pd.DataFrame(rows).sample(frac=1, random_state=0).sort_values("item").to_csv(folder / "long.csv", index=False)
    return folder / "long.csv"


@pytest.mark.parametrize("source", [lm_eval, inspect, long])
def test_scores_are_numbers_with_the_target_one(source, tmp_path):
    aligned = align(source(tmp_path))
    predictions = aligned.predictions
    order = [predictions.model_ids.index(model) for model in SCORES]
    assert predictions.values[order].tolist() == list(SCORES.values())
    assert predictions.targets.tolist() == [1.0] * 4
    assert SENTENCE in aligned.report.sentence
    assert np.isfinite(pc.audit(predictions).null_models[0].n_eff.estimate)


@pytest.mark.parametrize("source", [lm_eval, inspect, long])
def test_a_threshold_makes_them_right_or_wrong(source, tmp_path):
    predictions = read(source(tmp_path), rules=ReadingRules(threshold=0.5))
    order = [predictions.model_ids.index(model) for model in SCORES]
    assert predictions.wrong[order].tolist() == AT_HALF


def test_wide_tables_and_dataframes(tmp_path):
    frame = pd.DataFrame(SCORES)
    frame.to_parquet(tmp_path / "wide.parquet")
    for source in (frame, tmp_path / "wide.parquet"):
        assert read(source, correct=True).values.tolist() == list(SCORES.values())
        assert read(source, correct=True, rules=ReadingRules(threshold=0.5)).wrong.tolist() == AT_HALF
    assert read(frame.assign(ann=[None, 0.5, 0.25, 0.0]), correct=True).observed[0].tolist() == [
        False,
        True,
        True,
        True,
    ]


def test_of_scores_of_zero_and_one_n_eff_is_that_of_outcomes():
    rng = stream(5, "grades")
    right = (rng.random(400) + 0.4 * rng.normal(size=(6, 400)) > 0.4).astype(float)
    columns = {f"m{i}": row.tolist() for i, row in enumerate(right)}
    outcomes = pc.audit(pc.Predictions.from_correct(columns)).null_models[0]
    grades = pc.audit(pc.Predictions.from_values(columns, np.ones(400))).null_models[0]
    assert grades.n_eff.estimate == pytest.approx(outcomes.n_eff.estimate, rel=1e-9)
    assert grades.rho.estimate == pytest.approx(outcomes.rho.estimate, rel=1e-9)


def test_several_tables_and_select_ask_for_a_threshold(tmp_path, capsys):
    for model, scores in SCORES.items():
        pd.DataFrame({"item": range(4), "correct": scores}).to_csv(tmp_path / f"{model}.csv", index=False)
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"2 of 4 scores (50.0 %) in the column 'correct' of {tmp_path}/ann.csv are neither 0 nor 1; expected right or "
        "wrong in each of several tables; for right or wrong give the score from which an answer is right with "
        "threshold (--threshold), or write one table."
    )
    assert read(tmp_path, rules=ReadingRules(threshold=0.5)).wrong.tolist() == AT_HALF
    (tmp_path / "one").mkdir()
    assert main(["select", str(long(tmp_path / "one")), "--out", str(tmp_path / "out")]) == 2
    assert "graded scores; expected right or wrong outcomes; read them with threshold" in capsys.readouterr().err


def test_a_single_model_is_refused_as_among_outcomes(tmp_path):
    with pytest.raises(InputError, match="1 model: 'ann'; expected two models or more"):
        read(pd.DataFrame({"ann": SCORES["ann"]}), correct=True)


def test_few_cells_between_are_cells_to_mend(tmp_path):
    frame = pd.DataFrame({"ann": [1.0, 0.0] * 30, "bob": [1.0, 0.5] + [0.0] * 58})
    with pytest.raises(InputError, match=r"holds '0.5' in the column 'bob'; expected right or wrong"):
        read(frame, correct=True)
    assert read(frame, correct=True, rules=ReadingRules(threshold=0.5)).wrong[1, :3].tolist() == [False, False, True]
