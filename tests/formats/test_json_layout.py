"""Is a log that is laid out in another way refused in one sentence that names the member?"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read
from polyculture.formats.json_layout import check_layout, layout_problem

LAYOUT = {"runs": [{"id": (str, int), "tags?": [(str,)]}], "name?": object}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "f is []; expected an object;"),
        ({}, "f has no member 'runs';"),
        ({"runs": {}}, "runs is {} in f; expected a list;"),
        ({"runs": [{"id": 1}, {}]}, "runs[1] has no member 'id' in f;"),
        ({"runs": [{"id": None}]}, "runs[0].id is null in f; expected a text or a whole number;"),
        ({"runs": [{"id": True}]}, "runs[0].id is true in f; expected a text or a whole number;"),
        ({"runs": [{"id": 1, "tags": "correct"}]}, 'runs[0].tags is "correct" in f; expected a list;'),
    ],
)
def test_the_error_names_the_first_member_that_does_not_fit(value: object, text: str) -> None:
    with pytest.raises(InputError) as caught:
        check_layout(value, LAYOUT, "f")
    assert str(caught.value) == f"{text} write or export it again with the tool that made it."


@pytest.mark.parametrize("value", [{"runs": []}, {"runs": [{"id": 1, "tags": None, "more": []}], "name": None}])
def test_what_may_be_absent_may_be_null_and_more_members_are_no_problem(value: object) -> None:
    check_layout(value, LAYOUT, "f")


def test_own_errors_are_raised_as_they_are() -> None:
    with pytest.raises(InputError, match="two models"):
        layout_problem(InputError("two models"))
    assert layout_problem(KeyError("id")) == "is not laid out as its tool writes it (KeyError: 'id')"


def inspect_log(path: Path, sample: dict[str, object]) -> Path:
    good = {"id": "q", "target": "a", "scores": {"match": {"value": "C", "answer": "a"}}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps({"eval": {"model": path.stem, "task": "t"}}))
        archive.writestr("samples/q_epoch_1.json", json.dumps(good))
        archive.writestr("samples/r_epoch_1.json", json.dumps(good | {"id": "r"} | sample))
    return path


def test_a_sample_with_another_layout_is_refused_or_skipped(tmp_path: Path) -> None:
    paths = [inspect_log(tmp_path / f"{name}.eval", {"scores": ["C"]}) for name in ("ann", "bob")]
    with pytest.raises(InputError) as caught:
        read(paths)
    places = [f"samples/r_epoch_1.json of {path}" for path in paths]
    assert f'scores is ["C"] in {places[0]}; expected an object' in str(caught.value)
    aligned = align(paths, rules=ReadingRules(skip_bad=True))
    assert aligned.predictions.instances.index.tolist() == ["q"]
    assert aligned.report.skipped["place"].tolist() == places


@pytest.mark.parametrize("role", ["item", "model", "label"])
@pytest.mark.parametrize("cell", [{"a": 1}, ["a", "b"], [None]], ids=str)
def test_nested_cells_where_single_values_belong_are_refused(role: str, cell: object, tmp_path: Path) -> None:
    columns = {
        "item": ["p", "q"] * 2,
        "model": ["ann"] * 2 + ["bob"] * 2,
        "answer": list("aaba"),
        "label": list("abab"),
    }
    table = pa.table(columns | {role: pa.array([cell] * 4)})
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    for source in (tmp_path / "t.parquet", table):
        with pytest.raises(InputError, match=rf"column '{role}' .* holds values of the type (struct|list)<"):
            read(source)


def test_halves_of_characters_in_json_are_read_as_unknown_characters(tmp_path: Path) -> None:
    rows = [{"item": k, "label": "a\ud800", "ann": "a\ud800", "bob": "\ud83d\ude00"} for k in range(2)]
    tmp_path.joinpath("t.json").write_text(json.dumps(rows).replace("\\\\", "\\"))
    predictions = read(tmp_path / "t.json")
    assert set(predictions.classes) == {"a\ufffd", "\U0001f600"}
    assert predictions.wrong.tolist() == [[False, False], [True, True]]


def test_tags_that_contain_the_word_correct_are_not_taken_for_it(tmp_path: Path) -> None:
    """A text 'incorrect' holds 'correct': as a list of tags it would have made a wrong answer right."""
    reference = {"output": {"text": "a"}, "tags": "incorrect"}
    state = {"instance": {"id": "i", "references": [reference]}, "result": {"completions": [{"text": "a"}]}}
    for name, value in {"run_spec": {"name": "t"}, "scenario_state": {"request_states": [state]}}.items():
        tmp_path.joinpath(f"{name}.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match=r'request_states\[0\].instance.references\[0\].tags is "incorrect"'):
        read({"ann": tmp_path, "bob": tmp_path})


def test_a_line_of_lm_eval_with_another_layout_is_refused_or_skipped(tmp_path: Path) -> None:
    line = {"doc_id": 0, "doc": {}, "target": "a", "filtered_resps": ["a"], "arguments": [], "exact_match": 1.0}
    for model in ("ann", "bob"):
        (tmp_path / model).mkdir()
        lines = [line, line | {"doc_id": 1, "doc": {"q": 2}}, line | {"doc_id": 2, "doc": {"q": 3}, "arguments": 5}]
        (tmp_path / model / "samples_t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(InputError, match=r"line 3 of .* is not laid out as its tool writes it \(TypeError: "):
        read(tmp_path)
    assert read(tmp_path, rules=ReadingRules(skip_bad=True)).shape == (2, 2)
