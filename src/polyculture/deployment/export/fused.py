"""How do the graphs of all members become one? Side by side behind shared inputs, with the combination at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyculture.errors import InputError
from polyculture.models.graphs.versions import IR, OPSET, unified

from ..bundle.manifest import RULES, Manifest

KINDS = {"float32": 1, "int64": 7, "float64": 11}
"""Codes of the types of ONNX."""
FLOAT, INT64, DOUBLE = 1, 7, 11


def fused_graph(manifest: Manifest, graphs: Mapping[str, Any]) -> Any:
    """One graph with the views as inputs and the outputs ``combined`` (n × c) and ``members`` (n × m × c).

    Parameters
    ----------
    manifest : has views, members in their order, rule, weights, bias and temperature.
    graphs : by id the graph of each member: one input, one output.

    The combination is computed in double precision: logarithms of small probabilities would lose the sixth digit.
    Raises InputError for a rule that no graph can have, such as ``"dynamic"``.
    """
    from onnx import checker, helper

    if manifest.rule not in RULES:
        raise InputError(f"a graph that combines by the rule {manifest.rule!r}", f"one of {', '.join(RULES)}")
    prefixed = [unified(graphs[name], f"m{i}_") for i, name in enumerate(manifest.ids)]
    views = [view for view in manifest.views if any(member.view == view.name for member in manifest.members)]
    nodes, weights = [], []
    for model in prefixed:
        source = model.graph.input[0].name
        nodes += [helper.make_node("Identity", [source.partition("_")[2]], [source]), *model.graph.node]
        weights += model.graph.initializer
    ending, constants = _combination(manifest, [model.graph.output[0].name for model in prefixed])
    steps = ["steps"] if manifest.task == "tagging" else []
    inputs = [
        helper.make_tensor_value_info(view.name, KINDS[view.dtype], ["n", *_extents(view.shape)]) for view in views
    ]
    outputs = [
        helper.make_tensor_value_info("combined", FLOAT, ["n", *steps, manifest.width]),
        helper.make_tensor_value_info("members", FLOAT, ["n", len(prefixed), *steps, manifest.width]),
    ]
    graph = helper.make_graph(nodes + ending, "portfolio", inputs, outputs, [*weights, *constants])
    graph.sparse_initializer.extend(tensor for model in prefixed for tensor in model.graph.sparse_initializer)
    fused = helper.make_model(graph, opset_imports=_opsets(prefixed), ir_version=IR)
    checker.check_model(fused)
    return fused


def _extents(shape: Sequence[int]) -> list[int | str]:
    return [f"d{axis}" if extent < 0 else extent for axis, extent in enumerate(shape)]


def _opsets(models: Sequence[Any]) -> list[Any]:
    """The operator sets of all; of each domain the newest."""
    from onnx import helper

    newest = {"": OPSET}
    for model in models:
        for opset in model.opset_import:
            domain = "" if opset.domain == "ai.onnx" else opset.domain
            newest[domain] = max(newest.get(domain, 0), opset.version)
    return [helper.make_opsetid(domain, version) for domain, version in newest.items()]


class _Steps:
    """Nodes that are written one after the other, each reading what the one before has given."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        from onnx import helper

        output = output or f"combination_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, array: Any, kind: Any = np.float64) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, kind), name))
        return name


def _combination(manifest: Manifest, outputs: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """Nodes and constants that make ``combined`` and ``members`` of the members' outputs."""
    steps = _Steps()
    axis = steps.constant([1], np.int64)
    rows = [steps.node("Unsqueeze", steps.node("Cast", output, to=FLOAT), axis) for output in outputs]
    members = steps.node("Concat", *rows, output="members", axis=1)
    doubles = steps.node("Cast", members, to=DOUBLE)
    pooled = _pooled(manifest, steps, doubles, axis)
    if manifest.temperature != 1 and manifest.task != "regression" and not manifest.votes:
        cooled = steps.node("Div", _logarithm(manifest, steps, pooled), steps.constant(manifest.temperature))
        pooled = steps.node("Softmax", cooled, axis=-1)
    steps.node("Cast", pooled, output="combined", to=FLOAT)
    return steps.nodes, steps.constants


def _pooled(manifest: Manifest, steps: _Steps, members: str, axis: str) -> str:
    weights = _weights(manifest)
    if manifest.rule in ("geometric", "stacking"):
        powers = steps.node("Mul", _logarithm(manifest, steps, members), steps.constant(weights))
        opinion = steps.node("ReduceSum", powers, axis, keepdims=0)
        if manifest.bias:
            opinion = steps.node("Add", opinion, steps.constant(manifest.bias))
        return steps.node("Softmax", opinion, axis=-1)
    if manifest.votes:
        codes = steps.node("ArgMax", members, axis=-1, keepdims=1)
        votes = steps.node("Equal", codes, steps.constant(np.arange(manifest.width), np.int64))
        members = steps.node("Cast", votes, to=DOUBLE)
    weighted = steps.node("Mul", members, steps.constant(weights / weights.sum(axis=1, keepdims=True)))
    return steps.node("ReduceSum", weighted, axis, keepdims=0)


def _logarithm(manifest: Manifest, steps: _Steps, probabilities: str) -> str:
    return steps.node("Log", steps.node("Max", probabilities, steps.constant(manifest.floor)))


def _weights(manifest: Manifest) -> np.ndarray:
    """Weights in the shape of the members' outputs, by class where they are."""
    axes = (1,) if manifest.task == "tagging" else ()
    m = len(manifest.members)
    if manifest.rule == "stacking" and all(member.weights_by_class for member in manifest.members):
        return np.array([member.weights_by_class for member in manifest.members]).reshape(1, m, *axes, -1)
    return np.array([member.weight for member in manifest.members]).reshape(1, m, *axes, 1)
