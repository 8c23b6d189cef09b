"""Who teaches whom? In rounds: models label the pool for themselves, or for each other, and are fitted again.

A held-out part of the labels guards the rounds: where its accuracy falls they end, and the best round is given back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from polyculture.dataset import Dataset
from polyculture.models.fitted import FitCost, Fitted
from polyculture.recipe import Recipe
from polyculture.rng import stream

from ..context import TrainingContext
from ..learned_level import Fit, LearnedFit
from .choices import Choice, PseudoLabels
from .labelled import LabelledPool

Teachers = Literal["themselves", "others"]
HELD_OUT = 5
"""One label in so many of each class is held out to guard the rounds; none of a class with fewer."""


@dataclass(frozen=True, eq=False)
class TeachingRound:
    """One round.

    Parameters
    ----------
    models : of each recipe.
    labels : what each was fitted to besides the labelled instances; empty in round 0.
    """

    models: tuple[Fitted, ...]
    labels: tuple[PseudoLabels, ...]


def teach(
    recipes: Sequence[Recipe],
    split: LabelledPool,
    choose: Choice,
    rounds: int,
    context: TrainingContext,
    fit: Fit,
    teachers: Teachers = "themselves",
) -> Iterator[TeachingRound]:
    """Round 0, in which models are fitted to the labels alone, and then this many rounds.

    In each, the pool's probabilities are those of the model itself (self-training: Scudder 1965), or the mean of all
    other models (co-training: after Blum and Mitchell 1998, with unlike learners in place of two views), all of the
    round before; the chosen labels are hard, replace those of the round before, and every model is fitted anew.

    Parameters
    ----------
    recipes : of the models, two or more where the others teach.
    split : labelled instances and pool.
    choose : which inputs of the pool get a label.
    rounds : after round 0.
    fit : fits a recipe.
    teachers : of each model.
    """
    empty = PseudoLabels(np.zeros(0, np.int64), np.zeros(0, np.int64))
    models = tuple(fit(recipe, split.labelled, context) for recipe in recipes)
    yield TeachingRound(models, (empty,) * len(models))
    for number in range(1, rounds + 1):
        answers = np.stack([np.asarray(model(split.pool), np.float64) for model in models])
        labels = tuple(choose(_of_teachers(answers, k, teachers), number) for k in range(len(models)))
        models = tuple(
            fit(recipe, split.with_labels(additions.rows, additions.codes), context)
            for recipe, additions in zip(recipes, labels, strict=True)
        )
        yield TeachingRound(models, labels)


def guarded(
    recipes: Sequence[Recipe],
    split: LabelledPool,
    choose: Choice,
    rounds: int,
    context: TrainingContext,
    fit: Fit,
    teachers: Teachers = "themselves",
) -> LearnedFit:
    """The first recipe, taught for as many rounds as its accuracy on held-out labels does not fall.

    A fifth of the labels is held out, by class, while the rounds run; then the model is fitted once more, to all labels
    and the pool as it was labelled in the best round (the last of equal ones). With less than five labels of every
    class there is nothing to guard with, and all rounds are made.
    """
    reduced, held_out = _guard(split, recipes[0].seed)
    history: list[dict[str, float | int | str]] = []
    cost, best, highest = FitCost(flops=0.0), 0, -1.0
    labels: list[PseudoLabels] = []
    for number, turn in enumerate(teach(recipes, reduced, choose, rounds, context, fit, teachers)):
        cost = sum((model.cost for model in turn.models), cost)
        labels.append(turn.labels[0])
        history.append({"round": number, "labels": len(reduced.labelled), "pool_labels": len(turn.labels[0].rows)})
        accuracy = _accuracy(turn.models[0], held_out)
        history[-1] |= {"held_out": len(held_out), "held_out_accuracy": "none" if accuracy is None else accuracy}
        if accuracy is not None and accuracy < highest:
            history[-1]["stopped"] = "held-out accuracy fell"
            break
        best, highest = number, highest if accuracy is None else accuracy
    additions = labels[best]
    fitted = fit(recipes[0], split.with_labels(additions.rows, additions.codes), context)
    history.append({"best_round": best, "labels": len(split.labelled), "pool_labels": len(additions.rows)})
    return LearnedFit(with_cost(fitted, cost + fitted.cost), tuple(history))


def with_cost(fitted: Any, cost: FitCost) -> Fitted:
    """The same model, said to have cost this."""
    model: Fitted = replace(fitted, cost=cost)
    return model


def _of_teachers(answers: np.ndarray, student: int, teachers: Teachers) -> np.ndarray:
    """Probabilities of the pool that one model is taught by."""
    if teachers == "themselves":
        return np.asarray(answers[student])
    return np.asarray(np.delete(answers, student, axis=0).mean(axis=0))


def _guard(split: LabelledPool, seed: int) -> tuple[LabelledPool, Dataset]:
    """The split without its held-out labels, and these."""
    labels, generator = split.labelled.labels, stream(seed, "guard")
    held_out = [
        generator.permutation(np.flatnonzero(labels == code))[: int((labels == code).sum()) // HELD_OUT]
        for code in np.unique(labels)
    ]
    rows = np.sort(np.concatenate(held_out))
    remainder = np.setdiff1d(np.arange(len(labels)), rows)
    return replace(split, labelled=split.labelled.take(remainder)), split.labelled.take(rows)


def _accuracy(model: Fitted, held_out: Dataset) -> float | None:
    """Share of held-out instances that are right; None without any."""
    if not len(held_out):
        return None
    return float((np.asarray(model(held_out.array)).argmax(axis=1) == held_out.labels).mean())
