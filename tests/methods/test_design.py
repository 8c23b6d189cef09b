"""docs/methods/design.md against the functions and against the formulas in plain numpy."""

from itertools import product

import numpy as np
import pytest

from polyculture.measures.attribution.covariance_split import by_level, cramers_v, identifiability
from polyculture.measures.attribution.hypothesis_tests import arrangements
from polyculture.recipe.arrays import orthogonal_array


def test_the_numbers_of_the_page(stated):
    array = orthogonal_array([2, 2, 2])
    assert array.shape == (4, 3)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert {tuple(row) for row in array[:, [a, b]]} == set(product(range(2), repeat=2))
    grid = np.array(list(product(range(4), range(4))))
    gate = identifiability([by_level(grid[:, 0]), by_level(grid[:, 1])])
    a, b = np.triu_indices(16, 1)
    X = np.column_stack([grid[a, 0] == grid[b, 0], grid[a, 1] == grid[b, 1]]).astype(float)
    r = np.corrcoef(X.T)[0, 1]
    assert gate.vif[0] == pytest.approx(1 / (1 - r**2))
    effects = np.column_stack([np.ones(4), 2 * np.array(list(product(range(2), repeat=2))) - 1.0])
    stated.agree(
        {
            "runs": len(array),
            "share of pairs": X[:, 0].mean(),
            "correlation of columns": r,
            "VIF": gate.vif[0],
            "discordant pairs": gate.discordant[0, 1],
            "Cramér's V": cramers_v(grid[:, 0], grid[:, 1]),
            "arrangements": arrangements(np.array([0, 1, 0, 1, 0, 1, 0, 1]), np.repeat(np.arange(4), 2)),
            "log det of the information": float(np.linalg.slogdet(effects.T @ effects)[1]),
        }
    )


def test_cramers_v_is_chi_squared_by_the_smaller_number_of_levels() -> None:
    """(DE6), which is 1 where one of two factors with three levels tells the other."""
    first, second = np.array([0, 0, 1, 1, 2, 2, 2]), np.array([0, 0, 1, 1, 2, 2, 1])
    table = np.array([[2, 0, 0], [0, 2, 0], [0, 1, 2]])
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / 7
    chi_squared = ((table - expected) ** 2 / expected).sum()
    assert cramers_v(first, second) == pytest.approx(np.sqrt(chi_squared / (7 * 2)))
    assert cramers_v(first, first) == pytest.approx(1)
