"""Nets of several kinds side by side."""

from __future__ import annotations

from typing import Any

from polyculture.models.encoder import Form


def multi_branch(form: Form, outputs: int, *, width: int = 32, dropout: float = 0.1) -> Any:
    """Branches that see the same input in different ways, and one linear layer that answers from all of them.

    Tables: the numbers as they are beside two dense layers (wide and deep, Cheng et al. 2016). Everything else: a
    convolution, a recurrent and a dense layer (convolution and recurrence side by side as in LSTM-FCN, Karim et al.
    2018).
    """
    from .multi_branch_modules import MultiBranch

    return MultiBranch(form, outputs, width, dropout)
