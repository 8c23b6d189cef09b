"""How is a graph written down? Node by node, its numbers in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from onnx import ModelProto, TensorProto, compose, helper, numpy_helper

OPSETS = {"": 20, "ai.onnx.ml": 3}
"""Versions of the operators in every graph; graphs can be merged only where these are equal."""
IR_VERSION = 10
DOUBLE, FLOAT, INT64 = TensorProto.DOUBLE, TensorProto.FLOAT, TensorProto.INT64

Operand: TypeAlias = "str | float | np.ndarray"
"""Name of a value of the graph, or a constant."""


class GraphBuilder:
    """A graph that grows by one node at a time; values go by their names.

    All numbers are float64, as in scikit-learn, unless a function says otherwise.
    """

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._count = 0

    def add(self, operator: str, *inputs: Operand, domain: str = "", **attributes: Any) -> str:
        """Name of the only output of a new node."""
        return self.add_many(operator, 1, *inputs, domain=domain, **attributes)[0]

    def add_many(self, operator: str, outputs: int, *inputs: Operand, domain: str = "", **attributes: Any) -> list[str]:
        """Names of the outputs of a new node."""
        names = [self._name(operator) for _ in range(outputs)]
        values = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        self._nodes.append(helper.make_node(operator, values, names, domain=domain, **attributes))
        return names

    def constant(self, value: float | np.ndarray) -> str:
        """Name of a constant; real numbers become float64."""
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = array.astype(np.float64)
        name = self._name("constant")
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def single(self, value: np.ndarray) -> str:
        """Name of a constant in single precision."""
        name = self._name("constant")
        self._constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def cast(self, x: str, kind: int = DOUBLE) -> str:
        """Values of another type."""
        return self.add("Cast", x, to=kind)

    def rounded(self, x: str) -> str:
        """Values rounded to single precision."""
        return self.cast(self.cast(x, FLOAT))

    def columns(self, x: str, positions: Sequence[int]) -> str:
        """Columns of a matrix."""
        return self.add("Gather", x, np.asarray(positions, np.int64), axis=1)

    def joined(self, parts: Sequence[str], axis: int = -1) -> str:
        """Values side by side."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=axis)

    def total(self, x: str, axis: int = -1, keepdims: int = 1) -> str:
        """The sum over an axis."""
        return self.add("ReduceSum", x, np.array([axis]), keepdims=keepdims)

    def affine(self, x: str, factors: np.ndarray, shift: Operand) -> str:
        """The matrix product x F + b."""
        return self.add("Add", self.add("MatMul", x, factors), shift)

    def reshaped(self, x: str, shape: Sequence[int]) -> str:
        """In another shape, of which one size may be -1."""
        return self.add("Reshape", x, np.asarray(shape, np.int64))

    def binary(self, p: str) -> str:
        """From the probability of the second class (n × 1) to those of both."""
        return self.joined([self.add("Sub", 1.0, p), p])

    def inlined(self, model: ModelProto, x: str, prefix: str = "") -> list[str]:
        """Outputs of another graph with one input, put in here; the versions of its operators must be `OPSETS`."""
        prefix = prefix or self._name("graph") + "_"
        graph = compose.add_prefix(model, prefix).graph
        self._nodes.append(helper.make_node("Identity", [x], [graph.input[0].name]))
        self._nodes.extend(graph.node)
        self._constants.extend(graph.initializer)
        return [output.name for output in graph.output]

    def model(self, inputs: Sequence[tuple[str, int, Sequence[Any]]], output: tuple[str, str, Sequence[Any]]) -> Any:
        """The complete graph, as `onnx.ModelProto`.

        Parameters
        ----------
        inputs : name, type and shape of each.
        output : the value that is the output, the name of the output (float32), and its shape.
        """
        value, name, shape = output
        nodes, needed = [helper.make_node("Cast", [value], [name], to=FLOAT)], {value}
        for node in reversed(self._nodes):  # without nodes that nothing reads
            if needed.intersection(node.output):
                nodes.append(node)
                needed.update(node.input)
        graph = helper.make_graph(
            nodes[::-1],
            name,
            [helper.make_tensor_value_info(*described) for described in inputs],
            [helper.make_tensor_value_info(name, FLOAT, shape)],
            [constant for constant in self._constants if constant.name in needed],
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="polyculture")

    def _name(self, operator: str) -> str:
        self._count += 1
        return f"{operator}_{self._count}"


def selection(positions: Sequence[int] | np.ndarray, width: int) -> Float[np.ndarray, "k w"]:
    """The matrix that puts k columns at these positions among zeros."""
    return np.eye(width)[np.asarray(positions, np.int64)]
