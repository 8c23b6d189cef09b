"""Batches: the highest scores with ties by chance, gradients of the last layer, instances that lie far apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from polyculture.rng import stream
from polyculture.training.active.batches import by_gradients, far_apart, highest, spread_out


def test_the_highest_scores_come_first_and_ties_are_drawn_by_chance() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.5, 0.5])
    assert highest(scores, 1, stream(0)).tolist() == [1]
    seconds = {int(highest(scores, 2, stream(seed))[1]) for seed in range(30)}
    assert seconds == {2, 3, 4}
    assert highest(scores, 9, stream(0)).tolist()[0] == 1


def test_gradients_are_the_outer_products() -> None:
    """Batches are those of the gradients written out, with the same draws."""
    generator = stream(1, "gradients")
    p, x = generator.dirichlet(np.ones(4), 25), generator.normal(size=(25, 3))
    residuals = p.copy()
    residuals[np.arange(25), p.argmax(axis=1)] -= 1
    gradients = np.einsum("nc,nd->ncd", residuals, x).reshape(25, -1)

    def distances(position: int) -> np.ndarray:
        return ((gradients - gradients[position]) ** 2).sum(axis=1)

    first = int((gradients**2).sum(axis=1).argmax())
    expected = spread_out(distances, first, 10, 25, stream(2))
    assert by_gradients(p, x, 10, stream(2)).tolist() == expected.tolist()
    assert by_gradients(p, csr_array(x), 10, stream(2)).tolist() == expected.tolist()


def test_a_batch_holds_no_instance_twice_also_where_all_coincide() -> None:
    p, x = np.full((6, 2), 0.5), np.ones((6, 3))
    assert sorted(by_gradients(p, x, 6, stream(0))) == [0, 1, 2, 3, 4, 5]
    assert len(set(by_gradients(p, x, 20, stream(0)))) == 6


@pytest.mark.parametrize("sparse", [False, True])
def test_far_apart_takes_one_of_each_cluster(sparse: bool) -> None:
    """Three clusters with the highest scores; two of each are candidates, and one of each is taken."""
    x = np.repeat(np.eye(3) * 100, 2, axis=0)
    x = np.vstack([x, np.zeros((10, 3))])
    scores = np.concatenate([[9.0, 8.9, 8.8, 8.7, 8.6, 8.5], np.zeros(10)])
    picks = far_apart(scores, csr_array(x) if sparse else x, 3, 6, stream(0))
    assert picks[0] == 0
    assert sorted(pick // 2 for pick in picks) == [0, 1, 2]
