"""Nets that read step by step, from both ends; they answer from their last states, for tags from every state."""

from __future__ import annotations

from typing import Any

from polyculture.models.encoder import Form


def rnn(form: Form, outputs: int, *, width: int = 32, layers: int = 1, dropout: float = 0.1) -> Any:
    """A bidirectional recurrent net with tanh (Elman 1990; Schuster and Paliwal 1997)."""
    from .recurrent_modules import Recurrent

    return Recurrent("RNN", form, outputs, width, layers, dropout)


def lstm(form: Form, outputs: int, *, width: int = 32, layers: int = 1, dropout: float = 0.1) -> Any:
    """A bidirectional LSTM (Hochreiter and Schmidhuber 1997; Graves and Schmidhuber 2005)."""
    from .recurrent_modules import Recurrent

    return Recurrent("LSTM", form, outputs, width, layers, dropout)


def gru(form: Form, outputs: int, *, width: int = 32, layers: int = 1, dropout: float = 0.1) -> Any:
    """A bidirectional net of gated recurrent units (Cho et al. 2014)."""
    from .recurrent_modules import Recurrent

    return Recurrent("GRU", form, outputs, width, layers, dropout)
