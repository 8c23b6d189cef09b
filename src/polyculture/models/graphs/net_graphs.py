"""How is a torch net served without torch? As an ONNX graph from raw inputs to what it predicts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from polyculture.errors import need
from polyculture.models.fitted_net import FittedNet

if TYPE_CHECKING:
    from .nets.templates import Templates

NetInput = Literal["numbers", "log_mel", "codes", "mark_codes"]
KINDS: dict[str, NetInput] = {"audio": "log_mel", "text": "codes", "tags": "mark_codes"}
"""What the graph of a net reads, by modality; ``"numbers"`` for all others."""


@dataclass(frozen=True, eq=False)
class NetGraph:
    """The graph of a net.

    Parameters
    ----------
    proto : the `onnx.ModelProto`, of one input and one output; their first axis may have any length.
    kind : what it reads: raw ``"numbers"``, the spectrogram ``"log_mel"``, ``"codes"`` of words or ``"mark_codes"`` of
        tokens.
    shape : of one input.
    dtype : of the input.
    """

    proto: Any
    kind: NetInput
    shape: tuple[int, ...]
    dtype: Literal["float32", "int64"]


def net_graph(model: FittedNet, view_name: str) -> NetGraph:
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

    from .nets.raw_net import RawNet, raw_shape

    kind, shape = KINDS.get(model.encoder.modality, "numbers"), raw_shape(model.encoder)
    dtype: Literal["float32", "int64"] = "int64" if kind in ("codes", "mark_codes") else "float32"
    net = RawNet(model).cpu().eval()
    number = "probabilities" if net.normalized else "value"
    proto = _templates().graph(net, shape, getattr(torch, dtype), (view_name, "probabilities", number))
    return NetGraph(proto, kind, shape, dtype)


@cache
def _templates() -> Templates:
    """Graphs of the architectures so far."""
    from .nets.templates import Templates

    return Templates()
