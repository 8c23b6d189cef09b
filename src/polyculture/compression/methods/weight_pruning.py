"""Which weights of a net matter least? Those that are small within their layer; they are set to zero."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from polyculture.errors import InputError
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_net import FittedNet

from ..context import CompressionContext
from .net_layers import layer_kinds, used_layers


def prune_weights(model: Fitted, strength: float | int, context: CompressionContext) -> Fitted:  # noqa: ARG001
    """The net with this share of its weights at zero; the shapes stay, so only what packs zeros becomes smaller.

    Magnitudes are compared over all layers at once, each relative to the larger ones of its layer (LAMP, Lee et al.
    2021), which decides by itself how much each layer loses, is more accurate than one threshold for all or one share
    for all, and leaves no layer empty. Pruned are the matrices and kernels of dense, convolution, recurrent and
    attention layers; not the layer that predicts (as Blalock et al. 2020), embeddings, normalizations and biases.

    Parameters
    ----------
    model : a fitted net.
    strength : the share of those weights that is zero afterwards, the ones that were zero before included.
    context : not used.

    Raises InputError for a net of which only the last layer could be pruned.
    """
    if not strength:
        return model
    assert isinstance(model, FittedNet)
    import torch

    pruned = replace(model, net=copy.deepcopy(model.net))
    weights = prunable_weights(pruned)
    if not weights:
        raise InputError(f"no weights to prune in a net of {layer_kinds(model)} layers", "a net with hidden layers")
    scores = torch.cat([_scores(weight.detach().flatten()) for weight in weights])
    count = min(round(strength * len(scores)), len(scores) - len(weights))
    zeros = torch.zeros(len(scores), dtype=torch.bool)
    zeros[scores.argsort(stable=True)[:count]] = True
    with torch.no_grad():
        for weight, places in zip(weights, zeros.split([weight.numel() for weight in weights]), strict=True):
            weight.masked_fill_(places.view_as(weight), 0.0)
    return pruned


def prunable_weights(model: FittedNet) -> list[Any]:
    """Matrices and kernels of all layers that are used but the last, each once."""
    from torch import nn

    layers = used_layers(model).values()
    weights = [layer.weight for layer in layers if isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd))][:-1]
    for layer in layers:
        if isinstance(layer, (nn.RNNBase, nn.MultiheadAttention)):
            weights += [weight for weight in layer.parameters() if weight.ndim > 1]
    return list({id(weight): weight for weight in weights}.values())


def _scores(weights: Any) -> Any:
    """Square of each weight over the sum of the squares that are not smaller (Lee et al. 2021, eq. 3); 0 for 0."""
    squares, order = weights.double().square().sort(stable=True)
    larger = squares.flip(0).cumsum(0).flip(0)
    scores = squares.new_empty(len(squares))
    scores[order] = (squares / larger).nan_to_num(0.0)
    return scores
