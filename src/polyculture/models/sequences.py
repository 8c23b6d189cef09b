"""Which steps of a sequence are padding? Masks, and pooling over the other steps."""

from __future__ import annotations

import torch
from torch import Tensor

from polyculture.models.encoder import Form


def present(form: Form, inputs: Tensor) -> Tensor | None:
    """Mask of the steps that are not padding (n × l); None where there is no padding.

    The first step of an empty sequence counts as present.
    """
    if form.kind not in ("words", "tags"):
        return None
    mask = inputs > 0 if form.kind == "words" else inputs[..., 0] > 0
    first = torch.arange(mask.shape[1], device=mask.device) == 0
    return mask | first


def absent(mask: Tensor | None) -> Tensor | None:
    """Torch's padding mask: true at padding."""
    return None if mask is None else ~mask


def average(states: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the steps that are not padding: n × l × width → n × width."""
    if mask is None:
        return states.mean(dim=1)
    return (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


def highest(states: Tensor, mask: Tensor | None) -> Tensor:
    """Maximum over the steps that are not padding: n × l × width → n × width."""
    if mask is not None:
        states = states.masked_fill(~mask[..., None], float("-inf"))
    return states.amax(dim=1)


def last(states: Tensor, mask: Tensor | None) -> Tensor:
    """The last step that is not padding: n × l × width → n × width."""
    if mask is None:
        return states[:, -1]
    return states[torch.arange(states.shape[0], device=states.device), mask.sum(dim=1) - 1]
