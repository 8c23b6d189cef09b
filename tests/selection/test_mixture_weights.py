"""Mixture weights: the optimum is the optimum, whatever the way there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from polyculture.errors import InputError
from polyculture.selection import mixture_weights


def truths(seed: int, m: int = 5, n: int = 80) -> np.ndarray:
    return np.random.default_rng(seed).beta(1.0, 1.0, (m, n))


def expectation_maximization(truth: np.ndarray, prior: float = 0.0, steps: int = 3000) -> np.ndarray:
    weights = np.full(len(truth), 1 / len(truth))
    for _ in range(steps):
        part = truth * weights[:, None]
        weights = (part / part.sum(axis=0)).sum(axis=1) + prior
        weights /= weights.sum()
    return weights


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(1, 120))
def test_no_model_would_earn_more_weight(seed: int, m: int, n: int) -> None:
    truth = truths(seed, m, n)
    found = mixture_weights(truth)
    earned = (truth / (found.weights @ truth)).mean(axis=1)
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights.min() >= 0
    assert earned.max() <= 1 + 2e-6
    assert found.gap <= 1e-6
    assert found.log_loss == pytest.approx(-np.log(found.weights @ truth).mean(), abs=1e-6)


@pytest.mark.parametrize("prior", [0.0, 0.5, 5.0])
def test_it_is_where_plain_expectation_maximization_goes(prior: float) -> None:
    truth = truths(3)
    slow = expectation_maximization(truth, prior)
    assert mixture_weights(truth, prior).weights == pytest.approx(slow, abs=2e-3)


def test_it_is_where_a_general_optimizer_goes() -> None:
    truth = truths(11, 4, 200)
    found = minimize(
        lambda w: -np.log(w @ truth).mean(),
        np.full(4, 0.25),
        bounds=[(1e-9, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        tol=1e-12,
    )
    assert mixture_weights(truth).log_loss == pytest.approx(found.fun, abs=1e-6)


def test_a_model_that_is_never_better_gets_nothing() -> None:
    truth = truths(1, 3, 100)
    assert mixture_weights(np.vstack([truth, 0.9 * truth[:1]])).weights[3] == 0


def test_copies_share_what_one_of_them_would_get() -> None:
    truth = truths(2, 3, 100)
    alone, twice = mixture_weights(truth), mixture_weights(np.vstack([truth, truth[:1]]))
    assert twice.log_loss == pytest.approx(alone.log_loss, abs=2e-6)
    assert twice.weights[[0, 3]].sum() == pytest.approx(alone.weights[0], abs=1e-3)


def test_an_instance_that_counts_twice_is_there_twice() -> None:
    truth = truths(5, 4, 60)
    counts = np.where(np.arange(60) < 20, 2.0, 1.0)
    counted = mixture_weights(truth, counts=counts)
    repeated = mixture_weights(np.hstack([truth, truth[:, :20]]))
    assert counted.weights == pytest.approx(repeated.weights, abs=1e-4)
    assert counted.log_loss == pytest.approx(repeated.log_loss, abs=1e-6)


def test_a_strong_prior_makes_weights_equal() -> None:
    assert mixture_weights(truths(7), prior=1e6).weights == pytest.approx(np.full(5, 0.2), abs=1e-4)


def test_impossible_truths_are_survived() -> None:
    found = mixture_weights(np.array([[0.0, 0.0, 0.5], [0.0, 1.0, 0.0]]))
    assert np.isfinite(found.log_loss)
    assert found.weights == pytest.approx([0.5, 0.5], abs=1e-4)


def test_a_hundred_models_take_a_few_steps() -> None:
    rng = np.random.default_rng(0)
    truth = 1 / (1 + np.exp(-rng.normal(0.5, 1, (100, 2000)) - rng.normal(size=2000)))
    assert mixture_weights(truth).steps < 60


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mixture_weights(np.ones((2, 0))), "weights from no instances; expected one instance or more."),
        (
            lambda: mixture_weights(np.array([[0.5, np.nan]])),
            "a probability that is not a number; expected probabilities of every model on every instance.",
        ),
        (lambda: mixture_weights(np.ones((2, 3)), prior=-1.0), "a prior of -1.0; expected 0 or more instances."),
    ],
)
def test_what_cannot_be_weighed_is_refused(call: object, text: str) -> None:
    with pytest.raises(InputError) as caught:
        call()  # type: ignore[operator]
    assert str(caught.value) == text


def test_a_model_that_nothing_speaks_for_has_no_weight_at_all() -> None:
    found = mixture_weights(np.array([np.full(40, 0.9), np.full(40, 1e-12)]))
    assert found.weights.tolist() == [1.0, 0.0]
