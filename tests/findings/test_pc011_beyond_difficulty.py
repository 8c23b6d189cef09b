"""PC011: which pairs are more alike than shared difficulty explains?"""

from __future__ import annotations

import re

import numpy as np

import polyculture as pc


def rasch(copying: float = 0.0, seed: int = 1, n: int = 3000) -> np.ndarray:
    """Eight models that share difficulty only, but model 1 repeats model 0 on a share `copying` of the instances."""
    rng = np.random.default_rng(seed)
    fails = 1 / (1 + np.exp(-(rng.normal(-1, 1.5, n) + np.linspace(-0.5, 0.5, 8)[:, None])))
    wrong = rng.random((8, n)) < fails
    copied = rng.random(n) < copying
    wrong[1, copied] = wrong[0, copied]
    return wrong


SPREAD = r"after division by the spread \d+\.\d of the z of most pairs"
CAVEAT = "Difficulty is judged by these same models: this shows who stands out, never how alike all are."


def test_a_pair_that_copies_is_a_warning_and_named(finding, outcomes) -> None:
    result = finding(outcomes(rasch(0.4)), "PC011")
    assert result.severity == "warning"
    match = re.fullmatch(
        r"1 of 28 pairs fail together more often than instances of any difficulty explain \(false discovery rate "
        rf"5 %\); most of all m0 and m1 \(z = (\d+\.\d), {SPREAD}\)\. {re.escape(CAVEAT)}",
        result.sentence,
    )
    assert match
    assert float(match[1]) > 5


def test_difficulty_alone_is_a_note(finding, outcomes) -> None:
    result = finding(outcomes(rasch()), "PC011")
    assert result.severity == "note"
    assert result.sentence.startswith("0 of 28 pairs fail together more often than instances of any difficulty explain")


def test_two_sharp_models_are_a_note(finding, outcomes) -> None:
    """With equal slopes they were a pair that stands out, with any number of instances."""
    rng = np.random.default_rng(2)
    slopes = np.r_[2.5, 2.5, np.ones(10)]
    fails = 1 / (1 + np.exp(-(slopes[:, None] * rng.normal(size=10_000) - 1)))
    assert finding(outcomes(rng.random((12, 10_000)) < fails), "PC011").severity == "note"


def test_where_the_spread_is_too_wide_the_test_cannot_speak(finding, outcomes) -> None:
    """Every model has its own mixture of two kinds of difficulty: none stands out, and 0 pairs would be untrue."""
    rng = np.random.default_rng(3)
    angle, kinds = np.linspace(0, 2 * np.pi, 24, endpoint=False), rng.normal(size=(2, 20_000))
    logits = 1.5 * (np.cos(angle)[:, None] * kinds[0] + np.sin(angle)[:, None] * kinds[1]) - 1
    result = finding(outcomes(rng.random((24, 20_000)) < 1 / (1 + np.exp(-logits))), "PC011")
    assert re.fullmatch(
        rf"The test of 276 pairs cannot speak: z = \d+\.\d, {SPREAD} \(m\d+ and m\d+, the largest\)\. That spread is "
        r"too wide, it is at most 2\.0 where one difficulty per instance describes the models: pairs that share "
        rf"something can hide in it\. {re.escape(CAVEAT)}",
        result.sentence,
    )
    assert result.severity == "note"


def test_fewer_than_five_models_are_never_more_than_a_note(finding, outcomes) -> None:
    """Slopes could explain any excess of four models, even that of copies."""
    result = finding(outcomes(rasch(0.6)[:4]), "PC011")
    assert result.severity == "note"
    assert "This takes models to discriminate equally, which fewer than 5 cannot show." in result.sentence


def test_two_models_cannot_be_told_from_difficulty(finding, outcomes) -> None:
    result = finding(outcomes(rasch()[:2]), "PC011")
    assert result.reason == "fewer than three models both fail and succeed on the instances compared"
    assert result.sentence == ""


def test_models_that_never_meet_cannot_be_compared(finding) -> None:
    correct = np.full((3, 30), np.nan)
    for k in range(3):
        correct[k, 10 * k : 10 * k + 10] = np.arange(10) % 2
    predictions = pc.Predictions.from_correct({f"m{k}": row for k, row in enumerate(correct)})
    assert finding(predictions, "PC011").reason != ""
