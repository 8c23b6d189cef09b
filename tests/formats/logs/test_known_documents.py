"""Lines of documents that another model had are read without the document: to the same result as whole lines."""

import json

import numpy as np
import pytest

from polyculture.formats import ReadingRules, align
from polyculture.formats.logs import sample_lines
from polyculture.formats.logs.known_documents import ChoiceLines
from polyculture.formats.logs.sample_choices import parsed_choices
from polyculture.rng import stream

pytest.importorskip("orjson")
N = 150


def sample(i, rng, layout):
    """A line as --log_samples writes it, or with the hashes in front of the responses, or without a filter."""
    size = 3 + i % 2 if layout != "same size" else 4
    logs = [[str(x), "False"] for x in rng.normal(-2, 1, size)]
    start = {
        "doc_id": i,
        "doc": {"question": f'{i} é , "resps": \\ , "filter": '},
        "target": str(i % 3),
        "arguments": {f"gen_args_{k}": {"arg_0": "?", "arg_1": f" {'x' * (k + 1)}"} for k in range(size)},
    }
    responses = {"resps": [logs], "filtered_resps": logs}
    names = {} if layout == "no filter" else {"filter": "none", "metrics": ["acc", "acc_norm"]}
    hashes = {"doc_hash": f"{i:064x}", "prompt_hash": f"{i + 1:064x}", "target_hash": f"{i % 3:064x}"}
    scores = {"acc": float(rng.random() < 0.5), "acc_norm": float(rng.random() < 0.5)}
    rest = names | hashes
    return start | (rest | responses if layout == "in front" else responses | rest) | scores


def without_filter(line):
    return {k: v for k, v in line.items() if k not in ("filter", "doc_hash", "prompt_hash")} | {"inner": line}


FAULTS = {
    "none": lambda line: line,
    "not a number": lambda line: line | {"filtered_resps": [["nan", "False"], *line["filtered_resps"][1:]]},
    "numbers": lambda line: line | {"filtered_resps": [[float(x), False] for x, _ in line["filtered_resps"]]},
    "spaces": lambda line: line | {"filtered_resps": [[f" {x}", y] for x, y in line["filtered_resps"]]},
    "one less": lambda line: line | {"filtered_resps": line["filtered_resps"][1:]},
    "text": lambda line: line | {"filtered_resps": ["2"]},
    "true": lambda line: line | {"acc": line["acc"] == 1},
    "share": lambda line: line | {"acc": 0.5},
    "no score": lambda line: {k: v for k, v in line.items() if not k.startswith("acc")},
    "other reference": lambda line: line | {"target_hash": "0"},
    "other prompt": lambda line: line | {"prompt_hash": "0"},
    "other document last": lambda line: dict(list(line.items())[:3]) | line | {"x": 1, "doc_hash": "0"},
    "inner": without_filter,
    "more": lambda line: line | {"note": {"filter": "x", "doc_hash": "y", "target_hash": "z"}},
}


def write(folder, layout, fault, rng):
    for model in range(3):
        lines = [sample(i, rng, layout) for i in range(N)]
        if model:
            lines[N // 2 :] = map(FAULTS[fault], lines[N // 2 :])
        if model == 2:
            rng.shuffle(lines)
            lines = lines[5:]
        path = folder / f"model-{model}" / "samples_quiz.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def content(folder, **rules):
    aligned = align(folder, rules=ReadingRules(skip_bad=True, **rules))
    predictions = aligned.predictions
    tables = aligned.report.models, aligned.report.skipped, predictions.instances, predictions.models
    arrays = (
        predictions.answers,
        predictions.labels,
        predictions.correct,
        predictions.probabilities,
        predictions.options,
    )
    return aligned.report.sentence, predictions.classes, [t.to_csv() for t in tables], [np.asarray(a) for a in arrays]


def same(first, second):
    for left, right in zip(first[3], second[3], strict=True):
        if left.dtype == object:
            assert left.item() is right.item() is None
        else:
            np.testing.assert_allclose(left, right, rtol=3e-7)
    return first[:3] == second[:3]


@pytest.mark.parametrize("metric", ["acc", "acc_norm"])
@pytest.mark.parametrize("layout", ["as written", "same size", "in front", "no filter"])
def test_known_documents_say_the_same_as_whole_lines(layout, metric, tmp_path, monkeypatch):
    write(tmp_path, layout, "none", stream(0, "lines"))
    counts = []
    add = ChoiceLines._add
    monkeypatch.setattr(ChoiceLines, "_add", lambda self, *batch: [counts.append(len(batch[1])), add(self, *batch)][1])
    in_parts = content(tmp_path, metric=metric)
    assert sum(counts) == 2 * N - 5 - 2  # the first line of each file is read whole
    monkeypatch.setattr(sample_lines, "RESPONSES", b"\0")
    assert same(in_parts, content(tmp_path, metric=metric))
    assert sum(counts) == 2 * N - 5 - 2  # the first line of each file is read whole


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("layout", ["as written", "in front"])
def test_other_lines_are_read_whole(fault, layout, tmp_path, monkeypatch):
    write(tmp_path, layout, fault, stream(1, "lines"))
    in_parts = content(tmp_path)
    monkeypatch.setattr(sample_lines, "RESPONSES", b"\0")
    assert same(in_parts, content(tmp_path))


def test_a_second_answer_to_a_known_document_is_refused(tmp_path):
    write(tmp_path, "as written", "none", stream(2, "lines"))
    path = tmp_path / "model-1" / "samples_quiz.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    scores = ('"acc": 1.0', '"acc": 0.0')
    other = lines[0].replace(*scores) if scores[0] in lines[0] else lines[0].replace(*reversed(scores))
    path.write_text("".join([*lines, other]))
    with pytest.raises(ValueError, match=f"two different answers to the instance '0' .*line {N + 1} of"):
        align(tmp_path)


GOOD = b'"filtered_resps": [["-1", "True"], ["-2", "False"]], "acc": 1}'


@pytest.mark.parametrize(
    "line",
    [
        GOOD.replace(b"-1", b"nan"),
        GOOD.replace(b"-1", b"-inf"),
        GOOD.replace(b"-1", b"1_0"),
        GOOD.replace(b'"-1"', b"-1"),
        GOOD.replace(b'"-1"', b"null"),
        GOOD.replace(b'["-2", "False"]', b"null"),
        GOOD.replace(b', ["-2", "False"]', b""),
        GOOD.replace(b', "False"', b""),
        GOOD.replace(b"1}", b"0.5}"),
        GOOD.replace(b"1}", b"true}"),
        GOOD.replace(b"1}", b"NaN}"),
        GOOD.replace(b"1}", b"null}"),
        GOOD.replace(b"1}", b'1, "acc": 0}'),
        GOOD.replace(b"1}", b'1, "target": "2"}'),
        GOOD.replace(b"acc", b"exact_match"),
        GOOD.replace(b"1}", '1, "x": "é"}'.encode()),
        GOOD.replace(b"1}", b"1,}"),
        GOOD + b"x",
        GOOD + b"{" + GOOD,
        GOOD[:-1],
    ],
)
def test_lines_that_are_not_plain_are_not_parsed_together(line):
    assert parsed_choices([GOOD] * 3, [b""] * 3, "acc").logs.tolist() == [-1, -2] * 3
    assert parsed_choices([GOOD, line, GOOD], [b""] * 3, "acc") is None
    score, both = b'"acc": 1}', GOOD.replace(b', "acc": 1', b"")
    assert parsed_choices([both, both], [score, score], "acc").scores.tolist() == [1, 1]
    assert parsed_choices([both, GOOD], [score, score], "acc") is None
    assert parsed_choices([both, both], [score, b""], "acc") is None
