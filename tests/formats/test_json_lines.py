"""Do JSON Lines of any form become what the models answered? Flat ones, batch outputs, and any with a small mapping."""

from __future__ import annotations

import gzip
import json

import pytest

from polyculture.errors import FileError, InputError
from polyculture.formats import ReadingRules, align, read


def said(predictions):
    return {
        model: [predictions.classes[code] if code >= 0 else None for code in row]
        for model, row in zip(predictions.model_ids, predictions.answers, strict=True)
    }


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_flat_lines_are_a_table(tmp_path):
    rows = [{"instance": "x", "label": 1, "a": 1.0, "b": "1"}, {"instance": "y", "label": 2, "b": None, "c": True}]
    predictions = read(lines(tmp_path / "t.jsonl", *rows))
    assert said(predictions) == {"a": ["1", None], "b": ["1", None], "c": [None, "True"]}
    assert predictions.instances.index.tolist() == ["x", "y"]


def test_gzipped_lines_are_a_table(tmp_path):
    rows = b'{"label": 1, "a": 1, "b": 0}\n\n{"label": 0, "a": 1, "b": 0}\n'
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(rows))
    assert read(tmp_path / "t.jsonl.gz").wrong.tolist() == [[False, True], [True, False]]


def test_truncated_gzip(tmp_path):
    rows = b'{"label": 1, "a": 1, "b": 0}\n' * 999
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(rows)[:-9])
    with pytest.raises(FileError) as caught:
        read(tmp_path / "t.jsonl.gz")
    assert str(caught.value) == (
        f"{tmp_path}/t.jsonl.gz is not a complete gzip file: Compressed file ended before the end-of-stream marker was "
        "reached; copy or pack it again."
    )


def test_nested_lines_are_refused(tmp_path):
    path = lines(tmp_path / "t.jsonl", {"label": 1, "a": {"text": 1}, "b": 1})
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == (
        f"line 1 of {path} holds a dict in 'a'; expected texts and numbers; "
        "leave the column out by naming the model columns with models (--models)."
    )


def test_a_file_of_bad_lines_alone_is_empty(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("nothing\n")
    with pytest.raises(InputError) as caught:
        read(path, rules=ReadingRules(skip_bad=True))
    assert str(caught.value) == f"{path} is empty; expected a JSON object per line."


def batch(number, content, model="gpt-x", refusal=None, stopped="stop", error=None):
    choice = {"index": 0, "message": {"content": content, "refusal": refusal}, "finish_reason": stopped}
    body = {"model": model, "choices": [choice]}
    return {
        "id": f"b{number}",
        "custom_id": f"q{number}",
        "response": {"status_code": 200, "body": body},
        "error": error,
    }


LABELS = {"q1": "B", "q2": "A", "q3": "C"}


def test_batch_outputs_with_the_truth_beside_them(tmp_path):
    one = lines(tmp_path / "one.jsonl", batch(1, "Answer: B"), batch(2, "(C)"), batch(3, "c"))
    two = lines(tmp_path / "two.jsonl", batch(3, "C.", "gpt-y"), batch(2, "A", "gpt-y"), batch(1, "B", "gpt-y"))
    aligned = align([one, two], label=LABELS, rules=ReadingRules(normalize="multiple-choice"))
    assert said(aligned.predictions) == {"gpt-x": ["B", "C", "C"], "gpt-y": ["B", "A", "C"]}
    assert aligned.predictions.wrong.tolist() == [[False, True, False], [False, False, False]]
    assert ["Answer: B", "B", "multiple-choice"] in aligned.report.examples.to_numpy().tolist()
    (tmp_path / "labels.csv").write_text("instance,label\n" + "".join(f"{k},{v}\n" for k, v in LABELS.items()))
    by_file = read([one, two], label=tmp_path / "labels.csv", rules=ReadingRules(normalize="multiple-choice"))
    assert by_file.wrong.tolist() == aligned.predictions.wrong.tolist()


def test_refusals_and_failures_of_batches_are_no_agreement(tmp_path):
    for model in "ab":
        lines(
            tmp_path / f"{model}.jsonl",
            batch(1, None, model, refusal="I will not"),
            batch(2, "I'm sorry, but I can't help with that.", model),
            batch(3, None, model, error={"message": "expired"}),
            batch(4, None, model, stopped="content_filter"),
            batch(5, "A", model),
            batch(6, None, model),
        )
    labels = {f"q{k}": "A" for k in range(1, 7)}
    aligned = align(tmp_path, label=labels)
    assert aligned.report.frame()[["refused", "failed", "unparsed"]].to_numpy().tolist() == [[3, 1, 1]] * 2
    assert said(aligned.predictions)["a"] == [None, None, None, None, "A", None]
    assert aligned.predictions.wrong.tolist() == [[True, True, False, True, False, True]] * 2
    assert aligned.predictions.observed[0].tolist() == [True, True, False, True, True, True]
    assert "refusals, no agreement: 6 (most: a, 3)" in aligned.report.sentence
    plain = read(tmp_path, label=labels, rules=ReadingRules(refusal=""))
    assert said(plain)["a"][1] == "I'm sorry, but I can't help with that."


def test_requests_with_another_status_than_success_have_failed(tmp_path):
    for model in "xy":
        rows = [batch(k, "A", model) for k in range(8)]
        for k, response in enumerate((
            {"status_code": 500, "body": {"error": {"message": "server"}}},
            {"status_code": 429, "body": {}},
            {"status_code": 0, "request_id": "", "body": {}},
            None,
            {"status_code": 200, "body": {"model": model, "error": {"message": "expired"}}},
        )):  # fmt: skip
            rows[k]["response"] = response
        lines(tmp_path / f"output-{model}.jsonl", *rows)
    aligned = align(tmp_path, label={f"q{k}": "A" for k in range(8)})
    assert aligned.predictions.model_ids == ["x", "y"]
    assert aligned.report.frame()[["failed", "unparsed"]].to_numpy().tolist() == [[5, 0]] * 2
    assert aligned.predictions.observed.tolist() == [[False] * 5 + [True] * 3] * 2


def test_a_failed_request_yields_to_its_repetition(tmp_path):
    for model in "ab":
        failed = batch(1, None, model, error={"message": "expired"})
        lines(tmp_path / f"{model}.jsonl", failed, batch(2, "B", model), batch(1, "A", model), failed)
    aligned = align(tmp_path, label={"q1": "A", "q2": "A"})
    assert aligned.predictions.wrong.tolist() == [[False, True]] * 2
    assert aligned.report.frame()[["failed", "duplicated"]].to_numpy().tolist() == [[0, 2]] * 2


def test_batch_outputs_of_anthropic(tmp_path):
    for model in "ab":
        message = {"model": model, "content": [{"type": "text", "text": "A"}], "stop_reason": "end_turn"}
        results = [{"type": "errored", "error": {}}, {"type": "succeeded", "message": message}, {"type": "expired"}]
        rows = [{"custom_id": f"q{k}", "result": result} for k, result in enumerate(results)]
        lines(tmp_path / f"results-{model}.jsonl", *rows)
    aligned = align(tmp_path, label={f"q{k}": "A" for k in range(3)})
    assert aligned.predictions.model_ids == ["a", "b"]
    assert aligned.predictions.observed.tolist() == [[False, True, False]] * 2


@pytest.mark.parametrize(("good", "bad"), [(200, 500), ("ok", "timeout"), (None, "error"), (False, True)])
def test_a_mapped_field_says_which_requests_failed(good, bad, tmp_path):
    for model in "ab":
        rows = [{"id": k, "said": "A", "gold": "A", "state": state} for k, state in enumerate((good, bad))]
        lines(tmp_path / f"{model}.jsonl", *rows)
    fields = {"instance": "id", "answer": "said", "label": "gold", "failed": "state"}
    assert read(tmp_path, rules=ReadingRules(fields=fields)).observed.tolist() == [[True, False]] * 2


def test_mapped_scores_are_verdicts_numbers_or_nothing(tmp_path):
    for model in "ab":
        rows = [
            {"id": k, "said": "A", "gold": "B", "ok": ok} for k, ok in enumerate(("yes", "no", None, "nan", 1, 0.0))
        ]
        lines(tmp_path / f"{model}.jsonl", *rows)
    fields = {"instance": "id", "answer": "said", "label": "gold", "correct": "ok"}
    aligned = align(tmp_path, rules=ReadingRules(fields=fields))
    assert aligned.predictions.wrong.tolist() == [[False, True, False, False, False, True]] * 2
    assert aligned.report.frame()["unscored"].tolist() == [2, 2]
    lines(tmp_path / "a.jsonl", {"id": 0, "said": "A", "ok": 4})
    with pytest.raises(InputError) as caught:
        read(tmp_path, rules=ReadingRules(fields=fields))
    assert "gives model 'a' the score 4 by ok; expected a score from 0 to 1; give the score" in str(caught.value)


@pytest.mark.parametrize("words", [("yes", "no"), ("Right", "wrong"), ("TRUE", "False"), (1, 0)])
def test_words_of_verdicts_are_outcomes_of_tables(words, tmp_path):
    rows = [{"instance": k, "a": words[0], "b": words[k % 2]} for k in range(4)]
    wide = lines(tmp_path / "wide.jsonl", *rows)
    assert read(wide, correct=True).wrong.tolist() == [[False] * 4, [False, True] * 2]
    long = [{"instance": row["instance"], "model": m, "correct": row[m]} for row in rows for m in "ab"]
    assert read(lines(tmp_path / "long.jsonl", *long)).wrong.tolist() == [[False] * 4, [False, True] * 2]
    (tmp_path / "wide.csv").write_text("instance,a,b\n" + "".join(f"{r['instance']},{r['a']},{r['b']}\n" for r in rows))
    assert read(tmp_path / "wide.csv", correct=True).wrong.tolist() == [[False] * 4, [False, True] * 2]


def test_a_small_mapping_reads_lines_of_any_form(tmp_path):
    fields = {"instance": "key", "answer": "result.message.content.0.text", "label": "gold", "prompt": "asked"}
    for model, text in (("a", "yes"), ("b", "no")):
        message = {"content": [{"type": "text", "text": text}]}
        lines(tmp_path / f"{model}.jsonl", {"key": 7, "result": {"message": message}, "gold": "yes", "asked": model})
    aligned = align(tmp_path, rules=ReadingRules(fields=fields))
    assert aligned.predictions.wrong.tolist() == [[False], [True]]
    assert aligned.report.frame()["other_prompt"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"rules": ReadingRules(fields={"anwser": "x"})},
            "no field 'anwser'; expected some of instance, model, answer, label, correct, prompt, refused, stopped, "
            "failed, status; did you mean 'answer'?",
        ),
        (
            {"rules": ReadingRules(fields={"instance": "nowhere.0", "answer": "id"})},
            "line 1 of t.jsonl has no instance id; expected an id where the field instance points; "
            "mend the line, or leave such lines out with skip_bad=True (--skip-bad).",
        ),
        (
            {},
            "the logs hold neither scores nor labels; expected scores or references in the logs; "
            "give the true answers with label (--label): a file with the columns instance and label.",
        ),
        ({"label": {"q2": "A"}}, "no label for the instance 'q1'; expected a true answer for every instance."),
        (
            {"label": "gold"},
            "label is 'gold'; expected {instance: answer}, or a file with the columns instance and label.",
        ),
        (
            {"correct": True},
            "correct is given but t.jsonl is a log; expected its own names for what it holds; leave it out.",
        ),
    ],
)
def test_batches_that_cannot_be_used(options, text, tmp_path):
    path = lines(tmp_path / "t.jsonl", batch(1, "A"))
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert str(caught.value).replace(f"{tmp_path}/", "") == text


def test_a_file_of_labels_without_instances_is_refused(tmp_path):
    path = lines(tmp_path / "t.jsonl", batch(1, "A"))
    (tmp_path / "labels.csv").write_text("question,label\nq1,A\n")
    with pytest.raises(InputError) as caught:
        read(path, label=tmp_path / "labels.csv")
    assert str(caught.value) == (
        f"{tmp_path}/labels.csv has no labels by instance (its columns: question, label); "
        "expected the columns instance and label."
    )
