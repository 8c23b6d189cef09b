"""Which inputs of the pool get a label? Those that a teacher is sure of, in all or of each class."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Probabilities = Float[np.ndarray, "p c"]
Choice = Callable[[Probabilities, int], "PseudoLabels"]
"""Probabilities of the pool and the number of the round, 1 or more → what gets a label."""


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """Labels that a teacher gives.

    Parameters
    ----------
    rows : k positions in the pool, sorted.
    codes : the class of each.
    """

    rows: Int[np.ndarray, " k"]
    codes: Int[np.ndarray, " k"]


def confident(probabilities: Probabilities, threshold: float) -> PseudoLabels:
    """The inputs whose most probable class has this probability or more, as that class (Arazo et al. 2020).

    Parameters
    ----------
    probabilities : of each input of the pool; rows sum to one.
    threshold : from 0, all inputs, to 1.
    """
    rows = np.flatnonzero(probabilities.max(axis=1) >= threshold)
    return PseudoLabels(rows, probabilities[rows].argmax(axis=1))


def surest_of_each_class(
    probabilities: Probabilities, share: float, class_shares: Float[np.ndarray, " c"]
) -> PseudoLabels:
    """Of the inputs given to each class the surest, in the shares that the classes have among the labels.

    Parameters
    ----------
    probabilities : of each input of the pool.
    share : of the pool that gets a label at most, 0 to 1; where fewer are given to a class, all of these.
    class_shares : share of each class among the labels, sum 1.

    Source: Blum and Mitchell 1998, who add so many of each class.
    """
    codes, sureness = probabilities.argmax(axis=1), probabilities.max(axis=1)
    surest = []
    for code, class_share in enumerate(class_shares):
        members = np.flatnonzero(codes == code)
        count = math.floor(share * class_share * len(probabilities) + 0.5)
        surest.append(members[np.argsort(-sureness[members], kind="stable")[:count]])
    rows = np.sort(np.concatenate(surest))
    return PseudoLabels(rows, codes[rows])
