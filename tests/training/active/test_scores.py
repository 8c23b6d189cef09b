"""Scores against independent formulas, and what each of them must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from polyculture.rng import stream
from polyculture.training.active.scores import entropy, kl_to_consensus, margin, vote_entropy

SCORES = (entropy, margin, vote_entropy, kl_to_consensus)


def probabilities(seed: int, m: int = 4, n: int = 30, c: int = 5, sure: float = 1.0) -> np.ndarray:
    """Random class probabilities; above 1 the members are sure of themselves."""
    logits = sure * stream(seed, "probabilities").normal(size=(m, n, c))
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_scores_are_those_of_scipy() -> None:
    p = probabilities(0)
    mean = p.mean(axis=0)
    np.testing.assert_allclose(entropy(p), [scipy_entropy(row) for row in mean])
    divergences = [[scipy_entropy(p[a, i], mean[i]) for a in range(4)] for i in range(30)]
    np.testing.assert_allclose(kl_to_consensus(p), np.mean(divergences, axis=1))
    votes = p.argmax(axis=-1)
    shares = [np.bincount(votes[:, i], minlength=5) / 4 for i in range(30)]
    np.testing.assert_allclose(vote_entropy(p), [scipy_entropy(row) for row in shares])
    top = np.sort(mean, axis=1)
    np.testing.assert_allclose(margin(p), top[:, -2] - top[:, -1])


def test_divergence_is_the_entropy_of_the_mean_less_the_mean_entropy() -> None:
    p = probabilities(1)
    np.testing.assert_allclose(
        kl_to_consensus(p), entropy(p) - np.mean([entropy(member[None]) for member in p], axis=0)
    )


def test_golden_numbers_by_hand() -> None:
    """Two members that are sure of different classes, and two that agree."""
    p = np.array([[[1.0, 0.0], [0.8, 0.2]], [[0.0, 1.0], [0.8, 0.2]]])
    np.testing.assert_allclose(entropy(p), [np.log(2), 0.5004024235])
    np.testing.assert_allclose(margin(p), [0.0, -0.6])
    np.testing.assert_allclose(vote_entropy(p), [np.log(2), 0.0])
    np.testing.assert_allclose(kl_to_consensus(p), [np.log(2), 0.0], atol=1e-15)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 7), st.sampled_from([0.1, 1.0, 30.0]))
def test_scores_keep_their_ranges_and_ignore_the_order_of_members_and_classes(seed, m, c, sure) -> None:
    p = probabilities(seed, m, 8, c, sure)
    generator = stream(seed, "order")
    members, classes = generator.permutation(m), generator.permutation(c)
    limits = {
        entropy: (0, np.log(c)),
        margin: (-1, 0),
        vote_entropy: (0, np.log(min(m, c))),
        kl_to_consensus: (0, np.log(m)),
    }
    for score in SCORES:
        values = score(p)
        low, high = limits[score]
        assert (values >= low - 1e-12).all()
        assert (values <= high + 1e-12).all()
        np.testing.assert_allclose(score(p[members][:, :, classes]), values, atol=1e-12)


@pytest.mark.parametrize("score", [vote_entropy, kl_to_consensus])
def test_copies_of_one_member_do_not_disagree(score) -> None:
    p = np.repeat(probabilities(2, m=1), 3, axis=0)
    np.testing.assert_allclose(score(p), 0, atol=1e-12)


def test_one_class_leaves_no_margin() -> None:
    np.testing.assert_array_equal(margin(np.ones((2, 3, 1))), [-1, -1, -1])


def test_one_member_that_is_always_sure_decides_the_divergence_alone() -> None:
    """Why members are calibrated first: the others have nearly no say."""
    p = probabilities(3, m=3, n=200, c=4, sure=0.2)
    p[2] = np.eye(4)[p[2].argmax(axis=1)]
    own = 1 - p[:2].mean(axis=0)[np.arange(200), p[2].argmax(axis=1)]
    assert np.corrcoef(kl_to_consensus(p), own)[0, 1] > 0.95
