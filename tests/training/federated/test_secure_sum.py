"""The server learns the sum, whoever is missing, and no message says anything by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from polyculture.errors import InputError
from polyculture.training.federated.secure_sum import masked, secure_sum


@given(
    clients=st.integers(2, 7),
    absent=st.integers(0, 5),
    scale=st.floats(1e-6, 1e4),
    seed=st.integers(0, 2**32),
)
def test_the_secure_sum_is_the_plain_sum(clients: int, absent: int, scale: float, seed: int) -> None:
    numbers = np.random.default_rng(seed).normal(scale=scale, size=(clients, 5))
    vectors = {client: numbers[client] for client in range(min(absent, clients - 1), clients)}
    total = secure_sum(vectors, range(clients), seed)
    assert np.abs(total - sum(vectors.values())).max() < 1e-6


def test_a_message_is_uniform_whatever_it_hides() -> None:
    message = masked(np.zeros(20_000), 0, [0, 1], 5)
    assert stats.kstest(message / 2.0**64, "uniform").pvalue > 0.01
    assert not np.array_equal(message, masked(np.zeros(20_000), 0, [0, 1], 6))


def test_numbers_beyond_the_fixed_point_are_refused() -> None:
    with pytest.raises(InputError, match=r"a number of client 0 is 4000000000.0; expected below 2\^30"):
        secure_sum({0: np.array([4e9])}, [0, 1], 0)
    with pytest.raises(InputError, match="a number of client 0 is nan"):
        secure_sum({0: np.array([np.nan])}, [0, 1], 0)


def test_a_client_that_was_not_asked_is_refused() -> None:
    with pytest.raises(InputError, match="client 3 was not asked; expected one of 0, 1"):
        secure_sum({3: np.zeros(1)}, [0, 1], 0)
