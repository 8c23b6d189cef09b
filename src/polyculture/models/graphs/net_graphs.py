"""How is a torch net served without torch? As an ONNX graph from raw inputs to what it predicts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from polyculture.errors import need
from polyculture.models.fitted_net import FittedNet

from .model_graph import ModelGraph, input_dtype, input_shape

if TYPE_CHECKING:
    from .nets.templates import Templates


def net_graph(model: FittedNet, view_name: str) -> ModelGraph:
    """The graph that predicts what the net predicts, up to rounding.

    Inside is everything that was learned: centre and spread of the features, the scale of images, the layers, and the
    units of a predicted number. Its output is ``probabilities`` (n × c; for tags n × steps × c, where those of the
    steps after the end mean nothing), or for regression ``value`` (n × 1).

    Parameters
    ----------
    model : a fitted net of any architecture.
    view_name : name of the input.

    The first net of an architecture takes seconds, further ones with the same shapes milliseconds. Raises InputError
    for a net that has no ONNX operators.
    """
    need("torch")
    need("onnx", "onnxscript", extra="export")
    import torch

    from .nets.raw_net import RawNet

    shape, dtype = input_shape(model.encoder), getattr(torch, input_dtype(model.encoder))
    net = RawNet(model).cpu().eval()
    number = "probabilities" if net.normalized else "value"
    proto = _templates().graph(net, shape, dtype, (view_name, "probabilities", number))
    return ModelGraph.of(proto, model.encoder)


@cache
def _templates() -> Templates:
    """Graphs of the architectures so far."""
    from .nets.templates import Templates

    return Templates()
