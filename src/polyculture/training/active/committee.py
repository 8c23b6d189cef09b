"""Who is asked what to label? A few models of different kinds, fitted to what is labelled so far."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from polyculture.dataset import Dataset, Modality
from polyculture.errors import InputError, PolycultureError, need
from polyculture.models.encoder import Encoder
from polyculture.models.features import features
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.preparation.splits import stratified
from polyculture.preparation.transforms import find_transform
from polyculture.recipe import Recipe
from polyculture.rng import stream

from ..architectures import find_architecture
from ..context import TrainingContext

Inputs = Shaped[np.ndarray, "n ..."]
HELD_OUT = 0.3
"""Share of the labelled instances on which temperatures are fitted."""
FEWEST = 10
"""Held-out instances below which no temperature is fitted."""
TEMPERATURES = (0.1, 20.0)
SMALLEST = 1e-6
"""Probability below which a member is not believed: it has seen a few labels."""


@dataclass(frozen=True, eq=False)
class Committee:
    """Fitted models that are asked together; the first is the learner.

    Parameters
    ----------
    members : by id of the recipe, from inputs to n × c probabilities.
    temperatures : by which the logarithms of each member's probabilities are divided; 1 where not calibrated.
    """

    members: Mapping[str, Callable[[Any], Any]]
    temperatures: Float[np.ndarray, " m"]

    def __call__(self, inputs: Inputs) -> Float[np.ndarray, "m n c"]:
        """Probabilities of members × instances × classes."""
        outputs = [np.asarray(member(inputs), np.float64) for member in self.members.values()]
        pairs = zip(outputs, self.temperatures, strict=True)
        return np.stack([output if t == 1 else tempered(output, float(t)) for output, t in pairs])

    @property
    def learner(self) -> Committee:
        """The first member alone."""
        name = next(iter(self.members))
        return Committee({name: self.members[name]}, self.temperatures[:1])

    def features(self, inputs: Inputs) -> Any:
        """What the last layer of the learner reads, n × d, dense or sparse; its probabilities where that is unknown."""
        learner = next(iter(self.members.values()))
        if not isinstance(learner, FittedEstimator):
            return np.asarray(learner(inputs), np.float64)
        rows = features(learner.encoder, inputs)
        return learner.estimator[:-1].transform(rows) if hasattr(learner.estimator, "steps") else rows


def default_committee(modality: Modality) -> tuple[Recipe, ...]:
    """Quick models of different kinds, a linear learner first.

    Logistic regression and a forest; for texts also multinomial naive Bayes, for all else nearest neighbours and
    extremely randomized trees.
    """
    trees = {"trees": 50}
    forest = Recipe("forest", hyperparameters=trees)
    if modality in ("text", "tags"):
        return Recipe("logistic", hyperparameters={"C": 10.0}), Recipe("multinomial-naive-bayes"), forest
    return Recipe("logistic"), forest, Recipe("knn"), Recipe("extra-trees", hyperparameters=trees)


def default_chance(modality: Modality) -> float:
    """Share of a batch that is drawn by chance: half for texts, none for all else.

    A committee that has read a few texts is undecided about those with rare words, and learns little of the others;
    docs/experiments/active.md has what that costs and how it was found.
    """
    return 0.5 if modality in ("text", "tags") else 0.0


def fit_committee(
    recipes: Sequence[Recipe],
    labelled: Dataset,
    *,
    encoder: Encoder | None = None,
    calibrated: bool = False,
    seed: int = 0,
) -> Committee:
    """The models of these recipes, fitted to all labelled instances.

    Parameters
    ----------
    recipes : of the members.
    labelled : instances with labels, of two classes or more.
    encoder : how inputs are read, such as one that is fitted to all inputs, labelled or not; None for the labelled.
    calibrated : whether the probabilities of each member are calibrated by a temperature: fitted on 30 % of the
        labelled instances, held out from a first fit on the others.
    seed : of what is held out.

    Raises InputError for labels of one class only, for a recipe that cannot be fitted to so few instances, and for too
    few instances to calibrate by.
    """
    need("torch", "sklearn")
    if len(np.unique(labelled.labels)) < 2:
        raise InputError(
            f"{len(labelled)} labelled instances of one class", "labels of two classes or more", "label more by chance"
        )
    temperatures = np.ones(len(recipes))
    if calibrated:
        fitted_part, held_out = calibration_parts(labelled.labels, seed)
        for place, recipe in enumerate(recipes):
            output = _fit(recipe, labelled.take(fitted_part), encoder)(labelled.array[held_out])
            temperatures[place] = temperature(np.asarray(output, np.float64), labelled.labels[held_out])
    return Committee({recipe.id: _fit(recipe, labelled, encoder) for recipe in recipes}, temperatures)


def can_calibrate(labels: Int[np.ndarray, " n"]) -> bool:
    """Whether there are labels enough to hold some out and fit temperatures on them."""
    return round(HELD_OUT * len(labels)) >= FEWEST and len(np.unique(labels)) > 1


def calibration_parts(labels: Int[np.ndarray, " n"], seed: int) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """Positions to fit to and positions to calibrate on, stratified; InputError where there are too few."""
    parts = stratified(labels, (1 - HELD_OUT, HELD_OUT), stream(seed, "temperatures"))
    if not can_calibrate(labels) or len(parts[1]) < FEWEST or len(np.unique(labels[parts[0]])) < 2:
        raise InputError(
            f"{len(labels)} labels to calibrate the members of a committee by",
            f"{int(np.ceil(FEWEST / HELD_OUT))} or more, of two classes",
            "label more, or query by 'margin-of-mean', which needs no calibration",
        )
    return parts[0], parts[1]


def tempered(probabilities: Float[np.ndarray, "n c"], temperature: float) -> Float[np.ndarray, "n c"]:
    """Probabilities whose logarithms are divided by a temperature: above 1 less sure, below 1 surer.

    Source: Guo et al. 2017, section 4.2.
    """
    logs = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def temperature(probabilities: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> float:
    """The temperature at which these labels are most likely, in [0.1, 20]."""
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        chances = tempered(probabilities, float(np.exp(logarithm)))[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chances, 1e-300)).mean())

    limits = float(np.log(TEMPERATURES[0])), float(np.log(TEMPERATURES[1]))
    return float(np.exp(minimize_scalar(loss, bounds=limits, method="bounded").x))


def _fit(recipe: Recipe, labelled: Dataset, encoder: Encoder | None) -> Fitted:
    """One member; InputError that names it where it cannot be fitted."""
    level = find_transform(recipe.data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            context = TrainingContext(level.view, labelled.array, encoder=encoder)
            return find_architecture(recipe.architecture).fit(recipe, level.take(labelled, recipe.seed), context)
    except PolycultureError:
        raise
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"the member {recipe.id} cannot be fitted to {len(labelled)} labelled instances: {reason}",
            "a committee of models that learn from few labels",
            "leave it out, or begin with more labels",
        ) from error
