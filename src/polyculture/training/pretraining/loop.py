"""How is a net pre-trained? One small loop over batches, which minimizes the output of a module around the net."""

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
    task: nn.Module, data: tuple[Tensor, Tensor], context: PretrainingContext, settings: tuple[int, float], batch: int
) -> TrainingHistory:
    """Fit all weights of a task in place by AdamW, whose rate rises for a tenth of the steps and falls along a cosine.

    Parameters
    ----------
    task : from a batch of inputs, their targets and a random generator to a mean loss.
    data : all inputs and their targets, in even batches of about `batch`.
    settings : epochs and highest learning rate.

    Raises TrainingError for a loss that is not finite and when time is up.
    """
    (inputs, targets), (epochs, rate) = data, settings
    start, n = time.monotonic(), len(inputs)
    generator = torch.Generator().manual_seed(context.seed)
    batches = max(1, n // batch)
    flops_per_instance = flops.of_instance(
        task, lambda net, *batch: net(*batch, generator.clone_state()), (inputs[:2], targets[:2])
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
        _check(curve[-1], epoch, epochs, time.monotonic() - start, context)
    return TrainingHistory(tuple(curve), FitCost(epochs, step, flops_per_instance * n * epochs))


def _pace(progress: float) -> float:
    return min(progress / WARM_UP, 1.0) * (1 + math.cos(math.pi * progress)) / 2


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
