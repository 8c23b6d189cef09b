"""Does every rule take for one what the field takes for one, and refuse what it cannot parse?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.formats import NAME_RULES, NORMALIZERS, ReadingRules, read, write
from polyculture.formats.items.factors import factors_of_name


@pytest.mark.parametrize(
    ("rule", "text", "answer"),
    [
        ("exact", "  The Answer \n", "The Answer"),
        ("exact", " \n", None),
        ("quasi-exact", "The  Answer, is: a 42!", "answer is 42"),
        ("quasi-exact", "theatre", "theatre"),
        ("quasi-exact", "The.", None),
        ("numeric", "so 1,234.50 dollars", "1234.5"),
        ("numeric", "18", "18"),
        ("numeric", "3 + 4 makes 7.", "7"),
        ("numeric", "-0.0", "0"),
        ("numeric", ".5 or 1e3", "1000"),
        ("numeric", "1e99", "1E+99"),
        ("numeric", "seven", None),
        ("multiple-choice", "B", "B"),
        ("multiple-choice", "b) because", "B"),
        ("multiple-choice", "**C**", "C"),
        ("multiple-choice", "The answer is (D).", "D"),
        ("multiple-choice", "Answer: A is wrong. Answer: C", "C"),
        ("multiple-choice", "I think it is (B), not otherwise", "B"),
        ("multiple-choice", "(A) or (B)", None),
        ("multiple-choice", "A dog barks", None),
        ("code", "Sure:\n```python\ndef f():\n    # nothing\n\n    return 1  \n```\nDone", "def f():\n    return 1"),
        ("code", "return 1\n", "return 1"),
        ("code", "```\n```", None),
    ],
)
def test_rule(rule, text, answer):
    assert NORMALIZERS[rule](text) == answer


@given(st.sampled_from(sorted(NORMALIZERS)), st.text(max_size=40))
def test_every_rule_gives_a_text_or_none_and_never_an_empty_one(rule, text):
    answer = NORMALIZERS[rule](text)
    assert answer is None or answer


@given(st.sampled_from(["exact", "quasi-exact", "numeric"]), st.text(alphabet="aThe 1.,-5", max_size=20))
def test_a_normal_form_is_its_own(rule, text):
    answer = NORMALIZERS[rule](text)
    assert answer is None or NORMALIZERS[rule](answer) == answer


def test_an_unknown_rule_is_answered_with_the_near_ones():
    with pytest.raises(InputError) as caught:
        ReadingRules(normalize="quasi_exact")
    assert str(caught.value) == (
        "no normalizer 'quasi_exact'; expected one of exact, quasi-exact, numeric, multiple-choice, code; "
        "did you mean 'quasi-exact' or 'exact'?"
    )


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"refusal": "("}, "'(' is not a pattern: missing ), unterminated subpattern at position 0; expected a regular "
            "expression."),
        ({"names": {"size": "7b"}}, "the pattern '7b' has no group; expected parentheses around the level."),
    ],
)  # fmt: skip
def test_patterns_that_cannot_be_used(rules, text):
    with pytest.raises(InputError) as caught:
        ReadingRules(**rules)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", {"provider": "meta-llama", "family": "Llama", "size": 8.0}),
        ("mistralai/Mixtral-8x7B-v0.1-AWQ", {"provider": "mistralai", "family": "Mixtral", "quantization": "AWQ"}),
        ("gpt-4-2024-04-09", {"family": "gpt", "snapshot": "2024-04-09"}),
        ("qwen2.5-0.5b-q4_k_m", {"family": "qwen", "size": 0.5, "quantization": "q4_k_m"}),
        ("claude-3-opus-20240229", {"family": "claude", "snapshot": "20240229"}),
        ("007", {}),
    ],
)
def test_names_tell_factors_by_the_rule(name, levels):
    assert factors_of_name(name, NAME_RULES) == levels


def test_the_rule_can_be_changed():
    assert factors_of_name("x_large", {"size": "_(small|large)"}) == {"size": "large"}


def test_arrays_and_folders_are_compared_by_the_rule_too(tmp_path):
    answers = {"ann": ["1/2", "3.0", "three"], "bob": [".50", "4", "3"]}
    numeric = ReadingRules(normalize="numeric")
    right = [[False, False, True], [False, True, False]]
    predictions = read(answers, label=["0.5", "3", "3"], rules=numeric)
    assert predictions.wrong.tolist() == right
    assert predictions.answers.tolist()[0][2] == -1
    write(read(answers, label=["0.5", "3", "3"]), tmp_path / "folder")
    assert read(tmp_path / "folder").wrong.sum() == 5
    assert read(tmp_path / "folder", rules=numeric).wrong.tolist() == right
