"""docs/methods/annotators.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest

from polyculture.measures.annotators import Annotations, correlation_of, tempering
from polyculture.measures.annotators.consensus import Consensus
from polyculture.measures.panels import krippendorff_alpha

TABLE = np.array([[0, 1, 1, 0, 0, 1], [0, 1, 0, -1, 0, 1], [1, 1, 1, 0, 0, -1]])


def posterior(first: int, second: int, power: float = 1.0) -> float:
    """Of the first class, by the function, after so many labels of each by workers who are right with .8."""
    evidence = np.log([[0.8**first * 0.2**second, 0.2**first * 0.8**second]])
    half = np.full((1, 2), 0.5)
    combined = Consensus("one coin", half, np.array([3]), np.full(3, 0.8), half[0], evidence)
    return float(combined.tempered(power).posterior[0, 0])


def test_the_numbers_of_the_page_are_bayes_rule_and_counts(stated):
    rho = correlation_of(1.5, 3)
    power = float(tempering(rho, np.array([3]))[0])
    assert power == pytest.approx(1.5 / 3)
    assert posterior(3, 0) == pytest.approx(0.8**3 / (0.8**3 + 0.2**3))
    assert posterior(3, 0, power) == pytest.approx(0.8**1.5 / (0.8**1.5 + 0.2**1.5))
    counts = np.stack([(k == TABLE).sum(axis=0) for k in (0, 1)], axis=1)
    size, total = counts.sum(axis=1), counts.sum()
    observed = (2 * counts.prod(axis=1) / (size - 1)).sum()
    alpha = 1 - (total - 1) * observed / (2 * counts.sum(axis=0).prod())
    assert krippendorff_alpha(Annotations.of_table(TABLE, 2).counts.astype(float)).value == pytest.approx(alpha)
    stated.agree(
        {
            "posterior of two against one": posterior(2, 1),
            "posterior of three": posterior(3, 0),
            "tempered posterior of three": posterior(3, 0, power),
            "power with ρ of ½ and three labels": float(tempering(0.5, np.array([3]))[0]),
            "α": alpha,
        }
    )
