"""docs/methods/panels.md against the functions and against the formulas in plain numpy."""

from itertools import combinations

import numpy as np
import pytest

from polyculture.selection import co_failure, panel

WRONG = np.array(
    [
        [1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 0],
    ],
    dtype=bool,
)


def test_the_numbers_of_the_page(stated):
    G = co_failure(WRONG)
    np.testing.assert_allclose(G, WRONG.astype(float) @ WRONG.T / 10, atol=1e-7)
    sets = list(combinations(range(5), 3))
    criteria = [(WRONG[list(s)].mean(axis=0) ** 2).mean() for s in sets]
    best = panel(G, 3)
    assert best.models == sets[int(np.argmin(criteria))]
    assert best.criterion == pytest.approx(min(criteria))
    top = WRONG[:3].mean(axis=0)
    share = WRONG[list(best.models)].mean(axis=0)
    ambiguity = (share * (1 - share)).mean()
    assert best.criterion == pytest.approx(share.mean() - ambiguity)
    stated.agree(
        {
            "Q of the three most accurate": float((top**2).mean()),
            "vote error of the three most accurate": float((top > 0.5).mean()),
            "Q of the panel": best.criterion,
            "vote error of the panel": float((share > 0.5).mean()),
            "mean error of the panel's members": float(share.mean()),
            "ambiguity of the panel": float(ambiguity),
        }
    )


def test_swapping_finds_what_enumeration_finds():
    rng = np.random.default_rng(0)
    common = rng.random((3, 400)) < 0.2
    wrong = (rng.random((24, 400)) < 0.15) | common[np.arange(24) % 3]
    exact = min((mean_squared_share(wrong, s), s) for s in combinations(range(24), 3))
    assert panel(co_failure(wrong), 3).criterion == pytest.approx(exact[0])


def mean_squared_share(wrong, members):
    return float((wrong[list(members)].mean(axis=0) ** 2).mean())
