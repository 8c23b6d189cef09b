"""Which recipes are fitted together, where, and in what order? Jobs, longest first so that none is left for the end."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

from polyculture.dataset import Dataset
from polyculture.preparation.transforms import Transform, find_transform
from polyculture.recipe import Recipe

from ..architectures import Architecture, Net, find_architecture
from ..objectives import group_of
from .costs import Costs
from .jobs import Job
from .process import one_thread

FEWEST = 4
"""Members below which a stack is not cut: one step of a stack has its price however few they are."""
MOST_NUMBERS = 2**27
"""Encoded inputs that a stack may hold, in numbers: half a gigabyte."""


@dataclass(frozen=True, eq=False)
class _Made:
    """A recipe with its learner and its level of the data axis, whom it is fitted beside, and seconds expected.

    `beside` is None for those that are fitted alone and the same for all that are fitted together.
    """

    recipe: Recipe
    learner: Architecture
    level: Transform
    beside: Hashable
    cost: float


def plan(recipes: Sequence[Recipe], train: Dataset, workers: int, device: str | None = None) -> list[Job]:
    """Jobs that together fit all recipes, the longest first; how recipes are put together changes no number.

    Small dense nets of one shape are stacked, and a stack is cut into as many parts as there are workers; members of
    one group are fitted jointly; all others alone. Nets go to the devices in turn.
    """
    costs = Costs(train)
    bundles: dict[Hashable, list[_Made]] = {}
    with one_thread():
        for recipe in recipes:
            learner, level = find_architecture(recipe.architecture), find_transform(recipe.data)
            made = _Made(recipe, learner, level, _beside(recipe, learner, level, costs), costs(recipe, learner))
            bundles.setdefault((made.beside, recipe if made.beside is None else None), []).append(made)
    parts = [part for bundle in bundles.values() for part in _parts(bundle, workers, train)]
    jobs = sorted(map(_job, parts), key=lambda job: -job.cost)
    devices = cycle(_devices(device))
    return [replace(job, device=next(devices)) if isinstance(job.learners[0], Net) else job for job in jobs]


def _beside(recipe: Recipe, learner: Architecture, level: Transform, costs: Costs) -> Hashable:
    """What all recipes share that are fitted together with this one; None if it is fitted alone."""
    if not isinstance(learner, Net):
        return None
    if (group := group_of(recipe)) is not None:
        return group
    if costs.train.modality in ("text", "tags"):  # the vocabulary, and so the shape, differs between training sets
        return None
    from .. import batched

    shape = batched.shape_of(recipe, learner, costs.sketch(recipe, learner))
    if shape is None:
        return None
    return shape, len(level.take(costs.train, recipe.seed)), recipe.data if level.view is not None else ""


def _parts(bundle: list[_Made], workers: int, train: Dataset) -> Iterator[list[_Made]]:
    """A group whole; a stack in even parts, one for each worker, or more where it would not fit into memory."""
    if bundle[0].beside is None or isinstance(bundle[0].beside, Recipe):
        yield bundle
        return
    most = max(FEWEST, MOST_NUMBERS // max(1, train.array.size))
    count = max(min(workers, len(bundle) // FEWEST), -(-len(bundle) // most), 1)
    yield from (bundle[k::count] for k in range(count))


def _job(part: list[_Made]) -> Job:
    beside = part[0].beside
    return Job(
        tuple(made.recipe for made in part),
        tuple(made.learner for made in part),
        tuple(made.level for made in part),
        "alone" if beside is None else "jointly" if isinstance(beside, Recipe) else "stacked",
        cost=part[0].cost if isinstance(beside, Recipe) else sum(made.cost for made in part),
    )


def _devices(device: str | None) -> list[str]:
    if device is not None:
        return [device]
    import torch

    return [f"cuda:{k}" for k in range(torch.cuda.device_count())] if torch.cuda.is_available() else ["cpu"]
