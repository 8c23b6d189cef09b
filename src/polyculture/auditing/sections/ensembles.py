"""What would combining the models gain, and by which disagreement? Exact decompositions of the combined error."""

from __future__ import annotations

import numpy as np

from polyculture.measures.ensembles import LossDecomposition, cross_entropy, majority, squared
from polyculture.results import Section, SectionSpec
from polyculture.stats import Interval, influence_interval, percent, share_interval

from ..context import AuditContext


def ensembles(context: AuditContext) -> Section:
    """Exact decompositions of the error of a vote and, with probabilities, of the combined losses."""
    p, complete = context.predictions, context.complete
    if not complete.any():
        return SPEC.skip("no instance was answered by every model")
    vote = majority(p.wrong[:, complete], None if p.answers is None else p.answers[:, complete])
    clusters = None if context.clusters is None else context.clusters[complete]
    n = int(complete.sum())
    best = float(p.wrong[:, complete].mean(axis=1).min())
    numbers = {
        "mean_error": Interval(vote.mean, n=n, method="mean over models"),
        "good_diversity": Interval(vote.good, n=n, method="share outvoted where the vote is right"),
        "bad_diversity": Interval(vote.bad, n=n, method="share outvoted where the vote is wrong"),
        "net": _mean(vote.values, context),
        "majority_error": share_interval(vote.losses, clusters, context.options.level),
    }
    if p.probabilities is not None and p.labels is not None and np.isfinite(p.probabilities[:, complete]).all():
        q, labels = p.probabilities[:, complete], p.labels[complete]
        logs = cross_entropy(q, labels)
        onehot = np.eye(q.shape[2])[labels]
        brier = squared(q, onehot)
        numbers |= {
            "mean_log_loss": Interval(logs.mean, n=n, method="mean over models"),
            "ambiguity": _mean(logs.values, context),
            "ensemble_log_loss": Interval(logs.ensemble, n=n, method="geometric mean"),
            "mean_brier": Interval(brier.mean, n=n, method="mean over models"),
            "brier_variance": _mean(brier.values, context),
            "ensemble_brier": Interval(brier.ensemble, n=n, method="arithmetic mean"),
        }
    return SPEC.answer(_sentence(vote, best), numbers)


def _sentence(vote: LossDecomposition, best_error: float) -> str:
    """What the vote gains over the average model, and by which disagreement."""
    gain = round(100 * vote.diversity, 2)
    change = (
        "Disagreement neither gains nor loses anything"
        if gain == 0
        else f"Disagreement {'gains' if gain > 0 else 'loses'} {abs(gain):.2f} points"
    )
    return (
        f"A majority vote errs on {percent(vote.ensemble, 2)}; single models on {percent(vote.mean, 2)} on average, "
        f"the best on {percent(best_error, 2)}. {change}: {100 * vote.good:.2f} where the majority is right, "
        f"less {100 * vote.bad:.2f} where it is wrong."
    )


def _mean(values: np.ndarray, context: AuditContext) -> Interval:
    """Mean over the complete instances with its limits."""
    mean = float(values.mean())
    clusters = None if context.clusters is None else context.clusters[context.complete]
    return influence_interval(mean, values - mean, clusters, context.options.level)


SPEC = SectionSpec(
    "ensembles",
    "What would combining them gain?",
    place=130,
    compute=lambda context, *_: ensembles(context),
    code="PC017",
    finding="what combining gains",
    severity=lambda section: "warning" if section.numbers["net"].high < 0 else "note",
    numbers={
        "mean_error": "mean error of the models",
        "majority_error": "error of the vote",
        "good_diversity": "good diversity, disagreement where the vote is right",
        "bad_diversity": "bad diversity, disagreement where the vote is wrong",
        "net": "what the vote gains over the average model",
        "mean_log_loss": "mean log loss of the models",
        "ensemble_log_loss": "log loss of the mean of their probabilities",
        "ambiguity": "ambiguity, what averaging takes off the log loss",
        "mean_brier": "mean Brier score of the models",
        "brier_variance": "variance of the probabilities, what averaging takes off the Brier score",
        "ensemble_brier": "Brier score of the mean of their probabilities",
    },
)
