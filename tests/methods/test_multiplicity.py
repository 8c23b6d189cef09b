"""docs/methods/multiplicity.md against the functions and against the formulas in plain numpy."""

from itertools import combinations

import numpy as np
import pytest

from polyculture.measures.multiplicity import competing, multiplicity, position, rashomon_capacity, self_consistency

ANSWERS = np.array([[0, 0, 1, 1, 2, 2, 0, 1], [0, 0, 1, 1, 2, 1, 0, 0], [0, 1, 1, 1, 2, 0, 0, 1]])


def test_the_numbers_of_the_page_are_counts_over_instances(stated):
    differs = ANSWERS[1:] != ANSWERS[0]
    result = multiplicity(ANSWERS, 0, competing(np.array([0.1, 0.105, 0.11]), 0))
    assert result.ambiguity == differs.any(axis=0).mean()
    assert result.discrepancy == differs.mean(axis=1).max()
    same = np.mean([ANSWERS[a] == ANSWERS[b] for a, b in combinations(range(3), 2)], axis=0)
    np.testing.assert_allclose(self_consistency(ANSWERS), same)
    channel = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    entropy = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    capacity = float(rashomon_capacity(channel)[0])
    assert capacity == pytest.approx(2 ** (1 - entropy), abs=1e-3)
    similarity = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, 0.3], [0.3, 0.3, 1.0]])
    stated.agree(
        {
            "ambiguity": result.ambiguity,
            "discrepancy": result.discrepancy,
            "self-consistency of instance 2": self_consistency(ANSWERS)[1],
            "self-consistency of instance 6": self_consistency(ANSWERS)[5],
            "mean self-consistency": self_consistency(ANSWERS).mean(),
            "effective answers": capacity,
            "position of models 1 and 3": position(similarity, np.array([0, 0, 1]))[0, 2],
        }
    )
