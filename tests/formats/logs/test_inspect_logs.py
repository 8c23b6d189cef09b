"""Do Inspect's logs become what the models answered? Real ones of its mock model, and broken ones."""

from __future__ import annotations

import json
import zipfile

import pytest

from polyculture.errors import FileError, InputError
from polyculture.formats import ReadingRules, align, read

ANN, BOB = "mockllm/ann", "mockllm/bob"


@pytest.fixture(scope="module")
def real(logs):
    return logs("inspect_logs", "inspect_ai")


def outcomes(predictions):
    table = predictions.wrong if predictions.correct is None else predictions.correct == 0
    return dict(zip(predictions.model_ids, table.astype(int).tolist(), strict=True))


@pytest.mark.slow
def test_real_epochs_are_kept_as_runs_of_their_own(real):
    predictions = align(real / "eval").predictions
    assert sorted(predictions.model_ids) == [f"{ANN}@1", f"{ANN}@2", f"{BOB}@1", f"{BOB}@2"]
    assert predictions.models.loc[f"{BOB}@2", ["base", "repeat"]].tolist() == [BOB, 2]
    assert predictions.instances.index.tolist() == ["q0", "q1", "q2", "q3", "q4", "q5"]
    assert outcomes(predictions)[f"{ANN}@2"] == [0, 0, 0, 0, 0, 0]
    assert outcomes(predictions)[f"{BOB}@2"] == [0, 1, 0, 1, 0, 1]
    assert predictions.options.tolist() == [3] * 6


@pytest.mark.slow
def test_real_parse_failures_and_refusals_are_no_agreement(real):
    aligned = align(real / "eval")
    table = aligned.report.frame().set_index("model")
    assert table["unparsed"].to_dict() == {f"{ANN}@1": 1, f"{ANN}@2": 0, f"{BOB}@1": 1, f"{BOB}@2": 0}
    assert table.loc[f"{BOB}@1", "refused"] == 1
    runs = [aligned.predictions.model_ids.index(f"{name}@1") for name in (ANN, BOB)]
    assert aligned.predictions.answers[runs, 3].tolist() == [-1, -1]
    assert aligned.predictions.correct[runs, 3].tolist() == [0, 0]


@pytest.mark.slow
def test_real_json_log_of_free_answers(real):
    aligned = align(real / "json")
    assert outcomes(aligned.predictions) == {ANN: [0, 0, 1, 0, 0, 0], BOB: [0, 0, 1, 1, 0, 0]}
    assert aligned.predictions.classes == tuple("0123456")
    assert "Task sums: the scorer 'match' says what is right; there is also includes." in aligned.report.notes
    assert aligned.predictions.models["provider"].tolist() == ["mockllm", "mockllm"]
    assert outcomes(read(real / "json", rules=ReadingRules(metric="includes")))[ANN] == [0, 0, 1, 0, 0, 0]


@pytest.mark.slow
def test_real_log_that_is_cut_off(real, tmp_path):
    log = next((real / "eval").glob("*.eval"))
    (tmp_path / "x.eval").write_bytes(log.read_bytes()[:2000])
    with pytest.raises(FileError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/x.eval is not a complete Inspect log: File is not a zip file; copy or write it again."
    )


def sample(number, value="C", **more):
    score = {"value": value, "answer": "A", "explanation": ""}
    return {"id": number, "epoch": 1, "input": "?", "target": "A", "scores": {"match": score}, "output": {}} | more


def write(folder, model, *samples, status="success"):
    spec = {"model": model, "task": "quiz", "created": "2025-01-01T00:00:00", "config": {"epochs": 1}, "dataset": {}}
    log = {"version": 2, "status": status, "eval": spec, "samples": list(samples)}
    (folder / f"{model}.json").write_text(json.dumps(log))


def test_samples_that_ended_in_an_error_have_no_outcome(tmp_path):
    write(tmp_path, "a", sample(1), sample(2), status="error")
    write(tmp_path, "b", sample(1), sample(2, scores={}, error={"message": "timed out"}))
    aligned = align(tmp_path)
    assert aligned.predictions.observed.tolist() == [[True, True], [True, False]]
    assert aligned.report.frame()["failed"].tolist() == [0, 1]
    assert "requests that failed: 1 (most: b, 1)" in aligned.report.sentence
    assert f"{tmp_path}/a.json is of a run that ended with the status 'error'." in aligned.report.notes


def test_partial_credit_is_right_from_the_threshold_on(tmp_path):
    for model in "ab":
        write(tmp_path, model, sample(1, "P"), sample(2, "C"))
    aligned = align(tmp_path)
    assert aligned.predictions.wrong.tolist() == [[True, False]] * 2
    assert "2 scores are neither 0 nor 1; 1 or more counts as right." in aligned.report.notes
    assert not read(tmp_path, rules=ReadingRules(threshold=0.5)).wrong.any()


def test_no_answer_is_no_agreement(tmp_path):
    for model in "ab":
        write(tmp_path, model, sample(1, "N"), sample(2))
    predictions = read(tmp_path)
    assert predictions.answers.tolist() == [[-1, 0]] * 2
    assert predictions.wrong.tolist() == [[True, False]] * 2


def test_an_unknown_scorer_is_answered_with_the_near_ones(tmp_path):
    write(tmp_path, "a", sample(1))
    with pytest.raises(InputError) as caught:
        read(tmp_path, rules=ReadingRules(metric="mach"))
    assert str(caught.value) == (
        f"sample 1 of {tmp_path}/a.json has no scorer 'mach'; expected one of match; did you mean 'match'?"
    )


def test_a_corrupt_score_names_its_sample(tmp_path):
    write(tmp_path, "a", sample(1), sample(2, {"mean": 1}))
    write(tmp_path, "b", sample(1), sample(2))
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"sample 2 of {tmp_path}/a.json gives model 'a' the score {{'mean': 1}}; expected a number, or true or false; "
        "mend the line, or leave such lines out with skip_bad=True (--skip-bad)."
    )


def pack(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)


def test_a_zip_file_of_something_else_is_refused(tmp_path):
    pack(tmp_path / "x.eval", {"letter.txt": "Dear all"})
    with pytest.raises(InputError) as caught:
        read(tmp_path / "x.eval")
    assert str(caught.value) == (
        f"{tmp_path}/x.eval is a zip file without header.json; expected a log that Inspect wrote."
    )


def test_a_run_that_was_stopped_is_read_as_far_as_it_went(tmp_path):
    for model in "ab":
        start = {"version": 2, "eval": {"model": model, "task": "quiz", "dataset": {"sample_ids": [1, 2]}}}
        members = {"_journal/start.json": json.dumps(start), "samples/1_epoch_1.json": json.dumps(sample(1))}
        pack(tmp_path / f"{model}.eval", members | {"samples/2_epoch_1.json": json.dumps(sample(2))[:-9]})
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"samples/2_epoch_1.json of {tmp_path}/a.eval cannot be read: ")
    aligned = align(tmp_path, rules=ReadingRules(skip_bad=True))
    assert aligned.predictions.shape == (2, 1)
    assert aligned.report.n_skipped == 2
