"""When do estimates of workers and of items agree? The two steps of every model of workers, repeated until they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from .annotations import Annotations
from .consensus import Consensus, posterior_of

ITERATIONS = 100
TOLERANCE = 1e-6
SMALLEST = 1e-10
"""Probabilities of a label are at least this: one that never occurred is not impossible."""


@dataclass(frozen=True, eq=False)
class WorkerFit:
    """What a model makes of the workers, given how probably each label is right.

    Parameters
    ----------
    right, wrong : log-probability of each label if it is right, and if any other class is true.
    quality : estimated probability that a label of each worker is right.
    parameters : by name.
    """

    right: Float[np.ndarray, " a"]
    wrong: Float[np.ndarray, " a"]
    quality: Float[np.ndarray, " m"]
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CandidateClasses:
    """The classes that some worker gave to an item, a pair of item and class each.

    A label that speaks for one class and against all others alike leaves the classes that nobody gave an item to their
    prior. So only candidates need a posterior: O(a + n + c) instead of O(n c), which matters with thousands of classes.

    Parameters
    ----------
    cells : item × classes + class of each pair, ascending.
    pair : the pair of each label.
    """

    annotations: Annotations
    cells: Int[np.ndarray, " p"]
    pair: Int[np.ndarray, " a"]

    @classmethod
    def of(cls, annotations: Annotations) -> CandidateClasses:
        """The candidates of these labels."""
        keys = annotations.item.astype(np.int64) * annotations.classes + annotations.label
        return cls(annotations, *np.unique(keys, return_inverse=True))

    @property
    def item(self) -> Int[np.ndarray, " p"]:
        """The item of each pair."""
        return self.cells // self.annotations.classes

    @property
    def label(self) -> Int[np.ndarray, " p"]:
        """The class of each pair."""
        return self.cells % self.annotations.classes

    def shares(self) -> Float[np.ndarray, " p"]:
        """Share of the item's labels that each candidate has."""
        counts = np.bincount(self.pair, minlength=len(self.cells))
        return np.asarray(counts / self.annotations.labels_per_item[self.item])

    def posterior(
        self, gains: Float[np.ndarray, " p"], prior: Float[np.ndarray, " c"]
    ) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Posterior of each candidate; by item that of any other class in units of its prior; the log of the sum.

        Parameters
        ----------
        gains : evidence for each candidate, less that for any other class.
        prior : of the classes.
        """
        n, item, label = self.annotations.items, self.item, self.label
        top = np.zeros(n)
        np.maximum.at(top, item, gains)
        weight = prior[label] * np.exp(gains - top[item])
        others = np.maximum(1 - np.bincount(item, prior[label], n), 0.0) * np.exp(-top)
        total = np.bincount(item, weight, n) + others
        return weight / total[item], np.exp(-top) / total, top + np.log(total)

    def mean_posterior(
        self, posterior: Float[np.ndarray, " p"], rest: Float[np.ndarray, " n"], prior: Float[np.ndarray, " c"]
    ) -> Float[np.ndarray, " c"]:
        """Mean posterior of each class over the items with labels."""
        c, labelled = self.annotations.classes, self.annotations.labels_per_item > 0
        chosen = np.bincount(self.label, posterior, c)
        absent = prior * (rest[labelled].sum() - np.bincount(self.label, rest[self.item], c))
        mean: Float[np.ndarray, " c"] = (chosen + np.maximum(absent, 0.0)) / labelled.sum()
        return np.asarray(mean / mean.sum())

    def table(self, gains: Float[np.ndarray, " p"]) -> Float[np.ndarray, "n c"]:
        """Evidence as a table; 0 for classes that nobody gave."""
        evidence = np.zeros((self.annotations.items, self.annotations.classes))
        evidence.reshape(-1)[self.cells] = gains
        return evidence


def until_still(
    step: Callable[[], Float[np.ndarray, "*shape"]],
    start: Float[np.ndarray, "*shape"],
    iterations: int,
    tolerance: float,
) -> tuple[int, bool]:
    """Repeat a step until no posterior that it returns moves; the rounds, and whether they sufficed."""
    posterior = start
    for rounds in range(1, iterations + 1):
        update = step()
        if float(np.abs(update - posterior).max()) <= tolerance:
            return rounds, True
        posterior = update
    return iterations, False


def maximize(
    method: str,
    annotations: Annotations,
    fit: Callable[[Float[np.ndarray, " a"]], WorkerFit],
    iterations: int,
    tolerance: float,
    estimate_prior: bool = False,
) -> Consensus:
    """Fit workers to items and items to workers, from the shares of the vote, until no posterior moves.

    Parameters
    ----------
    fit : the workers that are most probable, given the probability that each label is right.
    iterations : at most.
    tolerance : largest change of a posterior at which the estimates stand still.
    estimate_prior : whether the shares of the classes are estimated, too; else all are alike.
    """
    candidates = CandidateClasses.of(annotations)
    posterior, rest = candidates.shares(), np.zeros(annotations.items)
    prior = np.full(annotations.classes, 1 / annotations.classes)
    model, gains, total = fit(posterior[candidates.pair]), posterior, rest

    def step() -> Float[np.ndarray, " p"]:
        nonlocal posterior, rest, prior, model, gains, total
        model = fit(posterior[candidates.pair])
        if estimate_prior:
            prior = candidates.mean_posterior(posterior, rest, prior)
        gains = np.bincount(candidates.pair, model.right - model.wrong, len(candidates.cells))
        posterior, rest, total = candidates.posterior(gains, prior)
        return posterior

    rounds, converged = until_still(step, posterior, iterations, tolerance)
    evidence = candidates.table(gains)
    table, _ = posterior_of(evidence, prior)
    likelihood = float(total[annotations.labels_per_item > 0].sum() + model.wrong.sum())
    return Consensus(
        method,
        table,
        annotations.labels_per_item,
        model.quality,
        prior,
        evidence,
        model.parameters,
        rounds,
        converged,
        likelihood,
    )
