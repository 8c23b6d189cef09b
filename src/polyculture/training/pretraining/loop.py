"""How is a net pre-trained? One small loop over batches; what is made small is a module with the net in it."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor, nn

from polyculture.errors import TrainingError
from polyculture.models.fitted import FitCost

from .. import flops
from ..context import PretrainingContext, TrainingHistory

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""


def descend(
    task: nn.Module, given: tuple[Tensor, Tensor], context: PretrainingContext, settings: tuple[int, float], batch: int
) -> TrainingHistory:
    """Fit all of a task in place by AdamW, its rate rising for a tenth of the steps and falling along a cosine.

    Parameters
    ----------
    task : from a batch of inputs, their targets and a stream to draw from to a mean loss.
    given : all inputs and their targets; batches of nearly `batch` share them evenly.
    told : epochs and highest learning rate.

    Raises TrainingError for a loss that is no number and for too much time.
    """
    (inputs, targets), (epochs, rate) = given, told
    began, n = time.monotonic(), len(inputs)
    generator = torch.Generator().manual_seed(context.seed)
    batches = max(1, n // batch)
    each = flops.of_instance(
        task, lambda copied, *two: copied(*two, generator.clone_state()), (inputs[:2], targets[:2])
    )
    step, curve = 0, []
    task.to(context.training.device).train()
    optimizer = torch.optim.AdamW(task.parameters(), lr=rate, weight_decay=0.01)
    for epoch in range(1, epochs + 1):
        total = 0.0
        for rows in torch.randperm(n, generator=generator).tensor_split(batches):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = rate * _pace(step / (epochs * batches))
            loss = task(inputs[rows], targets[rows], generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        curve.append(total / n)
        _check(curve[-1], epoch, epochs, time.monotonic() - began, context)
    return TrainingHistory(tuple(curve), FitCost(epochs, step, each * n * epochs))


def _pace(done: float) -> float:
    return min(done / WARM_UP, 1.0) * (1 + math.cos(math.pi * done)) / 2


def _check(loss: float, epoch: int, epochs: int, seconds: float, context: PretrainingContext) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss of pre-training became {loss} in epoch {epoch}", "a finite loss", "lower pretraining_rate"
        )
    limit = context.training.seconds
    if limit is not None and seconds > limit:
        raise TrainingError(
            f"pre-training was in epoch {epoch} of {epochs} after {limit:g} seconds",
            "an end by then",
            "allow more seconds or lower pretraining_epochs",
        )
