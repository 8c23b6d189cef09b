"""What does a net minimize? One visible dict of objectives; keyword-only parameters are hyperparameters.

objective · pointwise · contrastive · diversity · adversarial
"""

from __future__ import annotations

from collections.abc import Callable

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near

from .adversarial import fgsm, free, pgd
from .contrastive import contrastive
from .diversity import adp, group_of, member_of, negative_correlation
from .objective import Loss, Objective, average
from .pointwise import binary, cross_entropy, distillation, focal, huber, label_smoothing, squared

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "cross-entropy": cross_entropy,
    "label-smoothing": label_smoothing,
    "focal": focal,
    "binary": binary,
    "squared": squared,
    "huber": huber,
    "contrastive": contrastive,
    "negative-correlation": negative_correlation,
    "adp": adp,
    "fgsm": fgsm,
    "pgd": pgd,
    "free": free,
    "distillation": distillation,
}
"""Level of the objective axis by name; keyword-only parameters are hyperparameters."""


def find_objective(name: str) -> Callable[..., Objective]:
    """The builder of the objective of that name; InputError, with the near names, if there is none."""
    if name not in OBJECTIVES:
        raise InputError(f"no objective {name!r}", "", near(name, OBJECTIVES))
    return OBJECTIVES[name]


def suits(name: str, train: Dataset) -> None:
    """Refuse an objective that does not fit the labels, or cannot perturb the inputs, of a training set."""
    objective = find_objective(name)()
    if train.task not in objective.tasks:
        alternatives = ", ".join(repr(level) for level, build in OBJECTIVES.items() if train.task in build().tasks)
        raise InputError(
            f"the objective {name!r} does not fit {train.task}",
            " or ".join(objective.tasks),
            f"use one of {alternatives}",
        )
    if objective.numbers_only and train.modality in ("text", "tags"):
        raise InputError(f"the objective {name!r} was given words", "inputs that are numbers")


__all__ = ["OBJECTIVES", "Loss", "Objective", "average", "find_objective", "group_of", "member_of", "suits"]
