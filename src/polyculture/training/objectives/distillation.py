"""What does a net learn from another model? The teacher's probabilities, softened, beside the labels."""

from __future__ import annotations

from typing import Any

from polyculture.dataset import Dataset
from polyculture.recipe import Recipe

from ..context import TrainingContext
from .objective import Objective, Teacher
from .pointwise import between, surprise


def distillation(*, teacher: str = "forest", temperature: float = 2.0, mix: float = 0.5) -> Objective:
    """Cross-entropy of the labels, and for `mix` of it the divergence from a teacher's probabilities (Hinton 2015).

    The teacher is another architecture, made with its defaults from the same training set and seed. Its
    log-probabilities and the net's scores are divided by `temperature`, and the divergence is multiplied by its square.
    """
    between("temperature", temperature, 1e-9)
    between("mix", mix, 0, 1)
    from ..architectures import find_architecture

    architecture = find_architecture(teacher)

    def loss(scores: Any, targets: Any) -> Any:
        wanted, advice = targets.chunk(2, -1)
        softened = (advice.clamp(min=1e-7).log() / temperature).log_softmax(-1)
        said = (scores / temperature).log_softmax(-1)
        divergence = (softened.exp() * (softened - said)).sum(-1)
        return (1 - mix) * surprise(scores, wanted) + mix * temperature**2 * divergence

    def teach(train: Dataset, seed: int, setting: TrainingContext) -> Teacher:
        recipe = Recipe(teacher, optimizer=architecture.optimizers[0], seed=seed)
        return architecture.fit(recipe, train, setting)

    return Objective(loss, teach=teach)
