"""What could models share, and is it identifiable? Named factors, and the reasons for those that are not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from polyculture.measures.attribution.covariance_split import (
    FEW_DISCORDANT,
    VIF_FLAGGED,
    VIF_REFUSED,
    Factor,
    Identifiability,
    crossed,
    missing_cell,
    nesting,
)

UNKNOWN = "unknown"
"""Word for the level of a model of which the level is not recorded, or which has none."""


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


def exchangeable_units(
    f: int, ingredients: Sequence[Ingredient], gate: Identifiability
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " u"]]:
    """What can be dealt another level of a factor while all others stay: a unit per model, and a stratum per unit.

    Runs lie within an architecture, so an architecture is dealt to whole runs: dealt to single models, no arrangement
    would leave the runs as they are. Units of a stratum are the same in all factors that do not lie within this one.
    """
    usable = [g for g in range(len(ingredients)) if g != f and not gate.left_out[g]]
    m = len(ingredients[f].words)
    finer = [ingredients[g].factor.alike > 0.5 for g in usable if gate.nested[g, f]]
    units = np.arange(m)
    if finer:
        units = connected_components(csr_array(np.any(finer, axis=0)), directed=False)[1].astype(np.int64)
    cells = held_fixed([ingredients[g] for g in usable if not gate.nested[g, f]], m)
    if not finer:
        return units, cells
    contents = [tuple(np.sort(cells[units == u]).tolist()) for u in range(int(units.max()) + 1)]
    if not any(not gate.nested[g, f] for g in usable):
        contents = [()] * len(contents)
    codes = {content: code for code, content in enumerate(dict.fromkeys(contents))}
    return units, np.array([codes[content] for content in contents], dtype=np.int64)


def unit_levels(factor: Factor, units: Int[np.ndarray, " m"]) -> Int[np.ndarray, " u"]:
    """The level of each unit."""
    levels: Int[np.ndarray, " u"] = factor.levels[np.unique(units, return_index=True)[1]]
    return levels


def why_together(f: int, ingredients: list[Ingredient], gate: Identifiability) -> str:
    """Why a factor gets no number of its own, and which model to add so that it does."""
    rank = ("alias", "inflation", "few pairs")
    links = [(rank.index(reason), -gate.overlap[f, g], g, f) for (a, g), reason in gate.links.items() if a == f]
    # Others can be tied to this factor by their own inflation, with the limit that applied to them.
    links += [(len(rank), -gate.overlap[f, a], a, a) for (a, g), reason in gate.links.items() if g == f]
    place, _, partner, inflated = min(links)
    if place == 0:
        because = "an exact alias"
    elif not gate.vif[inflated] > VIF_REFUSED:
        finer, coarser = (f, partner) if gate.separating[f, partner] <= gate.separating[partner, f] else (partner, f)
        of = ingredients[finer].name if gate.nested[finer, coarser] else "the one and not the other"
        because = f"only {gate.separating[finer, coarser]} pairs share {of}, fewer than {FEW_DISCORDANT}"
    else:
        name = "" if inflated == f else f" of {ingredients[inflated].name}"
        because = f"variance inflation{name} {gate.vif[inflated]:.1f}, above {VIF_REFUSED:.0f}"
    first, second = ingredients[f], ingredients[partner]
    return f"cannot be told apart from {second.name} ({because}); {model_to_add(first, second)}"


def model_to_add(first: Ingredient, second: Ingredient) -> str:
    """The model that would do most to tell two factors apart, in words.

    A combination is only named if the models show that it can exist; else a level is named that others can be added
    to, as no k-nearest-neighbours model has a C.
    """
    cell = missing_cell(first.factor.levels, second.factor.levels, _possible(first, second))
    if cell is not None:
        return f"add a model with {first.name} {first.word(cell[0])} and {second.name} {second.word(cell[1])}"
    nested = nesting([first.factor, second.factor])
    first_only, second_only = (
        int((a.factor.alike > b.factor.alike).sum()) for a, b in ((first, second), (second, first))
    )
    if nested[0, 1] or (not nested[1, 0] and second_only < first_only):
        first, second = second, first
    table = crossed(first.factor.levels, second.factor.levels)
    words = [first.word(level) for level in range(len(table))]
    # The level that goes most with one level of the other factor, and of those the one with most models.
    order = [(word == UNKNOWN, int((row > 0).sum()), -int(row.sum())) for word, row in zip(words, table, strict=True)]
    return f"add a model with {first.name} {words[order.index(min(order))]} and another level of {second.name}"


def _possible(first: Ingredient, second: Ingredient) -> Bool[np.ndarray, "r c"]:
    """Combinations of levels that can exist, as far as the models show.

    Both levels are known and occur with two levels of the other factor at least (a run has one architecture), and a
    text of hyperparameters occurs where its names do (``C`` with support vector machines only).
    """
    table = crossed(first.factor.levels, second.factor.levels) > 0
    names = [
        [ingredient.word(level) for level in range(size)]
        for ingredient, size in zip((first, second), table.shape, strict=True)
    ]
    recorded = [np.array([word != UNKNOWN for word in words]) for words in names]
    occurrence = table & recorded[0][:, None] & recorded[1]
    possible = (occurrence.sum(axis=1) > 1)[:, None] & (occurrence.sum(axis=0) > 1)
    for words, occurs, axis in ((names[0], occurrence, 0), (names[1], occurrence.T, 1)):
        parameters = [frozenset(re.findall(r"([\w.]+)=", word)) for word in words]
        equal = np.array([[a == b for b in parameters] for a in parameters])
        compatible = (equal.astype(int) @ occurs.astype(int)) > 0
        possible &= compatible if axis == 0 else compatible.T
    out: Bool[np.ndarray, "r c"] = possible & recorded[0][:, None] & recorded[1]
    return out


def warning_for(f: int, ingredients: list[Ingredient], gate: Identifiability) -> str:
    """What to beware of with a factor that has a number; empty when all is well."""
    name = ingredients[f].name
    if gate.flagged[f]:
        rivals = [g for g in range(len(ingredients)) if g != f and not gate.left_out[g]]
        rival = max(rivals, key=lambda g: gate.overlap[f, g])
        return (
            f"nearly determined by {ingredients[rival].name} (variance inflation {gate.vif[f]:.1f}, above "
            f"{VIF_FLAGGED:g}); {model_to_add(ingredients[f], ingredients[rival])}"
        )
    if " = " in name:
        return (
            f"{name.replace(' = ', ' and ')} split the models in the same way; only their joint share can be estimated"
        )
    return ""
