"""docs/methods/label-errors.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest

from polyculture.measures.label_errors import confident_joint, label_errors

FIRST = np.array([[0.9, 0.7, 0.2, 0.1, 0.4, 0.95], [0.8, 0.6, 0.4, 0.1, 0.3, 0.75]])
PROBABILITIES, LABELS = np.stack([FIRST, 1 - FIRST], axis=2), np.array([0, 0, 0, 1, 1, 1])


def test_the_numbers_of_the_page_are_those_of_the_function(stated):
    errors = label_errors(PROBABILITIES, LABELS)
    stated.agree(
        {
            "score of instance 1": errors.score[0],
            "score of instance 3": errors.score[2],
            "threshold of class 0": errors.thresholds[0],
            "threshold of class 1": errors.thresholds[1],
            "labelled 0, of class 1": errors.joint[0, 1],
            "labelled 1, of class 0": errors.joint[1, 0],
            "flagged": errors.count,
            "expected precision": errors.expected_precision,
            "failed by both": errors.all_wrong_rate,
            "failed by both, without the flagged": errors.all_wrong_rate_without,
        }
    )
    np.testing.assert_array_equal(np.flatnonzero(errors.flagged), [2, 5])


def test_the_formulas_are_those_of_the_page():
    """(LE1) to (LE3), instance by instance."""
    draw = np.random.default_rng(1)
    probabilities = draw.dirichlet([1, 1, 1], (3, 60))
    labels, mean = draw.integers(0, 3, 60), probabilities.mean(axis=0)
    score = [p[y] - max(np.delete(p, y)) for p, y in zip(mean, labels, strict=True)]
    np.testing.assert_allclose(label_errors(probabilities, labels).score, score)
    t = [np.mean([p[k] for p, y in zip(mean, labels, strict=True) if y == k]) for k in range(3)]
    counts = np.zeros((3, 3))
    for p, y in zip(mean, labels, strict=True):
        candidates = [j for j in range(3) if p[j] >= t[j]]
        if candidates:
            counts[y, max(candidates, key=lambda j: p[j])] += 1
    thresholds, joint = confident_joint(mean, labels)
    np.testing.assert_allclose(thresholds, t)
    np.testing.assert_allclose(joint, counts * (np.bincount(labels) / counts.sum(axis=1))[:, None])


def test_a_kind_sides_with_labels_that_all_others_contradict():
    """(LE5)."""
    draw = np.random.default_rng(2)
    probabilities, labels = draw.dirichlet([0.5, 0.5, 0.5], (4, 200)), draw.integers(0, 3, 200)
    left_out = label_errors(probabilities, labels, kinds=["x", "x", "y", "z"]).left_out
    assert left_out is not None
    own, others = probabilities[:2].mean(axis=0).argmax(axis=1), probabilities[2:].mean(axis=0).argmax(axis=1)
    assert left_out.sides_with_labels[0] == pytest.approx(np.mean(own[others != labels] == labels[others != labels]))
