"""How does a server learn a sum and none of its terms? Every pair of clients adds and subtracts one random mask.

Messages are whole numbers modulo 2⁶⁴, so masks cancel to the last bit and a masked message is uniformly distributed,
whatever it hides. The arithmetic is that of Bonawitz et al. (2017) with one mask per pair; keys are not agreed on over
a network here, and a client that was given up and answers later would not be protected (their second mask is for that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt64

from polyculture.errors import InputError
from polyculture.rng import derived_seed

SCALE = 2.0**32
"""A number is sent as the nearest whole multiple of 1 / SCALE, so each term is exact to 1.2e-10."""
LARGEST = 2.0**30
"""Largest absolute value of a sum that is read back right."""


def secure_sum(
    vectors: Mapping[int, Float[np.ndarray, " d"]], asked: Sequence[int], seed: int
) -> Float[np.ndarray, " d"]:
    """The sum of the vectors, computed from their masked forms only; equal to the plain sum to 1e-9 per vector.

    Parameters
    ----------
    vectors : of the clients that answered.
    asked : all clients that agreed on masks, these included; for each one that did not answer, those that did
        reveal the seed that they share with it, and the server takes these masks off.
    seed : from which the seeds of the pairs are derived.

    Raises InputError for numbers that are not finite or too large for the fixed point, and for a client that was not
    asked.

    Examples
    --------
    >>> from polyculture.training.federated.secure_sum import secure_sum
    >>> secure_sum({0: np.array([0.5]), 2: np.array([0.25])}, asked=[0, 1, 2], seed=0)
    array([0.75])
    """
    clients = sorted(asked)
    messages = [masked(vector, client, clients, seed) for client, vector in sorted(vectors.items())]
    total: UInt64[np.ndarray, " d"] = np.stack(messages).sum(axis=0, dtype=np.uint64)
    for absent in set(clients) - set(vectors):
        for client in vectors:
            total = total - _mask(client, absent, seed, len(total))
    numbers: Float[np.ndarray, " d"] = np.divide(total.astype(np.int64), SCALE)
    return numbers


def masked(vector: Float[np.ndarray, " d"], client: int, asked: Sequence[int], seed: int) -> UInt64[np.ndarray, " d"]:
    """What a client sends: its numbers in fixed point, plus a mask for each other client that was asked."""
    if client not in asked:
        raise InputError(f"client {client} was not asked", f"one of {', '.join(map(str, asked))}")
    if not np.abs(vector).max(initial=0.0) < LARGEST:
        raise InputError(f"a number of client {client} is {np.abs(vector).max()}", "below 2^30", "lower learning_rate")
    message = np.rint(vector * SCALE).astype(np.int64).astype(np.uint64)
    for neighbour in asked:
        if neighbour != client:
            message = message + _mask(client, neighbour, seed, len(vector))
    return message


def _mask(client: int, neighbour: int, seed: int, length: int) -> UInt64[np.ndarray, " d"]:
    """The mask that the first of two clients adds; the second adds its negative."""
    low, high = sorted((client, neighbour))
    bits = np.random.Generator(np.random.Philox(derived_seed(seed, low, high)))
    numbers = bits.integers(0, 2**64, length, dtype=np.uint64, endpoint=False)
    return numbers if client == low else np.uint64(0) - numbers
