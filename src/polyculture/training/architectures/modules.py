"""The parts that torch does not have ready: nets that read an image row by row."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RowsByLstm(nn.Module):  # type: ignore[misc]
    """A bidirectional LSTM reads the rows from top to bottom; a linear layer answers from its last states."""

    def __init__(self, columns: int, classes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(columns, width, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, classes))

    def forward(self, images: Tensor) -> Tensor:
        """n × h × w → n × c scores."""
        _, (last, _) = self.lstm(images)
        return self.head(last.transpose(0, 1).flatten(1))


class RowsByTransformer(nn.Module):  # type: ignore[misc]
    """Rows are tokens with learned places; self-attention mixes them; a linear layer answers from their mean."""

    def __init__(self, shape: tuple[int, int], classes: int, width: int, dropout: float) -> None:
        super().__init__()
        rows, columns = shape
        self.embed = nn.Linear(columns, width)
        self.place = nn.Parameter(0.1 * torch.randn(rows, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """n × h × w → n × c scores."""
        return self.head(self.encoder(self.embed(images) + self.place).mean(dim=1))
