"""What is each coalition of features worth to a model? Many coalitions of many inputs in every call of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from ..scores import target_scores
from .outputs import outputs_of
from .plans import Plan
from .players import Players

CELLS = 1 << 22
"""Numbers in one array of composed inputs."""
MOST_INPUTS = 8192
"""Inputs of one call of a model."""
Score = Callable[[Shaped[np.ndarray, "k ..."], Int[np.ndarray, " k"]], Float[np.ndarray, " k"]]
"""From inputs, and the row of the instance that each was made of, to one number each."""


@dataclass(frozen=True, eq=False)
class Game:
    """A model's answers as values of coalitions of features.

    Parameters
    ----------
    score : what is explained, such as the probability of one class.
    players : the features, and what stands in for absent ones.
    """

    score: Score
    players: Players

    def values(self, rows: Int[np.ndarray, " k"], masks: Bool[np.ndarray, "k g"]) -> Float[np.ndarray, " k"]:
        """Mean score of each coalition over the references."""
        size = int(np.prod(self.players.shape)) or 1
        step = int(np.clip(CELLS // size, 64, MOST_INPUTS))
        values = np.empty(len(rows))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            scores = [
                self.score(self.players.compose(rows[part], masks[part], reference), rows[part])
                for reference in range(self.players.references)
            ]
            values[part] = np.mean(scores, axis=0)
        return values

    def attributions(self, plan_of: Callable[[int, int], Plan]) -> Float32[np.ndarray, "n d"]:
        """Attribution of each feature of each instance.

        Parameters
        ----------
        plan_of : from the row of an instance and its number of players to its plan.
        """
        counts = self.players.counts
        table = np.zeros((len(counts), int(np.prod(self.players.shape))), np.float32)
        for block in self._blocks(plan_of, counts):
            width = max(plan.masks.shape[1] for _, plan in block)
            masks = np.concatenate(
                [np.pad(plan.masks, ((0, 0), (0, width - plan.masks.shape[1]))) for _, plan in block]
            )
            lengths = [len(plan.masks) for _, plan in block]
            values = self.values(np.repeat([row for row, _ in block], lengths), masks)
            for (row, plan), part in zip(block, np.split(values, np.cumsum(lengths)[:-1]), strict=True):
                table[row] = self.players.spread(row, plan.weights @ part)
        return table

    def _blocks(
        self, plan_of: Callable[[int, int], Plan], counts: Int[np.ndarray, " n"]
    ) -> Iterator[list[tuple[int, Plan]]]:
        """Instances whose plans fill a few calls of the model."""
        block: list[tuple[int, Plan]] = []
        size = 0
        for row, count in enumerate(counts.tolist()):
            if not count:  # an empty text has nothing to attribute anything to
                continue
            plan = plan_of(row, count)
            block.append((row, plan))
            size += plan.weights.size
            if size > CELLS:
                yield block
                block, size = [], 0
        if block:
            yield block


def class_score(
    model: Callable[[np.ndarray], np.ndarray], targets: Int[np.ndarray, " n"], scale: str = "probability"
) -> Score:
    """How much a model speaks for a class of each instance, or the number that it predicts.

    Parameters
    ----------
    model : from inputs to n × c probabilities, or n × 1 predicted numbers.
    targets : class of each instance; 0 for predicted numbers.
    scale : as in `scores.class_scores`.
    """

    def score(inputs: Shaped[np.ndarray, "k ..."], rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        outputs = outputs_of(model, inputs)
        return target_scores(outputs, targets[rows], "number" if outputs.shape[1] == 1 else scale)

    return score
