"""How is a model made into a graph whose weights are stored otherwise? Simplified first, weights replaced, sealed."""

from __future__ import annotations

import tempfile
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


def weights_of(proto: Any, dimensions: int = 1) -> list[tuple[Any, np.ndarray]]:
    """Tensors of weights in single precision, of so many dimensions or more, with their values."""
    import onnx

    return [
        (tensor, onnx.numpy_helper.to_array(tensor))
        for tensor in proto.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
        and len(tensor.dims) >= dimensions
        and np.prod(tensor.dims) >= SMALLEST
    ]


def replace_weights(proto: Any, tensor: Any, constants: dict[str, np.ndarray], nodes: list[Any]) -> None:
    """Put nodes that restore a tensor from other constants in its place; the last one has its name as output."""
    import onnx

    proto.graph.initializer.remove(tensor)
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    for place, node in enumerate(nodes):
        proto.graph.node.insert(place, node)
