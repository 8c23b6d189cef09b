"""Which channels of a net matter least? They are removed from every layer that shares them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from polyculture.errors import InputError, need
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_net import FittedNet

from ..context import CompressionContext
from .net_layers import example_inputs, layer_kinds, outputs_of

CURE = "use prune-weights, low-rank, half or int8"
IMAGE = 4
"""Axes of images: instance, channel, height, width; volumes have more."""
TOLERANCE = 1e-4
"""Of scores, relative to the largest one."""


def prune_channels(model: Fitted, strength: float | int, context: CompressionContext) -> Fitted:  # noqa: ARG001
    """The net with this share of the channels and units of its layers less; half of them is a quarter of the weights.

    Layers that must agree in their channels, such as those on both sides of a sum, lose the same ones; which layers
    these are, the dependency graph of torch-pruning tells (Fang et al. 2023). Removed from each group are the channels
    with the smallest mean square of their weights in all of its layers. The layer that predicts, embeddings, recurrent
    layers and the numbers that attention passes from block to block stay; of a Transformer the dense layers inside the
    blocks lose units. Pruning in several steps is a chain: ``prune-channels=0.3+tune=2+prune-channels=0.3+tune=5``.

    Parameters
    ----------
    model : a fitted net.
    strength : the share of the channels of each group of layers that is removed, rounded; one always stays.
    context : not used.

    Raises InputError for a net without channels that can be removed, and MissingExtraError without torch-pruning.
    """
    if not strength:
        return model
    assert isinstance(model, FittedNet)
    need("torch_pruning", extra="compress")
    if any(type(layer).__module__.startswith("transformers.") for layer in model.net.modules()):
        raise _refusal("a model of the Hugging Face hub")
    pruned = replace(model, net=copy.deepcopy(model.net), resized=True)
    inputs, groups = example_inputs(pruned), 0
    for group in _removable(pruned, inputs):
        channels = len(group[0].idxs)
        count = min(round(strength * channels), channels - 1)
        groups += 1
        if count:
            _remove(pruned, group, sorted(_importance(group).argsort(stable=True)[:count].tolist()), inputs)
    if not groups:
        raise _refusal(f"a net of {layer_kinds(model)} layers")
    return model if pruned.parameters == model.parameters else pruned


def _refusal(net: str) -> InputError:
    return InputError(f"no channels can be removed from {net}", "hidden dense or convolution layers", CURE)


def _importance(group: Any) -> Any:
    """Mean over the layers of a group of the sum of squares of each channel's weights."""
    import torch_pruning

    return torch_pruning.importance.GroupMagnitudeImportance(p=2)(group)


def _removable(model: FittedNet, inputs: Any) -> Iterator[Any]:
    """Groups of layers that share channels which can be removed; each may be pruned before the next is asked for."""
    import torch
    import torch_pruning

    graph = torch_pruning.DependencyGraph()
    parts = _closed_parts(model.net, inputs)
    pruners = {type(part): _closed_pruner(channels) for part, channels in parts.items()}
    hooks = [part.register_forward_hook(_cut if part in parts else _shortened) for part in model.net.modules()]
    try:
        with torch.enable_grad():
            graph.build_dependency(model.net, inputs, _traced, customized_pruners=pruners, verbose=False)
    finally:
        for hook in hooks:
            hook.remove()
    _count_flattened(graph)
    for group in graph.get_all_groups():
        layers = [item.dep.target.module for item in group]
        if all(map(_open, layers)) and any(map(_reads, group)):
            yield group


def _count_flattened(graph: Any) -> None:
    """Correct the sizes of concatenations in which torch-pruning counts flattened places as one channel."""
    from torch_pruning import ops as operations
    from torch_pruning.dependency.shape_infer import infer_in_channels_recursively

    for layer, node in graph.module2node.items():
        if isinstance(layer, operations._ConcatOp) and layer.concat_sizes and None not in layer.concat_sizes:
            total = infer_in_channels_recursively(graph, node, [0])
            flattened = [k for k, source in enumerate(node.inputs) if isinstance(source.module, operations._ReshapeOp)]
            if total is not None and len(flattened) == 1:
                layer.concat_sizes[flattened[0]] += total - sum(layer.concat_sizes)


def _cut(part: Any, inputs: Any, output: Any) -> Any:  # noqa: ARG001
    """The output of a part as if it had no inputs, so that the operations inside are not followed."""
    return output.detach().requires_grad_() * 1


def _shortened(part: Any, inputs: Any, output: Any) -> Any:
    """The output of a part without weights as if each of its channels depended on the same one of the input only.

    Poolings of volumes mix axes on their way, which the graph would take for other channels.
    """
    weights = next(part.parameters(), None)
    if weights is not None or len(inputs) != 1 or getattr(output, "ndim", 0) < IMAGE or not inputs[0].requires_grad:
        return output
    if (inputs[0].ndim, inputs[0].shape[1]) != (output.ndim, output.shape[1]):
        return output
    return output.detach() + 0 * inputs[0].mean(dim=tuple(range(2, output.ndim)), keepdim=True)


def _traced(net: Any, inputs: Any) -> list[Any]:
    """What depends on the channels: scores, and the loss of parts that only training uses."""
    return [net(inputs)] + ([net.extra_loss(inputs)] if hasattr(net, "extra_loss") else [])


def _closed_parts(net: Any, inputs: Any) -> dict[Any, int]:
    """Parts whose channels stay, as small as they can be with a single output, and the number of these channels.

    They have recurrent layers, or pass inputs on without weights. InputError if that is the whole net.
    """
    import torch
    from torch import nn

    outputs = outputs_of(net, inputs)
    parts = {}
    for name, layer in net.named_modules():
        place = name if isinstance(layer, nn.RNNBase) else ""
        while place and not isinstance(outputs.get(net.get_submodule(place)), torch.Tensor):
            place = place.rpartition(".")[0]
        if isinstance(layer, nn.RNNBase) and not place:
            raise _refusal(f"a recurrent net ({type(layer).__name__} layers)")
        passing = not type(layer).__module__.startswith("torch.") and not getattr(
            outputs.get(layer), "requires_grad", True
        )
        if place or passing:
            part = net.get_submodule(place or name)
            parts[part] = outputs[part].shape[-1]
    return parts


def _closed_pruner(channels: int) -> Any:
    """What torch-pruning does with a part that keeps its channels."""
    import torch_pruning

    class ClosedPart(torch_pruning.pruner.function.BasePruningFunc):  # type: ignore[misc]
        def prune_out_channels(self, layer: Any, idxs: Any) -> Any:  # noqa: ARG002
            return layer

        def prune_in_channels(self, layer: Any, idxs: Any) -> Any:  # noqa: ARG002
            return layer

        def get_out_channels(self, layer: Any) -> int:  # noqa: ARG002
            return channels

        def get_in_channels(self, layer: Any) -> None:  # noqa: ARG002
            return None

    return ClosedPart()


def _open(layer: Any) -> bool:
    """Whether channels that pass through this layer or operation can be removed."""
    import torch_pruning.ops as operations
    from torch import nn

    if isinstance(layer, nn.modules.conv._ConvNd):
        single = layer.groups == 1 or layer.groups == layer.in_channels == layer.out_channels
        return single and not layer.transposed
    if isinstance(layer, nn.GroupNorm):
        return bool(layer.num_groups == 1)
    passing = operations._ConcatOp, operations._ReshapeOp, operations._ElementWiseOp
    return isinstance(layer, (nn.Linear, nn.modules.batchnorm._BatchNorm, nn.LayerNorm, *passing))


def _reads(item: Any) -> bool:
    """Whether an item of a group is a layer that reads the channels."""
    from torch_pruning.pruner import function as functions

    return bool(item.dep.handler in (functions.prune_linear_in_channels, functions.prune_conv_in_channels))


def _remove(model: FittedNet, group: Any, channels: list[int], inputs: Any) -> None:
    """Remove channels of a group; the net must then answer as if no layer read them.

    This proves what the dependency graph says, but where a normalization takes the mean over channels.
    """
    import torch
    from torch import nn

    root = group[0].dep
    group = group._DG.get_pruning_group(root.target.module, root.handler, channels)
    with torch.no_grad():
        for item in filter(_reads, group):
            item.dep.target.module.weight[:, item.idxs] = 0.0
        expected = model.net(inputs)
        try:
            group.prune()
            scores = model.net(inputs)
        except Exception as error:  # layers whose code has numbers of channels in it
            raise _refusal(f"this net, whose layers depend on them ({' '.join(str(error).split())[:100]})") from error
    if any(isinstance(item.dep.target.module, (nn.LayerNorm, nn.GroupNorm)) for item in group):
        return
    if not torch.allclose(expected, scores, rtol=0.0, atol=TOLERANCE * (1 + float(expected.abs().max()))):
        raise _refusal("this net, in which it is not clear which layers read them")
