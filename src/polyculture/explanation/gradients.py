"""How does the score of a net change with its inputs? Saliency, gradient × input, integrated gradients, SmoothGrad."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float32, Int, Shaped
from torch import Tensor

from polyculture.dataset import Dataset
from polyculture.models.fitted_net import FittedNet
from polyculture.rng import stream

from .net_inputs import encoded, encoded_baseline, features_of, gradient, scores, spread_of
from .options import ExplainOptions
from .stacked_gradients import StackedNets, integrate
from .word_gradients import word_gradients

BATCH = 256
"""Rows per pass."""
Nets = Mapping[str, FittedNet]
Inputs = Shaped[np.ndarray, "n ..."]
Attributions = Float32[np.ndarray, "m n d"]


def saliency(
    models: Nets, inputs: Inputs, targets: Int[np.ndarray, "m n"], background: Dataset, options: ExplainOptions
) -> Attributions:
    """Absolute gradient, as the change of the score per standard deviation of the feature in the background.

    For texts the length of the gradient with respect to a word's vector. Source: Simonyan, Vedaldi and Zisserman 2014.
    """

    def attributions(model: FittedNet, codes: Tensor, _: str) -> np.ndarray:
        slopes = _gradient(model, encoded(model.encoder, inputs), codes, options.scale)
        return features_of(model.encoder, (slopes * spread_of(model.encoder, background)).abs())

    if background.modality == "text":
        return word_gradients(models, inputs, targets, options, "length")
    return _each(models, targets, attributions)


def gradient_input(
    models: Nets, inputs: Inputs, targets: Int[np.ndarray, "m n"], background: Dataset, options: ExplainOptions
) -> Attributions:
    """Gradient × (input − baseline): what the score would change by, were it linear. Source: Shrikumar et al. 2017."""

    def attributions(model: FittedNet, codes: Tensor, _: str) -> np.ndarray:
        rows = encoded(model.encoder, inputs)
        slopes = _gradient(model, rows, codes, options.scale)
        return features_of(model.encoder, slopes * (rows - encoded_baseline(model.encoder, background, options)))

    if background.modality == "text":
        return word_gradients(models, inputs, targets, options, "product")
    return _each(models, targets, attributions)


def integrated_gradients(
    models: Nets, inputs: Inputs, targets: Int[np.ndarray, "m n"], background: Dataset, options: ExplainOptions
) -> Attributions:
    """Mean gradient along the straight way from the baseline, times (input − baseline); of nets of one structure.

    Attributions add up to the score of the input less that of the baseline within a thousandth; the quadrature has
    `options.samples` steps, and more where these do not suffice. Source: Sundararajan, Taly and Yan 2017.
    """
    if background.modality == "text":
        return word_gradients(models, inputs, targets, options, "integral")
    nets = list(models.values())
    rows = torch.stack([encoded(net.encoder, inputs) for net in nets])
    baselines = torch.stack([encoded_baseline(net.encoder, background, options) for net in nets])
    steps = options.samples or 1
    values = integrate(StackedNets(nets), rows, baselines, torch.from_numpy(targets), options.scale, steps)
    return np.stack([features_of(net.encoder, value) for net, value in zip(nets, values, strict=True)])


def smoothgrad(
    models: Nets, inputs: Inputs, targets: Int[np.ndarray, "m n"], background: Dataset, options: ExplainOptions
) -> Attributions:
    """Mean gradient of noisy copies, as the change of the score per standard deviation of the feature.

    The noise has `options.noise` standard deviations and is drawn anew for each model: noise that models share would
    make them look alike. Source: Smilkov et al. 2017.
    """

    def attributions(model: FittedNet, codes: Tensor, name: str) -> np.ndarray:
        draw, spread = stream(options.seed, "smoothgrad", name), spread_of(model.encoder, background)
        rows = encoded(model.encoder, inputs)
        total = torch.zeros_like(rows)
        for _ in range(options.samples or 1):
            noise = torch.from_numpy(draw.standard_normal(tuple(rows.shape), dtype=np.float32))
            total += _gradient(model, rows + options.noise * spread * noise, codes, options.scale)
        return features_of(model.encoder, total / (options.samples or 1) * spread)

    return _each(models, targets, attributions)


def _each(
    models: Nets, targets: Int[np.ndarray, "m n"], attributions: Callable[[FittedNet, Tensor, str], np.ndarray]
) -> Attributions:
    rows = zip(models.items(), torch.from_numpy(targets), strict=True)
    return np.stack([attributions(model, codes, name) for (name, model), codes in rows]).astype(np.float32)


def _gradient(model: FittedNet, rows: Tensor, targets: Tensor, scale: str) -> Tensor:
    """Gradient of the score of each row with respect to its encoded numbers."""
    net = model.net.eval()
    parts = zip(rows.split(BATCH), targets.split(BATCH), strict=True)
    return torch.cat(
        [gradient(lambda x, codes=codes: scores(model, net(x), codes, scale), part)[1] for part, codes in parts]
    )
