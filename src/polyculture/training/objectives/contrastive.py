"""Do instances of one class look alike to a net, and unlike those of others? Losses of what its last layer reads."""

from __future__ import annotations

from typing import Any

from polyculture.errors import TrainingError

from .objective import Objective, average, shares
from .pointwise import check_range, log_loss


def contrastive(*, temperature: float = 0.1, mix: float = 1.0) -> Objective:
    """Cross-entropy, plus `mix` times the supervised contrastive loss of the last layer's inputs (Khosla et al. 2020).

    Instances of a batch with the same label attract each other (L_out, eq. 2); of mixed labels the heavier counts.
    """
    check_range("temperature", temperature, 1e-9)
    check_range("mix", mix, 0)

    def loss(net: Any, inputs: Any, targets: Any) -> Any:
        seen, scores = penultimate(net, inputs)
        codes = shares(scores, targets).argmax(-1)
        return average(log_loss(scores, targets), targets) + mix * attraction(seen, codes, temperature)

    return Objective(log_loss, ("classification",), loss)


def attraction(seen: Any, codes: Any, temperature: float) -> Any:
    """Supervised contrastive loss of n × d features and n class codes: its mean over instances that are not alone."""
    import torch

    directions = torch.nn.functional.normalize(seen.flatten(1), dim=1)
    alike = directions @ directions.T / temperature
    itself = torch.eye(len(seen), dtype=torch.bool, device=seen.device)
    friends = (codes[:, None] == codes) & ~itself
    chances = alike - alike.masked_fill(itself, float("-inf")).logsumexp(1, keepdim=True)
    of_each = -(chances * friends).sum(1) / friends.sum(1).clamp(min=1)
    return of_each.sum() / (friends.any(1).sum()).clamp(min=1)


def penultimate(net: Any, inputs: Any) -> tuple[Any, Any]:
    """What the linear layer that is called last reads, and the net's scores; TrainingError without one."""
    from torch import nn

    read: list[Any] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: read.append(given[0]))
        for layer in net.modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        scores = net(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if not read:
        raise TrainingError("the net calls no linear layer", "one, whose inputs can be compared", "use 'cross-entropy'")
    return read[-1], scores
