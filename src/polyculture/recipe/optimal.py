"""Which models are most informative about every axis within a training budget? D-optimal designs by exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError
from polyculture.rng import stream

from .axes import Recipe
from .levels import AxisLevels

RIDGE = 1e-3
"""Information that is there before any model, so that the first ones can be compared."""
SWEEPS, GAIN = 20, 1e-9


def optimal(
    axes: Mapping[str, Sequence[Any]],
    budget: int | float,
    *,
    seconds: Callable[[Recipe], float] | None = None,
    seed: int = 0,
) -> list[Recipe]:
    """Recipes within a budget that are most informative about every axis: its effect, and the effect of sharing it.

    Maximises the information (log determinant, per dimension) on main effects plus that on the same-level indicators
    of pairs of models, which attribution regresses on. Greedy, then exchanges of one recipe at a time (Fedorov 1972).

    Parameters
    ----------
    axes : levels by axis, as in `grid`; ``"seed"`` and ``"hyperparameters.width"`` are axes too.
    budget : how many models or, where `seconds` is given, how many predicted seconds in all.
    seconds : predicted seconds of one recipe.
    seed : of the candidates, where there are more than 2000 combinations.

    Raises InputError for a budget of fewer than two models, or more than there are combinations.
    """
    levels = AxisLevels.of(axes)
    rows = levels.candidates(stream(seed, "optimal design"))
    cost = np.ones(len(rows))
    if seconds is not None:
        cost = np.array([float(seconds(levels.recipe(row))) for row in rows.tolist()])
        if not (cost > 0).all():
            raise InputError(f"a recipe is predicted to take {cost.min():g} seconds", "more than 0")
    elif budget > levels.combinations:
        raise InputError(f"{budget:g} models", f"{levels.combinations} at most, one per combination")
    if np.sort(cost)[:2].sum() > budget or len(rows) < 2:
        raise InputError(f"a budget of {budget:g} {'models' if seconds is None else 'seconds'}", "room for two models")
    search = _ExchangeSearch(rows, _effects(rows, levels.counts), cost, float(budget))
    positions = search.grown()
    return levels.recipes(rows[np.sort(search.exchanged(positions))])


def _effects(rows: Int[np.ndarray, "k f"], counts: Sequence[int]) -> Float[np.ndarray, "k p"]:
    """Main effects of every candidate: an intercept and, per axis, orthonormal contrasts of its levels."""
    columns = [np.ones((len(rows), 1))]
    for f, count in enumerate(counts):
        if count > 1:
            contrasts = np.linalg.qr(np.column_stack([np.ones(count), np.eye(count)[:, : count - 1]]))[0][:, 1:]
            columns.append(contrasts[rows[:, f]] * np.sqrt(count))
    return np.hstack(columns)


@dataclass(frozen=True, eq=False)
class _ExchangeSearch:
    """Candidates with their main effects and cost; designs are positions of candidates."""

    rows: Int[np.ndarray, "k f"]
    effects: Float[np.ndarray, "k p"]
    cost: Float[np.ndarray, " k"]
    budget: float

    def worth(self, selected: Int[np.ndarray, " m"], candidates: Int[np.ndarray, " c"]) -> Float[np.ndarray, " c"]:
        """Criterion of the others with each of the candidates added."""
        X = self.effects[selected]
        information = X.T @ X + RIDGE * np.eye(X.shape[1])
        x = self.effects[candidates]
        main = np.linalg.slogdet(information)[1] + np.log1p((x * np.linalg.solve(information, x.T).T).sum(axis=1))
        varied = np.ptp(self.rows, axis=0) > 0
        rows = self.rows[:, varied]
        old = _same(rows[selected], rows[selected])
        upper = np.triu_indices(len(selected), 1)
        base = old[upper].T @ old[upper] + RIDGE * np.eye(old.shape[2])
        new = _same(rows[candidates], rows[selected])
        pairs = np.linalg.slogdet(base + new.transpose(0, 2, 1) @ new)[1]
        return np.asarray(main / len(information) + pairs / len(base))

    def grown(self) -> Int[np.ndarray, " m"]:
        """From nothing, the candidate with the largest gain per cost, until the budget is spent."""
        selected = np.array([int(np.argmin(self.cost))])
        while True:
            remaining = self.budget - float(self.cost[selected].sum())
            affordable = np.setdiff1d(np.flatnonzero(self.cost <= remaining + 1e-9), selected)
            if not len(affordable):
                return selected
            base = float(self.worth(selected[:-1], selected[-1:])[0])
            gain = (self.worth(selected, affordable) - base) / self.cost[affordable]
            selected = np.append(selected, affordable[np.argmax(gain)])

    def exchanged(self, selected: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
        """Each model in turn replaced by the best candidate that can be afforded, until nothing is gained."""
        for _ in range(SWEEPS):
            improved = False
            for position in range(len(selected)):
                retained = np.delete(selected, position)
                remaining = self.budget - float(self.cost[retained].sum())
                affordable = np.setdiff1d(np.flatnonzero(self.cost <= remaining + 1e-9), retained)
                values = self.worth(retained, affordable)
                best = int(affordable[np.argmax(values)])
                if values.max() > values[np.searchsorted(affordable, selected[position])] + GAIN:
                    selected, improved = np.insert(retained, position, best), True
            if not improved:
                break
        return selected


def _same(a: Int[np.ndarray, "c f"], b: Int[np.ndarray, "m f"]) -> Float[np.ndarray, "c m f1"]:
    """An intercept and the same-level indicator of every axis, for each two models."""
    indicators = (a[:, None, :] == b[None, :, :]).astype(float)
    return np.concatenate([np.ones((len(a), len(b), 1)), indicators], axis=2)
