"""docs/methods/active-learning.md against the functions and against the formulas in plain numpy."""

import numpy as np

from polyculture.rng import stream
from polyculture.studies.active.simulation import area
from polyculture.training.active.batches import by_gradients
from polyculture.training.active.scores import entropy, kl_to_consensus, margin, vote_entropy

P = np.array([[[0.8, 0.1, 0.1]], [[0.2, 0.7, 0.1]]])
RESIDUALS = np.array([[-0.2, 0.1, 0.1], [0.2, -0.3, 0.1]])
FEATURES = np.array([[1.0, 2.0], [3.0, 0.0]])


def squared_distance(residuals, features):
    """(QU5) by its right side."""
    lengths = (residuals**2).sum(axis=1) * (features**2).sum(axis=1)
    return lengths.sum() - 2 * (residuals[0] @ residuals[1]) * (features[0] @ features[1])


def test_the_numbers_of_the_page(stated):
    stated.agree(
        {
            "entropy of the mean": entropy(P)[0],
            "margin of the mean": margin(P)[0],
            "vote entropy": vote_entropy(P)[0],
            "divergence from the consensus": kl_to_consensus(P)[0],
            "squared distance of two gradients": squared_distance(RESIDUALS, FEATURES),
            "area under the curve": area(np.array([10, 20, 40]), np.array([0.5, 0.7, 0.8])),
        }
    )


def test_scores_are_those_of_the_formulas():
    p = stream(0, "formulas").dirichlet(np.ones(4), (3, 20))
    mean = p.mean(axis=0)
    votes = np.stack([(p.argmax(axis=2) == c).mean(axis=0) for c in range(4)], axis=1)
    ordered = np.sort(mean, axis=1)
    np.testing.assert_allclose(entropy(p), -(mean * np.log(mean)).sum(axis=1))
    np.testing.assert_allclose(margin(p), ordered[:, -2] - ordered[:, -1])
    np.testing.assert_allclose(vote_entropy(p), -np.where(votes > 0, votes * np.log(np.maximum(votes, 1e-9)), 0).sum(1))
    np.testing.assert_allclose(kl_to_consensus(p), (p * np.log(p / mean)).sum(axis=2).mean(axis=0))


def test_distances_of_gradients_are_those_of_the_outer_products():
    outer = [np.outer(r, x) for r, x in zip(RESIDUALS, FEATURES, strict=True)]
    np.testing.assert_allclose(squared_distance(RESIDUALS, FEATURES), ((outer[0] - outer[1]) ** 2).sum())
    assert by_gradients(np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]), FEATURES, 1, stream(0))[0] == 1


def test_the_area_is_that_of_the_trapezoids():
    labels, accuracies = np.array([10, 30, 40, 100]), np.array([0.2, 0.5, 0.4, 0.9])
    steps = np.diff(labels) * (accuracies[1:] + accuracies[:-1]) / 2
    np.testing.assert_allclose(area(labels, accuracies), steps.sum() / 90)
