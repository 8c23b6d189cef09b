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
            "failed; did you mean 'answer'?",
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
