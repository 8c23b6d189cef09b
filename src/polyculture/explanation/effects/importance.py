"""How much worse does a model become without what a feature says? The loss when its values are dealt out anew.

A model can be as good without a feature because another one says the same; then both have no importance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near
from polyculture.rng import stream
from polyculture.stats import Interval, influence_interval

from ..perturbation.outputs import outputs_of
from ..perturbation.players import blocks, singles

SMALLEST = 1e-7
"""Probability below which the logarithmic loss does not grow."""


@dataclass(frozen=True, eq=False)
class PermutationImportance:
    """Increase of each model's loss where the values of a feature are permuted over the instances.

    Parameters
    ----------
    models, features : their names.
    loss : name in `LOSSES`.
    baseline : mean loss of each model with all features as they are.
    increases : of each instance's loss, mean over the permutations; 0 if the model does not use the feature.
    clusters : which instances were sampled together; None where each was sampled independently.
    """

    models: tuple[str, ...]
    features: tuple[str, ...]
    loss: str
    baseline: Float[np.ndarray, " m"]
    increases: Float[np.ndarray, "m g n"]
    clusters: Shaped[np.ndarray, " n"] | None = None

    def interval(self, model: str, feature: str, level: float = 0.95) -> Interval:
        """Mean increase of the loss, with limits over the instances."""
        place = []
        for kind, name, names in (("model", model, self.models), ("feature", feature, self.features)):
            if name not in names:
                raise InputError(f"no {kind} {name!r}", "", near(name, names))
            place.append(names.index(name))
        values = self.increases[tuple(place)]
        return influence_interval(float(values.mean()), values - values.mean(), self.clusters, level)

    def frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row per model and feature: increase, low, high; the largest increases of a model first."""
        rows = []
        for model in self.models:
            intervals = [(feature, self.interval(model, feature, level)) for feature in self.features]
            rows += [
                {"model": model, "feature": feature, "increase": i.estimate, "low": i.low, "high": i.high}
                for feature, i in sorted(intervals, key=lambda pair: -pair[1].estimate)
            ]
        return pd.DataFrame(rows)


def _error(outputs: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    wrong: np.ndarray = (outputs.argmax(axis=1) != labels).astype(float)
    return wrong


def _log_loss(outputs: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    losses: np.ndarray = -np.log(np.maximum(outputs[np.arange(len(labels)), labels].astype(float), SMALLEST))
    return losses


def _squared(outputs: Float[np.ndarray, "n c"], labels: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    losses: np.ndarray = (outputs[:, 0].astype(float) - labels) ** 2
    return losses


LOSSES: dict[str, Callable[..., Float[np.ndarray, " n"]]] = {
    "error": _error,
    "log-loss": _log_loss,
    "squared": _squared,
}
"""From outputs and labels to one number per instance: share of errors, negative log-likelihood, squared error."""


def permutation_importance(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    dataset: Dataset,
    loss: str = "",
    repeats: int = 10,
    seed: int = 0,
    features: tuple[str, ...] = (),
    clusters: Shaped[np.ndarray, " n"] | None = None,
) -> PermutationImportance:
    """How much each model relies on each feature: the increase of its loss without the feature's information.

    Parameters
    ----------
    models : by name, callables from inputs to n × c probabilities or n × 1 numbers.
    dataset : instances that were not trained on; else overfitted features seem important.
    loss : in `LOSSES`; squared error for numbers and the log-loss for classes where left out.
    repeats : permutations of each feature. Every model has permutations of its own.
    features : names of the features, in order; of columns, or of blocks of pixels, voxels or steps.
    clusters : which instances were sampled together, for the intervals.

    Images, volumes and series are permuted in at most 64 blocks. Raises InputError for texts, sounds and tags, whose
    features have no fixed place. Source: Breiman 2001, section 10; Fisher et al. 2019.
    """
    if dataset.modality not in ("table", "image", "volume", "series"):
        raise InputError(
            f"permutation importance of {dataset.modality}", "tables, images, volumes or series", "choose occlusion"
        )
    loss = loss or ("squared" if dataset.task == "regression" else "log-loss")
    if loss not in LOSSES or (loss == "squared") != (dataset.task == "regression"):
        raise InputError(f"the loss {loss!r} for {dataset.task}", "", near(loss, LOSSES))
    if repeats < 1 or len(dataset) < 2:
        raise InputError(f"{repeats} permutations of {len(dataset)} instances", "1 or more of 2 instances or more")
    inputs, groups = np.asarray(dataset.array), _groups(dataset)
    count = int(groups.max()) + 1
    if features and len(features) != count:
        raise InputError(f"{len(features)} names for {count} features", "one for each")
    increases, baseline = np.zeros((len(models), count, len(dataset))), np.zeros((len(models), len(dataset)))
    for row, (name, model) in enumerate(models.items()):
        baseline[row] = LOSSES[loss](outputs_of(model, inputs), dataset.labels)
        for feature in range(count):
            rng = stream(seed, "permutation importance", name, feature)
            for _ in range(repeats):
                permuted = np.where(groups == feature, inputs[rng.permutation(len(inputs))], inputs)
                losses = LOSSES[loss](outputs_of(model, permuted), dataset.labels)
                increases[row, feature] += (losses - baseline[row]) / repeats
    names = features or tuple(map(str, range(count)))
    return PermutationImportance(tuple(models), names, loss, baseline.mean(axis=1), increases, clusters)


def _groups(dataset: Dataset) -> Int[np.ndarray, ...]:
    """Number of the feature of each place of an input, with a last axis of 1 where channels belong together."""
    shape = dataset.array.shape[1:]
    if dataset.modality == "table":
        return singles(shape)
    if dataset.modality == "image" and len(shape) == 3:
        return blocks(shape[:2])[..., None]
    return blocks(shape, uncut=int(dataset.modality == "series"))
