"""How does a model learn from few labels and many inputs without? By its own answers, by others', or by consistency.

The levels keep a stratified draw of the labels; all other instances are a pool whose labels are never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.preparation.transforms import find_transform
from polyculture.recipe import Recipe

from ..architectures import Net, find_architecture
from ..context import TrainingContext
from ..learned_level import Amounts, Fit, LearnedFit, LearnedLevel
from .choices import Choice, PseudoLabels, confident, surest_of_each_class
from .labelled import AMOUNTS, LabelledPool, fit_small, labelled_part, refuse_draw
from .rounds import Teachers, guarded
from .views import STRONG, WEAK

__all__ = ["LEVELS", "balanced_choice", "crew_of"]

ROUNDS = 2
"""Rounds after the first fit, which knows the labels only."""
SURE = 0.9
"""Probability from which ``pseudo-label`` takes an answer for a label."""
SHARES = (0.3, 0.6)
"""Share of the pool that gets a label in each round of ``self-training`` and ``co-training``."""
CREW = ("lenet", "mlp", "forest", "logistic")
"""Architectures that teach in ``co-training``, but the recipe's own."""


def _labels_only(recipe: Recipe, amounts: Amounts, train: Dataset, context: TrainingContext, fit: Fit) -> LearnedFit:
    """The labelled instances alone."""
    return LearnedFit(fit_small(fit)(recipe, LabelledPool.of(amounts, train, recipe.seed).labelled, context))


def _pseudo_label(recipe: Recipe, amounts: Amounts, train: Dataset, context: TrainingContext, fit: Fit) -> LearnedFit:
    """The model's own sure answers."""
    split = LabelledPool.of(amounts, train, recipe.seed)
    return guarded(
        [recipe], split, lambda probabilities, _: confident(probabilities, SURE), ROUNDS, context, fit_small(fit)
    )


def _in_shares(
    recipe: Recipe, amounts: Amounts, train: Dataset, context: TrainingContext, fit: Fit, *, teachers: Teachers
) -> LearnedFit:
    """The surest answers of each class: the model's own, or those of a crew that teaches each other and it."""
    split = LabelledPool.of(amounts, train, recipe.seed)
    recipes = [recipe] if teachers == "themselves" else [recipe, *crew_of(recipe)]
    return guarded(recipes, split, balanced_choice(split.labelled), ROUNDS, context, fit_small(fit), teachers)


def _consistent(
    recipe: Recipe,
    amounts: Amounts,
    train: Dataset,
    context: TrainingContext,
    fit: Fit,  # noqa: ARG001
    *,
    mean_teacher: bool,
) -> LearnedFit:
    from .consistency import fit_consistent

    return fit_consistent(recipe, LabelledPool.of(amounts, train, recipe.seed), context, mean_teacher=mean_teacher)


def balanced_choice(labelled: Dataset) -> Choice:
    """The surest of each class in the shares that the classes have among the labels, more in each round."""
    class_shares = np.bincount(labelled.labels, minlength=len(labelled.classes)) / len(labelled)

    def choose(probabilities: np.ndarray, number: int) -> PseudoLabels:
        return surest_of_each_class(probabilities, SHARES[min(number, len(SHARES)) - 1], class_shares)

    return choose


def crew_of(recipe: Recipe, architectures: Sequence[str] = CREW) -> list[Recipe]:
    """Recipes of other architectures with their defaults, the seed of the recipe, and its number of epochs."""
    epochs = {name: value for name, value in recipe.hyperparameters.items() if name == "epochs"}
    crew = []
    for name in architectures:
        if name != recipe.architecture:
            net = isinstance(find_architecture(name), Net)
            crew.append(
                Recipe(
                    name,
                    optimizer="adam" if net else "own",
                    hyperparameters=epochs if net else {},
                    seed=recipe.seed,
                )
            )
    return crew


def _refuse_objective(recipe: Recipe, amounts: Amounts, train: Dataset) -> None:
    """Also refuse objectives that are no loss of one net's scores, and views whose package is not installed."""
    refuse_draw(recipe, amounts, train)
    for level in (*WEAK[train.modality], *STRONG[train.modality]):
        find_transform(level).check(level, train)
    architecture = find_architecture(recipe.architecture)
    if isinstance(architecture, Net) and not architecture.objective_of(recipe).stackable:
        wrong = f"the data level {recipe.data!r} with the objective {recipe.objective!r}"
        raise InputError(wrong, "an objective of one net's scores, such as 'cross-entropy'")


_rounds = partial(LearnedLevel, amounts=AMOUNTS, refuse=refuse_draw, rows=labelled_part)
_nets = partial(
    LearnedLevel,
    amounts=AMOUNTS,
    refuse=_refuse_objective,
    rows=labelled_part,
    modalities=tuple(STRONG),
    nets_only=True,
    fits=8.0,
)

LEVELS: dict[str, LearnedLevel] = {
    "labels": _rounds(
        "this many labelled instances, drawn by class, and nothing else: what the levels below are compared with",
        _labels_only,
        fits=0.1,
    ),
    "pseudo-label": _rounds(
        "the labels, and the model's own answers on all other inputs where it is 90 % sure (Arazo et al. 2020)",
        _pseudo_label,
        fits=3.0,
    ),
    "self-training": _rounds(
        "the labels, and the model's own surest answers of each class on up to 60 % of all other inputs (Scudder 1965)",
        partial(_in_shares, teachers="themselves"),
        fits=2.0,
    ),
    "co-training": _rounds(
        "the same, but the answers are the mean of a crew of other architectures that teach each other "
        "(after Blum and Mitchell 1998)",
        partial(_in_shares, teachers="others"),
        fits=8.0,
    ),
    "fixmatch": _nets(
        "nets: the labels, and agreement of weakly and strongly changed views of all other inputs (Sohn et al. 2020)",
        partial(_consistent, mean_teacher=False),
    ),
    "mean-teacher": _nets(
        "nets: the labels, and agreement with the net's own averaged weights on all other inputs "
        "(Tarvainen and Valpola 2017)",
        partial(_consistent, mean_teacher=True),
    ),
}
"""Levels of the data axis that know few labels."""
