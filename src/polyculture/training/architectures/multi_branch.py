"""Parallel branches of different kinds, and a linear layer over all of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from polyculture.models.encoder import Form
from polyculture.models.sequences import highest, present

from .recurrent import BidirectionalReader
from .stems import as_image, as_sequence, as_vector


def multi_branch(form: Form, outputs: int, *, width: int = 32, dropout: float = 0.1) -> nn.Module:
    """Branches of different kinds over the same input, and one linear layer over all of them.

    Tables: the numbers themselves and two dense layers (wide and deep, Cheng et al. 2016). Other modalities: a
    convolution, a recurrent and a dense layer (convolution and recurrence in parallel as in LSTM-FCN, Karim et al.
    2018).
    """
    return MultiBranch(form, outputs, width, dropout)


PER_SIDE = 4
"""Largest number of places a side that an image is reduced to."""


class MultiBranch(nn.Module):  # type: ignore[misc]
    """Concatenated vectors of all branches, then a linear layer; for tags of every token."""

    def __init__(self, form: Form, outputs: int, width: int, dropout: float) -> None:
        super().__init__()
        branches: list[Any] = [WideBranch(form), DenseBranch(form, width, 2)]
        if form.kind in ("image", "volume"):
            branches = [ImageBranch(form, width), RecurrentBranch(form, width), DenseBranch(form, width, 1)]
        elif form.kind != "vector":
            branches = [ConvolutionBranch(form, width), RecurrentBranch(form, width), DenseBranch(form, width, 1)]
        self.branches = nn.ModuleList(branches)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(sum(b.features for b in branches), outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × outputs scores, for tags n × steps × outputs."""
        return self.head(torch.cat([branch(inputs) for branch in self.branches], dim=-1))


class WideBranch(nn.Module):  # type: ignore[misc]
    """The numbers, unchanged."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.stem, self.features = as_vector(form)

    def forward(self, inputs: Tensor) -> Tensor:
        """n × d → n × d."""
        return self.stem(inputs)


class DenseBranch(nn.Module):  # type: ignore[misc]
    """Fully connected layers over the input as one vector."""

    def __init__(self, form: Form, width: int, layers: int) -> None:
        super().__init__()
        stem, features = as_vector(form)
        hidden = [part for _ in range(layers - 1) for part in (nn.Linear(width, width), nn.ReLU())]
        self.layers = nn.Sequential(stem, nn.Linear(features, width), nn.ReLU(), *hidden)
        self.features = width

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × width, for tags n × steps × width."""
        return self.layers(inputs)


class RecurrentBranch(nn.Module):  # type: ignore[misc]
    """The last states of a bidirectional GRU, for tags every state."""

    def __init__(self, form: Form, width: int) -> None:
        super().__init__()
        self.tagging = form.kind == "tags"
        self.reader = BidirectionalReader("GRU", form, width)
        self.features = self.reader.features

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × 2 width, for tags n × steps × 2 width."""
        states, final = self.reader(inputs)
        return states if self.tagging else final


class ConvolutionBranch(nn.Module):  # type: ignore[misc]
    """A convolution over three steps at a time and its highest value (Kim 2014), for tags its value at every step."""

    def __init__(self, form: Form, width: int) -> None:
        super().__init__()
        self.form = form
        self.stem, _, features = as_sequence(form)
        self.convolution = nn.Conv1d(features, width, 3, padding=1)
        self.features = width

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × width, for tags n × steps × width."""
        activations = self.convolution(self.stem(inputs).transpose(1, 2)).relu().transpose(1, 2)
        return activations if self.form.kind == "tags" else highest(activations, present(self.form, inputs))


class ImageBranch(nn.Module):  # type: ignore[misc]
    """A convolution over 3 × 3 pixels, its highest values in at most 4 × 4 parts of the image."""

    def __init__(self, form: Form, width: int) -> None:
        super().__init__()
        stem, (channels, height, breadth) = as_image(form)
        size = -(-height // PER_SIDE), -(-breadth // PER_SIDE)
        self.layers = nn.Sequential(
            *(stem, nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()),
            *(nn.MaxPool2d(size, ceil_mode=True), nn.Flatten()),
        )
        self.features = width * -(-height // size[0]) * -(-breadth // size[1])

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × features."""
        return self.layers(inputs)
