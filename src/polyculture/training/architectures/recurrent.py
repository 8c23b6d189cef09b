"""Bidirectional recurrent nets: they predict from the last states, for tags from every state."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from polyculture.models.encoder import Form
from polyculture.models.sequences import present

from .stems import as_sequence

Cell = Literal["RNN", "LSTM", "GRU"]


def rnn(form: Form, outputs: int, *, width: int = 32, layers: int = 1, dropout: float = 0.1) -> nn.Module:
    """A bidirectional recurrent net with tanh (Elman 1990; Schuster and Paliwal 1997)."""
    return RecurrentNet("RNN", form, outputs, width, layers, dropout)


def lstm(form: Form, outputs: int, *, width: int = 32, layers: int = 1, dropout: float = 0.1) -> nn.Module:
    """A bidirectional LSTM (Hochreiter and Schmidhuber 1997; Graves and Schmidhuber 2005)."""
    return RecurrentNet("LSTM", form, outputs, width, layers, dropout)


def gru(form: Form, outputs: int, *, width: int = 32, layers: int = 1, dropout: float = 0.1) -> nn.Module:
    """A bidirectional net of gated recurrent units (Cho et al. 2014)."""
    return RecurrentNet("GRU", form, outputs, width, layers, dropout)


class BidirectionalReader(nn.Module):  # type: ignore[misc]
    """Bidirectional recurrent layers over any form."""

    def __init__(self, cell: Cell, form: Form, width: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem, _, features = as_sequence(form)
        self.form = form
        self.features = 2 * width
        layer_dropout = dropout if layers > 1 else 0.0  # torch warns of dropout with a single layer
        self.cell = getattr(nn, cell)(
            features, width, layers, batch_first=True, bidirectional=True, dropout=layer_dropout
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded inputs → the state after every step (n × l × 2 width) and after the last one (n × 2 width)."""
        sequence, mask = self.stem(inputs), present(self.form, inputs)
        if mask is None:
            states, final = self.cell(sequence)
            return states, self._both_ends(final)
        packed = nn.utils.rnn.pack_padded_sequence(
            sequence, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        packed_states, final = self.cell(packed)
        states, _ = nn.utils.rnn.pad_packed_sequence(packed_states, batch_first=True, total_length=inputs.shape[1])
        return states, self._both_ends(final)

    def exported(self) -> nn.Module:
        """The same as operators of a graph."""
        from polyculture.models.graphs.nets.layers import RecurrentOperator

        return RecurrentOperator(self)

    @staticmethod
    def _both_ends(final: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        hidden = final[0] if isinstance(final, tuple) else final
        return torch.cat([hidden[-2], hidden[-1]], dim=1)


class RecurrentNet(nn.Module):  # type: ignore[misc]
    """Recurrent layers and a linear layer over the last states, for tags over every state."""

    def __init__(self, cell: Cell, form: Form, outputs: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.tagging = form.kind == "tags"
        self.reader = BidirectionalReader(cell, form, width, layers, dropout)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × outputs scores, for tags n × steps × outputs."""
        states, final = self.reader(inputs)
        return self.head(states if self.tagging else final)
