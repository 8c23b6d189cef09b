"""Between which levels can a design choose? Axes by name, and rows of level codes that become recipes."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError, near

from .axes import AXES, Recipe

PREFIX = "hyperparameters."
"""Beginning of the name of a single hyper-parameter's axis, as in ``hyperparameters.epochs``."""
MOST_CANDIDATES = 2000
"""Combinations considered; where there are more, this many drawn at random."""


@dataclass(frozen=True)
class AxisLevels:
    """Axes and the levels that each may take.

    Parameters
    ----------
    names : axes of a recipe, ``"seed"``, or one hyperparameter such as ``"hyperparameters.width"``.
    levels : one or more different levels of each, in the order given.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, axes: Mapping[str, Sequence[Any]]) -> AxisLevels:
        """Checked levels; InputError for an unknown axis, one without levels, or a level given twice."""
        valid = [*AXES, "seed"]
        for name, levels in axes.items():
            if name not in valid and not (name.startswith(PREFIX) and len(name) > len(PREFIX)):
                raise InputError(f"no axis {name!r}", "", near(name, [*valid, f"{PREFIX}width"]))
            if not len(levels):
                raise InputError(f"the axis {name!r} has no levels", "one level or more")
            for level in levels:
                if list(levels).count(level) > 1:
                    raise InputError(f"the axis {name!r} has the level {level!r} twice", "different levels")
        if "architecture" not in axes:
            raise InputError("a design without the axis 'architecture'", "one architecture or more")
        return cls(tuple(axes), tuple(tuple(levels) for levels in axes.values()))

    @property
    def counts(self) -> tuple[int, ...]:
        """Levels of each axis."""
        return tuple(len(levels) for levels in self.levels)

    @property
    def combinations(self) -> int:
        """How many different recipes there are."""
        return math.prod(self.counts)

    def all(self) -> Int[np.ndarray, "k f"]:
        """Every combination, the last axis running fastest."""
        return np.array(list(itertools.product(*map(range, self.counts))), dtype=np.int64).reshape(-1, len(self.names))

    def candidates(self, generator: np.random.Generator, limit: int = MOST_CANDIDATES) -> Int[np.ndarray, "k f"]:
        """Every combination, or this many different ones drawn at random where there are more."""
        if self.combinations <= limit:
            return self.all()
        rows = np.column_stack([generator.integers(0, k, 2 * limit) for k in self.counts])
        return generator.permutation(np.unique(rows, axis=0))[:limit].astype(np.int64)

    def recipe(self, row: Sequence[int]) -> Recipe:
        """The recipe with these level codes."""
        values = {name: levels[code] for name, levels, code in zip(self.names, self.levels, row, strict=True)}
        single = {name.removeprefix(PREFIX): values.pop(name) for name in list(values) if name.startswith(PREFIX)}
        if single:
            values["hyperparameters"] = {**values.get("hyperparameters", {}), **single}
        return Recipe.from_dict(values)

    def recipes(self, rows: Int[np.ndarray, "k f"]) -> list[Recipe]:
        """One recipe per row; the second and further copies of one get seeds of their own."""
        copies: Counter[Recipe] = Counter()
        recipes = []
        for row in rows.tolist():
            recipe = self.recipe(row)
            recipes.append(Recipe.from_dict(recipe.to_dict() | {"seed": recipe.seed + copies[recipe]}))
            copies[recipe] += 1
        return recipes

    def positions(self, rows: Int[np.ndarray, "k f"]) -> tuple[Float[np.ndarray, "k f"], tuple[bool, ...]]:
        """Where rows lie on each axis, numbers by value over the range and names by code; and which axes are names."""
        columns, nominal = [], []
        for f, (name, levels) in enumerate(zip(self.names, self.levels, strict=True)):
            numeric = name != "seed" and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in levels)
            values = np.array(levels if numeric else range(len(levels)), dtype=float)
            reach = float(np.ptp(values)) if numeric else 1.0
            columns.append(values[rows[:, f]] / (reach or 1.0))
            nominal.append(not numeric)
        return np.column_stack(columns), tuple(nominal)
