"""How large and how fast is a compressed model next to its original? Their graphs are run in turns: load hits both."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError, need
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_graph import INPUT, graph_inputs
from polyculture.models.graphs.fitted_graphs import fitted_graph
from polyculture.models.graphs.runner import GraphRunner
from polyculture.models.graphs.sparse import with_sparse_weights
from polyculture.models.graphs.versions import unified
from polyculture.stats.interval import Interval

from .operations import operations

MANY = 32
"""Inputs of the larger batch."""
WARM, FEWEST, MOST, SECONDS = 3, 21, 400, 0.6
"""Runs that are not counted, fewest and most that are, and the time after which no more are begun."""
NORMAL = 1.96


@dataclass(frozen=True)
class Cost:
    """What a model costs.

    Parameters
    ----------
    bytes : of its graph.
    milliseconds, milliseconds_32 : of an answer to one input, and to 32; median, onnxruntime in one thread.
    flops : multiplications and additions of the products for one input; nan where they cannot be counted.
    """

    bytes: float
    milliseconds: float
    milliseconds_32: float
    flops: float


@dataclass(frozen=True)
class Measurement:
    """What the original and the compressed model cost, measured in turns.

    Parameters
    ----------
    original, compressed : the costs.
    speed, speed_32 : how many times faster the compressed one is at one input and at 32, below 1 where it is slower:
        ratio of the medians, with limits of the median over pairs of runs.
    """

    original: Cost
    compressed: Cost
    speed: Interval
    speed_32: Interval

    @property
    def factors(self) -> Mapping[str, float]:
        """How many times smaller and faster, by the name of the target; fewer flops: 1 where there are none."""
        old, new = self.original, self.compressed
        pairs = {"smaller": (old.bytes, new.bytes), "faster": (old.milliseconds, new.milliseconds)}
        pairs |= {"fewer flops": (old.flops, new.flops)}
        return {name: ratio[0] / ratio[1] if ratio[1] > 0 else 1.0 for name, ratio in pairs.items()}

    def write(self, file: Path) -> None:
        """Store it in one step."""
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_text(json.dumps(_finite(asdict(self)), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(file)

    @classmethod
    def read(cls, file: Path) -> Measurement:
        """What `write` stored; FileError for anything else."""
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            tables = [_numbers(values[name]) for name in ("original", "compressed")]
            costs = [Cost(**{name: float(number) for name, number in table.items()}) for table in tables]
            speeds = [Interval(**_numbers(values[name])) for name in ("speed", "speed_32")]
            return cls(costs[0], costs[1], speeds[0], speeds[1])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileError(f"cannot read {file}", "what compress wrote there", "delete it") from error


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with null for numbers that are not finite, which JSON does not have."""
    return {
        name: _finite(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for name, value in values.items()
    }


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in values.items()}


def measure(original: Fitted, compressed: Fitted, dataset: Dataset, seconds: float = SECONDS) -> Measurement:
    """Size, speed and products of both models, by their graphs.

    Parameters
    ----------
    original, compressed : nets, graphs or estimators.
    dataset : inputs that they are run on.
    seconds : about how long each of the two batches is measured.

    Raises InputError for a model that has no graph, and for a dataset without instances.
    """
    need("onnx", "onnxruntime", extra="export")
    if not len(dataset):
        raise InputError("no inputs to measure on", "one or more")
    rows = np.resize(np.arange(len(dataset)), MANY)
    inputs = [graph_inputs(model.encoder, dataset.array[rows]) for model in (original, compressed)]  # type: ignore[attr-defined]
    protos = [unified(fitted_graph(model, INPUT)) for model in (original, compressed)]
    contents = [with_sparse_weights(proto).SerializeToString() for proto in protos]  # as a bundle has them
    runners = (GraphRunner(contents[0]), GraphRunner(contents[1]))
    single, batch = (_times(runners, [part[:size] for part in inputs], seconds) for size in (1, MANY))
    flops = [operations(proto, part[:1]) for proto, part in zip(protos, inputs, strict=True)]
    medians = [1000 * np.median(times, axis=1) for times in (single, batch)]
    costs = [Cost(float(len(contents[i])), float(medians[0][i]), float(medians[1][i]), flops[i]) for i in (0, 1)]
    return Measurement(costs[0], costs[1], speed_of(single), speed_of(batch))


def _times(
    runners: tuple[GraphRunner, GraphRunner], inputs: list[Shaped[np.ndarray, "n ..."]], seconds: float
) -> Float[np.ndarray, "2 k"]:
    """Seconds of runs in turns; each of the two goes first in every other turn."""
    for _ in range(WARM):
        for runner, part in zip(runners, inputs, strict=True):
            runner.once(part)
    times: list[list[float]] = [[], []]
    deadline = time.perf_counter() + seconds
    while len(times[0]) < FEWEST or (len(times[0]) < MOST and time.perf_counter() < deadline):
        for place in (0, 1) if len(times[0]) % 2 == 0 else (1, 0):
            start = time.perf_counter()
            runners[place].once(inputs[place])
            times[place].append(time.perf_counter() - start)
    return np.array(times)


def speed_of(times: Float[np.ndarray, "2 k"]) -> Interval:
    """How many times less the second takes than the first: ratio of medians, limits by order statistics of pairs."""
    ratios = np.sort(times[0] / times[1])
    estimate, k = float(np.median(times[0]) / np.median(times[1])), len(ratios)
    place = max(0, math.floor(k / 2 - NORMAL * math.sqrt(k) / 2))
    interval = Interval(estimate, float(ratios[place]), float(ratios[k - 1 - place]), 0.95, k, "runs in turns")
    return replace(interval, low=min(interval.low, estimate), high=max(interval.high, estimate))
