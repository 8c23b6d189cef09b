"""How does any net read any input? By a first layer that converts every form to the one of its family."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from polyculture.errors import InputError
from polyculture.models.encoder import Form

EMBEDDING = 32
"""Default number of dimensions of a word."""


class TokenEmbedding(nn.Module):  # type: ignore[misc]
    """Codes → vectors; the vectors of several marks are summed. Code 0 is the zero vector."""

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, width, padding_idx=0) for size in sizes)

    def forward(self, codes: Tensor) -> Tensor:
        """n × l, or n × l × marks → n × l × width."""
        if codes.ndim == 2:
            return self.tables[0](codes)
        return sum(table(codes[..., k]) for k, table in enumerate(self.tables))


class MeanEmbedding(TokenEmbedding):
    """Mean vector of the words."""

    def forward(self, codes: Tensor) -> Tensor:
        """n × l → n × width."""
        return super().forward(codes).sum(dim=1) / (codes > 0).sum(dim=1, keepdim=True).clamp(min=1)


class WindowEmbedding(TokenEmbedding):
    """The vectors of the previous, the current and the next token."""

    def forward(self, codes: Tensor) -> Tensor:
        """n × l × marks → n × l × 3 width."""
        padded = nn.functional.pad(super().forward(codes), (0, 0, 1, 1))
        return torch.cat([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], dim=2)


class FeatureTokenizer(nn.Module):  # type: ignore[misc]
    """Every number of a vector as one step: number × direction + place (Gorishniy et al. 2021)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.randn(features, width) / math.sqrt(width))
        self.place = nn.Parameter(torch.randn(features, width) / math.sqrt(width))

    def forward(self, numbers: Tensor) -> Tensor:
        """n × d → n × d × width."""
        return numbers[:, :, None] * self.direction + self.place


class Permute(nn.Module):  # type: ignore[misc]
    """Axes after the first in another order, the last ones flattened into one."""

    def __init__(self, order: tuple[int, ...], axes: int) -> None:
        super().__init__()
        self.order, self.keep = order, axes

    def forward(self, inputs: Tensor) -> Tensor:
        """n × … → n × …, the axes after the first `keep` flattened into one."""
        permuted = inputs.permute(0, *(axis + 1 for axis in self.order))
        return permuted.flatten(self.keep + 1) if permuted.ndim > self.keep + 2 else permuted


def as_vector(form: Form, width: int = EMBEDDING) -> tuple[nn.Module, int]:
    """One vector per input (for tags one per step), and how long it is."""
    if form.kind == "words":
        return MeanEmbedding(form.vocabulary, width), width
    if form.kind == "tags":
        return WindowEmbedding(form.vocabulary, width), 3 * width
    return nn.Flatten(), math.prod(form.shape)


def as_sequence(form: Form, width: int = EMBEDDING) -> tuple[nn.Module, int, int]:
    """Steps × features of each input, how many steps and how many features: words, time, rows of an image, features."""
    if form.kind in ("words", "tags"):
        return TokenEmbedding(form.vocabulary, width), form.shape[0], width
    if form.kind == "vector":
        return FeatureTokenizer(form.shape[0], width), form.shape[0], width
    if form.kind == "series":
        return nn.Identity(), form.shape[0], form.shape[1]
    channels, steps, *sides = form.shape
    return Permute((1, 0, *range(2, 2 + len(sides))), 1), steps, channels * math.prod(sides)


def as_image(form: Form, width: int = EMBEDDING) -> tuple[nn.Module, tuple[int, int, int]]:
    """Channels × height × width of each input; one-dimensional input is an image of height 1.

    Raises InputError for tags, which need an output for every step.
    """
    if form.kind == "tags":
        raise InputError("a net over images was given tokens to tag", "a net over sequences, such as 'lstm' or 'crf'")
    if form.kind == "image":
        channels, height, breadth = form.shape
        return nn.Identity(), (channels, height, breadth)
    if form.kind == "volume":
        channels, depth, height, breadth = form.shape
        return nn.Flatten(1, 2), (channels * depth, height, breadth)
    if form.kind == "vector":
        return nn.Unflatten(1, (1, 1, form.shape[0])), (1, 1, form.shape[0])
    if form.kind == "series":
        steps, features = form.shape
        return nn.Sequential(Permute((1, 0), 2), nn.Unflatten(1, (features, 1))), (features, 1, steps)
    return _WordImage(form.vocabulary, width), (width, 1, form.shape[0])


def as_volume(form: Form, width: int = EMBEDDING) -> tuple[nn.Module, tuple[int, int, int, int]]:
    """Channels × depth × height × width of each input; the channels of an image are slices, a line has sides of 1.

    Raises InputError for tags, which need an output for every step.
    """
    if form.kind == "volume":
        channels, depth, height, breadth = form.shape
        return nn.Identity(), (channels, depth, height, breadth)
    stem, (channels, height, breadth) = as_image(form, width)
    if form.kind == "image":
        return nn.Sequential(stem, nn.Unflatten(1, (1, channels))), (1, channels, height, breadth)
    return nn.Sequential(stem, nn.Unflatten(2, (1, 1))), (channels, 1, 1, breadth)


class _WordImage(TokenEmbedding):
    """Words as an image of height 1 whose channels are their vectors."""

    def forward(self, codes: Tensor) -> Tensor:
        """n × l → n × width × 1 × l."""
        return super().forward(codes).transpose(1, 2)[:, :, None]
