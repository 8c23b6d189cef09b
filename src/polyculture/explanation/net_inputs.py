"""How do gradients of a net get from its encoded inputs to the explained features, and back?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from polyculture.dataset import Dataset
from polyculture.models.encoder import Encoder
from polyculture.models.fitted_net import FittedNet

from .features import baseline_of, numbers
from .options import ExplainOptions

WITHOUT_SPREAD = ("table", "series")
"""Modalities whose features have units of their own; the others share one spread."""


def encoded(encoder: Encoder, inputs: np.ndarray) -> Tensor:
    """What a net reads, float32 (codes for texts), from inputs as the dataset has them."""
    return torch.from_numpy(encoder(inputs))


def encoded_baseline(encoder: Encoder, background: Dataset, options: ExplainOptions) -> Tensor:
    """The baseline as a net reads it, 1 × ….; not for texts."""
    row = baseline_of(background, options)[None]
    if encoder.modality != "audio":
        return torch.from_numpy(encoder(row))
    centred = (row[:, None] - np.array(encoder.centre)) / np.array(encoder.spread)
    return torch.from_numpy(centred.astype(np.float32))


def features_of(encoder: Encoder, attributions: Tensor) -> Float[np.ndarray, "n d"]:
    """Attributions of encoded inputs as n × d of the explained features: channels of images are summed."""
    if encoder.modality in ("image", "volume", "audio"):
        attributions = attributions.sum(dim=1)
    rows: np.ndarray = attributions.flatten(1).cpu().numpy()
    return rows


def spread_of(encoder: Encoder, background: Dataset) -> Tensor:
    """Standard deviation of each feature in the background as encoded numbers: one for all where units are the same."""
    if encoder.modality in WITHOUT_SPREAD:
        axes = tuple(range(background.array.ndim - 1))
        deviations = numbers(encoder.modality, background.array).astype(np.float64).std(axis=axes)
        return torch.from_numpy((deviations / np.array(encoder.spread)).astype(np.float32))
    return encoded(encoder, background.array).double().std(correction=0).float()


def scores(model: FittedNet, outputs: Tensor, targets: Tensor, scale: str) -> Tensor:
    """The score of the target of each row, from the net's scores of all classes: … × c and … targets → …

    ``"logit"``: less the mean of the other classes' scores; ``"probability"``: softmax; numbers in their units.
    """
    if outputs.shape[-1] == 1:
        return outputs[..., 0] * model.encoder.target[1]
    if scale == "probability":
        outputs = outputs.softmax(dim=-1)
    values = outputs.gather(-1, targets[..., None])[..., 0]
    if scale == "probability":
        return values
    classes = outputs.shape[-1]
    return (values - outputs.mean(dim=-1)) * (classes / (classes - 1))


def gradient(function: Any, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Values of a function of each row, and their gradient with respect to the row."""
    leaves = inputs.detach().requires_grad_()
    with torch.enable_grad():
        values = function(leaves)
        (slopes,) = torch.autograd.grad(values.sum(), leaves)
    return values.detach(), slopes
