"""How is an encoded input corrupted? By noise, by masking blocks or words, by shifting images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polyculture.models.encoder import Form

PATCHES = {"vector": 10**9, "series": 8, "image": 4, "volume": 4}
"""Number of blocks along each axis: single features of a table, stretches of a series, patches of images."""
UNKNOWN = 1


def noised(inputs: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """Numbers with Gaussian noise of this standard deviation."""
    return inputs + spread * torch.randn(inputs.shape, generator=generator) if spread else inputs


def hidden_blocks(form: Form, n: int, share: float, generator: torch.Generator) -> Tensor:
    """Mask of the hidden numbers of each input (n × shape): blocks, each with this probability, in all channels."""
    channel_axis, axes = _axes(form)
    pieces = [min(length, PATCHES[form.kind]) for length in axes]
    hidden = torch.rand((n, *pieces), generator=generator) < share
    for axis, (length, count) in enumerate(zip(axes, pieces, strict=True), 1):
        hidden = hidden.index_select(axis, torch.arange(length) * count // length)
    return hidden.unsqueeze(channel_axis).expand(n, *form.shape) if channel_axis else hidden


def hidden_words(codes: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Codes of texts or tokens, each replaced by unknown with this probability, and the mask of those (n × l)."""
    hidden = present(codes) & (torch.rand(codes.shape[:2], generator=generator) < share)
    return codes.masked_fill(hidden if codes.ndim == 2 else hidden[..., None], UNKNOWN), hidden


def present(codes: Tensor) -> Tensor:
    """Mask of the words or tokens (n × l); the rest is padding."""
    return (codes if codes.ndim == 2 else codes[..., 0]) > 0


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images, n × channels × h × w, shifted by at most an eighth of their sides, padded with the darkest level."""
    n, channels, height, width = images.shape
    limit = torch.tensor([math.ceil(height / 8), math.ceil(width / 8)])
    offsets = (torch.rand((n, 2), generator=generator) * (2 * limit + 1)).long()
    wide = torch.nn.functional.pad(images, (int(limit[1]),) * 2 + (int(limit[0]),) * 2, value=float(images.min()))
    rows = (torch.arange(height) + offsets[:, :1])[:, None, :, None]
    columns = (torch.arange(width) + offsets[:, 1:])[:, None, None, :]
    return wide[torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None], rows, columns]


def _axes(form: Form) -> tuple[int, tuple[int, ...]]:
    """The axis along which blocks extend over the full length (0 for none), and the lengths of the others."""
    if form.kind == "vector":
        return 0, form.shape
    return (2, form.shape[:1]) if form.kind == "series" else (1, form.shape[1:])
