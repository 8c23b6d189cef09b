"""How much arithmetic is an answer? Products of matrices and convolutions, counted from the shapes in a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped

from polyculture.models.graphs.runner import GraphRunner

Shapes = Mapping[str, tuple[int, ...]]
RECURRENT = ("LSTM", "GRU", "RNN")


def operations(proto: Any, inputs: Shaped[np.ndarray, "1 ..."]) -> float:
    """Multiplications and additions of convolutions, dense and recurrent layers for one input.

    Parameters
    ----------
    proto : `onnx.ModelProto` of one input; 8-bit operations count like others, weights that are zero, too.
    inputs : one input.

    nan where there is no product, as in trees. Products inside of loops are not counted.
    """
    import onnx

    traced = onnx.ModelProto()
    traced.CopyFrom(proto)
    nodes = [node for node in proto.graph.node if node.op_type in COUNTS]
    if not nodes:
        return math.nan
    shapes = {tensor.name: tuple(tensor.dims) for tensor in proto.graph.initializer}
    values = {name for node in nodes for name in (*node.input[:3], node.output[0]) if name}
    ends = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    shapes[proto.graph.input[0].name] = np.shape(inputs)
    traced.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(values - ends - set(shapes)))
    outputs = GraphRunner(traced).all_outputs(inputs)
    shapes |= {value.name: np.shape(output) for value, output in zip(traced.graph.output, outputs, strict=True)}
    return float(sum(COUNTS[node.op_type](node, shapes) for node in nodes))


def _convolution(node: Any, shapes: Shapes) -> float:
    return 2 * float(np.prod(shapes[node.output[0]])) * float(np.prod(shapes[node.input[1]][1:]))


def _transposed(node: Any, shapes: Shapes) -> float:
    return 2 * float(np.prod(shapes[node.input[0]])) * float(np.prod(shapes[node.input[1]][1:]))


def _product(node: Any, shapes: Shapes) -> float:
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    inner = shapes[node.input[0]][0 if transposed else -1]
    return 2 * float(np.prod(shapes[node.output[0]])) * inner


def _recurrent(node: Any, shapes: Shapes) -> float:
    steps, batch = shapes[node.input[0]][:2]
    return 2 * steps * batch * float(np.prod(shapes[node.input[1]]) + np.prod(shapes[node.input[2]]))


COUNTS = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _product,
    "MatMul": _product,
    **dict.fromkeys(RECURRENT, _recurrent),
}
"""How the operations of a node are counted."""
