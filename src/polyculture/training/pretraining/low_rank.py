"""What is a change of low rank? The product of a tall matrix, at first zero, and a wide one."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LowRankUpdate(nn.Module):  # type: ignore[misc]
    """Adds up @ down to a weight; only `up` (out × rank) and `down` (rank × in) can learn. Source: Hu et al. 2022."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        out, into = weight.shape
        rank = min(rank, out, into)
        self.up = nn.Parameter(torch.zeros(out, rank))
        self.down = nn.Parameter(torch.randn(rank, into) / into**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight."""
        return weight + self.up @ self.down
