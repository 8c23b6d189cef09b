"""What can a net transfer from another problem? All weights but those of the last layer."""

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
    """Fit the net, in place, to the training set of another problem; its last layer is unchanged."""
    source = adapted(source_of(context.source, context.train), context)
    inputs, targets = torch.from_numpy(context.encoder(source.array)), torch.from_numpy(_targets(source))
    original = last_layer(net, inputs[:2])
    new_head = nn.Linear(original.in_features, max(1, len(source.classes)))
    _exchange(net, original, new_head)
    try:
        return descend(SourceModule(net, source.task), (inputs, targets), context, settings, BATCH)
    finally:
        _exchange(net, new_head, original)


class SourceModule(nn.Module):  # type: ignore[misc]
    """A net with a last layer for the source problem."""

    def __init__(self, net: nn.Module, task: Task) -> None:
        super().__init__()
        self.net, self.task = net, task

    def forward(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Mean squared error of numbers, or mean negative log-probability of the labelled classes."""
        device = next(self.parameters()).device
        scores, labels = self.net(inputs.to(device)), targets.to(device)
        if self.task == "regression":
            return (scores[:, 0] - labels).square().mean()
        return nn.functional.cross_entropy(scores.flatten(0, -2), labels.flatten(), ignore_index=-1)


def source_of(problem: str, train: Dataset) -> Dataset:
    """The training set of that problem; InputError where its inputs are of another modality than those of `train`."""
    source = load_problem(problem).split.train
    if source.modality != train.modality:
        raise InputError(
            f"'transfer:{problem}' brings {source.modality} to {train.modality}", f"a problem of {train.modality}"
        )
    return source


def adapted(source: Dataset, context: PretrainingContext) -> Dataset:
    """The source problem with its inputs in the shape that the net reads.

    Images and volumes are resized and get or lose colour; waveforms, series and sentences are truncated or padded.
    Raises InputError for tables and series with another number of features.
    """
    shape = context.encoder.shape
    if source.modality == "text" or source.array.shape[1:] == shape:
        return source
    if source.modality in ("image", "volume"):
        return source.with_inputs(_resized(source, shape))
    if source.modality == "table" or source.array.shape[2:] != shape[1:]:
        raise InputError(
            f"'transfer:{context.source}' brings inputs of shape {source.array.shape[1:]}", f"the shape {shape}"
        )
    fitting = source.with_inputs(_padded(source.array, shape[0], "" if source.modality == "tags" else 0))
    return replace(fitting, labels=_padded(source.labels, shape[0], -1)) if source.modality == "tags" else fitting


def _exchange(net: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Replace one layer of a net by another."""
    place = next(name for name, layer in net.named_modules() if layer is old)
    parent, _, attribute = place.rpartition(".")
    setattr(net.get_submodule(parent), attribute, new)


def _resized(source: Dataset, shape: tuple[int, ...]) -> np.ndarray:
    """Images or volumes of another size; colours are averaged, or grey levels repeated, to the channels of the net."""
    flat = source.modality == "image"
    numbers = np.asarray(source.array, np.float32)
    numbers = numbers if flat and numbers.ndim == 4 else numbers[..., None]
    sides, channels = (shape[:2], (*shape, 1)[2]) if flat else (shape, 1)
    tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(numbers, -1, 1)))
    fitting = nn.functional.interpolate(tensor, sides, mode="bilinear" if flat else "trilinear", antialias=flat)
    if fitting.shape[1] != channels:
        fitting = fitting.mean(dim=1, keepdim=True).expand(-1, channels, *sides)
    resized: np.ndarray = np.moveaxis(fitting.numpy(), 1, -1).reshape(len(numbers), *shape)
    return resized


def _padded(sequences: np.ndarray, steps: int, fill: str | int) -> np.ndarray:
    """Sequences truncated or padded to this number of steps."""
    missing = max(0, steps - sequences.shape[1])
    padding = [(0, 0), (0, missing)] + [(0, 0)] * (sequences.ndim - 2)
    return np.pad(sequences[:, :steps], padding, constant_values=fill)


def _targets(source: Dataset) -> np.ndarray:
    """Codes, or standardized numbers."""
    if source.task == "regression":
        numbers: np.ndarray = (source.labels - source.labels.mean()) / (source.labels.std() or 1.0)
        return numbers.astype(np.float32)
    return source.labels.astype(np.int64)
