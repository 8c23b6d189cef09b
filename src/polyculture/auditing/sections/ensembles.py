"""What would putting them together gain, by which disagreement? And would other models like these be as alike?"""

from __future__ import annotations

import numpy as np

from polyculture.measures.effective import effective
from polyculture.measures.ensembles import cross_entropy, majority, squared
from polyculture.measures.leave_one_out import rho_without_each
from polyculture.results import Section
from polyculture.stats import Interval, influence_interval, jeffreys, rho_population_interval

from ..context import AuditContext


def ensembles(evidence: AuditContext) -> Section:
    """Exact decompositions of the majority's error and, with probabilities, of the combined losses."""
    name, title = "ensembles", "What would combining them gain?"
    p, complete = evidence.predictions, evidence.complete
    if not complete.any():
        return Section(name, title, "", reason="no instance was answered by every model")
    vote = majority(p.wrong[:, complete])
    n = int(complete.sum())
    best = 1 - float(p.wrong[:, complete].mean(axis=1).min())
    numbers = {
        "mean_error": Interval(vote.mean, n=n, method="mean over models"),
        "good_diversity": Interval(vote.good, n=n, method="share outvoted where the majority is right"),
        "bad_diversity": Interval(vote.bad, n=n, method="share outvoted where the majority is wrong"),
        "net": _mean(vote.values, evidence),
        "majority_error": jeffreys(round(vote.ensemble * n), n, evidence.options.level),
    }
    if p.probabilities is not None and p.labels is not None:
        q, labels = p.probabilities[:, complete], p.labels[complete]
        logs = cross_entropy(q, labels)
        onehot = np.eye(q.shape[2])[labels]
        brier = squared(q, onehot)
        numbers |= {
            "mean_log_loss": Interval(logs.mean, n=n, method="mean over models"),
            "ambiguity": _mean(logs.values, evidence),
            "ensemble_log_loss": Interval(logs.ensemble, n=n, method="geometric mean"),
            "mean_brier": Interval(brier.mean, n=n, method="mean over models"),
            "brier_variance": _mean(brier.values, evidence),
            "ensemble_brier": Interval(brier.ensemble, n=n, method="arithmetic mean"),
        }
    direction = "gains" if vote.diversity > 0 else "loses"
    sentence = (
        f"A majority vote errs on {vote.ensemble:.2%}; single models on {vote.mean:.2%} on average, the best on "
        f"{1 - best:.2%}. Disagreement {direction} {abs(100 * vote.diversity):.2f} points: {100 * vote.good:.2f} where "
        f"the majority is right, less {100 * vote.bad:.2f} where it is wrong."
    )
    return Section(name, title, sentence, numbers)


def population(evidence: AuditContext) -> Section:
    """rho for a population of models of which these are a random sample; only where the user says that they are."""
    name, title = "population", "Would other models like these be as alike?"
    if not evidence.options.population:
        return Section(
            name, title, "", reason="not asked for: the numbers speak of these models, not of others like them"
        )
    p, complete = evidence.predictions, evidence.complete
    strata = None if evidence.classes is None else evidence.classes[complete]
    found = effective(p.wrong[:, complete], strata)
    if found.n_models < 3 or np.isnan(found.design_effect):
        return Section(name, title, "", reason=found.reason or "fewer than three informative models")
    without = rho_without_each(p.wrong[:, complete][found.informative], strata)
    clusters = None if evidence.clusters is None else evidence.clusters[complete]
    limits = rho_population_interval(
        found.rho, found.influence / (found.n_models - 1), without, clusters, evidence.options.level
    )
    sentence = (
        f"If these {found.n_models} models are a random sample of a population of models, its ρ is "
        f"{limits.format('.3f')}. Which population that is, the user must say."
    )
    return Section(name, title, sentence, {"rho_population": limits})


def _mean(values: np.ndarray, evidence: AuditContext) -> Interval:
    """Mean over the complete instances with its limits."""
    mean = float(values.mean())
    clusters = None if evidence.clusters is None else evidence.clusters[evidence.complete]
    return influence_interval(mean, values - mean, clusters, evidence.options.level)
