"""How does a model predict of which only the graph is left? By onnxruntime: int8, half and clustered weights are so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.errors import FileError, need

from .encoder import Encoder
from .fitted import FitCost, Fitted
from .graphs.model_graph import input_shape
from .graphs.runner import GraphRunner
from .spectrogram import log_mel

GRAPH = "graph.onnx"
"""File with the graph."""
INPUT = "inputs"
"""Name of the input of a stored graph."""
PARAMETERS = "parameters"
"""Key of the metadata of a graph with the number of weights of the model that it was made from."""
TAGGED = 16
"""Sentences per run; states of every step are kept."""
BATCH = 256
_CURE = "compress that model again"


@dataclass(frozen=True, eq=False)
class FittedGraph(Fitted):
    """A fitted model as an ONNX graph and the encoder of its inputs.

    Parameters
    ----------
    graph : the serialized `onnx.ModelProto`, of one input and the output ``probabilities`` or ``value``, as
        `polyculture.models.graphs.fitted_graphs` writes it.
    encoder : of its inputs.
    classes : number of classes; 0 for regression.

    It is run in one thread and may be called from several threads at once.
    """

    graph: bytes
    encoder: Encoder
    classes: int
    curve: tuple[float, ...] = ()
    cost: FitCost = field(default_factory=FitCost)

    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "k c"]:
        """Class probabilities of each input, or of each token; for regression the predicted numbers."""
        encoded = graph_inputs(self.encoder, inputs)
        if self.encoder.modality != "tags":
            return self._runner(encoded, BATCH)
        tokens: np.ndarray = self._runner(encoded, TAGGED)[encoded[..., 0] > 0]
        return tokens

    @cached_property
    def _runner(self) -> GraphRunner:
        return GraphRunner(self.graph)

    def __getstate__(self) -> dict[str, Any]:
        """What is copied to another process: not the session, which is made anew there."""
        return {name: value for name, value in vars(self).items() if name != "_runner"}

    @cached_property
    def parameters(self) -> int:  # type: ignore[override]
        """Number of weights of the model that the graph was made from."""
        return _parameters(_parsed(self.graph))

    def proto(self, view: str) -> Any:
        """The `onnx.ModelProto`, whose input has this name."""
        proto = _parsed(self.graph)
        rename_input(proto, view)
        return proto

    def save(self, folder: Path) -> None:
        """Write ``graph.onnx`` and ``encoder.json``."""
        (folder / GRAPH).write_bytes(self.graph)
        self.encoder.save(folder)

    @classmethod
    def load(cls, folder: Path, encoder: Encoder | None = None) -> FittedGraph:
        """What `save` wrote; FileError for a file that is damaged or no graph of such a model.

        Nothing in the file is executed but operators of ONNX, and no other file is read.

        Parameters
        ----------
        encoder : where it is of a kind of its own, such as that of a pretrained model; None for ``encoder.json``.
        """
        need("onnx", "onnxruntime", extra="export")
        path, encoder = folder / GRAPH, encoder or Encoder.load(folder)
        try:
            content = path.read_bytes()
            proto = _parsed(content)
            reason = _mismatch(proto, encoder)
            model = cls(content, encoder, _classes(proto))
            if not reason:
                model._runner  # noqa: B018
        except Exception as error:  # readers of damaged bytes raise anything
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if reason:
            raise FileError(f"cannot read {path} ({reason})", "the graph of a fitted model", _CURE)
        return model


def graph_inputs(encoder: Encoder, inputs: Shaped[np.ndarray, "n ..."]) -> Shaped[np.ndarray, "n ..."]:
    """What the graph of a model reads: raw numbers, the spectrogram of a sound, codes of words or tokens."""
    if encoder.modality in ("text", "tags"):
        return encoder(inputs)
    if encoder.modality == "audio":
        return np.asarray(log_mel(np.asarray(inputs, np.float32)), np.float32)
    return np.asarray(inputs, np.float32)


def rename_input(proto: Any, name: str) -> None:
    """Give the only input of a graph another name, in place; values inside that have it get another one."""
    (entry,) = proto.graph.input
    names = {entry.name: name, name: f"inner/{name}"} if entry.name != name else {}
    for graph in _graphs(proto.graph):
        for values in (graph.input, graph.output, graph.initializer, graph.value_info):
            for value in values:
                value.name = names.get(value.name, value.name)
        for node in graph.node:
            for places in (node.input, node.output):
                places[:] = [names.get(value, value) for value in places]


def _graphs(graph: Any) -> Iterator[Any]:
    """The graph, and those inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _parsed(content: bytes) -> Any:
    import onnx

    return onnx.load_model_from_string(content)


def _classes(proto: Any) -> int:
    (output,) = proto.graph.output
    return int(output.type.tensor_type.shape.dim[-1].dim_value) if output.name == "probabilities" else 0


def _mismatch(proto: Any, encoder: Encoder) -> str:
    """Why a graph is none of a model with this encoder; empty where it is."""
    import onnx

    graph = proto.graph
    if len(graph.input) != 1 or len(graph.output) != 1 or graph.output[0].name not in ("probabilities", "value"):
        return "not one input and one output, probabilities or value"
    tensors = [tensor for part in _graphs(graph) for tensor in part.initializer]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
        return "its weights are in another file"
    shape = tuple(dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim)[1:]
    expected = input_shape(encoder)
    return "" if shape == expected else f"it reads inputs of the shape {shape}, its encoder gives {expected}"


def _parameters(proto: Any) -> int:
    noted = {entry.key: entry.value for entry in proto.metadata_props}.get(PARAMETERS, "")
    if noted.isdigit():
        return int(noted)
    return sum(int(np.prod(tensor.dims)) for tensor in proto.graph.initializer)
