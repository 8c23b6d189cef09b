"""How is a model made into a graph whose weights are stored otherwise? Simplified first, weights replaced, sealed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.errors import need
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_graph import INPUT, PARAMETERS, FittedGraph
from polyculture.models.graphs.fitted_graphs import fitted_graph
from polyculture.models.graphs.runner import QUIET
from polyculture.models.graphs.versions import IR, unified

SMALLEST = 64
"""Weights of a tensor below which the operators that restore it take more room than is saved."""


def simplified_graph(model: Fitted) -> Any:
    """The graph of a model with the input ``inputs``, normalization folded into the weights, in the house's versions.

    Raises InputError for a model that has no graph.
    """
    need("onnx", "onnxruntime", extra="export")
    import onnx

    proto = unified(fitted_graph(model, INPUT))
    if any(attribute.HasField("g") for node in proto.graph.node for attribute in node.attribute):
        return proto  # constants of inner graphs would become names of the outer one, which joining does not rename
    simple = onnx.shape_inference.infer_shapes(_optimized(proto.SerializeToString()))
    domains = {node.domain for node in simple.graph.node}
    opsets = [opset for opset in simple.opset_import if opset.domain in domains]
    del simple.opset_import[:]
    simple.opset_import.extend(opsets)
    return simple


def _optimized(content: bytes) -> Any:
    """The graph after the optimizations of onnxruntime that depend on no processor."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = QUIET, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory(prefix="polyculture-") as folder:
        path = Path(folder) / "optimized.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def stored_graph(model: Fitted, proto: Any) -> FittedGraph:
    """A graph that was made of a model, as a fitted model; the same bytes whenever the same graph is given."""
    import onnx

    del proto.graph.value_info[:]
    del proto.metadata_props[:]
    proto.metadata_props.add(key=PARAMETERS, value=str(model.parameters))
    proto.ir_version, proto.producer_name, proto.producer_version = IR, "polyculture", ""
    onnx.checker.check_model(proto)
    (output,) = proto.graph.output
    classes = int(output.type.tensor_type.shape.dim[-1].dim_value) if output.name == "probabilities" else 0
    content = proto.SerializeToString(deterministic=True)
    encoder = model.encoder  # type: ignore[attr-defined]
    return FittedGraph(content, encoder, classes, model.curve, model.cost)


@dataclass(frozen=True, eq=False)
class Restored:
    """What stands for a tensor of weights.

    Parameters
    ----------
    constants : from which it is restored, by name.
    nodes : that restore it; the last one has its name as output.
    """

    constants: Mapping[str, np.ndarray]
    nodes: Sequence[Any]


def replace_weights(proto: Any, restored: Callable[[str, np.ndarray], Restored | None], dimensions: int = 1) -> None:
    """Replace tensors of weights in single precision, in place.

    Parameters
    ----------
    restored : from name and values of a tensor to what stands for it; None to leave it.
    dimensions : that a tensor has at least.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = proto.graph
    constants: list[Any] = []
    nodes: list[Any] = []
    for tensor in graph.initializer:
        eligible = tensor.data_type == TensorProto.FLOAT and len(tensor.dims) >= dimensions
        part = None
        if eligible and np.prod(tensor.dims) >= SMALLEST:
            part = restored(tensor.name, numpy_helper.to_array(tensor))
        if part is None:
            constants.append(tensor)
        else:
            constants += [numpy_helper.from_array(array, name) for name, array in part.constants.items()]
            nodes += part.nodes
    graph.CopyFrom(helper.make_graph([*nodes, *graph.node], graph.name, graph.input, graph.output, constants))
