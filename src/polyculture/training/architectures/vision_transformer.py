"""The parts of the net of attention among patches of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyculture.models.encoder import Form

from .attention_modules import Blocks
from .stems import as_image

PER_SIDE = 7
"""Patches along the longer side where the patch is not given."""


class VisionTransformer(nn.Module):  # type: ignore[misc]
    """Patches with learned places and one more step, whose state after the blocks a linear layer answers from."""

    def __init__(self, form: Form, outputs: int, patch: int, blocks: Blocks) -> None:
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
        steps = torch.cat([self.answer.expand(len(patches), -1, -1), patches], dim=1) + self.place
        return self.head(self.encoder(self.dropout(steps))[:, 0])
