"""Are probabilities that some models lack somewhere left out, and is it said why?"""

from __future__ import annotations

import numpy as np
import pytest

import polyculture as pc
from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.predictions.probability_gaps import probability_gap, without_partial_probabilities
from polyculture.rng import stream


def with_gap(gap: float | None) -> Predictions:
    """Three models, the second without an answer to the fourth of 80 instances."""
    rng = stream(3, "gaps")
    labels = rng.integers(0, 3, 80)
    shares = rng.dirichlet(np.ones(3), (3, 80)) / 2 + np.eye(3)[labels] / 2
    answers = shares.argmax(axis=2)
    if gap is not None:
        shares[1, 3], answers[1, 3] = gap, -1
    columns = {name: [int(a) if a >= 0 else None for a in row] for name, row in zip("abc", answers, strict=True)}
    return Predictions.from_answers(columns, labels.tolist(), probabilities=shares)


@pytest.mark.parametrize("gap", [np.nan, 0.0])
def test_select_votes_where_probabilities_are_missing_and_says_why(gap: float) -> None:
    predictions = with_gap(gap)
    reason = "'b' has no probabilities for 1 of 80 instances"
    assert probability_gap(predictions) == reason
    for rule in ("", "vote"):
        portfolio = pc.select(predictions, 2, rule=rule)
        assert portfolio.rule == "vote"
        assert portfolio.sentence.endswith(f"Probabilities do not count: {reason}.")
    with pytest.raises(InputError) as caught:
        pc.select(predictions, rule="mixture")
    assert str(caught.value) == (
        f"the rule 'mixture' where {reason}; expected probabilities everywhere; take the rule 'vote'."
    )


def test_complete_probabilities_are_used_and_nothing_is_said() -> None:
    predictions = with_gap(None)
    portfolio = pc.select(predictions)
    assert portfolio.rule == "mixture"
    assert "Probabilities do not count" not in portfolio.sentence
    assert without_partial_probabilities({"x": predictions}) == ({"x": predictions}, "")
    with pytest.raises(InputError, match="the rule 'mixture' where 'b' has no probabilities for 1 of 80 instances"):
        pc.combine(portfolio, with_gap(np.nan))


def test_one_table_with_gaps_takes_the_probabilities_of_all() -> None:
    tables, gap = without_partial_probabilities({"first": with_gap(None), "second": with_gap(np.nan)})
    assert gap
    assert all(table.probabilities is None for table in tables.values())
