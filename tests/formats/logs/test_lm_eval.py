"""Do logs of lm-evaluation-harness become what the models answered? Real ones, and lines as it writes them."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read
from polyculture.formats.json_lines import parsed_line
from polyculture.formats.logs import sample_lines
from polyculture.formats.logs.lm_eval import softmax
from polyculture.formats.logs.sample_lines import LineParser

ALPHA, BETA = "org/alpha-7b", "org/beta-13b-int4"


def said(predictions, model):
    words = np.array([*predictions.classes, None], dtype=object)
    row = predictions.model_ids.index(model)
    return dict(zip(predictions.instances.index, words[predictions.answers[row]], strict=True))


@pytest.fixture(scope="module")
def real(logs):
    return logs("lm_eval_logs", "lm_eval") / "logs"


def quiz(real):
    return {name: next(real.glob(f"{folder}/samples_quiz*")) for name, folder in (("a", "*alpha*"), ("b", "*beta*"))}


@pytest.mark.slow
def test_real_multiple_choice_gives_choices_probabilities_and_labels(real):
    predictions = read(quiz(real))
    assert predictions.classes == ("one", "two", "three")
    names = ("one", "two", "three")
    assert said(predictions, "a") == {str(i): names[2 * i % 3] for i in range(12)}
    assert said(predictions, "b") == {str(i): "one" for i in range(12)}
    assert [predictions.classes[k] for k in predictions.labels] == [names[i % 3] for i in range(12)]
    high, low = math.exp(-0.5), math.exp(-2)
    expected = np.array([high, low, low]) / (high + 2 * low)
    assert predictions.probabilities[1] == pytest.approx(np.tile(expected, (12, 1)), rel=1e-6)
    assert np.array_equal(predictions.probabilities.argmax(axis=2), predictions.answers)


@pytest.mark.slow
def test_real_questions_in_another_order_are_matched_by_their_hashes(real):
    aligned = align(real)
    assert aligned.predictions.shape == (2, 24)
    assert (aligned.report.n_instances, aligned.report.n_matched) == (24, 24)
    table = aligned.report.frame().set_index("model")
    assert table["other_order"].to_dict() == {ALPHA: 0, BETA: 22}
    assert "items in another order: 22 (most: org/beta-13b-int4, 22)" in aligned.report.sentence


@pytest.mark.slow
def test_real_outcomes_are_those_of_the_metric(real):
    predictions = read(real)
    wrong = dict(zip(predictions.instances.index, predictions.wrong.T.tolist(), strict=True))
    assert [wrong[f"quiz/{i}"] for i in range(3)] == [[False, False], [True, True], [True, True]]
    # the second model saw the questions backwards, so the id is the first model's
    assert [wrong[f"sums/{i}"] for i in range(4)] == [[True, True], [False, False], [True, False], [False, True]]


@pytest.mark.slow
def test_real_answers_that_the_filter_could_not_find_are_no_agreement(real):
    aligned = align(real)
    assert aligned.report.frame().set_index("model")["unparsed"].to_dict() == {ALPHA: 6, BETA: 4}
    predictions = aligned.predictions
    both = (predictions.answers == -1).all(axis=0)
    assert predictions.instances.index[both].tolist() == ["sums/0", "sums/6"]
    assert (predictions.correct[:, both] == 0).all()


@pytest.mark.slow
def test_real_filter_can_be_named_and_the_choice_is_told(real):
    aligned = align(real, rules=ReadingRules(filter="*"), models="*:flexible")
    assert said(aligned.predictions, f"{ALPHA}:flexible")["2"] == "2"
    assert aligned.predictions.models["filter"].tolist() == ["flexible", "flexible"]
    assert "Task sums: answers of the filter 'strict' count; there is also flexible." in align(real).report.notes
    sums = next(real.glob("*alpha*/samples_sums*"))
    with pytest.raises(InputError) as caught:
        read({"a": sums, "b": sums}, rules=ReadingRules(filter="flex"))
    assert (
        str(caught.value) == f"{sums} has no filter 'flex'; expected one of strict, flexible; did you mean 'flexible'?"
    )


@pytest.mark.slow
def test_real_factors_come_from_the_results_and_from_names(real):
    models = read(real).models
    assert models["provider"].tolist() == ["org", "org"]
    assert models["family"].tolist() == ["alpha", "beta"]
    assert models["size"].tolist() == [7.0, 13.0]
    assert models["quantization"].fillna("").tolist() == ["", "int4"]
    assert models["date"].str.fullmatch(r"20\d\d-\d\d-\d\d").all()


def test_what_the_results_tell_counts_more_than_the_name(run, tmp_path):
    for model in ("x-7b", "y-7b"):
        log = run(model, line(0))
        config = {
            "model_args": "pretrained=org/x,load_in_4bit=True,dtype=float16",
            "model_num_parameters": 6_738_415_616,
        }
        results = {"model_name": f"org/{model}", "config": config, "date": 1735689600.0}
        log.with_name("results_2025-01-01T00-00-00.000000.json").write_text(json.dumps(results))
    aligned = align(tmp_path)
    assert aligned.predictions.models.to_dict("list") == {
        "provider": ["org", "org"],
        "family": ["x", "y"],
        "size": [6.74, 6.74],
        "quantization": ["4bit", "4bit"],
        "date": ["2025-01-01", "2025-01-01"],
        "dtype": ["float16", "float16"],
    }
    assert "family of 2 models is read from the name by (?:^|/)([A-Za-z]+)[^/]*$" in aligned.report.notes
    assert align(tmp_path, rules=ReadingRules(names={})).predictions.models.columns.tolist() == [
        "size",
        "quantization",
        "date",
        "dtype",
    ]


def line(number=0, model_logs=(-1.0, -2.0), **more):
    row = {
        "doc_id": number,
        "doc": {"q": number},
        "target": "0",
        "arguments": {f"gen_args_{k}": {"arg_0": "Q", "arg_1": f" {'yn'[k]}"} for k in range(2)},
        "filtered_resps": [[str(x), "False"] for x in model_logs],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": f"hash {number}",
        "prompt_hash": "p",
        "target_hash": "t",
        "acc": float(model_logs[0] > model_logs[1]),
    }
    return json.dumps(row | more) + "\n"


@pytest.fixture
def run(tmp_path):
    """Write lines as the log of a model; gives the path."""

    def written(model, *lines, task="quiz"):
        path = tmp_path / model / f"samples_{task}_2025-01-01T00-00-00.000000.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(lines))
        return path

    return written


def refused(folder, **options):
    with pytest.raises(InputError) as caught:
        read(folder, **options)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_half_written_last_line_is_named_and_can_be_left_out(run, tmp_path):
    run("a", line(0), line(1))
    run("b", line(0), line(1)[:80])
    name = "b/samples_quiz_2025-01-01T00-00-00.000000.jsonl"
    assert refused(tmp_path) == (
        f"line 2 of {name} is cut off: the file ends in the middle of it; "
        "mend the line, or leave such lines out with skip_bad=True (--skip-bad)."
    )
    aligned = align(tmp_path, rules=ReadingRules(skip_bad=True))
    assert aligned.report.n_skipped == 1
    assert aligned.report.skipped["place"].tolist() == [f"line 2 of {tmp_path}/{name}"]
    assert aligned.report.sentence.endswith(
        f"cells missing: 1 (most: b, 1); lines left out: 1 (first: line 2 of {tmp_path}/{name})."
    )


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{]\n", "is not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("[1, 2]\n", "holds [1, 2]; expected a JSON object per line"),
        ('{"doc_id": 1}\n', "is not a sample of lm-evaluation-harness; expected doc_id, filtered_resps, a metric, …"),
        (line(1, acc="much"), "gives model 'b' the score 'much' by acc; expected a finite number, or true or false"),
        (line(1, acc=math.inf), "gives model 'b' the score inf by acc; expected a finite number, or true or false"),
        ("[" * 100_000 + "\n", "is not JSON: it is nested too deeply"),
    ],
)
def test_a_corrupt_line_names_its_file_and_number(bad, why, run, tmp_path):
    run("a", line(0), line(1))
    run("b", line(0), bad, line(2))
    assert refused(tmp_path) == (
        f"line 2 of b/samples_quiz_2025-01-01T00-00-00.000000.jsonl {why}; "
        "mend the line, or leave such lines out with skip_bad=True (--skip-bad)."
    )
    assert align(tmp_path, rules=ReadingRules(skip_bad=True)).report.n_skipped == 1


def test_bytes_that_are_not_text_are_named(run, tmp_path):
    run("a", line(0))
    run("b", line(0)).write_bytes(line(0).encode() + b'{"doc_id": "\xff"}\n')
    assert "is not UTF-8 text: it has the byte 0xff" in refused(tmp_path)


def test_other_prompts_are_counted_and_kept(run, tmp_path):
    run("a", line(0), line(1))
    run("b", line(0, prompt_hash="q"), line(1))
    aligned = align(tmp_path)
    assert aligned.report.frame()["other_prompt"].tolist() == [0, 1]
    assert "items with another prompt: 1 (most: b, 1)" in aligned.report.sentence
    assert aligned.predictions.observed is None


def test_items_judged_by_another_reference_are_counted_and_left_out(run, tmp_path):
    run("a", line(0), line(1))
    run("b", line(0, target_hash="other", target="1"), line(1))
    aligned = align(tmp_path)
    assert aligned.report.frame()["other_reference"].tolist() == [0, 1]
    assert aligned.predictions.answers.tolist() == [[0, 0], [-1, 0]]


def test_the_same_answers_again_count_once(run, tmp_path):
    run("a", line(0), line(0))
    run("b", line(0))
    aligned = align(tmp_path)
    assert aligned.report.frame()["duplicated"].tolist() == [1, 0]
    assert "items given twice and counted once: 1 (most: a, 1)" in aligned.report.sentence


def test_a_model_that_answers_twice_and_not_alike_is_refused(run, tmp_path):
    run("a", line(0), line(0, (-2.0, -1.0)))
    run("b", line(0))
    log = "a/samples_quiz_2025-01-01T00-00-00.000000.jsonl"
    assert refused(tmp_path) == (
        f"model 'a' has two different answers to the instance '0' ({log} and line 2 of {log}); "
        "expected one answer per model and instance; if these are two runs, name them: "
        'read({"run-1": path, "run-2": path}).'
    )


def test_one_document_that_stands_twice_in_a_task_is_two_instances(run, tmp_path):
    for model in "ab":
        run(model, line(0), line(1, doc_hash="hash 0"))
    assert read(tmp_path).instances.index.tolist() == ["0", "1"]


def test_an_unknown_metric_is_answered_with_the_near_ones(run, tmp_path):
    run("a", line(0))
    run("b", line(0))
    assert refused(tmp_path, rules=ReadingRules(metric="accc")) == (
        "line 1 of a/samples_quiz_2025-01-01T00-00-00.000000.jsonl has no metric 'accc'; expected one of acc; "
        "did you mean 'acc'?"
    )


def test_a_line_without_metrics_is_refused(run, tmp_path):
    for model in "ab":
        run(
            model,
            line(0, metrics=[], acc=None, target=["0", "1"]).replace('"acc": null, ', "").replace(', "acc": null', ""),
        )
    assert refused(tmp_path) == (
        "line 1 of a/samples_quiz_2025-01-01T00-00-00.000000.jsonl has no metric; "
        "expected one such as exact_match or acc."
    )


def test_length_normalised_accuracy_takes_the_normalised_choice(run, tmp_path):
    arguments = {"g0": {"arg_0": "Q", "arg_1": " no"}, "g1": {"arg_0": "Q", "arg_1": " certainly"}}
    row = line(0, (-2.0, -3.0), arguments=arguments, metrics=["acc_norm"], acc_norm=0.0)
    for model in "ab":
        run(model, row)
    assert said(read(tmp_path), "a") == {"0": "certainly"}


def test_choices_that_differ_between_documents_are_numbers_with_options(run, tmp_path):
    three = {f"g{k}": {"arg_0": "Q", "arg_1": f" {w}"} for k, w in enumerate(("u", "v", "w"))}
    rows = (line(0), line(1, (-3.0, -2.0, -1.0), arguments=three, acc=0.0))
    for model in "ab":
        run(model, *rows)
    predictions = read(tmp_path)
    assert predictions.classes == ("0", "1", "2")
    assert predictions.options.tolist() == [2, 3]
    assert predictions.probabilities[0, 0, 2] == 0
    assert predictions.probabilities.sum(axis=2) == pytest.approx(np.ones((2, 2)))


def test_lines_of_older_versions_without_hashes_are_read(run, tmp_path):
    old = json.loads(line(0))
    for name in ("doc_hash", "prompt_hash", "target_hash", "filter", "metrics"):
        del old[name]
    old |= {"arguments": [["Q", " y"], ["Q", " n"]], "filtered_resps": [[-1.0, False], [-2.0, False]]}
    for model in "ab":
        run(model, json.dumps(old) + "\n")
    assert said(read(tmp_path), "a") == {"0": "y"}


def test_a_single_likelihood_has_an_outcome_but_no_answer(run, tmp_path):
    for model in "ab":
        request = {"g0": {"arg_0": "Q", "arg_1": " x"}}
        run(model, line(0, (-1.0, -2.0), filtered_resps=[["-1", "True"]], arguments=request, acc=model == "a"))
    predictions = read(tmp_path)
    assert predictions.answers is None
    assert predictions.correct.tolist() == [[1], [0]]


@given(st.lists(st.floats(-1e4, 0) | st.just(-math.inf), min_size=1, max_size=9))
def test_softmax_is_a_distribution_in_the_order_of_the_likelihoods(likelihoods):
    chances = softmax(likelihoods)
    assert math.fsum(chances) == pytest.approx(1)
    order = np.argsort(likelihoods, kind="stable")
    assert (np.diff(np.array(chances)[order]) >= 0).all()


def test_lines_without_a_value_of_the_metric_are_not_scored(run, tmp_path):
    for model in "ab":
        without = line(3).replace(', "acc": 1.0', "")
        run(model, line(0), line(1, acc=None), line(2, acc=float("nan")), without, line(4, (-3.0, -2.0)))
    aligned = align(tmp_path)
    assert aligned.predictions.wrong.tolist() == [[False, False, False, False, True]] * 2
    assert aligned.predictions.observed.tolist() == [[True, False, False, False, True]] * 2
    assert aligned.report.frame()["unscored"].tolist() == [3, 3]
    assert "not scored: 6 (most: a, 3)" in aligned.report.sentence


@pytest.mark.parametrize("bypass", [{"bypass": None}, {"bypass": 999}, {}])
def test_without_a_metric_the_targets_say_what_is_right(bypass, run, tmp_path):
    for model in "ab":
        rows = [
            line(i, metrics=["bypass"], target=target, filtered_resps=[text], arguments={"g": {"arg_0": "Q"}}, **bypass)
            for i, (target, text) in enumerate([("7", "7"), ("7", "8"), (["7", "seven"], "seven"), (["7"], "8")])
        ]
        path = run(model, *(row.replace(', "acc": 1.0', "") for row in rows))
    aligned = align(tmp_path)
    assert aligned.predictions.wrong.tolist() == [[False, True, False, True]] * 2
    assert f"Task quiz: no metric in {path}; the targets say what is right." in aligned.report.notes


@pytest.mark.parametrize("logs", [("nan", "nan"), ("-inf", "-inf"), ("-1", "nan"), ("inf", "-1")])
def test_likelihoods_that_are_not_finite_are_no_answer(logs, run, tmp_path):
    run("a", line(0), line(1), line(2))
    run("b", line(0), line(1, filtered_resps=[[x, "False"] for x in logs], acc=0.0), line(2, (-math.inf, -1.0)))
    aligned = align(tmp_path)
    predictions = aligned.predictions
    assert predictions.answers[1].tolist() == [0, -1, 1]
    assert predictions.wrong[1].tolist() == [False, True, True]
    assert np.isnan(predictions.probabilities).any(axis=2).tolist() == [[False] * 3, [False, True, False]]
    assert aligned.report.frame()["unparsed"].tolist() == [0, 1]


def test_one_metric_counts_for_all_logs_of_a_task(run, tmp_path):
    run("a", line(0, metrics=["exact_match"], exact_match=1.0), line(1, metrics=["exact_match"], exact_match=1.0))
    path = run("b", line(0), line(1))
    assert refused(tmp_path) == (
        f"line 1 of {path.relative_to(tmp_path)} has no metric 'exact_match'; expected one of acc; "
        "name a metric that all logs of the task have with metric (--metric)."
    )
    assert not read(tmp_path, rules=ReadingRules(metric="acc")).wrong.any()


@pytest.mark.parametrize(("option", "wrong"), [(None, 1), ("1", 1), ("2", 0), ("filter-2", 0)])
def test_filters_without_a_name_are_numbered(option, wrong, run, tmp_path):
    for model in "ab":
        rows = [line(i, acc=acc) for acc in (0.0, 1.0) for i in range(3)]
        run(model, *(row.replace('"filter": "none", ', "") for row in rows))
    aligned = align(tmp_path, rules=ReadingRules(filter=option))
    assert aligned.predictions.wrong.tolist() == [[bool(wrong)] * 3] * 2
    chosen, unused = ("filter-1", "filter-2") if wrong else ("filter-2", "filter-1")
    assert f"Task quiz: answers of the filter {chosen!r} count; there is also {unused}." in aligned.report.notes


def test_filters_without_a_name_can_be_read_as_models(run, tmp_path):
    rows = [line(i, acc=acc) for i in range(2) for acc in (0.0, 1.0)]
    run("a", *(row.replace('"filter": "none", ', "") for row in rows))
    predictions = read(tmp_path, rules=ReadingRules(filter="*"))
    assert predictions.model_ids == ["a:filter-1", "a:filter-2"]
    assert refused(tmp_path, rules=ReadingRules(filter="3")).endswith(
        "has no filter 'filter-3'; expected one of filter-1, filter-2; did you mean 'filter-2' or 'filter-1'?"
    )


def test_one_filter_counts_for_all_logs_of_a_task(run, tmp_path):
    strict, loose = ({"filter": name} for name in ("strict", "loose"))
    run("a", line(0, **strict), line(0, **loose, acc=0.0))
    run("b", line(0, **loose, acc=0.0), line(0, **strict))
    assert not read(tmp_path).wrong.any()
    path = run("b", line(0, **loose), line(0, filter="none"))
    assert refused(tmp_path) == (
        f"{path.relative_to(tmp_path)} has no filter 'strict'; expected one of loose, none; "
        "name a filter that all logs of the task have with filter (--filter)."
    )
    run("b", line(0, **loose))
    assert any("'loose' count in" in note for note in align(tmp_path).report.notes)


def test_the_latest_of_several_runs_of_a_task_counts(run, tmp_path):
    run("a", line(0))
    path = run("b", line(0))
    later = path.with_name(path.name.replace("2025-01-01", "2025-03-01"))
    later.write_text(line(0, (-2.0, -1.0)))
    aligned = align(tmp_path)
    assert aligned.predictions.wrong.tolist() == [[False], [True]]
    assert f"{path} is left out: {later} is a later run of the same task." in aligned.report.notes
    assert read({"first": path, "second": later}).wrong.tolist() == [[False], [True]]


@pytest.mark.parametrize("value", [5, 50.0, -1.0, "4"])
def test_a_score_beyond_0_and_1_asks_for_a_threshold(value, run, tmp_path):
    for model in "ab":
        path = run(model, line(0), line(1, acc=value))
    path = tmp_path / "a" / path.name
    with pytest.raises(InputError) as caught:
        read(tmp_path, rules=ReadingRules(skip_bad=True))
    assert str(caught.value) == (
        f"line 2 of {path} gives model 'a' the score {value!r} by acc; expected a score from 0 to 1; "
        "give the score from which an answer counts as right with threshold (--threshold)."
    )
    assert read(tmp_path, rules=ReadingRules(threshold=-2)).wrong.sum() == 0


def test_a_threshold_is_a_finite_number():
    with pytest.raises(InputError) as caught:
        ReadingRules(threshold=math.nan)
    assert str(caught.value) == "the threshold is nan; expected a finite number."


BIG = 2**64 + 1
LINES = [
    {"doc_id": 1, "doc_hash": "a", "target": "x", "filtered_resps": ["x"], "acc": 1.0},
    {"doc_id": BIG, "doc_hash": "a", "target": "x", "filtered_resps": ["x"]},
    {"doc_id": -BIG, "doc_hash": "a", "target": "x", "filtered_resps": ["x"]},
    {"doc_id": 1, "doc_hash": "a", "target": BIG, "filtered_resps": ["x"]},
    {"doc_id": 1, "doc_hash": "a", "target": [0, BIG], "filtered_resps": ["x"]},
    {"doc_id": 1, "doc_hash": "a", "target": "x", "filtered_resps": [[[BIG]]]},
    {"doc_id": 1, "doc": {"number": BIG}, "target": "x", "filtered_resps": ["x"]},
    {"doc_id": 1, "doc_hash": "a", "target": "x", "filtered_resps": [[math.nan, True], [-math.inf, False]]},
    {"doc_id": 1, "doc_hash": "a", "target": "\ud800", "filtered_resps": ["x"]},
]


@pytest.mark.parametrize("line", LINES)
def test_fast_parser_gives_what_json_gives(line):
    pytest.importorskip("orjson")
    text = json.dumps(line).encode()
    assert repr(LineParser()(text)) == repr(parsed_line(text))


def test_lines_are_parsed_without_orjson(monkeypatch):
    monkeypatch.setitem(sys.modules, "orjson", None)
    assert LineParser()(json.dumps(LINES[1]).encode()) == LINES[1]


def choice_lines(model):
    """Lines of a model; documents hold what looks like the start of the responses."""
    questions = ["plain", 'odd , "resps": ', "é \\\\", "\ud83d\ude00", "long " * 200]
    for i, question in enumerate(questions * 2):
        logs = [[str(-1.0 - (k == (i + model) % 3)), "False"] for k in range(3)]
        line = {
            "doc_id": i,
            "doc": {"question": f"{question}{i}", "inner": {"a": 1, "resps": [1]}},
            "target": str(i % 3),
            "arguments": {
                f"gen_args_{k}": {"arg_0": question, "arg_1": f" {k}{'x' * 300 * (i == 4)}"} for k in range(3)
            },
            "resps": [logs],
            "filtered_resps": logs,
            "filter": "none",
            "metrics": ["acc"],
            "doc_hash": f"{i:064x}",
            "prompt_hash": f"{i + 1:064x}" if i != 7 else ("" if model else "named"),
            "target_hash": "" if i == 8 else f"{i % 3:064X}",
            "acc": float(i % 2),
        }
        if i == 5:  # the responses last, of an inner object only, a large number
            line = {"more": 2**70 if model else 1} | {k: v for k, v in line.items() if k != "resps"}
        yield dict(sorted(line.items(), key=lambda pair: pair[0] == "resps")) if i % 2 else line


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
def test_documents_that_several_models_share_say_the_same(separators, tmp_path, monkeypatch):
    pytest.importorskip("orjson")
    for model in range(3):
        folder = tmp_path / f"model-{model}"
        folder.mkdir()
        lines = [json.dumps(line, separators=separators) + "\n" for line in choice_lines(model)]
        (folder / "samples_quiz.jsonl").write_text("".join(lines))
    read_in_parts = align(tmp_path)
    monkeypatch.setattr(sample_lines, "RESPONSES", b"\0")
    whole = align(tmp_path)
    assert read_in_parts.report.sentence == whole.report.sentence
    assert read_in_parts.report.models.equals(whole.report.models)
    one, other = read_in_parts.predictions, whole.predictions
    assert one.classes == other.classes
    for name in ("answers", "labels", "correct", "probabilities"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_what_precedes_the_responses_is_parsed_once():
    pytest.importorskip("orjson")
    parse, texts = LineParser(), [json.dumps(line).encode() for line in choice_lines(0)]
    for text in texts * 2:
        value, expected = parse(text), json.loads(text)
        assert {name: value[name] for name in expected if name not in ("doc", "arguments", "metrics")} == {
            name: cell for name, cell in expected.items() if name not in ("doc", "arguments", "metrics")
        }
    assert sum("doc" not in parse(text) for text in texts) >= 3
