"""What is the ensemble worth on rows that it was not made from? Weights fitted again without each fold in turn.

Members never saw the rows that they are evaluated on, and here weights and temperatures did not either. What remains
is that members of the other folds were trained on these rows; only cross-validating the complete estimator leaves
that out, too. Members that learned from all rows cannot be evaluated at all: the certificate is that of members of
single folds, which learned from fewer rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Num

from polyculture.predictions import Predictions
from polyculture.results import Certificate, Portfolio
from polyculture.stats import Interval, influence_interval

from ..certificate import Baselines, certify
from ..combination import Combination
from ..contributions import contributions
from ..evaluation import EvaluationSet
from .member_weights import SMALLEST, OpinionPool

BEST_BY_FOLD = "chosen without each fold"
"""Stands for the best single learner where every fold has its own."""
Fit = Callable[[Float[np.ndarray, "m n1 c"], Num[np.ndarray, " n1"], Float[np.ndarray, " n1"]], OpinionPool]


@dataclass(frozen=True, eq=False)
class CrossFittedScores:
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


def nested(crossfitted: CrossFittedScores, fit: Fit) -> Float[np.ndarray, "3 n c"]:
    """Predictions of the ensemble and two baselines, with weights and temperatures fitted without each row's fold.

    The floor and the choice of members are included. Probabilities, or one column of values: of the ensemble, of all
    candidates with equal weights, and of the best candidates, as many as the ensemble has members, weighted in the
    same way (values: the best one).
    """
    predicted = np.empty((3, *crossfitted.scores.shape[1:]))
    for fold in range(int(crossfitted.folds.max()) + 1):
        training, test = crossfitted.folds != fold, crossfitted.folds == fold
        scores, y, counts = crossfitted.scores[:, training], crossfitted.y[training], crossfitted.counts[training]
        test_scores = crossfitted.scores[:, test]
        pool = fit(scores, y, counts)
        if pool.rule == "average":
            losses = ((scores[:, :, 0] - y) ** 2) @ counts
            all_models, top = test_scores.mean(axis=0), test_scores[int(losses.argmin())]
        else:
            logs = pool.logs(scores)
            losses = -logs[:, np.arange(logs.shape[1]), y.astype(np.int64)] @ counts
            rows = np.argsort(losses, kind="stable")[: len(pool.members)]
            all_models = np.exp(pool.logs(test_scores)).mean(axis=0)
            top = _pooled(fit(scores[rows], y, counts), test_scores[rows])
        predicted[:, test] = _pooled(pool, test_scores), all_models, top
    return predicted


def _pooled(pool: OpinionPool, scores: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, "n c"]:
    """The pool's probabilities or values, from the scores of all candidates."""
    if pool.rule == "average":
        return np.tensordot(pool.weights, scores, axes=1)
    return pool.combined(pool.logs(scores)[pool.members])


def squared_errors(crossfitted: CrossFittedScores, fit: Fit) -> dict[str, Interval]:
    """Mean squared error, and how much lower it is than the best candidate's and than that of the plain mean.

    Paired by row. Which candidate is best is decided without the fold that is evaluated, too.
    """
    ensemble, all_models, best = (nested(crossfitted, fit)[:, :, 0] - crossfitted.y) ** 2
    return {
        "mean squared error": _mean(ensemble, crossfitted.counts),
        "gain over the best learner": _mean(best - ensemble, crossfitted.counts),
        "gain over all learners": _mean(all_models - ensemble, crossfitted.counts),
    }


def front(crossfitted: CrossFittedScores, fits: Mapping[float, Fit]) -> pd.DataFrame:
    """Loss of the ensemble, share of rows that all its learners fail, and their number, by how weights are fitted."""
    y, share = crossfitted.y, crossfitted.counts / crossfitted.counts.sum()
    found = {}
    for strength, fit in sorted(fits.items()):
        ensemble, pool = nested(crossfitted, fit)[0], fit(crossfitted.scores, y, crossfitted.counts)
        if pool.rule == "average":
            found[strength] = {"mean_squared_error": float((ensemble[:, 0] - y) ** 2 @ share)}
        else:
            truth = y.astype(np.int64)
            losses = -np.log(np.maximum(ensemble[np.arange(len(y)), truth], SMALLEST))
            wrong = (crossfitted.scores[pool.members].argmax(axis=2) != truth).all(axis=0)
            found[strength] = {"log_loss": float(losses @ share), "all_wrong": float(wrong @ share)}
        found[strength]["members"] = len(pool.members)
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("shrinkage")


def portfolio(crossfitted: CrossFittedScores, fit: Fit, pool: OpinionPool, predictions: Predictions) -> Portfolio:
    """The estimator's members with a certificate from nested predictions; see `Portfolio`.

    Sample weights count in choosing but not in the certificate. Stacking is that of `COMBINE` with
    weights by class, and with the bias that the class frequencies make. The best single regressor is the best without
    the fold that is evaluated, so it may be another one in every fold.
    """
    evaluation, combination = EvaluationSet(predictions), _combination(pool)
    n, predicted = evaluation.n, nested(crossfitted, fit)
    if evaluation.is_regression:
        goal, loss = "squared_error", "squared_error"
        losses = (predicted[0, :, 0] - crossfitted.y) ** 2
        errors = {"squared_error": evaluation.errors}
    else:
        goal, loss = "log-loss", "log_loss"
        truth = predicted[0, np.arange(n), crossfitted.y.astype(np.int64)]
        losses = -np.log(np.maximum(truth, 1e-12))
        errors = {"error": evaluation.errors, "log_loss": predictions.models["log_loss"].to_numpy()}
    optimism = _mean(losses - combination.losses(evaluation, loss), np.ones(n))
    selected = pool.weights > 0
    reason = np.where(selected, "kept", "its weight is 0 or negligible, or it is below the floor")
    columns = {"model": crossfitted.names, **errors, "weight": pool.weights, "kept": selected, "reason": reason}
    return Portfolio(
        members=tuple(crossfitted.names[m] for m in pool.members),
        weights=tuple(map(float, combination.weights)),
        rule=combination.rule,
        goal=goal,
        method="weights of all learners, the lightest dropped",
        exact=False,
        certificate=_certificate(predicted, combination, predictions),
        optimism=optimism,
        nested=optimism,
        loss=loss,
        front=pd.DataFrame(),
        contributions=contributions(combination, evaluation, loss),
        candidates=pd.DataFrame(columns),
        chosen_on=n,
        certified_on=n,
        classes=predictions.classes,
        bias=tuple(map(float, combination.bias)),
        weights_by_class=tuple(tuple(map(float, row)) for row in combination.by_class),
        facts={"certified": "on the same by nested cross-fitting"},
    )


def _combination(pool: OpinionPool) -> Combination:
    """The pool as a combination of probabilities, temperatures applied, or of values."""
    weights = pool.weights[pool.members]
    if pool.rule != "stacking":
        return Combination(pool.rule, pool.members, weights)
    by_class = pool.by_class[pool.members]
    bias = pool.bias + (1 - by_class.sum(axis=0)) * np.log(np.maximum(pool.frequency, SMALLEST))
    return Combination("stacking", pool.members, weights, bias, by_class=by_class)


def _certificate(
    predicted: Float[np.ndarray, "3 n c"], combination: Combination, predictions: Predictions
) -> Certificate:
    """The ensemble as one more model against its baselines; n_eff, all wrong and the ceiling are about its members.

    The best single classifier is the best on these very rows, which favours it.
    """
    names = [*predictions.model_ids, "__ensemble", "__all", "__top"]  # names that no learner may have
    models = pd.DataFrame(index=pd.Index(names, name="model"))
    if predictions.values is not None:
        values = np.concatenate([predictions.values, predicted[:, :, 0]])
        evaluation = EvaluationSet(replace(predictions, models=models, values=values))
    else:
        assert predictions.probabilities is not None
        assert predictions.answers is not None
        answers = np.concatenate([predictions.answers, predicted.argmax(axis=2)])
        probabilities = np.concatenate([predictions.probabilities, predicted])
        evaluation = EvaluationSet(replace(predictions, models=models, answers=answers, probabilities=probabilities))
    m = len(predictions.model_ids)
    best = m + 2 if evaluation.is_regression else int(np.argmax(np.log(evaluation.truth[:m]).mean(axis=1)))
    ensemble, *baselines = (Combination("mean", np.array([row]), np.ones(1)) for row in (m, best, m + 1, m + 2))
    certificate = certify(ensemble, Baselines(*baselines), evaluation)
    members = certify(combination, Baselines(*baselines), evaluation)
    joint = {name: members.scores[name] for name in ("n_eff", "all_wrong", "ceiling")}
    certificate = replace(certificate, scores={**certificate.scores, **joint})
    if not evaluation.is_regression:
        return certificate
    gains = {loss: dict(row) for loss, row in certificate.gains.items()}
    gains["squared_error"]["top"] = Interval.undefined("not compared")
    return replace(certificate, gains=gains, best=BEST_BY_FOLD)


def _mean(values: Float[np.ndarray, " n"], counts: Float[np.ndarray, " n"]) -> Interval:
    centre = float(np.average(values, weights=counts))
    return influence_interval(centre, counts / counts.mean() * (values - centre))
