"""Which labels would a strategy have bought? Levels of the data axis that train on those alone."""

from __future__ import annotations

from functools import partial

import numpy as np
from jaxtyping import Int

from polyculture.dataset import Dataset
from polyculture.models.encoder import Encoder
from polyculture.preparation.transforms.transform import BoundedAmount
from polyculture.recipe import Recipe
from polyculture.rng import stream

from ..context import TrainingContext
from ..learned_level import Amounts, Fit, LearnedFit, LearnedLevel, LevelAmount, Round
from ..semi_supervised.labelled import fit_small, refuse_draw
from .batches import first_rows
from .committee import default_chance, default_committee, fit_committee
from .strategies import find_strategy

BATCH, GROWTH = 20, 0.1
"""Labels that are bought at once, or this share of what is labelled where that is more."""


def purchase(train: Dataset, budget: int, strategy: str, seed: int) -> list[Int[np.ndarray, " k"]]:
    """Rows that a strategy buys with a budget, a batch for each round; the first is drawn by chance.

    The default committee of the modality asks, whatever is trained on the labels afterwards.
    """
    plan = find_strategy(strategy)
    batches = [first_rows(train.labels, min(max(10, 2 * len(train.classes)), budget), stream(seed, "first labels"))]
    encoder, chance = Encoder.of(train), default_chance(train.modality)
    while (labelled := sum(map(len, batches))) < budget:
        bought = np.concatenate(batches)
        candidates = np.setdiff1d(np.arange(len(train)), bought)
        size = min(max(BATCH, round(GROWTH * labelled)), budget - labelled)
        committee = None
        if plan.fits:
            recipes = default_committee(train.modality)
            recipes = recipes if plan.committee else recipes[:1]
            committee = fit_committee(
                recipes, train.take(bought), encoder=encoder, calibrated=plan.calibrated, seed=seed
            )
        generator = stream(seed, "purchase", strategy, labelled)
        batches.append(candidates[plan.choose(committee, train.array[candidates], size, generator, 1, chance)])
    return batches


def _bought(amounts: Amounts, train: Dataset, seed: int, *, strategy: str) -> Dataset:
    """The labels that are bought, in the order of the training set."""
    return train.take(np.sort(np.concatenate(purchase(train, amounts["labels"], strategy, seed))))


def _learn(
    recipe: Recipe, amounts: Amounts, train: Dataset, context: TrainingContext, fit: Fit, *, strategy: str
) -> LearnedFit:
    batches = purchase(train, amounts["labels"], strategy, recipe.seed)
    bought = train.take(np.sort(np.concatenate(batches)))
    sizes = np.cumsum([len(batch) for batch in batches])
    history: tuple[Round, ...] = tuple({"round": k, "labels": int(size)} for k, size in enumerate(sizes))
    return LearnedFit(fit_small(fit)(recipe, bought, context), history)


_level = partial(
    LearnedLevel, amounts=(LevelAmount("labels", BoundedAmount(10**9, integer=True), 100),), refuse=refuse_draw
)
LEVELS: dict[str, LearnedLevel] = {
    "active-margin": _level(
        "the labels that a committee of unlike models asks for, where its mean is least decided (Scheffer et al. 2001)",
        partial(_learn, strategy="margin-of-mean"),
        rows=partial(_bought, strategy="margin-of-mean"),
        fits=10.0,
    ),
    "active-random": _level(
        "the same number of labels, bought by chance: what the level above is compared with",
        partial(_learn, strategy="random"),
        rows=partial(_bought, strategy="random"),
        fits=0.1,
    ),
}
"""Levels of the data axis that train on bought labels."""
