"""What does a net learn from another model? The teacher's probabilities, softened, in addition to the labels."""

from __future__ import annotations

from typing import Any

from .objective import Objective
from .pointwise import check_range, log_loss


def distillation(*, teacher: str = "forest", temperature: float = 2.0, mix: float = 0.5) -> Objective:
    """Cross-entropy of the labels, and for `mix` of it the divergence from a teacher's probabilities (Hinton 2015).

    The teacher is another architecture, fitted with its defaults to the same training set with the same seed. Its
    log-probabilities and the net's scores are divided by `temperature`, and the divergence is multiplied by its square.
    """
    check_range("temperature", temperature, 1e-9)
    check_range("mix", mix, 0, 1)

    def loss(scores: Any, targets: Any) -> Any:
        labels, advice = targets.chunk(2, -1)
        softened = (advice.clamp(min=1e-7).log() / temperature).log_softmax(-1)
        prediction = (scores / temperature).log_softmax(-1)
        divergence = (softened.exp() * (softened - prediction)).sum(-1)
        return (1 - mix) * log_loss(scores, labels) + mix * temperature**2 * divergence

    return Objective(loss, teacher=teacher)
