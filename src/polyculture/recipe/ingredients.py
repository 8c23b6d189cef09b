"""What could models share, and is it identifiable? Named factors, and the reasons for those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from polyculture.measures.attribution.covariance_split import (
    FEW_DISCORDANT,
    VIF_REFUSED,
    Factor,
    Identifiability,
    missing_cell,
)


@dataclass(frozen=True, eq=False)
class Ingredient:
    """A factor with its name and its levels in words.

    Parameters
    ----------
    name : the column; ``"data = provider"`` where two columns split the models in the same way.
    factor : what is shared.
    words : level of each model.
    cells : code that is held fixed while other factors are dealt anew; a scale is held in thirds.
    """

    name: str
    factor: Factor
    words: tuple[str, ...]
    cells: Int[np.ndarray, " m"]

    def word(self, level: int) -> str:
        """A level in words."""
        return self.words[int(np.flatnonzero(self.factor.levels == level)[0])]


def merged(ingredients: list[Ingredient]) -> list[Ingredient]:
    """Ingredients that all pairs share alike become one, unless no pair or every pair shares them."""
    out: list[Ingredient] = []
    for new in ingredients:
        for position, old in enumerate(out):
            varied = np.ptp(new.factor.alike[np.triu_indices(len(new.words), 1)]) > 1e-12
            if varied and np.array_equal(old.factor.alike, new.factor.alike):
                words = tuple(f"{a} = {b}" for a, b in zip(old.words, new.words, strict=True))
                out[position] = Ingredient(f"{old.name} = {new.name}", old.factor, words, old.cells)
                break
        else:
            out.append(new)
    return out


def held_fixed(factors: Sequence[Ingredient], models: int) -> Int[np.ndarray, " m"]:
    """Code of the combination of all these ingredients."""
    if not factors:
        return np.zeros(models, dtype=np.int64)
    cells = np.stack([factor.cells for factor in factors])
    codes: Int[np.ndarray, " m"] = np.unique(cells, axis=1, return_inverse=True)[1].ravel().astype(np.int64)
    return codes


def why_left_out(ingredient: Ingredient) -> str:
    """Why a factor that is shared by all pairs, or by hardly any, says nothing, and what would change that."""
    name, levels = ingredient.name, ingredient.factor.levels
    if len(np.unique(levels)) == 1:
        return f"all models have {name} {ingredient.words[0]}; add models with another {name}"
    counts = np.bincount(levels)
    if counts.max() == 1:
        first, second = ingredient.word(0), ingredient.word(1)
        return f"no two models have the same {name}; add one with {name} {first} and one with {name} {second}"
    lonely = ingredient.word(int(np.flatnonzero(counts == 1)[0]))
    return f"only one level of {name} has two models; add a second model with {name} {lonely}"


def why_together(f: int, ingredients: list[Ingredient], gate: Identifiability) -> str:
    """Why a factor gets no number of its own, and which model to add so that it does."""
    group = next(g for g in gate.together if f in g)
    aliases = next((g for g in gate.aliases if f in g), ())
    partner = max((g for g in group if g != f), key=lambda g: (g in aliases, gate.overlap[f, g]))
    pairs = min(gate.discordant[f, partner], gate.discordant[partner, f])
    if f in aliases:
        because = "an exact alias"
    elif gate.vif[f] > VIF_REFUSED:
        because = f"variance inflation {gate.vif[f]:.1f}, above {VIF_REFUSED:.0f}"
    elif pairs < FEW_DISCORDANT:
        because = f"only {pairs} pairs share the one and not the other, fewer than {FEW_DISCORDANT}"
    else:
        because = f"variance inflation of {ingredients[partner].name} {gate.vif[partner]:.1f}, above {VIF_REFUSED:.0f}"
    first, second = ingredients[f], ingredients[partner]
    return f"cannot be told apart from {second.name} ({because}); {model_to_add(first, second)}"


def model_to_add(first: Ingredient, second: Ingredient) -> str:
    """The model that would do most to tell two factors apart, in words."""
    row, column = missing_cell(first.factor.levels, second.factor.levels)
    return f"add a model with {first.name} {first.word(row)} and {second.name} {second.word(column)}"


def warning_for(f: int, ingredients: list[Ingredient], gate: Identifiability) -> str:
    """What to beware of with a factor that has a number; empty when all is well."""
    name = ingredients[f].name
    if gate.flagged[f]:
        rival = max((g for g in range(len(ingredients)) if g != f), key=lambda g: gate.overlap[f, g])
        return (
            f"nearly determined by {ingredients[rival].name} (variance inflation {gate.vif[f]:.1f}); "
            f"{model_to_add(ingredients[f], ingredients[rival])}"
        )
    if " = " in name:
        return (
            f"{name.replace(' = ', ' and ')} split the models in the same way; only their joint share can be estimated"
        )
    return ""
