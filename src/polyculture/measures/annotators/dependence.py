"""How many independent workers are these worth? What their dependence leaves of the evidence of their labels."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError

from ..effective import EffectiveNumber, effective
from .annotations import Annotations


def effective_workers(annotations: Annotations, truth: Int[np.ndarray, " n"]) -> EffectiveNumber:
    """As how many independent workers these err, within the true class, on the items whose truth is known.

    A few hundred items suffice. Workers that are always right, or always wrong, on them are left out of it.

    Parameters
    ----------
    annotations : labels of the workers; missing ones must be missing at random.
    truth : code of the true class of each item, negative where it is not known.

    Raises InputError without a single item of known truth.
    """
    known = truth >= 0
    if not known.any():
        raise InputError(
            "no item has a truth", "the truth of some items", "label a few hundred with care, or give n_eff itself"
        )
    table, observed = annotations.table()
    table, observed, labels = table[:, known], observed[:, known], truth[known].astype(np.int64)
    workers = observed.any(axis=1)
    return effective((table != labels)[workers] & observed[workers], labels, observed[workers])


def correlation_of(n_eff: float, workers: int) -> float:
    """Mean error correlation ρ that makes this many workers worth n_eff independent ones: n_eff = M/(1 + (M − 1)ρ).

    Raises InputError unless n_eff is between 1 and the number of workers.
    """
    if not 1 <= n_eff <= workers:
        raise InputError(
            f"{n_eff:g} effective workers of {workers}", f"a number from 1 to {workers}", "1 says all are copies"
        )
    return (workers / n_eff - 1) / (workers - 1)


def tempering(rho: float, labels_per_item: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The power n_eff/k to which the likelihood of an item's k labels is raised: 1/(1 + (k − 1)ρ), at most 1.

    Where every worker labels every item it is n_eff/M for all. A negative ρ gives 1: errors that cancel are not used
    to be surer than independence would be.

    Parameters
    ----------
    rho : mean error correlation of two workers; nan (undefined) gives nan.
    labels_per_item : how many labels each item has.
    """
    if math.isnan(rho):
        return np.full(len(labels_per_item), np.nan)
    return np.asarray(1 / (1 + np.maximum(labels_per_item - 1, 0) * max(rho, 0.0)))
