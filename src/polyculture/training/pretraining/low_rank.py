"""What is a low-rank update? The product of a tall matrix, initially zero, and a wide one."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LowRankUpdate(nn.Module):  # type: ignore[misc]
    """Adds up @ down to a weight; only `up` (out × rank) and `down` (rank × in) are trained. Source: Hu et al. 2022."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        rank = min(rank, outputs, inputs)
        self.up = nn.Parameter(torch.zeros(outputs, rank))
        self.down = nn.Parameter(torch.randn(rank, inputs) / inputs**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """The updated weight."""
        return weight + self.up @ self.down
