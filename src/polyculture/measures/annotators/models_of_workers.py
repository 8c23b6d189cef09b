"""How does a worker err? Three models: by a matrix of confusions, by one number, or by guessing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import digamma

from .annotations import Annotations
from .consensus import Consensus, posterior_of
from .expectation_maximization import ITERATIONS, SMALLEST, TOLERANCE, WorkerFit, maximize, until_still

MACE_COMPETENCE = 0.5
MACE_STRATEGY = 10.0
"""Priors of MACE, as of its authors: Beta(½, ½) on competence, Dirichlet(10) on what a guess is."""


def vote_share(annotations: Annotations) -> Consensus:
    """The share of an item's labels that each class has: no model of workers, and no claim of independence.

    Quality of a worker is how often the vote of the others agrees with his label (ties count in parts).
    """
    quality = annotations.mean_of_workers(_agreement_with_others(annotations))
    shares = annotations.shares
    prior = shares[annotations.labels_per_item > 0].mean(axis=0)
    return Consensus("vote share", shares, annotations.labels_per_item, quality, prior)


def _agreement_with_others(annotations: Annotations) -> Float[np.ndarray, " a"]:
    """How far the vote of the other workers is for each label: 1, 0, a part where it is tied; 0 where nobody else is.

    From the two highest counts of each item, so that thousands of classes need no a × c table.
    """
    counts, item = annotations.counts, annotations.item
    top = counts.max(axis=1)
    second = np.where(counts < top[:, None], counts, 0).max(axis=1)
    first_ties, second_ties = ((counts == level[:, None]).sum(axis=1) for level in (top, second))
    own = counts[item, annotations.label]
    leads = (own == top[item]) & (first_ties[item] == 1)
    rival = np.where(leads, second[item], top[item])
    ties = np.where(leads, second_ties[item], first_ties[item] - (own == top[item]))
    votes = own - 1
    tied = np.where((votes == rival) & (votes > 0), 1 / (ties + 1), 0.0)
    return np.where(votes > rival, 1.0, tied)


def dawid_skene(annotations: Annotations, iterations: int = ITERATIONS, tolerance: float = TOLERANCE) -> Consensus:
    """Consensus if every worker has a confusion matrix of his own, and workers err independently given the truth.

    `parameters["confusion"]` is m × c × c: probability of each label (last axis) given the true class. Time is O(a c)
    per round and memory O(m c²). Fitted by EM from the shares of the vote; deterministic.

    Parameters
    ----------
    annotations : labels of the workers.
    iterations : rounds at most.
    tolerance : largest change of a posterior at which the estimates stand still.

    Source: Dawid and Skene 1979.
    """
    m, c = annotations.workers, annotations.classes
    labelled = annotations.labels_per_item > 0
    posterior = annotations.shares
    evidence, confusion, prior, total = posterior, np.empty((m, c, c)), np.full(c, 1 / c), np.zeros(len(posterior))

    def step() -> Float[np.ndarray, "n c"]:
        nonlocal posterior, evidence, confusion, prior, total
        prior = posterior[labelled].mean(axis=0)
        confusion = _confusion(annotations, posterior)
        evidence = _evidence(annotations, confusion)
        posterior, total = posterior_of(evidence, prior)
        return posterior

    rounds, converged = until_still(step, posterior, iterations, tolerance)
    quality = np.einsum("mkk,k->m", confusion, prior)
    quality[annotations.labels_per_worker == 0] = np.nan
    return Consensus(
        "Dawid–Skene",
        posterior,
        annotations.labels_per_item,
        quality,
        prior,
        evidence,
        {"confusion": confusion},
        rounds,
        converged,
        float(total[labelled].sum()),
    )


def _confusion(annotations: Annotations, posterior: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "m c c"]:
    """How often each worker gives each label (last axis) to items of each class."""
    m, c = annotations.workers, annotations.classes
    cells = annotations.worker.astype(np.int64) * c + annotations.label
    weights = [np.bincount(cells, posterior[annotations.item, true], m * c).reshape(m, c) for true in range(c)]
    confusion: Float[np.ndarray, "m c c"] = np.maximum(np.stack(weights, axis=1), SMALLEST)
    return np.asarray(confusion / confusion.sum(axis=2, keepdims=True))


def _evidence(annotations: Annotations, confusion: Float[np.ndarray, "m c c"]) -> Float[np.ndarray, "n c"]:
    """Log-probability of each item's labels under each class."""
    logs = np.log(confusion)
    columns = [
        np.bincount(annotations.item, logs[annotations.worker, true, annotations.label], annotations.items)
        for true in range(annotations.classes)
    ]
    return np.stack(columns, axis=1)


def one_coin(annotations: Annotations, iterations: int = ITERATIONS, tolerance: float = TOLERANCE) -> Consensus:
    """Consensus if every worker is right with a probability of his own, and else gives any other class alike.

    Time and memory are O(a + n c), so that thousands of classes are no obstacle. Parameters as of `dawid_skene`.

    Source: Zhang, Chen, Zhou and Jordan 2014, section 2 (the one-coin model of Dawid and Skene 1979).
    """

    def fit(right: Float[np.ndarray, " a"]) -> WorkerFit:
        quality = annotations.mean_of_workers(right)
        rate = np.clip(quality, SMALLEST, 1 - SMALLEST)
        logs = np.log(rate), np.log((1 - rate) / (annotations.classes - 1))
        return WorkerFit(logs[0][annotations.worker], logs[1][annotations.worker], quality)

    return maximize("one coin", annotations, fit, iterations, tolerance, estimate_prior=True)


def mace(annotations: Annotations, iterations: int = ITERATIONS, tolerance: float = TOLERANCE) -> Consensus:
    """Consensus if every worker knows the truth with some probability, and else guesses by a habit of his own.

    `parameters["competence"]` (m) is the probability of knowing, `parameters["strategy"]` (m × c) the labels of a
    guess. Fitted by variational Bayes with the authors' priors from the shares of the vote instead of random starts;
    deterministic. Parameters as of `dawid_skene`.

    Source: Hovy, Berg-Kirkpatrick, Vaswani and Hovy 2013.
    """
    m, c = annotations.workers, annotations.classes
    cells = annotations.worker.astype(np.int64) * c + annotations.label
    competence, strategy = np.full(m, 0.5), np.full((m, c), 1 / c)

    def fit(right: Float[np.ndarray, " a"]) -> WorkerFit:
        nonlocal competence, strategy
        # A right label was known, or guessed by luck; a wrong one was guessed.
        known = competence[annotations.worker]
        guess = (1 - known) * strategy[annotations.worker, annotations.label]
        knowing = right * known / (known + guess)
        knows = np.bincount(annotations.worker, knowing, m)
        guesses = np.bincount(cells, 1 - knowing, m * c).reshape(m, c)
        pair = _geometric(np.stack([knows, guesses.sum(axis=1)], axis=1), MACE_COMPETENCE)
        competence, strategy = pair[:, 0], _geometric(guesses, MACE_STRATEGY)
        known, spam = pair[annotations.worker].T
        guess = spam * strategy[annotations.worker, annotations.label]
        share = knows / np.maximum(annotations.labels_per_worker, 1)
        quality = np.where(annotations.labels_per_worker > 0, share + (1 - share) / c, np.nan)
        return WorkerFit(np.log(known + guess), np.log(guess), quality, {"competence": share, "strategy": strategy})

    return maximize("MACE", annotations, fit, iterations, tolerance)


def _geometric(counts: Float[np.ndarray, "m k"], prior: float) -> Float[np.ndarray, "m k"]:
    """Geometric means of the shares under their Dirichlet posterior; they sum to less than 1."""
    total = (counts + prior).sum(axis=1, keepdims=True)
    means: Float[np.ndarray, "m k"] = np.exp(digamma(counts + prior) - digamma(total))
    return means
