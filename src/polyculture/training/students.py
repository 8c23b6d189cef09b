"""How is a narrower net taught by another model? From scratch, by its recipe, and half by the teacher's predictions."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet
from polyculture.models.threads import one_thread
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed

from . import pretraining
from .architectures import Net, find_architecture
from .architectures.hub import PREFIX
from .context import TrainingContext
from .data_levels import view_of
from .finetuning import taught
from .hyperparameters import options

if TYPE_CHECKING:
    from .loop import Teacher

WIDTHS = ("width", "code")
"""Hyperparameters that a share is taken away from."""


def student_recipe(recipe: Recipe, share: float) -> Recipe:
    """The recipe with a share of its widths taken away, rounded to whole multiples of its heads.

    Raises InputError for what is no net or has no width, and for a width that cannot be less.
    """
    architecture = find_architecture(recipe.architecture)
    if not isinstance(architecture, Net):
        raise InputError(f"{recipe.architecture!r} as a student", "a net, such as 'mlp': estimators learn from labels")
    if recipe.architecture.startswith(PREFIX):
        raise InputError(f"{recipe.architecture!r} as a student", "a net that is trained from scratch, such as 'lstm'")
    settings = options(architecture.build) | dict(recipe.hyperparameters)
    names = [name for name in WIDTHS if name in settings]
    if not names:
        raise InputError(f"{recipe.architecture!r} without a width as a student", "a net with a width")
    step = settings.get("heads", 1)
    widths = {name: _narrower(settings[name], share, step if name == "width" else 1) for name in names}
    if share and widths == {name: settings[name] for name in names}:
        wrong = ", ".join(f"{name} {width}" for name, width in widths.items())
        raise InputError(f"{recipe.architecture!r} of {wrong}", "a width of which a share can be taken away")
    changed = {name: width for name, width in widths.items() if width != settings[name]}
    return replace(recipe, hyperparameters=dict(recipe.hyperparameters) | changed)


def fit_student(recipe: Recipe, train: Dataset, share: float, teacher: Teacher, seed: int) -> tuple[Recipe, FittedNet]:
    """A narrower net of a recipe, trained from scratch on the labels and on a teacher's predictions, half each.

    The objective is that of ``"distillation"``, temperature 2 (Hinton et al. 2015), in place of the recipe's; of
    numbers the mean of both squared errors. Schedule, optimizer, augmentation and pre-training are the recipe's.

    Parameters
    ----------
    recipe : of the original; the returned one has the smaller widths.
    train : training set, at the level of the recipe's data axis.
    share : of the widths that is taken away, 0 for none.
    teacher : from inputs to probabilities (of tags a row per token), or n × 1 numbers: any model.
    seed : of starting weights and the order of the instances.

    Raises InputError for a recipe that has no student.
    """
    from . import loop

    student = student_recipe(recipe, share)
    architecture = find_architecture(recipe.architecture)
    assert isinstance(architecture, Net)
    context = TrainingContext(view_of(recipe), train.array)
    encoder = pretraining.encoder_of(student, train, context, architecture.reader)
    plan = architecture.plan(student, train, encoder, context)
    plan = replace(plan, objective=taught(), fit_teacher=lambda: teacher, seed=derived_seed(seed, "student"))
    with one_thread(), ExitStack() as stack, loop.seeded(derived_seed(seed, "student weights")):
        net = architecture.module(student, encoder, train)
        if hasattr(net, "nll"):
            wrong = f"a teacher for {recipe.architecture!r}, which learns whole sequences"
            raise InputError(wrong, "a net that learns one token at a time", "use 'lstm'")
        prior = stack.enter_context(pretraining.pretrained(net, student, encoder, train, context))
        history = loop.fit(net, plan)
    return student, FittedNet(net, encoder, history.curve, prior.cost + history.cost)


def _narrower(width: int, share: float, step: int) -> int:
    """The width without a share, in whole steps, one or more."""
    return width if not share else max(step, round((1 - share) * width / step) * step)
