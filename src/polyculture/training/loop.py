"""How does one net learn? One loop, readable from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import nn

from polyculture.dataset import Dataset
from polyculture.errors import TrainingError

from .architectures.nets import Schedule


def fit(net: Any, train: Dataset, schedule: Schedule, optimize: Callable[..., Any], seed: int) -> list[float]:
    """Fit `net` in place by cross-entropy; the mean training loss of each epoch.

    Raises TrainingError when the loss is no longer a number.
    """
    inputs, labels = _tensor(train.inputs), torch.from_numpy(np.asarray(train.labels, np.int64))
    chosen = {} if schedule.learning_rate is None else {"learning_rate": schedule.learning_rate}
    optimizer = optimize(net.parameters(), weight_decay=schedule.weight_decay, **chosen)
    highest = [group["lr"] for group in optimizer.param_groups]
    steps = schedule.epochs * math.ceil(len(train) / schedule.batch_size)
    order = torch.Generator().manual_seed(seed)
    step, curve = 0, []
    net.train()
    for epoch in range(1, schedule.epochs + 1):
        total = 0.0
        for rows in torch.randperm(len(train), generator=order).split(schedule.batch_size):
            step += 1
            for group, rate in zip(optimizer.param_groups, highest, strict=True):
                group["lr"] = rate * _pace(step / steps)
            loss = nn.functional.cross_entropy(net(inputs[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        curve.append(total / len(train))
        if not math.isfinite(curve[-1]):
            raise TrainingError(f"the loss became {curve[-1]} in epoch {epoch}", "a finite loss", "lower learning_rate")
    return curve


def _pace(done: float) -> float:
    """Share of the highest learning rate: rises over the first tenth of the steps, then falls along a cosine."""
    return min(10 * done, 1.0) * (1 + math.cos(math.pi * done)) / 2


def probabilities(net: Any, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n c"]:
    """Class probabilities by softmax, float32, in batches that bound memory."""
    net.eval()
    with torch.inference_mode():
        scores = torch.cat([net(batch) for batch in _tensor(inputs).split(4096)])
        answers: np.ndarray = scores.softmax(dim=1).numpy()
    return answers


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global stream, which starting weights and dropout draw from, seeded inside and as before outside."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _tensor(inputs: np.ndarray) -> Any:
    """Inputs in [0, 1] moved to [−1, 1], where starting weights expect them."""
    return torch.from_numpy(np.asarray(inputs, np.float32) * 2 - 1)
