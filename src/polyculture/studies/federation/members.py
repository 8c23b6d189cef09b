"""What is a set of members like? Accuracy on both mixes, how alike it fails, and whom all of it fails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Num, Shaped

from polyculture.measures.effective import effective
from polyculture.measures.systemic import systemic
from polyculture.stats import (
    Interval,
    influence_interval,
    n_eff_interval,
    paired_difference,
    rho_interval,
    share_interval,
)

from .mixes import OwnMixes

LOCAL, POOLED = "local only", "all data pooled"
"""Names of the set without any cooperation, and of the single model that a federation does without."""
ONE_MODEL = "one model, of which every client has a copy"


@dataclass(frozen=True, eq=False)
class MemberSet:
    """The models that clients use, or several models of the same kind.

    Parameters
    ----------
    name : such as ``"local only"`` or ``"fedavg, personalized"``.
    probabilities : of every model on the test set.
    labels : the true class of every test instance.
    mixes : of the clients.
    clients : whether there is a model per client, in the order of the mixes; else every client would use any of them.
    clusters : which test instances were sampled together.
    level : of the intervals.
    """

    name: str
    probabilities: Num[np.ndarray, "m n c"]
    labels: Int[np.ndarray, " n"]
    mixes: OwnMixes
    clients: bool
    clusters: Shaped[np.ndarray, " n"] | None = None
    level: float = 0.95

    @cached_property
    def wrong(self) -> Bool[np.ndarray, "m n"]:
        """Where a model's most probable class is not the true one."""
        return np.asarray(self.probabilities.argmax(axis=2) != self.labels)

    @property
    def right(self) -> Float[np.ndarray, "m n"]:
        """1 where a model is right."""
        return 1.0 - self.wrong

    @property
    def by_client(self) -> Float[np.ndarray, "k n"]:
        """1 where a client's model is right; the mean of all models where clients have no model of their own."""
        if self.clients:
            return self.right
        return np.repeat(self.right.mean(axis=0, keepdims=True), len(self.mixes.names), axis=0)

    @property
    def all_wrong(self) -> Bool[np.ndarray, " n"]:
        """Where every model is wrong."""
        return np.asarray(self.wrong.all(axis=0))

    def numbers(self) -> dict[str, Interval]:
        """Mean accuracy on the global test set and on the own mix, n_eff, ρ, share that all fail, and vote."""
        right = self.right.mean(axis=0)
        number = effective(self.wrong, self.labels)
        single = Interval.undefined(ONE_MODEL if len(self.right) == 1 else number.reason)
        defined = not math.isnan(number.design_effect)
        arguments = (number.n_models, number.design_effect, number.influence, self.clusters, self.level)
        return {
            "accuracy": influence_interval(float(right.mean()), right - right.mean(), self.clusters, self.level),
            "own_mix": self.mixes.interval(self.by_client, self.clusters, self.level),
            "n_eff": n_eff_interval(*arguments) if defined else single,
            "rho": rho_interval(*arguments) if defined else single,
            "all_wrong": share_interval(self.all_wrong, self.clusters, self.level),
            "vote": share_interval(self.vote == self.labels, self.clusters, self.level),
        }

    @property
    def vote(self) -> Int[np.ndarray, " n"]:
        """The class of the largest mean probability."""
        result: Int[np.ndarray, " n"] = self.probabilities.mean(axis=0).argmax(axis=1)
        return result

    @property
    def expected_all_wrong(self) -> float:
        """Share that all would fail if they failed independently given the class; of one model its error rate."""
        return systemic(self.wrong, self.labels).expected_rate

    def influence(self, number: str) -> tuple[float, Float[np.ndarray, " n"]]:
        """An estimate that is a mean over instances, and the influence of every instance on it.

        Parameters
        ----------
        number : ``"accuracy"``, ``"own_mix"`` or ``"all_wrong"``.
        """
        if number == "own_mix":
            parts = self.mixes.mean(self.by_client)
        else:
            parts = self.right.mean(axis=0) if number == "accuracy" else self.all_wrong.astype(float)
        return float(parts.mean()), parts - parts.mean()


def difference(first: MemberSet, second: MemberSet, number: str) -> Interval:
    """How much more the first set has of a number than the second, on the same test instances."""
    (a, influence_a), (b, influence_b) = first.influence(number), second.influence(number)
    return paired_difference((a, b), (influence_a, influence_b), first.clusters, first.level)
