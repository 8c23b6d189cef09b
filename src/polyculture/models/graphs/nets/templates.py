"""How does a net become a graph? Exported once per architecture; the weights of each net are filled in by name."""

from __future__ import annotations

import dataclasses
import io
import logging
import threading
import warnings
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import onnx_ir
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

from polyculture.errors import InputError

from ..versions import OPSET
from .loops import add_loops

MOST_TEMPLATES = 64
"""Graphs without weights that are remembered."""
STATE = ("_parameters", "_buffers", "_modules")
"""Attributes of a module that are compared as names and shapes."""
EXAMPLES = 2
"""Instances in the batch that is traced: neither 0 nor 1, which the exporter takes for constants."""
LOGGERS = ("torch.onnx", "torch.fx.experimental.symbolic_shapes")
"""They warn that torchvision is not installed, which is not needed, and of what is raised anyway."""


class Templates:
    """Graphs of architectures, each without weights; nets of one structure share a graph."""

    def __init__(self) -> None:
        self._graphs: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()  # the exporter changes global state

    def graph(self, net: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, names: tuple[str, str, str]) -> Any:
        """The graph of the net with its weights, as an `onnx.ModelProto`.

        Parameters
        ----------
        net : a module of one input and one output; the number of instances is free.
        shape, dtype : of one input.
        names : of the input, of an output of several numbers for each instance, and of an output of one number.

        Raises InputError for a net that cannot be traced or has no ONNX operators.
        """
        key = structure(net), shape, dtype
        with self._lock:
            if key not in self._graphs:
                self._graphs[key] = _template(net, torch.ones(EXAMPLES, *shape, dtype=dtype))
            self._graphs.move_to_end(key)
            if len(self._graphs) > MOST_TEMPLATES:
                self._graphs.popitem(last=False)
            template = self._graphs[key]
        return _with_weights(template, weights_by_name(net), names)


def structure(module: nn.Module) -> Hashable:
    """What the graph of a module depends on apart from its weights: classes, settings, shapes of weights, ties."""
    numbers: dict[int, int] = {}
    parts: list[Hashable] = []
    for name, part in module.named_modules(remove_duplicate=False):
        settings = {key: value for key, value in vars(part).items() if key not in STATE}
        weights = [
            (key, numbers.setdefault(id(weight), len(numbers)), weight.shape, weight.dtype)
            for key, weight in [*part._parameters.items(), *part._buffers.items()]
            if weight is not None
        ]
        parts.append((name, type(part), tuple(weights), _comparable(settings)))
    return tuple(parts)


def _comparable(value: Any) -> Hashable:
    """Equal for settings that are the same; anything unknown is only the same as itself."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, torch.dtype, torch.device)):
        return type(value), repr(value)
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(_comparable, value))
    if isinstance(value, (set, frozenset)):
        return type(value), frozenset(map(_comparable, value))
    if isinstance(value, Mapping):
        return type(value), tuple((_comparable(key), _comparable(item)) for key, item in value.items())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value), tuple(_comparable(getattr(value, field.name)) for field in dataclasses.fields(value))
    if type(value).__module__.startswith("transformers.") and hasattr(value, "to_dict"):  # but for its folder
        return type(value), _comparable({**value.to_dict(), "_name_or_path": None})
    return Identity(value)


@dataclasses.dataclass(frozen=True, eq=False)
class Identity:
    """An object that equals itself only, and that lives on so that no other one gets its place in memory."""

    value: Any

    def __eq__(self, candidate: object) -> bool:
        return isinstance(candidate, Identity) and self.value is candidate.value

    def __hash__(self) -> int:
        return id(self.value)


def weights_by_name(net: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers; one that layers share is there under each of its names."""
    weights = [*net.named_parameters(remove_duplicate=False), *net.named_buffers(remove_duplicate=False)]
    return {name: weight.detach() for name, weight in weights}


def _template(net: nn.Module, inputs: Tensor) -> Any:
    """The simplified graph of a net; its weights are inputs, so that nothing is computed from them in advance."""
    from onnxscript import optimizer

    with quiet(), torch.no_grad():
        program = _exported(net, inputs)
        graph, weights = program.model.graph, weights_by_name(net)
        for value in [value for name, value in graph.initializers.items() if name in weights]:
            del graph.initializers[value.name]
            value.const_value = None
            graph.inputs.append(value)
        add_loops(program.model, OPSET)
        optimizer.optimize(program.model)
        _strip(program.model)
        return program.model_proto


def _exported(net: nn.Module, inputs: Tensor) -> Any:
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    try:
        return torch.onnx.export(
            net, (inputs,), dynamo=True, opset_version=OPSET, dynamic_shapes=dynamic, optimize=False, verbose=False
        )
    except Exception as error:  # tracing runs the code of the net, which raises anything
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = " ".join(str(cause).split())[:200]
        raise InputError(
            f"the net cannot be written as a graph ({type(cause).__name__}: {reason})",
            "layers that ONNX has operators for, and a number of instances that is inputs.shape[0], not len(inputs)",
            "leave it out",
        ) from error


def _strip(model: Any) -> None:
    """Leave out what the exporter notes down: lines of code with paths of this machine, shapes between layers."""
    ClearMetadataAndDocStringPass()(model)
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None
    for value in model.graph.initializers.values():
        value.metadata_props.clear()
    for value in (model.graph.inputs[0], *model.graph.outputs):
        value.shape = onnx_ir.Shape(["n", *list(value.shape)[1:]])


def _with_weights(template: Any, weights: Mapping[str, Tensor], names: tuple[str, str, str]) -> Any:
    """A copy of the template in which the weights are constants; those that are not used are left out."""
    model = onnx_ir.from_proto(template)
    graph = model.graph
    (inputs, *empty), (outputs,) = graph.inputs, graph.outputs
    for value in empty:
        graph.inputs.remove(value)
        if value.uses():
            value.const_value = onnx_ir.tensor(weights[value.name].numpy(), name=value.name)
            graph.register_initializer(value)
    for value in (*graph.initializers.values(), *(value for node in graph.all_nodes() for value in node.outputs)):
        if value.name in names:
            value.name = f"inner/{value.name}"
    inputs.name, outputs.name = names[0], names[2 if outputs.shape[-1] == 1 else 1]
    _close_loops(graph)
    return onnx_ir.to_proto(model)


def _close_loops(graph: Any) -> None:
    """Give each inner graph constants of its own: `onnx.compose` does not rename those that it takes from outside."""
    for node in graph:
        for body in (attribute.as_graph() for attribute in node.attributes.values() if attribute.type.name == "GRAPH"):
            for inner in body:
                for place, value in enumerate(inner.inputs):
                    if value is not None and value.graph is graph and value.is_initializer():
                        inner.replace_input_with(place, _copy_of(value, body, node.name))
    for name in [name for name, value in graph.initializers.items() if not value.uses()]:
        del graph.initializers[name]


def _copy_of(constant: Any, body: Any, prefix: str) -> Any:
    name = f"{prefix}/{constant.name}"
    if name not in body.initializers:
        tensor = onnx_ir.tensor(constant.const_value.numpy(), name=name)
        copy = onnx_ir.Value(name=name, type=constant.type, shape=constant.shape, const_value=tensor)
        body.register_initializer(copy)
    return body.initializers[name]


@contextmanager
def quiet() -> Iterator[None]:
    """Neither warnings nor words of the exporter, which prints the code of a net that it cannot trace."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels, fast = [logger.level for logger in loggers], torch.backends.mha.get_fastpath_enabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    torch.backends.mha.set_fastpath_enabled(False)  # a kernel without an operator
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
