"""What can a net bring along from another problem? It learns that one first, and keeps all but its last layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from polyculture.dataset import Dataset, Task
from polyculture.errors import InputError
from polyculture.preparation.problems import load_problem

from ..context import PretrainingContext, TrainingHistory
from .finetuning import last_layer
from .loop import descend

BATCH = 32


def learn(net: nn.Module, context: PretrainingContext, settings: tuple[int, float]) -> TrainingHistory:
    """Fit the net, in place, to the training set of another problem; its last layer comes out as it went in."""
    other = adapted(source_of(context.source, context.train), context)
    inputs, targets = torch.from_numpy(context.encoder(other.inputs)), torch.from_numpy(_targets(other))
    own = last_layer(net, inputs[:2])
    head = nn.Linear(own.in_features, max(1, len(other.classes)))
    _exchange(net, own, head)
    try:
        return descend(SourceModule(net, other.task), (inputs, targets), context, settings, BATCH)
    finally:
        _exchange(net, head, own)


class SourceModule(nn.Module):  # type: ignore[misc]
    """A net with a last layer for the other problem."""

    def __init__(self, net: nn.Module, task: Task) -> None:
        super().__init__()
        self.net, self.task = net, task

    def forward(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Mean squared error of numbers, or mean negative log-probability of the classes that there are."""
        device = next(self.parameters()).device
        scores, wanted = self.net(inputs.to(device)), targets.to(device)
        if self.task == "regression":
            return (scores[:, 0] - wanted).square().mean()
        return nn.functional.cross_entropy(scores.flatten(0, -2), wanted.flatten(), ignore_index=-1)


def source_of(problem: str, train: Dataset) -> Dataset:
    """The training set of that problem; InputError where its inputs are of another kind than those of `train`."""
    other = load_problem(problem).split.train
    if other.modality != train.modality:
        raise InputError(
            f"'transfer:{problem}' brings {other.modality} to {train.modality}", f"a problem of {train.modality}"
        )
    return other


def adapted(other: Dataset, context: PretrainingContext) -> Dataset:
    """Another problem with its inputs in the shape that the net reads.

    Images and volumes are resized and get or lose colour; waveforms, series and sentences are cut or filled with
    nothing. Raises InputError for tables and series with another number of features.
    """
    shape = context.encoder.shape
    if other.modality == "text" or other.inputs.shape[1:] == shape:
        return other
    if other.modality in ("image", "volume"):
        return other.with_inputs(_resized(other, shape))
    if other.modality == "table" or other.inputs.shape[2:] != shape[1:]:
        raise InputError(
            f"'transfer:{context.source}' brings inputs of shape {other.inputs.shape[1:]}", f"the shape {shape}"
        )
    fitting = other.with_inputs(_fitted(other.inputs, shape[0], "" if other.modality == "tags" else 0))
    return replace(fitting, labels=_fitted(other.labels, shape[0], -1)) if other.modality == "tags" else fitting


def _exchange(net: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put one layer of a net in the place of another."""
    place = next(name for name, layer in net.named_modules() if layer is old)
    parent, _, own = place.rpartition(".")
    setattr(net.get_submodule(parent), own, new)


def _resized(other: Dataset, shape: tuple[int, ...]) -> np.ndarray:
    """Images or volumes of another size; a net of grey images gets the mean of colours, one of colours grey ones."""
    flat = other.modality == "image"
    numbers = np.asarray(other.inputs, np.float32)
    numbers = numbers if flat and numbers.ndim == 4 else numbers[..., None]
    sides, channels = (shape[:2], (*shape, 1)[2]) if flat else (shape, 1)
    given = torch.from_numpy(np.ascontiguousarray(np.moveaxis(numbers, -1, 1)))
    fitting = nn.functional.interpolate(given, sides, mode="bilinear" if flat else "trilinear", antialias=flat)
    if fitting.shape[1] != channels:
        fitting = fitting.mean(dim=1, keepdim=True).expand(-1, channels, *sides)
    resized: np.ndarray = np.moveaxis(fitting.numpy(), 1, -1).reshape(len(numbers), *shape)
    return resized


def _fitted(sequences: np.ndarray, steps: int, nothing: str | int) -> np.ndarray:
    """Sequences cut to so many steps, or filled up."""
    missing = max(0, steps - sequences.shape[1])
    more = [(0, 0), (0, missing)] + [(0, 0)] * (sequences.ndim - 2)
    return np.pad(sequences[:, :steps], more, constant_values=nothing)


def _targets(other: Dataset) -> np.ndarray:
    """Codes, or standardized numbers."""
    if other.task == "regression":
        numbers: np.ndarray = (other.labels - other.labels.mean()) / (other.labels.std() or 1.0)
        return numbers.astype(np.float32)
    return other.labels.astype(np.int64)
