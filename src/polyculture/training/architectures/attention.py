"""Nets with attention: over the states of a recurrent net, and Transformers over steps or image patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from polyculture.errors import InputError
from polyculture.models.encoder import Form
from polyculture.models.sequences import absent, average, last, present

from .recurrent import BidirectionalReader
from .stems import as_image, as_sequence

PER_SIDE = 7
"""Default number of patches along the longer side."""


def attention(form: Form, outputs: int, *, width: int = 32, dropout: float = 0.1) -> nn.Module:
    """A bidirectional GRU with additive attention over its states.

    Source: Bahdanau, Cho and Bengio 2015; one learned query as in Yang et al. 2016.
    """
    return AttentiveGRU(form, outputs, width, dropout)


def transformer(
    form: Form,
    outputs: int,
    *,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    expansion: int = 2,
    dropout: float = 0.1,
) -> nn.Module:
    """A Transformer encoder (Vaswani et al. 2017), normalized first; width a multiple of heads."""
    return TransformerEncoder(form, outputs, TransformerConfig(width, layers, heads, expansion, dropout))


def transformer_decoder(
    form: Form,
    outputs: int,
    *,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    expansion: int = 2,
    dropout: float = 0.1,
) -> nn.Module:
    """A Transformer with causal attention that predicts from the last step (Radford et al. 2018)."""
    return TransformerDecoder(form, outputs, TransformerConfig(width, layers, heads, expansion, dropout))


def transformer_encdec(
    form: Form,
    outputs: int,
    *,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    expansion: int = 2,
    dropout: float = 0.1,
) -> nn.Module:
    """A Transformer encoder and a decoder that starts from one learned query.

    For tags the tokens are the queries, each of which attends to the tokens before it and the full encoding.
    Source: Vaswani et al. 2017; predicting from the decoder's state as in BART (Lewis et al. 2020).
    """
    return TransformerEncoderDecoder(form, outputs, TransformerConfig(width, layers, heads, expansion, dropout))


def vit(
    form: Form,
    outputs: int,
    *,
    patch: int = 0,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    expansion: int = 2,
    dropout: float = 0.1,
) -> nn.Module:
    """A Vision Transformer (Dosovitskiy et al. 2021) over patches of `patch` pixels a side.

    A patch of 0 is a seventh of the longer side, rounded up. ViT-B/16 is patch=16, width=768, layers=12, heads=12,
    expansion=4.
    """
    return VisionTransformer(form, outputs, patch, TransformerConfig(width, layers, heads, expansion, dropout))


@dataclass(frozen=True)
class TransformerConfig:
    """Size and number of the blocks of a Transformer.

    Parameters
    ----------
    width : numbers per step; a multiple of `heads`.
    layers : blocks, in the encoder and in the decoder each.
    heads : of attention.
    expansion : width of the layer inside each block, in multiples of `width`.
    dropout : share of the numbers that are dropped in training.
    """

    width: int
    layers: int
    heads: int
    expansion: int
    dropout: float

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise InputError(f"width {self.width} with {self.heads} heads", "a width that is a multiple of the heads")

    def encoder(self, activation: str = "relu") -> nn.Module:
        """Blocks of self-attention, normalized first."""
        layer = nn.TransformerEncoderLayer(**self._layer(), activation=activation)
        return nn.TransformerEncoder(layer, self.layers, nn.LayerNorm(self.width), enable_nested_tensor=False)

    def decoder(self) -> nn.Module:
        """Blocks of self-attention followed by attention to an encoding, normalized first."""
        layer = nn.TransformerDecoderLayer(**self._layer())
        return nn.TransformerDecoder(layer, self.layers, nn.LayerNorm(self.width))

    def _layer(self) -> dict[str, Any]:
        return {
            "d_model": self.width,
            "nhead": self.heads,
            "dim_feedforward": self.expansion * self.width,
            "dropout": self.dropout,
            "batch_first": True,
            "norm_first": True,
        }


class PositionalEmbedding(nn.Module):  # type: ignore[misc]
    """Any form as a sequence of vectors with learned positional embeddings."""

    def __init__(self, form: Form, width: int) -> None:
        super().__init__()
        self.stem, steps, features = as_sequence(form)
        self.embed = nn.Linear(features, width)
        self.place = nn.Parameter(0.1 * torch.randn(steps, width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × l × width."""
        return self.embed(self.stem(inputs)) + self.place


class TransformerEncoder(nn.Module):  # type: ignore[misc]
    """Self-attention over steps; a linear layer predicts from their mean, for tags from each."""

    def __init__(self, form: Form, outputs: int, blocks: TransformerConfig) -> None:
        super().__init__()
        self.form = form
        self.steps = PositionalEmbedding(form, blocks.width)
        self.encoder = blocks.encoder()
        self.head = nn.Linear(blocks.width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × outputs scores, for tags n × steps × outputs."""
        mask = present(self.form, inputs)
        mixed = self.encoder(self.steps(inputs), src_key_padding_mask=absent(mask))
        return self.head(mixed if self.form.kind == "tags" else average(mixed, mask))


class TransformerDecoder(nn.Module):  # type: ignore[misc]
    """Causal self-attention; a linear layer predicts from the last step, for tags from each."""

    def __init__(self, form: Form, outputs: int, blocks: TransformerConfig) -> None:
        super().__init__()
        self.form = form
        self.steps = PositionalEmbedding(form, blocks.width)
        self.blocks = blocks.encoder()
        self.head = nn.Linear(blocks.width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × outputs scores, for tags n × steps × outputs."""
        steps = self.steps(inputs)
        mixed = self.blocks(steps, mask=_causal_mask(steps), is_causal=True)  # causal: padding at the end is never used
        return self.head(mixed if self.form.kind == "tags" else last(mixed, present(self.form, inputs)))


class TransformerEncoderDecoder(nn.Module):  # type: ignore[misc]
    """An encoder, and a decoder whose input is one learned query, for tags every token."""

    def __init__(self, form: Form, outputs: int, blocks: TransformerConfig) -> None:
        super().__init__()
        self.form = form
        self.steps = PositionalEmbedding(form, blocks.width)
        self.encoder = blocks.encoder()
        self.decoder = blocks.decoder()
        self.start = None if form.kind == "tags" else nn.Parameter(0.1 * torch.randn(1, blocks.width))
        self.head = nn.Linear(blocks.width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × outputs scores, for tags n × steps × outputs."""
        steps, hidden = self.steps(inputs), absent(present(self.form, inputs))
        encoding = self.encoder(steps, src_key_padding_mask=hidden)
        if self.start is None:
            options = {"tgt_mask": _causal_mask(steps), "tgt_is_causal": True, "memory_key_padding_mask": hidden}
            return self.head(self.decoder(steps, encoding, **options))
        start = self.start.expand(inputs.shape[0], -1, -1)
        return self.head(self.decoder(start, encoding, memory_key_padding_mask=hidden)[:, 0])


class AttentiveGRU(nn.Module):  # type: ignore[misc]
    """States of a GRU, averaged by attention from one learned query; for tags each state joined with it."""

    def __init__(self, form: Form, outputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.form = form
        self.reader = BidirectionalReader("GRU", form, width)
        self.key = nn.Linear(2 * width, width)
        self.query = nn.Linear(width, 1, bias=False)
        features = 4 * width if form.kind == "tags" else 2 * width
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × outputs scores, for tags n × steps × outputs."""
        states, _ = self.reader(inputs)
        summary = (self.weights(states, inputs)[..., None] * states).sum(dim=1)
        if self.form.kind == "tags":
            return self.head(torch.cat([states, summary[:, None].expand_as(states)], dim=2))
        return self.head(summary)

    def weights(self, states: Tensor, inputs: Tensor) -> Tensor:
        """Attention weight of each step: n × l, 0 at padding, 1 in sum."""
        fit, mask = self.query(torch.tanh(self.key(states)))[..., 0], present(self.form, inputs)
        return (fit if mask is None else fit.masked_fill(~mask, float("-inf"))).softmax(dim=1)


def _causal_mask(steps: Tensor) -> Tensor:
    """Causal mask: l × l, true for the steps after each step."""
    length = steps.shape[1]
    return torch.ones(length, length, dtype=torch.bool, device=steps.device).triu(1)


class VisionTransformer(nn.Module):  # type: ignore[misc]
    """Patches with learned positions and a class token, from whose state a linear layer predicts."""

    def __init__(self, form: Form, outputs: int, patch: int, blocks: TransformerConfig) -> None:
        super().__init__()
        self.stem, (channels, height, breadth) = as_image(form)
        side = patch or -(-max(height, breadth) // PER_SIDE)
        size = min(side, height), min(side, breadth)
        self.pad = nn.ZeroPad2d((0, -breadth % size[1], 0, -height % size[0]))
        self.cut = nn.Conv2d(channels, blocks.width, size, stride=size)
        steps = -(-height // size[0]) * -(-breadth // size[1]) + 1
        self.answer = nn.Parameter(torch.zeros(1, 1, blocks.width))
        self.place = nn.Parameter(0.1 * torch.randn(steps, blocks.width))
        self.dropout = nn.Dropout(blocks.dropout)
        self.encoder = blocks.encoder("gelu")
        self.head = nn.Linear(blocks.width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × outputs scores."""
        patches = self.cut(self.pad(self.stem(inputs))).flatten(2).transpose(1, 2)
        steps = torch.cat([self.answer.expand(patches.shape[0], -1, -1), patches], dim=1) + self.place
        return self.head(self.encoder(self.dropout(steps))[:, 0])
