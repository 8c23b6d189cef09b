"""How long will a fit take? Roughly: only the order in which jobs are begun depends on it."""

from __future__ import annotations

import math
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

import numpy as np

from polyculture.dataset import Dataset
from polyculture.models.encoder import Encoder
from polyculture.recipe import Recipe

from ..architectures import Architecture, Net
from ..architectures.architecture import options

STEP = 3e-4
"""Seconds of what every step has besides its net (measured)."""
CALL = 12e-6
"""Seconds that one operation of a net takes in a step, forward and backward, however little it works on (measured)."""
OPERATION = 3 / 15e9
"""Seconds that a floating-point operation of the forward pass takes, the backward pass with it (measured, one core)."""
CLASSICAL = {"boosting": 1.2e-5, "forest": 9e-6, "extra-trees": 6e-6, "svm": 3e-6, "logistic": 1e-6}
"""Seconds of a fit per number in the training set (measured on digits); of learners that are not named, none."""


class Costs:
    """Expected seconds of a fit on a training set; infinite where nothing can be said, so that it is begun first."""

    def __init__(self, train: Dataset) -> None:
        self.train, self.few = train, train.take(np.arange(min(2, len(train))))
        self.sketches: dict[Hashable, Any] = {}
        self.counts: dict[Hashable, tuple[float, float]] = {}

    def __call__(self, recipe: Recipe, learner: Architecture) -> float:
        """Of this recipe."""
        if not isinstance(learner, Net):
            return CLASSICAL.get(recipe.architecture, 0.0) * self.train.array.size
        schedule, key = learner.schedule_of(recipe), _key(recipe, learner)
        if key not in self.counts:
            self.counts[key] = self._counted(self.sketch(recipe, learner))
        calls, operations = self.counts[key]
        step = STEP + calls * CALL + operations * schedule.batch_size * OPERATION
        return schedule.epochs * math.ceil(len(self.train) / schedule.batch_size) * step

    def sketch(self, recipe: Recipe, learner: Net) -> Any:
        """A net of the recipe's shape, with any weights; None where it takes more than two instances to build one, or
        where it cannot be built."""
        from .. import loop

        key = _key(recipe, learner)
        if key not in self.sketches:
            self.sketches[key] = None
            if learner.reader is Encoder:
                # What cannot be built fails when it is fitted, and costs no other model.
                with loop.seeded(0), suppress(Exception):
                    self.sketches[key] = learner.module(recipe, Encoder.of(self.few), self.train)
        return self.sketches[key]

    def _counted(self, net: Any) -> tuple[float, float]:
        """Operations of a net, and floating-point operations per instance, counted on two."""
        import torch

        from ..flops import Counter

        if net is None:
            return math.inf, 0.0
        inputs = torch.from_numpy(Encoder.of(self.few)(self.few.array))
        numbers = inputs.double() if inputs.is_floating_point() else inputs
        with Counter() as counter:
            net.double().eval()(numbers)  # in double precision nothing is fused past counting
        return float(counter.calls), counter.total / len(inputs)


def _key(recipe: Recipe, learner: Net) -> Hashable:
    chosen = learner.settings(recipe)
    return recipe.architecture, *(chosen.get(name) for name in options(learner.build))
