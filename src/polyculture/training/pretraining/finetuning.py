"""Which weights are tuned after pre-training? All, or few: the last layer's, biases, low-rank updates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polyculture.errors import TrainingError

from ..objectives.contrastive import linear_calls

TUNINGS = ("full", "head", "bias", "lora")


@contextmanager
def tuned(net: Any, inputs: Any, *, tuning: str = "full", rank: int = 4) -> Iterator[None]:
    """Inside, only some weights of the net are trainable; afterwards all are, and the net has its original structure.

    Parameters
    ----------
    net : the net.
    inputs : a few encoded inputs, to determine the last layer.
    tuning : ``"full"`` all weights; ``"head"`` the last linear layer; ``"bias"`` that layer and all biases (Ben Zaken
        et al. 2022); ``"lora"`` that layer, and of each other linear layer an update of this rank (Hu et al. 2022, with
        α = rank), which is added to its weights afterwards.
    rank : of the updates.

    Raises TrainingError for ``"lora"`` where only the last layer is linear.
    """
    if tuning == "full":
        yield
        return
    head = last_layer(net, inputs)
    trainable = {id(weight) for weight in head.parameters()}
    for name, weight in net.named_parameters():
        is_bias = "bias" in name.rpartition(".")[2]
        weight.requires_grad_(id(weight) in trainable or (tuning == "bias" and is_bias))
    changed = _add_updates(net, head, rank) if tuning == "lora" else []
    try:
        yield
    finally:
        _merge(changed)
        net.requires_grad_(True)


def last_layer(net: Any, inputs: Any) -> Any:
    """The linear layer that a net calls last; TrainingError where it calls none."""
    import torch

    learning = net.training
    try:
        with torch.no_grad():
            calls, _ = linear_calls(net.eval(), inputs)
    finally:
        net.train(learning)
    if not calls:
        raise TrainingError("the net calls no linear layer", "one, whose inputs can be learned from", "use 'none'")
    return calls[-1][0]


def _add_updates(net: Any, head: Any, rank: int) -> list[tuple[Any, str]]:
    """Add a low-rank update to every linear weight but those of the last layer; the list of these weights."""
    from torch import nn
    from torch.nn.utils import parametrize

    from .low_rank import LowRankUpdate

    linear = [(layer, "weight") for layer in net.modules() if isinstance(layer, nn.Linear) and layer is not head]
    mixing = [(m, "in_proj_weight") for m in net.modules() if isinstance(m, nn.MultiheadAttention)]
    changed = [(m, name) for m, name in linear + mixing if getattr(m, name) is not None]
    if not changed:
        raise TrainingError(
            "tuning is 'lora' but no layer but the last is linear", "one", "use the tuning 'bias' or 'full'"
        )
    for module, name in changed:
        weight = getattr(module, name)
        parametrize.register_parametrization(module, name, LowRankUpdate(weight, rank))
    return changed


def _merge(changed: list[tuple[Any, str]]) -> None:
    from torch.nn.utils import parametrize

    for module, name in changed:
        parametrize.remove_parametrizations(module, name, leave_parametrized=True)
