"""docs/methods/judges.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest

from polyculture.measures.panels import condorcet_gap, error_correlation, kish
from polyculture.measures.panels.condorcet import _slopes

WRONG = np.zeros((3, 8), dtype=bool)
for judge, items in enumerate(([0, 1], [0, 2], [0, 3])):
    WRONG[judge, items] = True


def test_the_numbers_of_the_page(stated):
    E = WRONG.astype(float)
    phi = np.corrcoef(E)[np.triu_indices(3, 1)].mean()
    correlation = error_correlation(WRONG)
    assert correlation.mean == pytest.approx(phi)
    gap = condorcet_gap(WRONG)
    independent = 3 * 0.25**2 * 0.75 + 0.25**3
    assert gap.independent == pytest.approx(independent)
    stated.agree(
        {
            "mean error correlation": correlation.mean,
            "effective votes": kish(3, phi),
            "error of the majority": float((E.sum(axis=0) > 1.5).mean()),
            "the same of independent judges": gap.independent,
            "gap": gap.gap,
            "slope of one judge": float(_slopes(E.mean(axis=1))[0]),
        }
    )
