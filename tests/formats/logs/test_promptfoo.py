"""Do the results of promptfoo become what its providers answered? In the layout of version 3 of its results."""

from __future__ import annotations

import json

import pytest

from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read

WRONG = [[False, False, True], [False, True, False]]


def result(test, provider, right, **more):
    """One result, shortened to what tells anything."""
    grading = {"pass": right, "score": float(right), "reason": "All assertions passed" if right else "Expected it"}
    return {
        "testIdx": test,
        "promptIdx": 0,
        "provider": {"id": f"openai:{provider}", "label": provider},
        "prompt": {"raw": "Say {{word}}", "label": "Say {{word}}"},
        "vars": {"word": f"w{test}"},
        "testCase": {"vars": {"word": f"w{test}"}, "assert": [{"type": "contains", "value": "x"}]},
        "response": {"output": f"{provider} {test}", "tokenUsage": {"total": 3}},
        "success": right,
        "score": float(right),
        "namedScores": {"tone": 0.5, "fact": float(not right)},
        "failureReason": 0 if right else 1,
        "error": None if right else "Expected it",
        "gradingResult": grading,
        "latencyMs": 9,
    } | more


def stored(path, results):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in results))
        return path
    summary = {"version": 3, "timestamp": "2026-01-01T00:00:00.000Z", "results": results, "prompts": [], "stats": {}}
    path.write_text(json.dumps({"evalId": "eval-x", "results": summary, "config": {}, "shareableUrl": None}))
    return path


@pytest.fixture
def results():
    return [
        result(test, name, not wrong)
        for test in range(3)
        for name, wrong in (("ann", WRONG[0][test]), ("bob", WRONG[1][test]))
    ]


@pytest.mark.parametrize("name", ["results.json", "results.jsonl"])
def test_providers_are_models_and_test_cases_instances(name, results, tmp_path):
    for source in (stored(tmp_path / name, results), tmp_path):
        predictions = read(source)
        assert predictions.model_ids == ["ann", "bob"]
        assert predictions.wrong.tolist() == WRONG
        assert predictions.instances.index.tolist() == ["word=w0", "word=w1", "word=w2"]


def test_a_name_of_the_users_own_comes_before_several_providers(results, tmp_path):
    path = stored(tmp_path / "results.json", results)
    assert read({"monday": path}).model_ids == ["monday:ann", "monday:bob"]
    singles = [stored(tmp_path / f"{i}.json", results[i::2]) for i in (0, 1)]
    assert read({"x": singles[0], "y": singles[1]}).model_ids == ["x", "y"]


def test_an_error_is_no_failure_and_no_verdict_without_a_score(results, tmp_path):
    results[0] |= {"success": False, "score": 0, "failureReason": 2, "error": "429 Too Many Requests", "response": None}
    aligned = align(stored(tmp_path / "results.json", results))
    assert aligned.predictions.correct[0].tolist() == [-1, 1, 0]
    assert aligned.report.frame()["failed"].tolist() == [1, 0]


def test_an_older_failed_assertion_is_no_error(results, tmp_path):
    for row in results:
        del row["failureReason"]
    assert read(stored(tmp_path / "results.json", results)).wrong.tolist() == WRONG


def test_a_named_score_instead_of_success(results, tmp_path):
    path = stored(tmp_path / "results.json", results)
    assert read(path, rules=ReadingRules(metric="fact")).wrong.tolist() == [[not w for w in row] for row in WRONG]
    assert read(path, rules=ReadingRules(metric="tone")).values.tolist() == [[0.5] * 3] * 2
    with pytest.raises(InputError, match=r"has no score 'facts'; expected one of success, score, tone, fact; did you"):
        read(path, rules=ReadingRules(metric="facts"))


def test_several_prompts_are_models_of_their_own_and_repeats_are_runs(results, tmp_path):
    second = [row | {"promptIdx": 1, "prompt": {"raw": "Tell {{word}}", "label": "Tell"}} for row in results]
    predictions = read(stored(tmp_path / "results.json", results + second))
    assert predictions.model_ids == [f"{m} · {p}" for p in ("Say {{word}}", "Tell") for m in ("ann", "bob")]
    repeats = read(stored(tmp_path / "results.json", results + [row | {"testIdx": 9} for row in results]))
    assert repeats.model_ids == ["ann@1", "bob@1", "ann@2", "bob@2"]


def test_two_tests_with_the_same_variables_are_two_instances(results, tmp_path):
    again = [result(0, name, True, testIdx=3) for name in ("ann", "bob")]
    predictions = read(stored(tmp_path / "results.json", results + again))
    assert predictions.instances.index.tolist() == ["word=w0", "word=w1", "word=w2", "word=w0#2"]
