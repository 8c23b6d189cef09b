"""Which recipes are fitted together, where, and in what order? Jobs, shortest first."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

from polyculture.dataset import Dataset
from polyculture.models.threads import one_thread
from polyculture.recipe import Recipe

from ..architectures import Architecture, Net, find_architecture
from ..data_levels import DataLevel, find_level
from ..learned_level import LearnedLevel
from ..objectives import group_of
from .costs import CostModel
from .jobs import Job

FEWEST = 4
"""Members below which a stack is not split: every step has a fixed cost."""
MOST_NUMBERS = 2**27
"""Encoded inputs that a stack may hold, in numbers: half a gigabyte."""


@dataclass(frozen=True, eq=False)
class _PlannedFit:
    """A recipe with its architecture, its level of the data axis, the key of its bundle, and the seconds expected.

    `bundle` is None for recipes that are fitted alone and equal for those that are fitted together.
    """

    recipe: Recipe
    architecture: Architecture
    level: DataLevel
    bundle: Hashable
    cost: float


def plan(recipes: Sequence[Recipe], train: Dataset, workers: int, device: str | None = None) -> list[Job]:
    """Jobs that together fit all recipes, the shortest first; bundling changes no number.

    Small dense nets of one shape are stacked, and a stack is split into one part per worker; members of one group are
    fitted jointly; all others alone. Nets are assigned to the devices in turn. Short jobs first: most models are there
    soon, and how long they took tells how long the others will; the last job may then run alone, for its own time at
    most.
    """
    costs = CostModel(train)
    bundles: dict[Hashable, list[_PlannedFit]] = {}
    with one_thread():
        for recipe in recipes:
            architecture, level = find_architecture(recipe.architecture), find_level(recipe.data)
            key = _bundle(recipe, architecture, level, costs)
            times = level.fits if isinstance(level, LearnedLevel) else 1.0
            fit = _PlannedFit(recipe, architecture, level, key, times * costs(recipe, architecture))
            bundles.setdefault((key, recipe if key is None else None), []).append(fit)
    parts = [part for bundle in bundles.values() for part in _parts(bundle, workers, train)]
    jobs = sorted(map(_job, parts), key=lambda job: job.cost)
    devices = cycle(_devices(device))
    return [replace(job, device=next(devices)) if isinstance(job.architectures[0], Net) else job for job in jobs]


def _bundle(recipe: Recipe, architecture: Architecture, level: DataLevel, costs: CostModel) -> Hashable:
    """Key of all recipes that are fitted together with this one; None if it is fitted alone."""
    if not isinstance(architecture, Net) or isinstance(level, LearnedLevel):
        return None
    if (group := group_of(recipe)) is not None:
        return group
    if costs.train.modality in ("text", "tags"):  # the vocabulary, and so the shape, differs between training sets
        return None
    from .. import batched

    shape = batched.shape_of(recipe, architecture, costs.sketch(recipe, architecture))
    if shape is None:
        return None
    return shape, len(level.take(costs.train, recipe.seed)), recipe.data if level.view is not None else ""


def _parts(bundle: list[_PlannedFit], workers: int, train: Dataset) -> Iterator[list[_PlannedFit]]:
    """A group undivided; a stack in even parts, one per worker, or more where it would not fit into memory."""
    if bundle[0].bundle is None or isinstance(bundle[0].bundle, Recipe):
        yield bundle
        return
    largest = max(FEWEST, MOST_NUMBERS // max(1, train.array.size))
    count = max(min(workers, len(bundle) // FEWEST), -(-len(bundle) // largest), 1)
    yield from (bundle[k::count] for k in range(count))


def _job(part: list[_PlannedFit]) -> Job:
    key = part[0].bundle
    return Job(
        tuple(fit.recipe for fit in part),
        tuple(fit.architecture for fit in part),
        tuple(fit.level for fit in part),
        "alone" if key is None else "jointly" if isinstance(key, Recipe) else "stacked",
        cost=part[0].cost if isinstance(key, Recipe) else sum(fit.cost for fit in part),
    )


def _devices(device: str | None) -> list[str]:
    if device is not None:
        return [device]
    import torch

    return [f"cuda:{k}" for k in range(torch.cuda.device_count())] if torch.cuda.is_available() else ["cpu"]
