"""docs/methods/cleaning.md against the functions and against plain numpy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.dataset import Dataset
from polyculture.preparation.cleaning import find_faults
from polyculture.preparation.cleaning.columns import PooledColumn
from polyculture.preparation.cleaning.near_duplicates import IMAGE_CORRELATION
from polyculture.preparation.cleaning.outliers import robust_scores
from polyculture.preparation.cleaning.personal_patterns import valid_card, valid_iban


def test_the_numbers_of_the_page(stated):
    scores = robust_scores(PooledColumn.of("x", pd.Series([*range(1, 31), 95])))
    others = np.arange(80.0, 120.0, 2)
    pressures = np.append(others, np.zeros(5))
    column = Dataset(pressures[:, None], np.zeros(25, np.int64), ("a",))
    spikes = find_faults({"all": column}, kinds=["disguised-missing"])
    train = Dataset(np.array([[1, 2], [1, 2], [1, 2]]), np.array([0, 0, 1]), ("a", "b"))
    test = Dataset(np.array([[1.0, 2.0]]), np.array([0]), ("a", "b"))
    faults = [
        fault.kind for fault in find_faults({"train": train, "test": test}, kinds=["duplicate", "conflict", "leak"])
    ]
    account, card = "GB82WEST12345698765432", "4111111111111111"
    assert valid_iban(account)
    assert valid_card(card)
    doubled = [int(d) * (2 - k % 2) for k, d in enumerate(card)]
    stated.agree(
        {
            "score of 95": scores[-1],
            "distance of the spike": others.min() - 0,
            "quartile distance": float(np.subtract(*np.quantile(others, [0.75, 0.25]))),
            "rows of the spike": len(spikes),
            "duplicates": faults.count("duplicate"),
            "conflicts": faults.count("conflict"),
            "leaks": faults.count("leak"),
            "radius at .998": np.sqrt(2 - 2 * IMAGE_CORRELATION),
            "remainder of GB82 WEST 1234 5698 7654 32": int("3214282912345698765432161182") % 97,
            "sum of 4111 1111 1111 1111": sum(n - 9 * (n > 9) for n in doubled),
        }
    )


def test_a_projection_with_the_remainder_brings_no_vectors_farther_apart() -> None:
    """(CL1)."""
    rng = np.random.default_rng(0)
    u, v = (x / np.linalg.norm(x) for x in rng.normal(size=(2, 30)))
    axes = np.linalg.qr(rng.normal(size=(30, 12)))[0].T
    remainders = [np.linalg.norm(x - axes.T @ (axes @ x)) for x in (u, v)]
    distance = np.sum((axes @ (u - v)) ** 2) + (remainders[0] - remainders[1]) ** 2
    assert distance <= np.sum((u - v) ** 2)
    assert np.sum((u - v) ** 2) == pytest.approx(2 - 2 * u @ v)
