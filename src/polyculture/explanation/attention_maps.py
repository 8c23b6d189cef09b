"""Which steps does a net attend to? Attention weights of the step that it answers from, and rollout over all layers.

Attention tells which steps are mixed into an answer, not whether they speak for it; it is the same for every class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int, Shaped
from torch import Tensor, nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.encoder import Encoder
from polyculture.models.fitted_net import FittedNet
from polyculture.models.sequences import present

from .features import feature_shape
from .net_inputs import encoded
from .options import ExplainOptions

BATCH = 128
"""Rows per pass."""
Inputs = Shaped[np.ndarray, "n ..."]
Attributions = Float32[np.ndarray, "m n d"]


def attention(
    models: Mapping[str, FittedNet],
    inputs: Inputs,
    targets: Int[np.ndarray, "m n"],  # noqa: ARG001
    background: Dataset,  # noqa: ARG001
    options: ExplainOptions,  # noqa: ARG001
) -> Attributions:
    """Attention weights of the last layer, mean over the heads, of the step that the net answers from.

    Where a net answers from the mean of its steps, the mean over them. Weights of an instance add up to 1, or less
    where the net attends to a token of its own. Raises InputError for a net without attention.
    """
    return _maps(models, inputs, lambda layers: layers[-1])


def rollout(
    models: Mapping[str, FittedNet],
    inputs: Inputs,
    targets: Int[np.ndarray, "m n"],  # noqa: ARG001
    background: Dataset,  # noqa: ARG001
    options: ExplainOptions,  # noqa: ARG001
) -> Attributions:
    """Attention weights multiplied through all layers, half of each layer being the step itself.

    Source: Abnar and Zuidema 2020, section 3. Raises InputError for a net without attention.
    """
    return _maps(models, inputs, _rolled)


def _rolled(layers: list[Tensor]) -> Tensor:
    mixed = torch.eye(layers[0].shape[-1])
    for weights in layers[:-1]:
        mixed = (weights + torch.eye(weights.shape[-1])) / 2 @ mixed
    last = layers[-1]
    square = last.shape[1] == last.shape[2]
    return ((last + torch.eye(last.shape[-1])) / 2 if square else last) @ mixed


def _maps(models: Mapping[str, FittedNet], inputs: Inputs, combined: Callable[[list[Tensor]], Tensor]) -> Attributions:
    values = []
    for name, model in models.items():
        rows, net = encoded(model.encoder, inputs), model.net.eval()
        shape = feature_shape(model.encoder.modality, inputs)
        reader = READERS.get(type(net).__name__)
        if reader is None:
            raise InputError(
                f"attention of the model {name!r}, a net without attention",
                f"one of the nets {', '.join(sorted(ARCHITECTURES))}",
                "use integrated-gradients",
            )
        parts = [reader(net, part, combined) for part in rows.split(BATCH)]
        values.append(_spread(model.encoder, net, torch.cat(parts).numpy(), shape))
    return np.stack(values).astype(np.float32)


def _from_mean(net: Any, rows: Tensor, combined: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """Of an encoder that answers from the mean of the steps that are there."""
    weights, mask = combined(_layers(net, rows)), present(net.form, rows)
    if mask is None:
        return weights.mean(dim=1)
    return (weights * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


def _from_last(net: Any, rows: Tensor, combined: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """Of a causal net that answers from the last step that is there."""
    weights, mask = combined(_layers(net, rows)), present(net.form, rows)
    return weights[:, -1] if mask is None else weights[torch.arange(len(rows)), mask.sum(dim=1) - 1]


def _from_query(net: Any, rows: Tensor, combined: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """Of an encoder and a decoder that starts from one query: from the encoding, then through the encoder."""
    layers = _layers(net, rows)
    return combined([*layers[: len(net.encoder.layers)], layers[-1]])[:, 0]  # the decoder's last is over the encoding


def _from_token(net: Any, rows: Tensor, combined: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """Of a net that answers from a token of its own, before the patches."""
    return combined(_layers(net, rows))[:, 0, 1:]


def _from_states(net: Any, rows: Tensor, _: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """Of a recurrent net that weighs its states."""
    with torch.no_grad():
        states, _final = net.reader(rows)
        weights: Tensor = net.weights(states, rows)
        return weights


ARCHITECTURES = ("attention", "transformer", "transformer-decoder", "transformer-encdec", "vit")
READERS: dict[str, Callable[[Any, Tensor, Callable[[list[Tensor]], Tensor]], Tensor]] = {
    "TransformerEncoder": _from_mean,
    "TransformerDecoder": _from_last,
    "TransformerEncoderDecoder": _from_query,
    "VisionTransformer": _from_token,
    "AttentiveGRU": _from_states,
}
"""How each kind of net is read: n × steps weights."""


def _layers(net: nn.Module, rows: Tensor) -> list[Tensor]:
    """Weights of every layer of attention in the order of their use, mean over heads: n × queries × steps each."""
    weights: list[Tensor] = []

    def ask(_: nn.Module, arguments: Any, options: dict[str, Any]) -> Any:
        return arguments, options | {"need_weights": True, "average_attn_weights": True}

    def keep(_: nn.Module, __: Any, output: tuple[Tensor, Tensor]) -> None:
        weights.append(output[1].detach())

    hooks = []
    for layer in net.modules():
        if isinstance(layer, nn.MultiheadAttention):
            hooks += [layer.register_forward_pre_hook(ask, with_kwargs=True), layer.register_forward_hook(keep)]
    try:
        with torch.enable_grad():  # torch's fused layers, which hand over no weights, have no gradients
            net(rows)
    finally:
        for hook in hooks:
            hook.remove()
    return weights


def _spread(encoder: Encoder, net: Any, steps: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Weights of steps as n × d of the features: a step that covers several is shared among them."""
    n, width = steps.shape
    if encoder.modality == "text":
        values = np.zeros((n, shape[0]), np.float32)
        size = min(width, shape[0])
        values[:, :size] = steps[:, :size]
        return values
    if hasattr(net, "cut"):
        return _patches(net, steps, shape)
    places = np.broadcast_to(steps.reshape(n, shape[0], *(1,) * (len(shape) - 1)), (n, *shape))
    shares: np.ndarray = (places / np.prod(shape[1:], dtype=float)).reshape(n, -1).astype(np.float32)
    return shares


def _patches(net: Any, steps: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Weights of the patches of a Vision Transformer, shared among their pixels, those of the padding left out."""
    n, size = len(steps), net.cut.kernel_size
    plane = {1: (1, shape[0]), 2: shape}.get(len(shape), shape[1:])
    if len(shape) == 2 and net.cut.in_channels == shape[1] and size[0] == 1:  # series: features are channels
        plane = (1, shape[0])
    grid = steps.reshape(n, -(-plane[0] // size[0]), -(-plane[1] // size[1])) / (size[0] * size[1])
    pixels = grid.repeat(size[0], axis=1).repeat(size[1], axis=2)[:, : plane[0], : plane[1]]
    if plane == (1, shape[0]) and len(shape) == 2:
        pixels = np.broadcast_to(pixels[:, 0, :, None], (n, *shape)) / shape[1]
    elif len(shape) == 3:
        pixels = np.broadcast_to(pixels[:, None], (n, *shape)) / shape[0]
    shares: np.ndarray = pixels.reshape(n, -1).astype(np.float32)
    return shares
