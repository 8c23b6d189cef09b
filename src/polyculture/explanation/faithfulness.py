"""Does a model really use what an explanation names? Its output while the named features are taken away or put back.

Deletion and insertion (Petsiuk et al. 2018) and infidelity (Yeh et al. 2019). All are set against what they would be
without any explanation: features in a random order, and attributions of 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from polyculture.dataset import Dataset

from .options import ExplainOptions
from .perturbation.attribution import players_of
from .perturbation.game import Game, class_score
from .perturbation.players import Players

ROWS = 4096
"""Inputs given to a model at a time."""

MaskedOutput = Callable[[Int[np.ndarray, " k"], Bool[np.ndarray, "k d"]], Float[np.ndarray, " k"]]
"""What is explained, of instances (by position) whose masked features are replaced by the baseline."""


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How well attributions tell what a model's output depends on, one number per instance.

    Areas are under the output less that of the baseline, between all features and none.

    Parameters
    ----------
    deletion : area while the largest attributions are replaced first; small is faithful.
    insertion : area while they are put back into the baseline first; large is faithful.
    random : area of deletion in a random order.
    change : by how much replacing all features lowers the output.
    infidelity : squared error of the summed attributions as a forecast of the output's change, over that of a forecast
        of no change, at the best scale: 0 for additive models explained exactly, 1 for attributions that say nothing.
    """

    deletion: Float[np.ndarray, " n"]
    insertion: Float[np.ndarray, " n"]
    random: Float[np.ndarray, " n"]
    change: Float[np.ndarray, " n"]
    infidelity: Float[np.ndarray, " n"]

    def relative(self, area: str) -> Float[np.ndarray, " n"]:
        """An area in units of the mean change: on the average 1 for the original inputs, and 0 for the baseline.

        The mean and not the change of each instance, which may be next to nothing; nan unless it is above 0.
        """
        mean = float(self.change.mean()) if np.isfinite(self.change).all() else float(np.nanmean(self.change))
        scaled: Float[np.ndarray, " n"] = getattr(self, area) / (mean if mean > 0 else np.nan)
        return scaled


def faithfulness(
    output: MaskedOutput,
    values: Float[np.ndarray, "n d"],
    generator: np.random.Generator,
    steps: int = 10,
    subsets: int = 32,
) -> Faithfulness:
    """Deletion, insertion and infidelity of one model's attributions.

    Calls the model 3 (steps + 1) + subsets times per instance.

    Parameters
    ----------
    values : attribution of each feature to `output`.
    generator : of the random order and of the random subsets.
    steps : parts in which features are replaced.
    subsets : random sets of features, of all sizes evenly, that infidelity replaces.
    """
    order = np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1)
    shuffled = np.argsort(generator.random(values.shape), axis=1)
    deleted = _curve(output, order, steps)
    # Put back largest first: what is replaced are the smallest attributions, fewer and fewer of them.
    inserted = _curve(output, values.shape[1] - 1 - order, steps)[:, ::-1]
    deletion, insertion, random = (
        _area(curve - deleted[:, [-1]]) for curve in (deleted, inserted, _curve(output, shuffled, steps))
    )
    change = deleted[:, 0] - deleted[:, -1]
    return Faithfulness(deletion, insertion, random, change, infidelity(output, values, generator, subsets))


def faithfulness_of(
    model: Callable[[np.ndarray], np.ndarray],
    values: Float[np.ndarray, "n d"],
    inputs: Shaped[np.ndarray, "n ..."],
    targets: Int[np.ndarray, " n"],
    background: Dataset,
    options: ExplainOptions,
    generator: np.random.Generator,
) -> Faithfulness:
    """Faithfulness of one model's attributions on these inputs, taking away what occlusion takes away together.

    Parameters
    ----------
    values : attribution of each feature, as `explain` gives them.
    targets : class of each input that they explain.
    background : that the baseline is the mean of.
    options : baseline, and the scale of the attributions.
    """
    players = players_of(model, inputs, background, options)
    game = Game(class_score(model, targets, options.scale), players)
    numbers = np.full((5, len(inputs)), np.nan)
    counts = np.asarray(players.counts)
    for count in np.unique(counts[counts > 0]):  # texts have different numbers of words
        rows = np.flatnonzero(counts == count)
        part = np.stack([_player_sums(players, int(row), int(count), values[row]) for row in rows])

        def output(
            places: Int[np.ndarray, " k"], mask: Bool[np.ndarray, "k d"], rows: Int[np.ndarray, " r"] = rows
        ) -> Float[np.ndarray, " k"]:
            return game.values(rows[places], ~mask)

        numbers[:, rows] = np.stack(astuple(faithfulness(output, part, generator)))
    return Faithfulness(*numbers)


def _player_sums(players: Players, row: int, count: int, values: Float[np.ndarray, " d"]) -> Float[np.ndarray, " g"]:
    """Attribution of what is taken away together: the sum over its features."""
    shares = np.stack([players.spread(row, unit) for unit in np.eye(count)])
    # Of fewer texts the longest may be shorter: what follows its end has no attribution.
    sums: Float[np.ndarray, " g"] = (shares > 0).astype(np.float64) @ values[: shares.shape[1]]
    return sums


def infidelity(
    output: MaskedOutput, values: Float[np.ndarray, "n d"], generator: np.random.Generator, subsets: int = 32
) -> Float[np.ndarray, " n"]:
    """Infidelity of Yeh et al. 2019 for sets of replaced features, at the best scale, as a share of no forecast.

    0 where the summed attributions of a set are in proportion to what replacing it changes; 1 where they say nothing;
    nan where no set changes the output.
    """
    n, d = values.shape
    # Sizes are spread evenly: sets of a fair coin all have about d/2 features and say nothing about a single one.
    shares = (np.arange(subsets) + 0.5) / subsets
    forecasts, changes = np.empty((2, n, subsets))
    original = _outputs(output, np.zeros((n, 1, d), bool))[:, 0]
    for s, share in enumerate(shares):
        mask = generator.random((n, d)) < share
        forecasts[:, s] = np.where(mask, values, 0.0).sum(axis=1)
        changes[:, s] = original - _outputs(output, mask[:, None])[:, 0]
    square, product = (forecasts**2).sum(axis=1), (forecasts * changes).sum(axis=1)
    total = (changes**2).sum(axis=1)
    explained = np.divide(product**2, square, out=np.zeros(n), where=square > 0)
    ratio: Float[np.ndarray, " n"] = 1 - np.divide(explained, total, out=np.full(n, np.nan), where=total > 0)
    bounded: Float[np.ndarray, " n"] = np.minimum(np.maximum(ratio, 0.0), 1.0)
    return bounded


def _curve(output: MaskedOutput, place: Int[np.ndarray, "n d"], steps: int) -> Float[np.ndarray, "n s"]:
    """The output while features are replaced in the order of their places, in `steps` parts: from none to all."""
    d = place.shape[1]
    replaced = np.round(np.linspace(0, d, steps + 1)).astype(np.int64)
    return _outputs(output, place[:, None, :] < replaced[:, None])


def _outputs(output: MaskedOutput, mask: Bool[np.ndarray, "n s d"]) -> Float[np.ndarray, "n s"]:
    n, s, d = mask.shape
    rows, flat = np.repeat(np.arange(n), s), mask.reshape(n * s, d)
    parts = [output(rows[i : i + ROWS], flat[i : i + ROWS]) for i in range(0, n * s, ROWS)]
    table: Float[np.ndarray, "n s"] = np.concatenate(parts).astype(np.float64).reshape(n, s)
    return table


def _area(curve: Float[np.ndarray, "n s"]) -> Float[np.ndarray, " n"]:
    """Area under a curve over the share of features, by trapezia."""
    area: Float[np.ndarray, " n"] = (curve[:, 1:] + curve[:, :-1]).mean(axis=1) / 2
    return area
