"""How long will a fit take? An estimate that decides the order of the jobs only."""

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
from ..hyperparameters import options

STEP = 3e-4
"""Fixed seconds of every step (measured)."""
CALL = 12e-6
"""Fixed seconds of one operation of a net in a step, forward and backward (measured)."""
OPERATION = 3 / 15e9
"""Seconds per floating-point operation of the forward pass, backward pass included (measured, one core)."""
SKLEARN = {"boosting": 1.2e-5, "forest": 9e-6, "extra-trees": 6e-6, "svm": 3e-6, "logistic": 1e-6}
"""Seconds of a fit per number in the training set (measured on digits); 0 for the others."""


class CostModel:
    """Expected seconds of a fit on a training set; infinite where unknown, so that it is started last."""

    def __init__(self, train: Dataset) -> None:
        self.train, self.sample = train, train.take(np.arange(min(2, len(train))))
        self.sketches: dict[Hashable, Any] = {}
        self.counts: dict[Hashable, tuple[float, float]] = {}

    def __call__(self, recipe: Recipe, architecture: Architecture) -> float:
        """Expected seconds of this recipe."""
        if not isinstance(architecture, Net):
            return SKLEARN.get(recipe.architecture, 0.0) * self.train.array.size
        schedule, key = architecture.schedule_of(recipe), _key(recipe, architecture)
        if key not in self.counts:
            self.counts[key] = self._count(self.sketch(recipe, architecture))
        calls, operations = self.counts[key]
        step = STEP + calls * CALL + operations * schedule.batch_size * OPERATION
        return schedule.epochs * math.ceil(len(self.train) / schedule.batch_size) * step

    def sketch(self, recipe: Recipe, architecture: Net) -> Any:
        """A net of the recipe's shape, with any weights; None where two instances are too few to build one, or where it
        cannot be built."""
        from .. import loop

        key = _key(recipe, architecture)
        if key not in self.sketches:
            self.sketches[key] = None
            if architecture.reader is Encoder:
                # An architecture that cannot be built fails when it is fitted.
                with loop.seeded(0), suppress(Exception):
                    self.sketches[key] = architecture.module(recipe, Encoder.of(self.sample), self.train)
        return self.sketches[key]

    def _count(self, net: Any) -> tuple[float, float]:
        """Operations of a net, and floating-point operations per instance, counted on two."""
        import torch

        from ..flops import FlopCounter

        if net is None:
            return math.inf, 0.0
        inputs = torch.from_numpy(Encoder.of(self.sample)(self.sample.array))
        numbers = inputs.double() if inputs.is_floating_point() else inputs
        with FlopCounter() as counter:
            net.double().eval()(numbers)  # in double precision no operation is fused
        return float(counter.calls), counter.total / len(inputs)


def _key(recipe: Recipe, architecture: Net) -> Hashable:
    settings = architecture.settings(recipe)
    return recipe.architecture, *(settings.get(name) for name in options(architecture.build))
