"""Which layers of a net are used, and which of them is the last? Seen while it predicts."""

from __future__ import annotations

from typing import Any

from polyculture.models.fitted_net import FittedNet
from polyculture.rng import stream

EXAMPLES = 2
"""Instances that are predicted while a net is looked at."""


def example_inputs(model: FittedNet) -> Any:
    """Encoded inputs drawn at random: numbers, or codes of words and tokens."""
    import torch

    form, draw = model.encoder.form, stream(0, "example inputs")
    if form.kind in ("words", "tags"):
        return torch.from_numpy(draw.integers(1, min(form.vocabulary), (EXAMPLES, *form.shape)))
    return torch.from_numpy(draw.normal(size=(EXAMPLES, *form.shape)).astype("float32"))


def outputs_of(net: Any, inputs: Any) -> dict[Any, Any]:
    """What the parts of a net give for these inputs, in the order of the calls."""
    import torch

    outputs: dict[Any, Any] = {}

    def note(part: Any, _: Any, output: Any) -> None:
        outputs.pop(part, None)
        outputs[part] = output

    hooks = [part.register_forward_hook(note) for part in net.modules()]
    try:
        with torch.enable_grad():  # attention without gradients would not call its layers
            net.eval()(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return outputs


def used_layers(model: FittedNet) -> dict[str, Any]:
    """Layers with weights of their own that predicting calls, by name, in the order of the calls.

    Layers that only training uses, such as a decoder, are not among them.
    """
    names = {layer: name for name, layer in model.net.named_modules()}
    return {names[layer]: layer for layer in outputs_of(model.net, example_inputs(model)) if layer._parameters}


def hidden_layers(model: FittedNet) -> dict[str, Any]:
    """Used dense and convolution layers by name, but for the last one, which predicts."""
    from torch import nn

    kinds = nn.Linear, nn.modules.conv._ConvNd
    layers = {name: layer for name, layer in used_layers(model).items() if isinstance(layer, kinds)}
    return dict(list(layers.items())[:-1])


def layer_kinds(model: FittedNet) -> str:
    """The kinds of layers with weights, for messages: ``"Conv2d and Linear"``."""
    *kinds, last = sorted({type(layer).__name__ for layer in model.net.modules() if layer._parameters}) or ["no"]
    return f"{', '.join(kinds)} and {last}" if kinds else last
