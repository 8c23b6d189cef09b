"""How counts read: numbers are right, and so is the English."""

from __future__ import annotations

import pytest

import polyculture as pc
from polyculture.auditing import audit
from polyculture.reporting.narrative import systemic
from polyculture.reporting.page import html
from polyculture.reporting.sections import applies
from polyculture.results import Audit
from polyculture.stats import every


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "the one model"), (2, "both models"), (3, "all 3 models"), (2000, "all 2,000 models")],
)
def test_all_of_two_are_both(count: int, words: str) -> None:
    assert every(count, "model") == words


def _two_models() -> Audit:
    labels = ["a", "b"] * 60
    wrong = {"first": range(0, 30), "second": range(15, 45)}
    other = {"a": "b", "b": "a"}
    answers = {m: [other[v] if k in places else v for k, v in enumerate(labels)] for m, places in wrong.items()}
    return audit(pc.Predictions.from_answers(answers, labels))


def test_nothing_of_an_audit_of_two_says_all_two() -> None:
    result = _two_models()
    assert any(finding.sentence.startswith("Both models fail the same 15 of 120") for finding in result.findings)
    assert repr(result.systemic).startswith("Systemic: both models fail 15 of 120")
    assert systemic(result).startswith("Both models fail 15 of 120")
    led = html(result, [next(section for section in result.sections if applies(section))])
    assert "The audit of both models" in led
    assert "What matters about both models" in led
    for text in (led, html(result), repr(result), result.to_json()):
        assert "ll 2 " not in text.replace("\xa0", " ")
