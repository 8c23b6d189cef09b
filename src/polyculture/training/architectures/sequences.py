"""Which steps of a sequence are there? What nets over sequences share when texts and sentences end early."""

from __future__ import annotations

import torch
from torch import Tensor

from polyculture.models.encoder import Form


def present(form: Form, inputs: Tensor) -> Tensor | None:
    """Whether each step is there (n × l, true or false); None where every step always is.

    An empty sequence keeps its first step, so that there is something to read.
    """
    if form.kind not in ("words", "tags"):
        return None
    there = inputs > 0 if form.kind == "words" else inputs[..., 0] > 0
    first = torch.arange(there.shape[1], device=there.device) == 0
    return there | first


def absent(there: Tensor | None) -> Tensor | None:
    """What torch calls the padding mask: true where attention must not look."""
    return None if there is None else ~there


def average(states: Tensor, there: Tensor | None) -> Tensor:
    """Mean over the steps that are there: n × l × width → n × width."""
    if there is None:
        return states.mean(dim=1)
    return (states * there[..., None]).sum(dim=1) / there.sum(dim=1, keepdim=True)


def highest(states: Tensor, there: Tensor | None) -> Tensor:
    """Maximum over the steps that are there: n × l × width → n × width."""
    if there is not None:
        states = states.masked_fill(~there[..., None], float("-inf"))
    return states.amax(dim=1)


def last(states: Tensor, there: Tensor | None) -> Tensor:
    """The last step that is there: n × l × width → n × width."""
    if there is None:
        return states[:, -1]
    return states[torch.arange(len(states), device=states.device), there.sum(dim=1) - 1]
