"""Are instances of one class similar to a net, and dissimilar to others? Losses of the inputs of its last layer."""

from __future__ import annotations

from typing import Any

from polyculture.errors import TrainingError

from .objective import Objective, average, shares
from .pointwise import check_range, log_loss


def contrastive(*, temperature: float = 0.1, mix: float = 1.0) -> Objective:
    """Cross-entropy, plus `mix` times the supervised contrastive loss of the last layer's inputs (Khosla et al. 2020).

    Instances of a batch with the same label attract each other (L_out, eq. 2); of mixed labels the larger share counts.
    """
    check_range("temperature", temperature, 1e-9)
    check_range("mix", mix, 0)

    def loss(net: Any, inputs: Any, targets: Any) -> Any:
        features, scores = penultimate(net, inputs)
        codes = shares(scores, targets).argmax(-1)
        return average(log_loss(scores, targets), targets) + mix * attraction(features, codes, temperature)

    return Objective(log_loss, ("classification",), loss)


def attraction(features: Any, codes: Any, temperature: float) -> Any:
    """Supervised contrastive loss of n × d features and n class codes: its mean over classes of two or more."""
    import torch

    directions = torch.nn.functional.normalize(features.flatten(1), dim=1)
    similarities = directions @ directions.T / temperature
    diagonal = torch.eye(len(features), dtype=torch.bool, device=features.device)
    same_class = (codes[:, None] == codes) & ~diagonal
    log_probabilities = similarities - similarities.masked_fill(diagonal, float("-inf")).logsumexp(1, keepdim=True)
    losses = -(log_probabilities * same_class).sum(1) / same_class.sum(1).clamp(min=1)
    return losses.sum() / (same_class.any(1).sum()).clamp(min=1)


def penultimate(net: Any, inputs: Any) -> tuple[Any, Any]:
    """The inputs of the last linear layer, and the net's scores; TrainingError without one."""
    calls, scores = linear_calls(net, inputs)
    if not calls:
        raise TrainingError("the net calls no linear layer", "one, whose inputs can be compared", "use 'cross-entropy'")
    return calls[-1][1], scores


def linear_calls(net: Any, inputs: Any) -> tuple[list[tuple[Any, Any]], Any]:
    """Every linear layer that the net calls and its inputs, in order; and the net's scores."""
    from torch import nn

    calls: list[tuple[Any, Any]] = []
    hooks = [
        layer.register_forward_pre_hook(lambda layer, arguments: calls.append((layer, arguments[0])))
        for layer in net.modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        return calls, net(inputs)
    finally:
        for hook in hooks:
            hook.remove()
