"""How do nets learn to differ? By losses of jointly trained nets that penalize similar predictions.

A recipe with such an objective trains a group of `members` nets, of which its model is number `member`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from polyculture.dataset import Task
from polyculture.errors import InputError, TrainingError
from polyculture.recipe import Recipe

from .objective import CLASSES, Objective
from .pointwise import check_range, estimates, log_loss, squares

GROUPS = ("negative-correlation", "adp")
"""Objectives of jointly trained nets."""


def negative_correlation(*, members: int = 4, member: int = 0, strength: float = 0.5) -> Objective:
    """Squared error of each net minus `strength` times its squared distance from the mean of all (Liu and Yao 1999).

    Strength 0 trains each net independently, 1 only their mean (Brown, Wyatt and Tiňo 2005, § 4). For classes,
    probabilities are compared.
    """
    _group(members, member)
    check_range("strength", strength, 0, 1)

    def loss(scores: Any, targets: Any) -> Any:
        predictions = estimates(scores)
        distances = (predictions - predictions.mean(0)) ** 2
        return (squares(scores, targets) - strength * distances).sum(-1)

    tasks: tuple[Task, ...] = (*CLASSES, "regression")
    return Objective(loss, tasks, members=members)


def adp(*, members: int = 4, member: int = 0, entropy: float = 2.0, volume: float = 0.5) -> Objective:
    """Adaptive diversity promoting: nets agree on the true class, and their other probabilities span a large volume.

    Cross-entropy of each net, minus for all of them `entropy` times the Shannon entropy of the mean prediction and
    `volume` times the log-determinant of the products of the nets' normalized probabilities of the wrong classes
    (Pang et al. 2019, eq. 5). More than `members` classes are needed.
    """
    _group(members, member)
    check_range("entropy", entropy, 0)
    check_range("volume", volume, 0)

    def loss(scores: Any, targets: Any) -> Any:
        import torch

        if scores.shape[-1] <= members:
            raise TrainingError(
                f"'adp' with {members} members for {scores.shape[-1]} classes", "more classes than members", "fewer"
            )
        codes = targets.argmax(-1) if targets.is_floating_point() else targets.clamp(min=0)
        predictions = scores.softmax(-1)
        mean = predictions.mean(0)
        entropy_of_mean = -(mean * mean.clamp(min=1e-20).log()).sum(-1)
        wrong = torch.ones_like(mean).scatter(-1, codes[..., None], 0.0)
        directions = torch.nn.functional.normalize(predictions * wrong, dim=-1).movedim(0, -2)
        products = directions @ directions.mT + 1e-6 * torch.eye(members, device=scores.device, dtype=scores.dtype)
        bonus = entropy * entropy_of_mean + volume * torch.logdet(products)
        losses = torch.stack([log_loss(member_scores, targets) for member_scores in scores])
        return losses - bonus / members

    return Objective(loss, ("classification",), members=members)


def group_of(recipe: Recipe) -> Recipe | None:
    """One recipe for all members of a group, different for other groups; None for recipes of no group."""
    if recipe.objective not in GROUPS:
        return None
    return replace(recipe, hyperparameters={k: v for k, v in recipe.hyperparameters.items() if k != "member"})


def member_of(recipe: Recipe) -> int:
    """Index of the recipe's net in its group."""
    return int(recipe.hyperparameters.get("member", 0))


def _group(members: int, member: int) -> None:
    if members < 2:
        raise InputError(f"members is {members}", "2 or more")
    if not 0 <= member < members:
        raise InputError(f"member is {member}", f"0 … {members - 1}, as there are {members} members")
