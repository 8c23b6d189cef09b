"""What excites a unit of a net? The input that a search finds, and the instances that come nearest to it.

An input that a search finds shows what the unit responds to alone; it need not look like anything in the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from polyculture.errors import InputError, near
from polyculture.models.encoder import Encoder
from polyculture.models.fitted_net import FittedNet

from .activations import activations, layer_names

SCORES = "scores"
"""The net's last outputs, before the softmax: one unit per class."""


@dataclass(frozen=True)
class VisualisationOptions:
    """Options of `visualise_unit`.

    Parameters
    ----------
    steps, rate : of Adam (Kingma and Ba 2015), whose steps are this long in units of the encoded input.
    size : weight of the mean square of the encoded input (Simonyan et al. 2014).
    variation : weight of the mean absolute difference of neighbours (Mahendran and Vedaldi 2015).
    jitter : places by which images are shifted at random in each step (Mordvintsev et al. 2015); less for small ones.
    seed : of the start and of the shifts.
    """

    steps: int = 200
    rate: float = 0.05
    size: float = 0.1
    variation: float = 0.1
    jitter: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.jitter < 0 or self.seed < 0:
            raise InputError(
                f"{self.steps} steps with jitter {self.jitter} and seed {self.seed}", "steps, and no negative"
            )
        for name in ("rate", "size", "variation"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}", "a number of 0 or more")


@dataclass(frozen=True, eq=False)
class UnitVisualisation:
    """An input that excites a unit.

    Parameters
    ----------
    picture : in the form of one input of the dataset; for sounds a spectrogram, frames × bands.
    activation : of the unit, without penalties and shifts; of channels the mean over all places.
    start : activation of the input that the search began with, the middle of the range of inputs.
    layer, unit : where it is.
    """

    picture: Float32[np.ndarray, ...]
    activation: float
    start: float
    layer: str
    unit: int


def visualise_unit(
    model: Any, unit: int, layer: str = SCORES, options: VisualisationOptions | None = None
) -> UnitVisualisation:
    """The input that maximizes the activation of a unit, less penalties, by gradient ascent from the middle.

    Parameters
    ----------
    model : a fitted net of images, volumes, series, tables or sounds.
    unit : output of the layer, or channel of a convolution.
    layer : ``"scores"`` (a unit is a class) or the name of a layer.

    Numbers of images stay in [0, 1]. Raises InputError for other models, for texts and tags, and an unknown layer or
    unit. Source: Simonyan et al. 2014, section 2.
    """
    options = options or VisualisationOptions()
    encoder = _encoder(model, layer)
    import torch

    generator = torch.Generator().manual_seed(options.seed)
    shape = encoder.form.shape
    bounded = encoder.modality in ("image", "volume")
    with _Reader(model.net, layer) as read:
        start = _activation(read(torch.zeros((1, *shape))), unit, layer)
        x = (0.01 * torch.randn((1, *shape), generator=generator)).requires_grad_()
        optimizer = torch.optim.Adam([x], lr=options.rate)
        for _ in range(options.steps):
            optimizer.zero_grad()
            goal = _activation(read(_shifted(x, encoder, options.jitter, generator)), unit, layer)
            loss = options.size * (x**2).mean() + options.variation * _variation(x, encoder) - goal
            x.grad = torch.autograd.grad(loss, x)[0]
            optimizer.step()
            if bounded:
                with torch.no_grad():
                    x.clamp_(-1, 1)
        with torch.no_grad():
            activation = float(_activation(read(x), unit, layer))
    picture = _decoded(x.detach().numpy()[0], encoder)
    return UnitVisualisation(picture, activation, float(start.detach()), layer, unit)


@dataclass(frozen=True, eq=False)
class ExcitingInstances:
    """The instances that excite each unit of a layer most.

    Parameters
    ----------
    rows : of the instances, the most exciting first; of two alike the earlier one.
    activations : of the unit at these instances, decreasing.
    """

    rows: Int[np.ndarray, "u k"]
    activations: Float[np.ndarray, "u k"]


def exciting_instances(
    model: Any, inputs: Shaped[np.ndarray, "n ..."], layer: str, count: int = 9, axis: int = 1
) -> ExcitingInstances:
    """The most exciting instances of every unit of a layer.

    Parameters
    ----------
    layer : as in `activations.activations`.
    count : instances for each unit.
    axis : of the layer's output that has the units (channels first: 1; steps × units: 2); the mean is taken over the
        other ones.
    """
    values = activations(model, inputs, layer)
    if not 1 <= axis < values.ndim:
        raise InputError(f"units on axis {axis} of an output of shape {values.shape[1:]}", f"1 to {values.ndim - 1}")
    if not 1 <= count <= len(values):
        raise InputError(f"{count} instances of {len(values)}", f"a number from 1 to {len(values)}")
    units = np.moveaxis(values, axis, 1).reshape(len(values), values.shape[axis], -1).mean(axis=2, dtype=np.float64)
    rows = np.argsort(-units, axis=0, kind="stable")[:count].T
    return ExcitingInstances(rows, np.take_along_axis(units.T, rows, axis=1))


class _Reader:
    """Output of a layer for an encoded input, with gradients; hooks are removed at the end."""

    def __init__(self, net: Any, layer: str) -> None:
        self.net, self.layer = net.eval(), layer
        self.outputs: list[Any] = []

    def __enter__(self) -> _Reader:
        module = self.net if self.layer == SCORES else dict(self.net.named_modules())[self.layer]
        self.handle = module.register_forward_hook(lambda _, __, output: self.outputs.append(output))
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.remove()

    def __call__(self, x: Any) -> Any:
        self.outputs.clear()
        self.net(x)
        if not self.outputs:
            raise InputError(f"the layer {self.layer!r} is not run on its own", "", "choose another layer")
        output = self.outputs[-1]
        return output[0] if isinstance(output, tuple) else output


def _encoder(model: Any, layer: str) -> Encoder:
    if not isinstance(model, FittedNet):
        raise InputError(f"a {type(model).__name__} has no units", "a fitted net", "look at its trees or weights")
    if model.encoder.modality in ("text", "tags"):
        cure = "look at the most exciting instances of its units"
        raise InputError(f"a search among inputs of {model.encoder.modality}", "inputs that are numbers", cure)
    names = (SCORES, *layer_names(model))
    if layer not in names:
        raise InputError(f"no layer {layer!r} in this net", "", near(layer, names))
    return model.encoder


def _activation(output: Any, unit: int, layer: str) -> Any:
    if output.ndim < 2 or not 0 <= unit < output.shape[1]:
        units = output.shape[1] if output.ndim > 1 else 0
        raise InputError(f"no unit {unit} in the layer {layer!r}", f"0 to {units - 1}")
    return output[0, unit].mean()


def _places(encoder: Encoder) -> tuple[int, ...]:
    """Axes of an encoded input along which it has neighbours."""
    kinds = {"image": (2, 3), "volume": (2, 3, 4), "series": (1,)}
    return kinds.get(encoder.form.kind, ())


def _shifted(x: Any, encoder: Encoder, jitter: int, generator: Any) -> Any:
    """The encoded image moved by chance along every axis, at most by a sixteenth of its side."""
    import torch

    if encoder.modality != "image" or not jitter:
        return x
    reach = [min(jitter, x.shape[axis] // 16) for axis in _places(encoder)]
    shifts = [int(torch.randint(-r, r + 1, (1,), generator=generator)) for r in reach]
    return torch.roll(x, shifts, _places(encoder))


def _variation(x: Any, encoder: Encoder) -> Any:
    axes = [axis for axis in _places(encoder) if x.shape[axis] > 1]
    return sum((x.diff(dim=axis).abs().mean() for axis in axes), x.sum() * 0)


def _decoded(encoded: np.ndarray, encoder: Encoder) -> Float32[np.ndarray, ...]:
    """From what the net reads to one input of the dataset."""
    if encoder.modality in ("image", "volume"):
        numbers = (encoded + 1) / 2
        if len(encoder.shape) == encoded.ndim and encoder.modality == "image":
            return np.ascontiguousarray(np.moveaxis(numbers, 0, 2)).astype(np.float32)
        single: np.ndarray = numbers[0].astype(np.float32)
        return single
    decoded: np.ndarray = encoded * np.array(encoder.spread) + np.array(encoder.centre)
    return (decoded[0] if encoder.modality == "audio" else decoded).astype(np.float32)
