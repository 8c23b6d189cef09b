"""Which levels does the data axis have? The transforms of the training set, and those that fit models to make it."""

from __future__ import annotations

from dataclasses import replace

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near
from polyculture.models.fitted import Fitted
from polyculture.preparation.transforms import TRANSFORMS, Transform, find_transform
from polyculture.preparation.transforms.transform import View
from polyculture.recipe import Recipe

from .active.purchase import LEVELS as ACTIVE
from .architectures import find_architecture
from .context import TrainingContext
from .federated.levels import LEVELS as FEDERATED
from .learned_level import LearnedFit, LearnedLevel
from .relabelling import LEVELS as RELABELLING
from .semi_supervised import LEVELS as SEMI_SUPERVISED

DataLevel = Transform | LearnedLevel

LEARNED: dict[str, LearnedLevel] = {
    **SEMI_SUPERVISED,
    **FEDERATED,
    **RELABELLING,
    **ACTIVE,
}
"""Levels that fit models themselves, by name: those of each room, one line each."""

DATA: dict[str, DataLevel] = TRANSFORMS | LEARNED
"""Levels of the data axis by name; amounts follow after colons: ``"subset:0.25"``, ``"fixmatch:100"``."""


def find_level(level: str) -> DataLevel:
    """The level of that name, such as ``"all"``, ``"rotate:30"`` or ``"pseudo-label:100"``.

    Raises InputError, with the near names or with the amounts that there are, if there is none.
    """
    name = level.partition(":")[0]
    definition = DATA.get(name)
    if isinstance(definition, LearnedLevel):
        definition.parse(level)
        return definition
    if definition is None:
        raise InputError(f"no data {level!r}", "", near(name, DATA))
    return find_transform(level, {name: definition})


def check_level(recipe: Recipe, train: Dataset) -> None:
    """Refuse, before training, a recipe whose data level there is not or that does not fit it or the training set."""
    level = find_level(recipe.data)
    if isinstance(level, LearnedLevel):
        level.check(recipe.data, train, recipe)
    else:
        level.check(recipe.data, train)


def fit_at_level(recipe: Recipe, train: Dataset, context: TrainingContext) -> LearnedFit:
    """The model that a recipe gives on the full training set, alone; the view of the context does not matter."""
    level = find_level(recipe.data)
    if isinstance(level, LearnedLevel):
        return level.fit(recipe, recipe.data, train, replace(context, view=None), fit_plainly)
    context = replace(context, view=level.view)
    return LearnedFit(find_architecture(recipe.architecture).fit(recipe, level.take(train, recipe.seed), context))


def fit_plainly(recipe: Recipe, train: Dataset, context: TrainingContext) -> Fitted:
    """A recipe fitted to this dataset as it is, whatever its data level."""
    recipe = replace(recipe, data="all")
    return find_architecture(recipe.architecture).fit(recipe, train, context)


def training_set(recipe: Recipe, train: Dataset) -> Dataset:
    """The part of the full training set that a model of this recipe may be trained on further."""
    level = find_level(recipe.data)
    if isinstance(level, LearnedLevel):
        return level.readable(recipe.data, train, recipe.seed)
    return level.take(train, recipe.seed)


def view_of(recipe: Recipe) -> View | None:
    """How the training set of this recipe is transformed in each epoch; None where it is not."""
    level = find_level(recipe.data)
    return level.view if isinstance(level, Transform) else None
