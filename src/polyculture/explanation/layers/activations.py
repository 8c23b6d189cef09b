"""What do the layers of a net hold for an input? Their outputs, read by hooks while the net predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from polyculture.errors import InputError, near
from polyculture.models.features import features
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.fitted_net import BATCH, FittedNet

from ..perturbation.outputs import outputs_of

PENULTIMATE, OUTPUTS, INPUTS = "penultimate", "outputs", "inputs"
"""What the last linear layer reads; what the model answers; what it reads. Every callable has the last two."""


@dataclass(frozen=True, eq=False)
class Representations:
    """One layer of several models for the same instances.

    Parameters
    ----------
    arrays : by model n × d numbers; models may differ in d.
    layer : name of the layer.
    left_out : models without such a layer, with the reason.
    """

    arrays: Mapping[str, Float32[np.ndarray, "n _"]]
    layer: str
    left_out: Mapping[str, str] = field(default_factory=dict)


def represent(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    inputs: Shaped[np.ndarray, "n ..."],
    layer: str = PENULTIMATE,
) -> Representations:
    """What one layer of every model holds for these inputs, flat.

    Parameters
    ----------
    layer : ``"penultimate"`` (what the last linear layer reads), ``"outputs"`` (probabilities or numbers, of any
        callable), ``"inputs"`` (what it reads: encoded numbers, counts of words), or the name of a layer as
        `layer_names` lists them.

    Raises InputError where no model has such a layer; where only some have, the others are left out.
    """
    arrays, left_out = {}, {}
    for name, model in models.items():
        try:
            values = activations(model, inputs, layer)
            arrays[name] = values.reshape(len(values), -1)
        except InputError as error:
            left_out[name] = str(error)
    if not arrays:
        raise InputError(
            f"none of the {len(left_out)} models has the layer {layer!r}", "", next(iter(left_out.values()), "")
        )
    return Representations(arrays, layer, left_out)


def layer_names(model: Any) -> tuple[str, ...]:
    """Names of the layers of a fitted net, in the order of its definition; those of other models are none."""
    return tuple(name for name, _ in model.net.named_modules() if name) if isinstance(model, FittedNet) else ()


def activations(
    model: Callable[[np.ndarray], np.ndarray], inputs: Shaped[np.ndarray, "n ..."], layer: str = PENULTIMATE
) -> Float32[np.ndarray, "n ..."]:
    """What a layer holds for each input, in the layer's own shape.

    Of layers that give several tensors the first, of layers that are run several times the last run. Raises InputError
    for a model without layers, an unknown layer, and one that is not run on its own.
    """
    if layer == OUTPUTS:
        return outputs_of(model, inputs).astype(np.float32)
    if layer == INPUTS:
        return _encoded(model, inputs)
    if not isinstance(model, FittedNet):
        raise InputError(f"the layer {layer!r} of a model that is no net", "a fitted net", "choose the layer 'outputs'")
    import torch

    model.net.eval()
    tensors: list[Any] = []
    handles = _watch(model, layer, tensors)
    parts = []
    try:
        with torch.inference_mode():
            for start in range(0, len(inputs), BATCH):
                tensors.clear()
                encoded = torch.from_numpy(model.encoder(inputs[start : start + BATCH]))
                model.net.probabilities(encoded) if hasattr(model.net, "probabilities") else model.net(encoded)
                if not tensors or len(tensors[-1]) != len(encoded):
                    problem = "is not run on its own" if not tensors else f"holds {len(tensors[-1])} rows"
                    raise InputError(f"the layer {layer!r} {problem}", "one row for each input", "choose another layer")
                parts.append(tensors[-1].float().numpy().copy())
    finally:
        for handle in handles:
            handle.remove()
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _encoded(model: Any, inputs: Shaped[np.ndarray, "n ..."]) -> Float32[np.ndarray, "n d"]:
    """What a model reads, flat; for nets of words and plain functions of texts there are no such numbers."""
    if isinstance(model, FittedEstimator):
        rows = features(model.encoder, inputs)
        dense = rows.toarray() if hasattr(rows, "toarray") else rows
        return np.asarray(dense, np.float32)
    table = model.encoder(inputs) if isinstance(model, FittedNet) else np.asarray(inputs)
    if table.dtype.kind != "f":
        raise InputError("inputs that are words have no distances", "numbers", f"choose the layer {OUTPUTS!r}")
    return np.asarray(table, np.float32).reshape(len(table), -1)


def _watch(model: FittedNet, layer: str, tensors: list[Any]) -> list[Any]:
    """Hooks that append what the layer holds."""
    from torch import nn

    if layer == PENULTIMATE:
        linear = [module for module in model.net.modules() if isinstance(module, nn.Linear)]
        if not linear:
            raise InputError("a net without a linear layer has no layer 'penultimate'", "", _near(layer, model))
        # Appended in the order of running, so the last one is what the last linear layer has read.
        return [m.register_forward_pre_hook(lambda _, arguments: tensors.append(arguments[0])) for m in linear]
    modules = dict(model.net.named_modules())
    if layer not in modules or not layer:
        raise InputError(f"no layer {layer!r} in this net", "", _near(layer, model))

    def hook(_: Any, __: Any, output: Any) -> None:
        tensors.append(output[0] if isinstance(output, tuple) else output)

    return [modules[layer].register_forward_hook(hook)]


def _near(layer: str, model: FittedNet) -> str:
    return near(layer, [PENULTIMATE, OUTPUTS, *layer_names(model)])
