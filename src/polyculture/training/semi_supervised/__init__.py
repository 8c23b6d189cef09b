"""How does a model learn from few labels and many inputs without? By its own answers, by others', or by consistency.

The levels keep a stratified draw of the labels; all other instances are a pool whose labels are never read.
"""

from __future__ import annotations

from polyculture.dataset import Dataset
from polyculture.recipe import Recipe

from ..context import TrainingContext
from ..learned_level import Amounts, Fit, LearnedFit, LearnedLevel
from .labelled import AMOUNTS, LabelledPool, labelled_part, refuse_draw

__all__ = ["LEVELS"]


def _labels_only(recipe: Recipe, amounts: Amounts, train: Dataset, context: TrainingContext, fit: Fit) -> LearnedFit:
    """The labelled instances alone."""
    return LearnedFit(fit(recipe, LabelledPool.of(amounts, train, recipe.seed).labelled, context))


LEVELS: dict[str, LearnedLevel] = {
    "labels": LearnedLevel(
        "this many labelled instances, drawn by class, and nothing else: what the levels below are compared with",
        _labels_only,
        AMOUNTS,
        refuse_draw,
        labelled_part,
        fits=0.1,
    ),
}
"""Levels of the data axis that know few labels."""
