"""How does one get from what models answered to what levers change? Replicates of each, shifted versions pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.predictions import Predictions

from .effects import Asked, Clusters, Replicates, effects, standings


@dataclass(frozen=True, eq=False)
class ReplicatePredictions:
    """What the same models answered to several sets of instances.

    Parameters
    ----------
    test : with probabilities.
    train : the training set.
    shifted : tests that differ on purpose, by name. The instances of ``"kind@severity"`` are versions of each other
        where their ids are equal; those of any other name are others.
    cluster : column that tells which instances were sampled together; empty where each stands for itself.
    """

    test: Predictions
    train: Predictions
    shifted: Mapping[str, Predictions] = field(default_factory=dict)
    cluster: str = ""


def compare(
    counts: Mapping[str, int], answers: ReplicatePredictions, operations: Sequence[float]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each lever changes (`effects.effects`), and how each recipe stands (`effects.standings`).

    Parameters
    ----------
    counts : how many models in a row belong to the plain recipe, which comes first, and to each lever.
    answers : of all models; the column ``seconds`` of the model table says what each fit took.
    operations : floating-point operations of each fit; nan where not known.
    """
    test = answers.test
    assert test.probabilities is not None
    assert test.labels is not None
    shares, weights, shifted_clusters = _pooled(answers)
    seconds, spent = test.models["seconds"].to_numpy(float), np.asarray(operations, float)
    train_wrong, start = answers.train.wrong, 0
    groups = {}
    for name, count in counts.items():
        rows = slice(start, start := start + count)
        groups[name] = Replicates(test.probabilities[rows], train_wrong[rows], shares[rows], seconds[rows], spent[rows])
    asked = Asked(
        test.labels.astype(np.int64),
        _clusters(test, answers.cluster),
        _clusters(answers.train, answers.cluster),
        shifted_clusters,
        weights,
    )
    plain, *levers = groups
    return effects(groups[plain], {name: groups[name] for name in levers}, asked), standings(groups, asked)


def _pooled(answers: ReplicatePredictions) -> tuple[Float[np.ndarray, "m s"], Float[np.ndarray, " s"] | None, Clusters]:
    """Share of its versions that each model gets wrong of each instance, how much instances count, their clusters.

    Every shifted test counts the same.
    """
    shifted, column = answers.shifted, answers.cluster
    if not shifted:
        return np.zeros((len(answers.test.model_ids), 0)), None, None
    told = [
        pd.DataFrame(
            {
                "id": [("" if "@" in name else f"{name}: ") + str(i) for i in one.instances.index],
                "cluster": one.instances[column].astype(str).to_numpy() if column else "",
                "weight": 1 / (len(shifted) * one.shape[1]),
            }
        )
        for name, one in shifted.items()
    ]
    table = pd.concat(told, ignore_index=True)
    code, _ = pd.factorize(table["id"])
    weight = table["weight"].to_numpy()
    each = np.bincount(code, weight)
    wrong = np.concatenate([one.wrong for one in shifted.values()], axis=1)
    shares = np.stack([np.bincount(code, weight * row) for row in wrong]) / each
    return shares, each, table.groupby(code)["cluster"].first().to_numpy() if column else None


def _clusters(one: Predictions, column: str) -> Clusters:
    return one.instances[column].astype(str).to_numpy() if column else None
