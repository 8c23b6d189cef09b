"""PC003: are two of them one model?"""

from __future__ import annotations

import numpy as np

from polyculture.predictions import Predictions


def answers(n: int, changed: int, models: int = 3) -> Predictions:
    """Model b answers like a but on the first `changed` instances; the others answer at random."""
    rng = np.random.default_rng(0)
    table = {f"m{i}": rng.integers(0, 5, n) for i in range(models)}
    table["m1"] = table["m0"].copy()
    table["m1"][:changed] = (table["m1"][:changed] + 1) % 5
    return Predictions.from_answers(table, rng.integers(0, 5, n))


def test_a_pair_that_answers_alike_is_named(finding) -> None:
    found = finding(answers(2000, 1), "PC003")
    assert found.severity == "warning"
    assert found.sentence == ("1 pair of models answers alike on more than 99.9 % of their instances: m0 and m1.")


def test_no_more_than_five_pairs_are_named(finding, outcomes) -> None:
    wrong = np.tile(np.random.default_rng(1).random(300) < 0.3, (4, 1))
    assert finding(outcomes(wrong), "PC003").sentence == (
        "6 pairs of models answer alike on more than 99.9 % of their instances: m0 and m1; m0 and m2; m0 and m3; "
        "m1 and m2; m1 and m3; …."
    )


def test_exactly_a_thousandth_of_other_answers_is_silent(findings) -> None:
    assert findings(answers(2000, 2), "PC003") == []


def test_fewer_than_two_hundred_instances_are_silent(findings) -> None:
    assert findings(answers(199, 0), "PC003") == []
    assert len(findings(answers(200, 0), "PC003")) == 1


def test_answers_count_where_they_are_known_and_not_outcomes_alone(findings) -> None:
    """Both always wrong, never with the same answer: not the same model."""
    labels = np.zeros(300, int)
    labels[:150] = 3
    table = {"a": np.ones(300, int), "b": np.full(300, 2)}
    assert findings(Predictions.from_answers(table, labels), "PC003") == []
