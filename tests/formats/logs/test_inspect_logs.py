"""Do Inspect's logs become what the models answered? Real ones of its mock model, and broken ones."""

from __future__ import annotations

import json
import zipfile

import pytest

from polyculture.cli import main
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
    assert aligned.predictions.residuals.tolist() == [[-0.5, 0]] * 2
    assert "2 of 4 scores (50.0 %) are neither 0 nor 1 and count as grades" in aligned.report.sentence
    assert read(tmp_path, rules=ReadingRules(threshold=1)).wrong.tolist() == [[True, False]] * 2
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
    write(tmp_path, "a", sample(1), sample(2, "perhaps"))
    write(tmp_path, "b", sample(1), sample(2))
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"sample 2 of {tmp_path}/a.json gives model 'a' the score 'perhaps' by match; expected a finite number, "
        "or true or false; "
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


def unscored(number, *, scores=None, **more):
    return sample(number, scores=scores, output={"completion": "A" if number % 2 else "B"}, **more)


@pytest.mark.parametrize("value", [None, float("nan"), "NaN"])
def test_samples_without_a_score_have_no_outcome(value, tmp_path):
    for model in "ab":
        write(tmp_path, model, sample(1, value), sample(2), sample(3, "I"), unscored(4, scores={}))
    aligned = align(tmp_path)
    assert aligned.predictions.observed.tolist() == [[False, True, True, False]] * 2
    assert aligned.predictions.wrong.sum(axis=1).tolist() == [1, 1]
    assert "not scored: 4 (most: a, 2)" in aligned.report.sentence


def test_a_log_without_scores_is_judged_by_its_targets(tmp_path):
    for model in "ab":
        samples = [
            unscored(1),
            unscored(2),
            unscored(3, error={"message": "timed out"}),
            unscored(4, target=["B", "C"]),
        ]
        write(tmp_path, model, *samples)
    aligned = align(tmp_path)
    assert aligned.predictions.wrong.tolist() == [[False, True, False, False]] * 2
    assert aligned.predictions.observed.tolist() == [[True, True, False, True]] * 2
    assert f"{tmp_path}/a.json has no scores; the targets of its samples say what is right." in aligned.report.notes


@pytest.mark.parametrize(
    ("right", "wrong"), [("yes", "no"), ("True", "FALSE"), ("correct", "incorrect"), ("pass", "fail"), (True, False)]
)
def test_words_of_verdicts_count_whatever_the_threshold(right, wrong, tmp_path):
    for model in "ab":
        write(tmp_path, model, sample(1, right), sample(2, wrong), sample(3, "C"), sample(4, "I"))
    for threshold in (None, 4):
        assert read(tmp_path, rules=ReadingRules(threshold=threshold)).wrong.tolist() == [[False, True] * 2] * 2


def test_grades_beyond_1_need_a_threshold(tmp_path):
    for model in "ab":
        write(tmp_path, model, sample(1, 1), sample(2, 5))
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"sample 2 of {tmp_path}/a.json gives model 'a' the score 5 by match; expected a score from 0 to 1; "
        "give the score from which an answer counts as right with threshold (--threshold)."
    )
    aligned = align(tmp_path, rules=ReadingRules(threshold=4))
    assert aligned.predictions.wrong.tolist() == [[True, False]] * 2
    assert "2 scores are neither 0 nor 1, and 4 or more counts as right" in aligned.report.sentence


def test_one_scorer_counts_per_task(tmp_path):
    for model in "ab":
        other = {"includes": {"value": "I", "answer": "A"}}
        write(tmp_path, model, unscored(1), sample(2), sample(3, scores=other))
    aligned = align(tmp_path)
    assert aligned.predictions.observed.tolist() == [[False, True, False]] * 2
    assert aligned.report.frame()["unscored"].tolist() == [2, 2]
    assert "Task quiz: the scorer 'match' says what is right; there is also includes." in aligned.report.notes
    assert read(tmp_path, rules=ReadingRules(metric="includes")).wrong[:, 2].all()
    write(tmp_path, "c", sample(1, scores=other))
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"sample 1 of {tmp_path}/c.json has no scorer 'match'; expected one of includes; "
        "name a scorer that all logs of the task have with metric (--metric)."
    )


def test_a_scorer_with_several_values_is_named_with_its_key(tmp_path):
    for model in "ab":
        write(tmp_path, model, sample(1, {"facts": "C", "style": 0}), sample(2, {"facts": None, "style": 1}))
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"sample 1 of {tmp_path}/a.json has several values of the scorer 'match'; expected one of match/facts, "
        "match/style; name it with metric (--metric match/facts)."
    )
    assert read(tmp_path, rules=ReadingRules(metric="match/style")).wrong.tolist() == [[True, False]] * 2
    assert read(tmp_path, rules=ReadingRules(metric="match/facts")).observed.tolist() == [[True, False]] * 2


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_a_failed_request_yields_to_its_repetition(order, tmp_path):
    failed = sample(2, scores=None, error={"message": "timed out"})
    for name, samples in (("first", [sample(1), failed]), ("second", [sample(1), sample(2, "I"), sample(3)])):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "a", *samples, status="error" if name == "first" else "success")
    write(tmp_path, "b", sample(1), sample(2), sample(3))
    aligned = align([*(tmp_path / name for name in order), tmp_path / "b.json"])
    assert aligned.predictions.wrong[0].sum() == 1
    assert aligned.predictions.observed is None or aligned.predictions.observed.all()
    table = aligned.report.frame().set_index("model").loc["a"]
    assert table[["failed", "duplicated", "other_order"]].tolist() == [0, 2, 0]


def test_epochs_that_the_head_does_not_declare_are_runs(tmp_path):
    write(tmp_path, "a", sample(1), sample(1, "I", epoch=2))
    assert read(tmp_path).model_ids == ["a@1", "a@2"]


def test_a_sample_that_unfolds_beyond_the_limit_is_refused(tmp_path):
    start = {"version": 2, "eval": {"model": "a", "task": "quiz", "dataset": {"sample_ids": [1]}}}
    long = json.dumps(sample(1, input="x" * 5000))
    with zipfile.ZipFile(tmp_path / "a.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(start))
        archive.writestr("samples/1_epoch_1.json", long)
    write(tmp_path, "b", sample(1, input="x" * 5000))
    with pytest.raises(InputError) as caught:
        read(tmp_path, rules=ReadingRules(largest_sample=4000))
    assert str(caught.value) == (
        f"samples/1_epoch_1.json of {tmp_path}/a.eval unfolds to {len(long):,} bytes; expected at most 4,000 per "
        "sample; if the log is to be trusted, raise the limit with largest_sample (--largest-sample 8000)."
    )
    assert read(tmp_path, rules=ReadingRules(largest_sample=6000)).shape == (2, 1)
    for limit, code in (("4000", 2), ("6000", 0)):
        assert main(["read", str(tmp_path), "--largest-sample", limit, "--out", str(tmp_path / "out")]) == code


def test_the_threshold_is_an_option_of_the_command_line(tmp_path, capsys):
    for model in "ab":
        write(tmp_path, model, *(sample(k, 1 + k % 5) for k in range(30)))
    assert main(["read", str(tmp_path), "--out", str(tmp_path / "p")]) != 0
    assert capsys.readouterr().err.endswith("counts as right with threshold (--threshold).\n")
    assert main(["read", str(tmp_path), "--threshold", "4", "--out", str(tmp_path / "p")]) == 0
    assert "24 scores are neither 0 nor 1" not in capsys.readouterr().err
    assert read(tmp_path / "p").wrong.sum(axis=1).tolist() == [18, 18]


def short_log(path, model, answers, run, epochs=1, failed=()):
    """A log of one task: a text of answers per epoch, the truth is always A."""
    samples = [
        {"id": i, "epoch": epoch, "input": "?", "target": "A", "output": {"completion": a}}
        | ({"error": {"message": "gone"}} if i in failed else {"scores": {"m": {"value": "CI"[a != "A"], "answer": a}}})
        for epoch, text in enumerate(answers, 1)
        for i, a in enumerate(text)
    ]
    head = {"task": "quiz", "task_id": run, "model": model, "config": {"epochs": epochs}}
    path.write_text(json.dumps({"version": 2, "status": "success", "eval": head, "samples": samples}))


def test_two_logs_of_a_model_and_task_are_repeat_runs_where_that_is_wanted(tmp_path):
    short_log(tmp_path / "1.json", "ann", ["AAB"], "one")
    short_log(tmp_path / "2.json", "ann", ["ABB", "BAA"], "two", epochs=2)
    short_log(tmp_path / "3.json", "ann", ["BBB"], "three")
    short_log(tmp_path / "4.json", "bob", ["BBA"], "four")
    with pytest.raises(InputError, match=r"two different answers .* or read each file as a repeat run \(--repeats\)"):
        read(tmp_path)
    runs = read(tmp_path, rules=ReadingRules(repeats=True))
    wrong = {"ann@1": [0, 0, 1], "ann@2": [0, 1, 1], "ann@3": [1, 0, 0], "ann@4": [1, 1, 1], "bob": [1, 1, 0]}
    assert outcomes(runs) == wrong
    assert runs.models.loc["ann@3", ["base", "repeat"]].tolist() == ["ann", 3]


def test_a_retried_log_is_the_same_run(tmp_path):
    short_log(tmp_path / "1.json", "ann", ["AAB"], "one", failed=(1,))
    short_log(tmp_path / "2.json", "ann", ["AAB"], "one")
    short_log(tmp_path / "3.json", "bob", ["ABB"], "two")
    assert outcomes(read(tmp_path, rules=ReadingRules(repeats=True))) == {"ann": [0, 0, 1], "bob": [0, 1, 1]}
