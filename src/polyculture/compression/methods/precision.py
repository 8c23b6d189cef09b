"""What is left of a model when its numbers are stored in fewer bits? A graph with weights in 16, or all in 8 bits.

int8 is post-training quantization (Jacob et al. 2018): weights get 256 levels per output channel, activations 256 per
layer between the smallest and the largest value on training rows (Krishnamoorthi 2018). Ranges that cut outliers off (a
percentile of 99.99) changed no more and no fewer answers of nets on digits. Small nets get slower by it: measure.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.errors import InputError
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_graph import INPUT, graph_inputs
from polyculture.rng import stream

from ..context import CompressionContext
from .stored_graphs import Restored, replace_weights, simplified_graph, stored_graph

PRODUCTS = ("Conv", "Gemm", "MatMul")
"""Operators whose products are taken in 8 bits."""
FOLLOWING = ("Relu", "Clip", "Add", "MaxPool")
"""Operators that stay in 8 bits between convolutions."""
CALIBRATION, BATCH = 300, 50
"""Training rows, at most, whose activations give the ranges, and how many are run at a time."""
LEVELS = 127
"""Largest signed integer of 8 bits."""
LARGEST = float(np.finfo(np.float16).max)


def half(model: Fitted, strength: float, context: CompressionContext) -> Fitted:  # noqa: ARG001
    """The model with its weights in half precision: half as large, as fast, computed in single precision.

    The weights become single precision again when the graph is loaded. Tensors with a number beyond 65,504 stay.
    """
    proto = simplified_graph(model)
    replace_weights(proto, _halved)
    return stored_graph(model, proto)


def _halved(name: str, weights: np.ndarray) -> Restored | None:
    from onnx import TensorProto, helper

    if not np.abs(weights).max() <= LARGEST:
        return None
    cast = helper.make_node("Cast", [f"{name}/half"], [name], f"{name}/single", to=TensorProto.FLOAT)
    return Restored({f"{name}/half": weights.astype(np.float16)}, [cast])


def int8(model: Fitted, strength: float, context: CompressionContext) -> Fitted:  # noqa: ARG001
    """The model with weights and activations of its convolutions and dense layers in 8 bits, and all other weights.

    Weights are signed with a scale per output channel, activations unsigned with a range from at most 300 training rows
    (smallest to largest). Other weights, such as those of recurrent layers and of words, are only stored in 8 bits,
    with a scale per row. Probabilities go out as float32; an input that is not a number gives none that are.
    Processors without instructions for 8-bit products (VNNI) may saturate and give other numbers: measure where it
    will run.

    Raises InputError for a model whose graph has no weights of two dimensions or more, such as trees.
    """
    proto = simplified_graph(model)
    tensors = len(proto.graph.initializer)
    _name_nodes(proto)
    nodes = _quantized_nodes(proto)
    if nodes:
        rows = _calibration_rows(context)
        inputs = graph_inputs(model.encoder, context.train.array[rows])  # type: ignore[attr-defined]
        proto = _quantized(proto, inputs, nodes)
        if inputs.dtype == np.float32:
            _guard_nan(proto, inputs.ndim)
    replace_weights(proto, _scaled, dimensions=2)
    if len(proto.graph.initializer) == tensors:
        raise InputError("int8 for a model without layers of weights", "convolutions or dense layers")
    return stored_graph(model, proto)


def _scaled(name: str, weights: np.ndarray) -> Restored | None:
    """A tensor as integers and a scale for each row; multiplied when the graph is loaded."""
    from onnx import TensorProto, helper

    if not np.isfinite(weights).all():
        return None
    scales = np.abs(weights).max(axis=-1, keepdims=True) / LEVELS
    integers = np.rint(weights / np.where(scales > 0, scales, 1)).astype(np.int8)
    nodes = [
        helper.make_node("Cast", [f"{name}/int8"], [f"{name}/levels"], f"{name}/cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}/levels", f"{name}/scales"], [name], f"{name}/scaled"),
    ]
    return Restored({f"{name}/int8": integers, f"{name}/scales": scales}, nodes)


def _calibration_rows(context: CompressionContext) -> np.ndarray:
    n = len(context.train)
    return np.sort(stream(context.seed, "calibration").choice(n, min(n, CALIBRATION), replace=False))


def _name_nodes(proto: Any) -> None:
    """Give every node a name of its own, by which it is chosen."""
    for place, node in enumerate(proto.graph.node):
        node.name = f"node_{place}"


def _quantized_nodes(proto: Any) -> list[str]:
    """Products with constant weights, and what stands between convolutions: there numbers need not leave 8 bits."""
    constants = {tensor.name for tensor in proto.graph.initializer if tensor.data_type == tensor.FLOAT}
    images: set[str] = set()
    names = []
    for node in proto.graph.node:
        product = node.op_type in PRODUCTS and node.input[1] in constants
        follows = node.op_type in FOLLOWING and images.issuperset(node.input[: 1 if node.op_type == "Clip" else None])
        if follows or (product and node.op_type == "Conv"):
            images.update(node.output)
        if follows or product:
            names.append(node.name)
    return names


class _Rows:
    """Inputs of the graph in the form that calibration asks for."""

    def __init__(self, inputs: np.ndarray) -> None:
        self._parts = iter([{INPUT: inputs[start : start + BATCH]} for start in range(0, len(inputs), BATCH)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch."""
        return next(self._parts, None)


def _quantized(proto: Any, inputs: np.ndarray, nodes: list[str]) -> Any:
    """The graph with numbers of these nodes in 8 bits, in the form of pairs of quantize and dequantize."""
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory(prefix="polyculture-") as folder, _quiet():
        source, target = Path(folder) / "single.onnx", Path(folder) / "int8.onnx"
        onnx.save(proto, source)
        quantize_static(
            source,
            target,
            _Rows(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*PRODUCTS, *FOLLOWING],
            nodes_to_quantize=nodes,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # scores with 256 levels would tie
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"], "MatMulConstBOnly": True},
        )
        return onnx.load(target)


def _guard_nan(proto: Any, dimensions: int) -> None:
    """Make outputs nan where inputs are: integers have no nan, and would give probabilities like any others."""
    from onnx import helper, numpy_helper

    (output,) = proto.graph.output
    for node in proto.graph.node:
        node.output[:] = [f"{name}/defined" if name == output.name else name for name in node.output]
    constants = {
        "guard/axes": np.arange(1, dimensions),
        "guard/zero": np.zeros((), np.float32),
        "guard/column": np.array([1]),
    }
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    proto.graph.node.extend(
        [
            helper.make_node("Mul", [INPUT, "guard/zero"], ["guard/zeros"]),  # nan where an input is
            helper.make_node("ReduceSum", ["guard/zeros", "guard/axes"], ["guard/sum"], keepdims=0),
            helper.make_node("Unsqueeze", ["guard/sum", "guard/column"], ["guard/terms"]),
            helper.make_node("Add", [f"{output.name}/defined", "guard/terms"], [output.name]),
        ]
    )


class _FromQuantization(logging.Filter):
    """Drops what the quantizer writes to the root logger."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is from elsewhere."""
        return "onnxruntime" not in Path(record.pathname).parts


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice of the quantizer; it would give the root logger a handler if that had none."""
    root, rule, handler = logging.getLogger(), _FromQuantization(), logging.NullHandler()
    root.addFilter(rule)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeFilter(rule)
        root.removeHandler(handler)
