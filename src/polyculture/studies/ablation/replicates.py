"""How do predictions become effects of changes? Replicates of each recipe, with shifted versions pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.predictions import Predictions

from .effects import Clusters, Instances, Replicates, effect_table, standing_table


@dataclass(frozen=True, eq=False)
class ReplicatePredictions:
    """Predictions of the same models on several sets of instances.

    Parameters
    ----------
    test : with probabilities.
    train : the training set.
    shifted : tests that differ on purpose, by name. The instances of ``"kind@severity"`` are versions of each other
        where their ids are equal; those of any other name are other instances.
    cluster : column of what was sampled together; empty for independent instances.
    """

    test: Predictions
    train: Predictions
    shifted: Mapping[str, Predictions] = field(default_factory=dict)
    cluster: str = ""


def measure_changes(
    counts: Mapping[str, int], answers: ReplicatePredictions, operations: Sequence[float]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The effect of each change (`effect_table`), and the accuracy of each recipe (`standing_table`).

    Parameters
    ----------
    counts : number of consecutive models of the baseline recipe, which comes first, and of each change.
    answers : of all models; the column ``seconds`` of the model table has the cost of each fit.
    operations : floating-point operations of each fit; nan where unknown.
    """
    test = answers.test
    assert test.probabilities is not None
    assert test.labels is not None
    shares, weights, shifted_clusters = _pool_shifts(answers)
    seconds, operation_counts = test.models["seconds"].to_numpy(float), np.asarray(operations, float)
    train_wrong, start = answers.train.wrong, 0
    replicates = {}
    for name, count in counts.items():
        rows = slice(start, start := start + count)
        replicates[name] = Replicates(
            test.probabilities[rows], train_wrong[rows], shares[rows], seconds[rows], operation_counts[rows]
        )
    instances = Instances(
        test.labels.astype(np.int64),
        _clusters(test, answers.cluster),
        _clusters(answers.train, answers.cluster),
        shifted_clusters,
        weights,
    )
    baseline, *changes = replicates
    return effect_table(replicates[baseline], {name: replicates[name] for name in changes}, instances), standing_table(
        replicates, instances
    )


def _pool_shifts(
    answers: ReplicatePredictions,
) -> tuple[Float[np.ndarray, "m s"], Float[np.ndarray, " s"] | None, Clusters]:
    """Share of the versions of each instance that each model gets wrong, weights of instances, and their clusters.

    Every shifted test has the same weight.
    """
    shifted, column = answers.shifted, answers.cluster
    if not shifted:
        return np.zeros((len(answers.test.model_ids), 0)), None, None
    tables = [
        pd.DataFrame(
            {
                "id": [("" if "@" in name else f"{name}: ") + str(i) for i in predictions.instances.index],
                "cluster": predictions.instances[column].astype(str).to_numpy() if column else "",
                "weight": 1 / (len(shifted) * predictions.shape[1]),
            }
        )
        for name, predictions in shifted.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    code, _ = pd.factorize(table["id"])
    weight = table["weight"].to_numpy()
    instance_weights = np.bincount(code, weight)
    wrong = np.concatenate([predictions.wrong for predictions in shifted.values()], axis=1)
    shares = np.stack([np.bincount(code, weight * row) for row in wrong]) / instance_weights
    return shares, instance_weights, table.groupby(code)["cluster"].first().to_numpy() if column else None


def _clusters(predictions: Predictions, column: str) -> Clusters:
    return predictions.instances[column].astype(str).to_numpy() if column else None
