"""What is the ensemble worth on rows that it was not made from? Weights fitted again without each fold in turn.

Members never saw the rows that they are judged on, and here weights and temperatures did not either. What is left is
that members of the other folds were trained on the judged rows; only cross-validating the whole estimator leaves
that out, too. Members that learned from all rows cannot be judged at all: the certificate is that of members of
single folds, which know less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Num

from polyculture.predictions import Predictions
from polyculture.results import Certificate, Portfolio
from polyculture.stats import Interval, influence_interval
from polyculture.values import Values

from ..certificate import Baselines, certify
from ..combination import Combination
from ..contributions import contributions
from ..evaluation import EvaluationSet
from ..regression import certificate as regression
from ..regression.averages import Average
from ..regression.evaluation import ValueEvaluationSet
from ..regression.portfolio import contributions as value_contributions
from .member_weights import SMALLEST, Pool

WITHOUT = "chosen without each fold"
"""Stands for the best single learner where every fold has its own."""
Fit = Callable[[Float[np.ndarray, "m n1 c"], Num[np.ndarray, " n1"], Float[np.ndarray, " n1"]], Pool]


@dataclass(frozen=True, eq=False)
class NestedEvidence:
    """What the weights were fitted on.

    Parameters
    ----------
    names : of the candidates.
    scores : of every candidate on every row, by the member that was not trained on the row.
    y : class codes or real values.
    counts : how much each row counts.
    folds : of the rows.
    """

    names: tuple[str, ...]
    scores: Float[np.ndarray, "m n c"]
    y: Num[np.ndarray, " n"]
    counts: Float[np.ndarray, " n"]
    folds: Int[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class NestedLosses:
    """What the ensemble says of each row with weights and temperatures fitted without the row's fold.

    Parameters
    ----------
    ensemble : n × c probabilities; n × 1 values.
    everyone : the mean of all candidates with equal weights, likewise.
    top : as many of the best candidates as the ensemble has members, weighed in the same way; values: the best one.
    """

    ensemble: Float[np.ndarray, "n c"]
    everyone: Float[np.ndarray, "n c"]
    top: Float[np.ndarray, "n c"]


def nested(evidence: NestedEvidence, fit: Fit) -> NestedLosses:
    """Weights fitted without each fold in turn, the floor and the choice of members included."""
    ensemble, everyone, top = np.empty((3, *evidence.scores.shape[1:]))
    for fold in range(int(evidence.folds.max()) + 1):
        away, here = evidence.folds != fold, evidence.folds == fold
        seen = evidence.scores[:, away], evidence.y[away], evidence.counts[away]
        judged = evidence.scores[:, here]
        pool = fit(*seen)
        ensemble[here] = _said(pool, judged)
        if pool.rule == "average":
            everyone[here] = judged.mean(axis=0)
            losses = ((seen[0][:, :, 0] - seen[1]) ** 2) @ seen[2]
            top[here] = judged[int(losses.argmin())]
            continue
        everyone[here] = np.exp(pool.logs(judged)).mean(axis=0)
        logs = pool.logs(seen[0])
        losses = -logs[:, np.arange(logs.shape[1]), seen[1].astype(np.int64)] @ seen[2]
        first = np.argsort(losses, kind="stable")[: len(pool.kept)]
        top[here] = _said(fit(seen[0][first], *seen[1:]), judged[first])
    return NestedLosses(ensemble, everyone, top)


def _said(pool: Pool, scores: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, "n c"]:
    """What the pool says, from the scores of all candidates."""
    if pool.rule == "average":
        values: Float[np.ndarray, "n c"] = np.tensordot(pool.weights, scores, axes=1)
        return values
    return pool.combined(pool.logs(scores)[pool.kept])


def squared_errors(evidence: NestedEvidence, fit: Fit) -> dict[str, Interval]:
    """Mean squared error, and how much lower it is than the best candidate's and than that of the plain mean.

    Paired by row. Which candidate is best is decided without the fold that is judged, too.
    """
    found = nested(evidence, fit)
    mine, best, everyone = ((v[:, 0] - evidence.y) ** 2 for v in (found.ensemble, found.top, found.everyone))
    return {
        "mean squared error": _mean(mine, evidence),
        "gain over the best learner": _mean(best - mine, evidence),
        "gain over all learners": _mean(everyone - mine, evidence),
    }


def value_portfolio(evidence: NestedEvidence, fit: Fit, pool: Pool, values: Values) -> Portfolio:
    """The regressor's members with a certificate from nested predictions; see `Portfolio`.

    Sample weights count in choosing but not in the certificate. The best single learner is the best without the fold
    that is judged, so it may be another one in every fold.
    """
    found, exam = nested(evidence, fit), ValueEvaluationSet(values)
    kept = Average("average", pool.kept, pool.weights[pool.kept])
    mine, best, everyone = ((v[:, 0] - evidence.y) ** 2 for v in (found.ensemble, found.top, found.everyone))
    nowhere = pd.DataFrame(columns=regression.SHIFTS)
    optimism = _mean(mine - kept.losses(exam), replace(evidence, counts=np.ones(exam.n)))
    return Portfolio(
        members=tuple(evidence.names[m] for m in pool.kept),
        weights=tuple(map(float, kept.weights)),
        rule=kept.rule,
        goal="squared_error",
        method="weights of all learners, the lightest dropped",
        exact=False,
        certificate=regression.certificate(regression.Losses(mine, best, everyone), kept, exam, WITHOUT, nowhere),
        optimism=optimism,
        nested=optimism,
        loss="squared_error",
        front=pd.DataFrame(),
        contributions=value_contributions(kept, exam),
        candidates=pd.DataFrame(
            {
                "model": evidence.names,
                "squared_error": exam.squared_errors,
                "weight": pool.weights,
                "kept": pool.weights > 0,
                "reason": np.where(pool.weights > 0, "", "it earns no weight, or is below the floor"),
            }
        ),
        chosen_on=exam.n,
        certified_on=exam.n,
        facts={"certified": "on the same by nested cross-fitting"},
    )


def portfolio(evidence: NestedEvidence, fit: Fit, pool: Pool, predictions: Predictions) -> Portfolio:
    """The classifier's members with a certificate from nested predictions; see `Portfolio`.

    Sample weights count in choosing but not in the certificate. The geometric rule is the stacking of `COMBINE` with
    weights by class, and with the bias that the class frequencies make.
    """
    found, labels = nested(evidence, fit), evidence.y.astype(np.int64)
    exam = EvaluationSet(predictions)
    weights = pool.weights[pool.kept]
    blend = Combination("mixture", pool.kept, weights)
    if pool.rule == "geometric":
        by_class = pool.by_class[pool.kept]
        bias = pool.bias + (1 - by_class.sum(axis=0)) * np.log(np.maximum(pool.frequency, SMALLEST))
        blend = Combination("stacking", pool.kept, weights, bias, by_class=by_class)
    certificate = _certificate(found, blend, predictions)
    at = np.arange(len(labels))
    own = -np.log(np.maximum(found.ensemble[at, labels], 1e-12))
    optimism = _mean(own - blend.log_losses(exam), replace(evidence, counts=np.ones(len(labels))))
    table = predictions.models
    return Portfolio(
        members=tuple(evidence.names[m] for m in pool.kept),
        weights=tuple(map(float, weights)),
        rule=blend.rule,
        goal="log-loss",
        method="weights of all learners, the lightest dropped",
        exact=False,
        certificate=certificate,
        optimism=optimism,
        nested=optimism,
        loss="log_loss",
        front=pd.DataFrame(),
        contributions=contributions(blend, exam, "log_loss"),
        candidates=pd.DataFrame(
            {
                "model": evidence.names,
                "error": predictions.wrong.mean(axis=1),
                "log_loss": table["log_loss"].to_numpy(),
                "weight": pool.weights,
                "kept": pool.weights > 0,
                "reason": np.where(pool.weights > 0, "", "it earns no weight, or is below the floor"),
            }
        ),
        chosen_on=len(labels),
        certified_on=len(labels),
        classes=predictions.classes,
        bias=tuple(map(float, blend.bias)),
        weights_by_class=tuple(tuple(map(float, row)) for row in blend.by_class),
        facts={"certified": "on the same by nested cross-fitting"},
    )


def _certificate(found: NestedLosses, blend: Combination, predictions: Predictions) -> Certificate:
    """The ensemble as one more model against its rivals; n_eff, all wrong and the ceiling are about its members.

    The best single candidate is the best on these very rows, which favours it.
    """
    assert predictions.probabilities is not None
    assert predictions.answers is not None
    extra = np.stack([found.ensemble, found.everyone, found.top])
    names = [*predictions.model_ids, "__ensemble", "__everyone", "__top"]  # no learner may be called so
    exam = EvaluationSet(
        replace(
            predictions,
            models=pd.DataFrame(index=pd.Index(names, name="model")),
            answers=np.concatenate([predictions.answers, extra.argmax(axis=2)]),
            probabilities=np.concatenate([predictions.probabilities, extra]),
        )
    )
    m, one = len(predictions.model_ids), np.ones(1)
    best = int(np.argmax(np.log(exam.truth[:m]).mean(axis=1)))
    alone = [Combination("mean", np.array([row]), one) for row in (m, best, m + 1, m + 2)]
    rivals = Baselines(*alone[1:])
    whole, members = certify(alone[0], rivals, exam), certify(blend, rivals, exam)
    return replace(whole, n_eff=members.n_eff, all_wrong=members.all_wrong, ceiling=members.ceiling)


def _mean(values: Float[np.ndarray, " n"], evidence: NestedEvidence) -> Interval:
    centre = float(np.average(values, weights=evidence.counts))
    weight = evidence.counts / evidence.counts.mean()
    return influence_interval(centre, weight * (values - centre))
