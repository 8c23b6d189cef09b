"""Do HELM's run folders become what the models answered? Files laid out as HELM publishes them."""

from __future__ import annotations

import json

import pytest

from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read

LETTERS = "ABC"


def instance(number, right=0, **more):
    references = [{"output": {"text": f"choice {k}"}, "tags": ["correct"] if k == right else []} for k in range(3)]
    return {
        "input": {"text": f"Question {number}?"},
        "references": references,
        "split": "test",
        "id": f"id{number}",
    } | more


def request(number, said, right=0, trial=0, **more):
    return {
        "instance": instance(number, right),
        "train_trial_index": trial,
        "output_mapping": {letter: f"choice {k}" for k, letter in enumerate(LETTERS)},
        "request": {"prompt": f"Question {number}?"},
        "result": {"success": True, "completions": [{"text": said, "logprob": -1.0}]},
    } | more


def stats(number, metric="exact_match", mean=1.0, trial=0, **more):
    values = [{"name": {"name": name, "split": "test"}, "count": 1, "sum": v, "mean": v} for name, v in (
        ("num_prompt_tokens", 99.0), (metric, mean), *more.items()
    )]  # fmt: skip
    return {"instance_id": f"id{number}", "train_trial_index": trial, "stats": values}


@pytest.fixture
def run(tmp_path):
    """Write one run folder of a model."""

    def written(model, requests, statistics, method="multiple_choice_joint", shown=None, **adapter):
        folder = tmp_path / "suite" / f"mmlu:subject=anatomy,model={model.replace('/', '_')}"
        folder.mkdir(parents=True)
        spec = {
            "name": f"mmlu:subject=anatomy,model={model.replace('/', '_')}",
            "adapter_spec": {"method": method, "model": model} | adapter,
            "groups": ["mmlu"],
        }
        files = {"run_spec": spec, "per_instance_stats": statistics}
        if requests is not None:
            files["scenario_state"] = {"adapter_spec": spec["adapter_spec"], "request_states": requests}
        if shown is not None:
            files |= {"display_predictions": shown, "instances": [instance(k) for k in range(3)]}
        for name, value in files.items():
            (folder / f"{name}.json").write_text(json.dumps(value))
        return folder

    return written


def said(predictions):
    return {
        model: [predictions.classes[code] if code >= 0 else None for code in row]
        for model, row in zip(predictions.model_ids, predictions.answers, strict=True)
    }


def test_multiple_choice_is_mapped_back_to_the_choices(run, tmp_path):
    run("openai/gpt2", [request(0, " A"), request(1, " B", 1)], [stats(0), stats(1)])
    run("meta/llama-7b", [request(1, " C", 1), request(0, "A")], [stats(1, mean=0.0), stats(0)])
    aligned = align(tmp_path)
    predictions = aligned.predictions
    assert said(predictions) == {"meta/llama-7b": ["choice 2", "choice 0"], "openai/gpt2": ["choice 1", "choice 0"]}
    assert predictions.instances.index.tolist() == ["id1", "id0"]
    assert predictions.wrong.tolist() == [[True, False], [False, False]]
    assert [predictions.classes[code] for code in predictions.labels] == ["choice 1", "choice 0"]
    assert predictions.options.tolist() == [3, 3]
    assert predictions.models["provider"].tolist() == ["meta", "openai"]
    assert aligned.report.matched_by == "the ids of their instances"
    assert "Task mmlu:subject=anatomy: exact_match says what is right." in aligned.report.notes


def test_displayed_predictions_are_read_where_the_state_was_not_published(run, tmp_path):
    for model, mapped in (("a", "choice 0"), ("b", "choice 2")):
        shown = [
            {
                "instance_id": "id0",
                "train_trial_index": 0,
                "predicted_text": " A",
                "mapped_output": mapped,
                "stats": {},
            },
            {"instance_id": "id1", "train_trial_index": 0, "predicted_text": " ", "stats": {}},
        ]
        run(model, None, [stats(0, mean=float(model == "a")), stats(1, mean=0.0)], shown=shown)
    aligned = align(tmp_path)
    assert said(aligned.predictions) == {"a": ["choice 0", None], "b": ["choice 2", None]}
    assert aligned.predictions.wrong.tolist() == [[False, True], [True, True]]
    assert aligned.report.frame()["unparsed"].tolist() == [1, 1]


def test_where_every_choice_was_a_request_the_chosen_one_is_the_answer(run, tmp_path):
    for model, chosen in (("a", 0), ("b", 2)):
        requests = [request(0, "…", reference_index=k) for k in range(3)]
        requests.append(request(0, "…", reference_index=0, request_mode="calibration"))
        run(
            model,
            requests,
            [stats(0, mean=float(chosen == 0), predicted_index=chosen)],
            "multiple_choice_separate_original",
        )
    assert said(read(tmp_path)) == {"a": ["choice 0"], "b": ["choice 2"]}


def test_generated_answers_and_failed_requests(run, tmp_path):
    failed = request(1, "", output_mapping=None, result={"success": False, "completions": []})
    for model in "ab":
        answers = [request(0, "The Choice 0.", output_mapping=None), failed]
        run(model, answers, [stats(0, "quasi_exact_match")], "generation")
    aligned = align(tmp_path, rules=ReadingRules(normalize="quasi-exact"))
    assert said(aligned.predictions) == {"a": ["choice 0", None], "b": ["choice 0", None]}
    assert aligned.predictions.observed.tolist() == [[True, False]] * 2
    assert aligned.report.frame()["failed"].tolist() == [1, 1]
    assert aligned.report.examples.iloc[0].tolist() == ["The Choice 0.", "choice 0", "quasi-exact"]


def test_train_trials_are_runs_of_their_own(run, tmp_path):
    requests = [request(0, "A", trial=t) for t in range(2)]
    for model in "ab":
        run(model, requests, [stats(0, trial=t) for t in range(2)], max_train_instances=5, num_train_trials=2)
    assert read(tmp_path).model_ids == ["a@1", "a@2", "b@1", "b@2"]


def test_perturbed_instances_are_instances_of_their_own(run, tmp_path):
    typos = request(0, "B") | {"instance": instance(0, perturbation={"name": "typos"})}
    statistics = [stats(0), stats(0, mean=0.0) | {"perturbation": {"name": "typos"}}]
    for model in "ab":
        run(model, [request(0, "A"), typos], statistics)
    predictions = read(tmp_path)
    assert predictions.instances.index.tolist() == ["id0", "id0~typos"]
    assert predictions.wrong[0].tolist() == [False, True]


def test_a_statistic_that_is_not_there_is_answered_with_the_near_ones(run, tmp_path):
    folder = run("a", [request(0, "A")], [stats(0)])
    with pytest.raises(InputError) as caught:
        read(tmp_path, rules=ReadingRules(metric="exact_mach"))
    assert str(caught.value) == f"{folder} has no statistic 'exact_mach'; did you mean 'exact_match'?"


def test_a_run_without_a_statistic_of_right_and_wrong_is_refused(run, tmp_path):
    folder = run("a", [request(0, "A")], [stats(0, "bleu_4")])
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{folder} has no statistic that says right or wrong (its statistics: num_prompt_tokens, bleu_4); "
        "expected one such as quasi_exact_match; name it with metric (--metric)."
    )


def test_instances_without_the_statistic_are_not_scored(run, tmp_path):
    for model in "ab":
        answers = [request(k, "A") for k in range(4)]
        run(model, answers, [stats(0), stats(1, mean=None), stats(2, "bleu_4")])
    aligned = align(tmp_path)
    assert aligned.predictions.observed.tolist() == [[True, False, False, False]] * 2
    assert aligned.report.frame()[["unscored", "failed"]].to_numpy().tolist() == [[3, 0]] * 2


def test_a_request_that_failed_has_no_outcome_whatever_its_statistic(run, tmp_path):
    failed = request(1, "", result={"success": False, "completions": []})
    for model in "ab":
        run(model, [request(0, "A"), failed], [stats(0), stats(1, mean=0.0)])
    assert read(tmp_path).observed.tolist() == [[True, False]] * 2


def test_a_run_without_statistics_is_judged_by_its_references(run, tmp_path):
    for model in "ab":
        run(model, [request(0, "A"), request(1, "B")], [])
    aligned = align(tmp_path)
    assert aligned.predictions.wrong.tolist() == [[False, True]] * 2
    assert "Task mmlu:subject=anatomy: equality with the reference says what is right." in aligned.report.notes


def test_one_statistic_counts_for_all_runs_of_a_task(run, tmp_path):
    run("a", [request(0, "A")], [stats(0)])
    folder = run("b", [request(0, "A")], [stats(0, "quasi_exact_match")])
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{folder} has no statistic 'exact_match'; expected one of num_prompt_tokens, quasi_exact_match; "
        "name a statistic that all runs of the task have with metric (--metric)."
    )


@pytest.mark.parametrize(("good", "bad"), [(5, 2), ("yes", "no"), (True, False)])
def test_statistics_are_verdicts_or_need_a_threshold(good, bad, run, tmp_path):
    for model in "ab":
        run(model, [request(0, "A"), request(1, "A")], [stats(0, "judge", good), stats(1, "judge", bad)])
    if good == 5:
        with pytest.raises(InputError) as caught:
            read(tmp_path, rules=ReadingRules(metric="judge"))
        assert "by judge; expected a score from 0 to 1; give the score" in str(caught.value)
    assert read(tmp_path, rules=ReadingRules(metric="judge", threshold=4)).wrong.tolist() == [[False, True]] * 2
