"""PC011: which pairs are more alike than shared difficulty explains?"""

from __future__ import annotations

import re

import numpy as np


def rasch(copying: float = 0.0, seed: int = 1, n: int = 3000) -> np.ndarray:
    """Eight models that share difficulty only, but model 1 repeats model 0 on a share `copying` of the instances."""
    rng = np.random.default_rng(seed)
    fails = 1 / (1 + np.exp(-(rng.normal(-1, 1.5, n) + np.linspace(-0.5, 0.5, 8)[:, None])))
    wrong = rng.random((8, n)) < fails
    copied = rng.random(n) < copying
    wrong[1, copied] = wrong[0, copied]
    return wrong


def test_a_pair_that_copies_is_a_warning_and_named(finding, outcomes) -> None:
    found = finding(outcomes(rasch(0.4)), "PC011")
    assert found.severity == "warning"
    said = re.fullmatch(
        r"(\d+) of 28 pairs fail together more often than instances of any difficulty explain \(false discovery rate "
        r"5 %\); most of all m0 and m1 \(z = (\d+\.\d)\)\. The excess of all pairs sums to zero: it shows who stands "
        r"out, never how alike all are\.",
        found.sentence,
    )
    assert said
    assert int(said[1]) == 1
    assert float(said[2]) > 5


def test_difficulty_alone_is_a_note(finding, outcomes) -> None:
    found = finding(outcomes(rasch()), "PC011")
    assert found.severity == "note"
    assert found.sentence.startswith("0 of 28 pairs fail together more often than instances of any difficulty explain")


def test_two_models_cannot_be_told_from_difficulty(finding, outcomes) -> None:
    found = finding(outcomes(rasch()[:2]), "PC011")
    assert found.reason == ("fewer than three models both fail and succeed where some but not all of the others fail")
    assert found.sentence == ""


def test_where_counts_settle_everything_it_does_not_apply(finding, outcomes) -> None:
    """Three models and one failure at a time: no pair can fail together."""
    assert finding(outcomes(np.eye(3, dtype=bool).repeat(20, axis=1)), "PC011").reason == (
        "given how many fail, it is settled which pairs fail together"
    )
