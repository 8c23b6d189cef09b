"""Where does randomness come from? One seed and a few names give one independent stream, everywhere the same."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Generator that depends on `seed` and on what it is for, and on nothing else.

    The names are hashed, so streams for different purposes are independent and adding a purpose changes no other.

    Parameters
    ----------
    seed : any non-negative integer.
    names : what the stream is for, such as ``"bootstrap"`` or ``("fit", recipe_id)``.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, derived_seed(seed, *names)]))


def derived_seed(seed: int, *names: str | int) -> int:
    """A 63-bit integer made from `seed` and `names`, for libraries that take an integer seed."""
    key = "\x1f".join([str(seed), *(str(name) for name in names)]).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 1
