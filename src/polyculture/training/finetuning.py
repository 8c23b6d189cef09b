"""How is a fitted net trained further? For some epochs, on the labels or as a teacher answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet
from polyculture.models.threads import one_thread
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed

from .architectures import Net, find_architecture
from .context import TrainingContext
from .data_levels import view_of
from .objectives import OBJECTIVES, Objective
from .objectives.pointwise import ANY

if TYPE_CHECKING:
    from .loop import Teacher


def finetune(
    model: FittedNet, recipe: Recipe, train: Dataset, epochs: int, seed: int, teacher: Teacher | None = None
) -> FittedNet:
    """A copy of the net after further epochs; weights of matrices and kernels that are exactly 0 stay 0.

    The learning rate starts from the recipe's, after a few steps of warm-up, and falls along a cosine: pruned nets win
    back more than at the low final rate (Renda et al. 2020; Le and Hua 2021; docs/experiments/pruning.md). Batches,
    augmentation and penalties are the recipe's. With 0 epochs it is the same model. Cost and curve include those of
    the model.

    Parameters
    ----------
    model : the net.
    recipe : that it was fitted by; its compression does not matter.
    train : the training set, at the recipe's level of the data axis.
    epochs : passes over it.
    seed : of the order of the instances, dropout and augmentation.
    teacher : from inputs to probabilities or numbers, which count as much as the labels (`taught`); None for the
        objective of the recipe, or the plain one where that trains several nets at once.

    Raises InputError for an architecture that is no net, and for a teacher of a net with a likelihood of its own.
    """
    architecture = find_architecture(recipe.architecture)
    if not isinstance(architecture, Net):
        raise InputError(f"fine-tuning of {recipe.architecture!r}", "a net", "leave the step out")
    if epochs == 0:
        return model
    if teacher is not None and hasattr(model.net, "nll"):
        raise InputError(f"a teacher for {recipe.architecture!r}, which learns whole sequences", "labels", "use tune")
    from . import loop

    net, frozen = _copy(model.net)
    plan = architecture.plan(recipe, train, model.encoder, TrainingContext(view_of(recipe), train.array))
    plan = replace(
        plan,
        schedule=replace(plan.schedule, epochs=epochs, schedule="cosine", averaging="none", patience=0),
        seed=derived_seed(seed, "fine-tuning"),
        after_step=frozen,
    )
    if teacher is not None:
        plan = replace(plan, objective=taught(), fit_teacher=lambda: teacher)
    elif plan.objective.members > 1:
        plan = replace(plan, objective=OBJECTIVES["squared" if train.task == "regression" else "cross-entropy"]())
    with one_thread(), loop.seeded(derived_seed(seed, "fine-tuning")):
        history = loop.fit(net, plan)
    return replace(model, net=net, curve=model.curve + history.curve, cost=model.cost + history.cost)


def taught() -> Objective:
    """The objective of a net with a teacher: half the labels, half the teacher's predictions at temperature 2.

    As the objective ``"distillation"``; for regression the squared errors of both.
    """
    return replace(OBJECTIVES["distillation"](), tasks=ANY, teacher="")


def _copy(net: Any) -> tuple[Any, Callable[[], None]]:
    """A copy of a net, and a function that sets its weights to 0 where they are now."""
    import copy

    import torch

    net = copy.deepcopy(net)
    zeros = [(weight, weight == 0) for weight in net.parameters() if weight.ndim > 1 and (weight == 0).any()]

    def freeze() -> None:
        with torch.no_grad():
            for weight, places in zeros:
                weight.masked_fill_(places, 0.0)

    return net, freeze
