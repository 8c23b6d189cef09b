"""By which strategy are instances chosen? One visible dict, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError, near

from .batches import by_gradients, far_apart, highest
from .committee import Committee, Inputs
from .scores import entropy, kl_to_consensus, margin, vote_entropy

Score = Callable[[Float[np.ndarray, "m n c"]], Float[np.ndarray, " n"]]


@dataclass(frozen=True)
class Strategy:
    """A strategy of query.

    Parameters
    ----------
    score : of each instance; None where batches are drawn by chance or by gradients.
    committee : whether all members are asked; if not the first alone, the learner.
    calibrated : whether members must be calibrated before they are compared.
    gradients : whether batches are drawn by the gradients of the learner's last layer.
    """

    score: Score | None = None
    committee: bool = False
    calibrated: bool = False
    gradients: bool = False

    @property
    def fits(self) -> bool:
        """Whether anything is fitted in order to choose."""
        return self.score is not None or self.gradients

    def choose(
        self,
        committee: Committee | None,
        inputs: Inputs,
        k: int,
        generator: np.random.Generator,
        candidates: int = 1,
        chance: float = 0.0,
    ) -> Int[np.ndarray, " k"]:
        """Positions of the k instances to ask for next.

        Parameters
        ----------
        committee : fitted to what is labelled, all members or the learner alone; not used for a draw by chance.
        inputs : of the instances that have no label.
        k : size of the batch; fewer where there are fewer instances.
        generator : of draws and ties.
        candidates : for each place in the batch this number of instances with the highest scores is considered, of
            which those are taken that lie far apart; 1 for the highest scores as they are.
        chance : share of the batch that is drawn by chance from what is left.
        """
        k = min(k, len(inputs))
        if committee is None or not self.fits:
            return generator.permutation(len(inputs))[:k].astype(np.int64)
        chosen = self._chosen(committee, inputs, k - round(chance * k), generator, candidates)
        others = np.setdiff1d(np.arange(len(inputs)), chosen)
        return np.concatenate([chosen, generator.permutation(others)[: k - len(chosen)]]).astype(np.int64)

    def _chosen(
        self, committee: Committee, inputs: Inputs, k: int, generator: np.random.Generator, candidates: int
    ) -> Int[np.ndarray, " k"]:
        """Positions of the k instances that the committee asks for."""
        probabilities = (committee if self.committee else committee.learner)(inputs)
        if self.gradients:
            return by_gradients(probabilities[0].astype(np.float64), committee.features(inputs), k, generator)
        assert self.score is not None
        scores = self.score(probabilities)
        if candidates > 1:
            return far_apart(scores, committee.features(inputs), k, candidates * k, generator)
        return highest(scores, k, generator)


STRATEGIES: dict[str, Strategy] = {
    "random": Strategy(),
    "entropy": Strategy(entropy),
    "margin": Strategy(margin),
    "badge": Strategy(gradients=True),
    "vote-entropy": Strategy(vote_entropy, committee=True),
    "kl": Strategy(kl_to_consensus, committee=True, calibrated=True),
    "margin-of-mean": Strategy(margin, committee=True),
}
"""By name: by chance; entropy, margin and gradients of the learner; three disagreements of the committee."""


def find_strategy(name: str) -> Strategy:
    """The strategy of this name; InputError with the near ones where there is none."""
    if name not in STRATEGIES:
        raise InputError(f"no query strategy {name!r}", "", near(name, STRATEGIES))
    return STRATEGIES[name]
