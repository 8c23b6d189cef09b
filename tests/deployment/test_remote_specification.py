"""What may stand in the specification of a remote member and in the file of a panel; and how answers are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.deployment.remote import RemoteSpec, panel_settings, remote_entries
from polyculture.deployment.remote.chat import read_completion, used_tokens
from polyculture.deployment.remote.open_inference import read_response
from polyculture.deployment.remote.parsers import AnswerParser
from polyculture.deployment.remote.prompts import fill
from polyculture.errors import FileError, InputError

CLASSES = ("spam", "ham")
CHAT = {"kind": "chat", "url": "https://api.example/v1/chat/completions", "model": "judge", "prompt": "{text}"}
PANEL = """
[panel]
name = "judges"
classes = ["bad", "good"]
rule = "weighted_vote"

[[member]]
id = "first"
weight = 3
kind = "chat"
url = "https://api.example/v1/chat/completions"
model = "judge-1"
prompt = "Is this good? {text}"
key_env = "FIRST_KEY"
price_per_1k_input = 0.15
ancestry = { vendor = "Example" }

[[member]]
kind = "v2"
url = "http://models:8080"
model = "quality"
"""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "grpc"}, "kind of a remote member is 'grpc'; expected 'v2' or 'chat'."),
        (
            {"api_key": "sk-123"},
            "a remote member has 'api_key'; expected no key in the file; name an environment variable in key_env.",
        ),
        (
            {"headers": {}},
            "a remote member has 'headers'; expected no key in the file; name an environment variable in key_env.",
        ),
        (
            {"key_env": "sk-123"},
            "key_env is not the name of an environment variable; expected capitals, digits and _, "
            "such as OPENAI_API_KEY; put the key into the environment, not into the file.",
        ),
        (
            {"url": "https://api.example/?api_key=sk-1"},
            "url of the remote member at api.example has a key in it; "
            "expected an address without a key; name an environment variable in key_env.",
        ),
        (
            {"url": "https://me:sk-1@api.example/"},
            "url of the remote member at api.example has a key in it; "
            "expected an address without a key; name an environment variable in key_env.",
        ),
        (
            {"url": "ftp://api.example"},
            "url of a remote member is no web address; expected such as https://host/v1/chat/completions.",
        ),
        (
            {"extra": {"api_key": "sk"}},
            "extra of a remote member has 'api_key'; expected no key in the file; name it in key_env.",
        ),
        (
            {"extra": {"stream": True}},
            "extra of a remote member is {'stream': True}; expected a table without messages, model, stream and n.",
        ),
        ({"timeout": 3}, "a remote member has 'timeout'; did you mean 'timeout_s' or 'input'?"),
        ({"timeout_s": 0}, "timeout_s of a remote member is 0; expected a number between 0.001 and 3600."),
        ({"retries": 1.5}, "retries of a remote member is 1.5; expected a whole number between 0 and 10."),
        (
            {"price_per_call": float("nan")},
            "price_per_call of a remote member is nan; expected a number between 0 and 1e+06.",
        ),
        ({"concurrency": True}, "concurrency of a remote member is True; expected a whole number between 1 and 1024."),
        ({"model": " "}, "model of a remote member is empty; expected the model's name at the service."),
        (
            {"prompt": "Good?"},
            "prompt of a chat member has no place for the instance; expected {text}, {columns} or "
            "the name of a column in braces; write the braces into the prompt.",
        ),
        ({"parser": {"kind": "regex"}}, "kind of a parser is 'regex'; expected 'choice', 'score' or 'json'."),
        ({"parser": {"low": 3, "high": 3}}, "the scale of a parser goes from 3 to 3; expected low below high."),
        ({"parser": {"certainty": 0}}, "certainty of a parser is 0; expected a number above 0, at most 1."),
        (
            {"parser": {"choices": []}},
            "a parser has 'choices'; known: certainty, field, high, kind, low, options.",
        ),
    ],
)
def test_a_wrong_specification_is_refused_in_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        RemoteSpec.from_dict({**CHAT, **change})
    assert str(error.value) == sentence
    assert "sk-" not in str(error.value)


def test_a_specification_goes_through_json() -> None:
    spec = RemoteSpec.from_dict({**CHAT, "parser": {"kind": "score", "high": 10}, "retries": 4})
    stored = json.loads(json.dumps(spec.to_dict()))
    assert RemoteSpec.from_dict(stored) == spec
    assert stored == {**CHAT, "parser": {"kind": "score", "high": 10}, "retries": 4}


def test_the_members_of_a_panel(tmp_path: Path) -> None:
    path = tmp_path / "panel.toml"
    path.write_text(PANEL, encoding="utf-8")
    first, second = remote_entries(path)
    assert (first["id"], first["weight"], second["id"], second["weight"]) == ("first", 0.75, "member-2", 0.25)
    assert first["ancestry"] == {"service": "api.example", "model": "judge-1", "vendor": "Example"}
    assert (first["graph"], first["view"], first["export_error"]) == ("", "", None)
    assert RemoteSpec.from_dict(second["remote"]).url == "http://models:8080"
    assert panel_settings(path) == {
        **{"name": "judges", "task": "classification", "modality": "text", "classes": ["bad", "good"]},
        **{"rule": "weighted_vote", "temperature": 1.0, "quorum": 2, "columns": [], "swap": []},
        "given": ("name", "classes", "rule"),
    }


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('id = "first"', 'id = "../x"', "member 1 of {} has the id '../x'; expected letters, digits, dots, - and _."),
        ('id = "first"', 'id = "member-2"', "{} has two members with the id 'member-2'; expected an id for each."),
        ("weight = 3", "weight = -1", "member first of {} has the weight -1; expected a number above 0."),
        ('"bad", "good"', '"bad"', '[panel] in {} has 1 classes; expected two or more: classes = ["no", "yes"].'),
        ("[panel]", "[panels]", "{} has 'panels'; expected [panel] and [[member]] tables."),
        (
            'key_env = "FIRST_KEY"',
            'key = "sk-1"',
            "member first of {}: a remote member has 'key'; "
            "expected no key in the file; name an environment variable in key_env.",
        ),
        ('rule = "weighted_vote"', "quorum = 3", "quorum of [panel] in {} is 3; expected a whole number from 0 to 2."),
    ],
)
def test_a_wrong_panel_is_refused_in_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    path = tmp_path / "panel.toml"
    path.write_text(PANEL.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as error:
        remote_entries(path)
    assert str(error.value) == sentence.format(path)


def test_a_panel_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        remote_entries(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("[[member]", encoding="utf-8")
    with pytest.raises(FileError, match="is not TOML"):
        remote_entries(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="names no member"):
        remote_entries(tmp_path / "b.toml")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *[(text, "spam") for text in ("spam", "Spam.", " **SPAM** ", '"spam"', "```\nspam\n```", "- spam", "[[spam]]")],
        *[(text, "spam") for text in ("spam\n\nBecause of the link.", "There is a link.\n\nspam", "Answer: spam")],
        *[(text, "spam") for text in ("The answer is **spam**.", "Reasons …\nFinal verdict: [[spam]]")],
        *[(text, None) for text in ("", "not spam", "This is not spam.", "The answer is not spam.", "spam or ham")],
        *[(text, None) for text in ("Answer: spam\nAnswer: ham", "spammy", "spam\n…\nham", "I think it is spam")],
    ],
)
def test_a_choice_is_read_only_where_it_is_beyond_doubt(text: str, answer: str | None) -> None:
    row = AnswerParser().parse(text, CLASSES)
    assert (None if row is None else CLASSES[row.argmax()]) == answer
    assert row is None or row.tolist() in ([1, 0], [0, 1])


def test_options_stand_for_classes() -> None:
    parser = AnswerParser(options={"A": "spam", "B": "ham"}, certainty=0.9)
    parser.check(CLASSES)
    row = parser.parse("(B)", CLASSES)
    assert row is not None
    assert row.tolist() == pytest.approx([0.1, 0.9])
    assert parser.parse("A good answer", CLASSES) is None
    assert parser.parse("spam", CLASSES) is None


@pytest.mark.parametrize(
    ("text", "high", "expected"),
    [
        *[("7", 10, 7), ("7/10", 10, 7), ("Score: 7", 10, 7), ("**7.5**", 10, 7.5), ("7 out of 10.", 10, 7)],
        *[("Good.\n\nRating: [[7]]", 10, 7), ("7/5", 10, None), ("11", 10, None), ("-1", 10, None), ("7,5", 10, None)],
        *[("between 6 and 8", 10, None), ("6\n8", 10, None), ("seven", 10, None), ("1e999", 10, None), ("", 10, None)],
    ],
)
def test_a_score_is_a_probability_on_its_scale(text: str, high: float, expected: float | None) -> None:
    row = AnswerParser(kind="score", high=float(high)).parse(text, CLASSES)
    assert (row is None) == (expected is None)
    assert row is None or row[1] == pytest.approx((expected or 0) / high)
    value = AnswerParser(kind="score", high=float(high)).parse(text, ())
    assert (value is None) == (expected is None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"answer": "ham"}', [0, 1]),
        ('```json\n{"answer": "Ham", "why": "no link"}\n```', [0, 1]),
        ('{"answer": {"spam": 0.7, "ham": 0.31}}', [0.7 / 1.01, 0.31 / 1.01]),
        ('{"answer": 0.25}', [0.75, 0.25]),
        *[(text, None) for text in ('{"answer": {"spam": 0.7, "ham": 0.7}}', '{"answer": {"spam": 1}}', "ham")],
        *[(text, None) for text in ('{"label": "ham"}', '["ham"]', '{"answer": null}', '{"answer": NaN}', "[" * 9999)],
        *[(text, None) for text in ('{"answer": {"spam": "1", "ham": 0}}', '{"answer": true}', '{"answer": 7}')],
    ],
)
def test_json_has_a_class_a_number_or_a_distribution(text: str, expected: list[float] | None) -> None:
    row = AnswerParser(kind="json").parse(text, CLASSES)
    assert (None if row is None else row.tolist()) == (expected and pytest.approx(expected))


def test_a_parser_that_can_never_answer_is_refused() -> None:
    for parser, classes, words in (
        (AnswerParser(options={"A": "spam"}), CLASSES, "no option of a parser stands for 'ham'"),
        (AnswerParser(options={"A": "spam", "B": "eggs"}), CLASSES, "an option of a parser stands for 'eggs'"),
        (AnswerParser(options={"A": "spam", "a.": "ham"}), CLASSES, "two options of a parser differ only in case"),
        (AnswerParser(kind="score"), ("a", "b", "c"), "a score with 3 classes"),
        (AnswerParser(), (), "a choice in regression"),
    ):
        with pytest.raises(InputError, match=words):
            parser.check(classes)


@given(st.text(max_size=200), st.sampled_from(["choice", "score", "json"]))
def test_any_text_gives_probabilities_or_nothing(text: str, kind: Any) -> None:
    row = AnswerParser(kind=kind).parse(text, CLASSES)
    assert row is None or (row.sum() == pytest.approx(1) and (row >= 0).all())


@given(st.text(max_size=100))
def test_braces_in_an_instance_stand_for_nothing(text: str) -> None:
    record = {"text": text, "a b": 2.0}
    assert fill('{a b}: {text} {"label": …} {{x}}', record, CLASSES) == f'2: {text} {{"label": …}} {{x}}'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["probabilities", "spam", "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["outputs", "name", "data", "shape", "choices", "message", "content", "usage", "prompt_tokens"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
SPEC = RemoteSpec.from_dict(CHAT)


@given(JSON, st.integers(0, 3))
def test_no_response_of_a_server_is_taken_for_more_than_it_is(body: Any, n: int) -> None:
    rows = read_response(body, SPEC, n, CLASSES)
    assert rows is None or rows.shape == (n, 2)
    if rows is not None:
        complete = rows[np.isfinite(rows).all(axis=1)]
        assert np.allclose(complete.sum(axis=1), 1)
        assert (complete >= 0).all()


@given(JSON)
def test_no_response_of_a_chat_is_taken_for_more_than_it_is(body: Any) -> None:
    row, reason, _ = read_completion(body, SPEC, CLASSES)
    assert (row is None) == bool(reason)
    assert row is None or row.sum() == 1
    assert all(count >= 0 for count in used_tokens(body))


@given(st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=2), min_size=1, max_size=3))
def test_tensors_are_flat_or_nested(rows: list[list[float]]) -> None:
    flat = {"outputs": [{"name": "probabilities", "data": [x for row in rows for x in row]}]}
    nested = {"outputs": [{"name": "probabilities", "data": rows}]}
    first, second = (read_response(body, SPEC, len(rows), CLASSES) for body in (flat, nested))
    assert first is not None
    assert second is not None
    assert np.array_equal(first, second, equal_nan=True)
