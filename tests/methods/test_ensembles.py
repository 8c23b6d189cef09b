"""docs/methods/ensembles.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest

from polyculture.measures.ensembles import cross_entropy, majority, squared


def test_the_numbers_of_the_page(stated):
    values, truth = np.array([[1.0, 4.0], [3.0, 2.0]]), np.array([2.0, 2.0])
    numbers = squared(values, truth)
    assert numbers.ensemble == pytest.approx(((values.mean(axis=0) - truth) ** 2).mean())
    assert numbers.mean - numbers.ensemble == pytest.approx(values.var(axis=0).mean())

    P = np.array([[[0.8, 0.2]], [[0.5, 0.5]]])
    pooled = np.sqrt(P[0, 0] * P[1, 0])
    entropies = cross_entropy(P, np.array([0]))
    assert entropies.diversity == pytest.approx(-np.log(pooled.sum()))
    assert entropies.ensemble == pytest.approx(-np.log(pooled[0] / pooled.sum()))
    divergence = [(q * np.log(q / p)).sum() for p in P[:, 0] for q in [pooled / pooled.sum()]]
    assert entropies.diversity == pytest.approx(np.mean(divergence))

    wrong = np.array([[0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]], dtype=bool)
    votes = majority(wrong)
    share = wrong.mean(axis=0)
    assert votes.good - votes.bad == pytest.approx(share.mean() - (share >= 0.5).mean())
    stated.agree(
        {
            "mean squared error of the members": numbers.mean,
            "squared error of their mean": numbers.ensemble,
            "diversity, squared": numbers.diversity,
            "mean cross-entropy": entropies.mean,
            "cross-entropy of the pool": entropies.ensemble,
            "diversity, cross-entropy": entropies.diversity,
            "mean error rate": votes.mean,
            "error of the vote": votes.ensemble,
            "good diversity": votes.good,
            "bad diversity": votes.bad,
        }
    )


def test_a_tie_costs_a_half() -> None:
    """(EN3) and (EN4) with an even number of members."""
    votes = majority(np.array([[True, False], [False, False]]))
    assert (votes.ensemble, votes.mean, votes.good, votes.bad) == (0.25, 0.25, 0.125, 0.125)
