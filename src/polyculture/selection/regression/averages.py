"""How is a set of models of numbers turned into one? Their mean, with weights fitted or equal, on any exam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError, near

from ..least_squares_weights import moment_weights
from .evaluation import ValueEvaluationSet


@dataclass(frozen=True, eq=False)
class Average:
    """Members and their weights, which sum to 1.

    Parameters
    ----------
    rule : a name in `RULES`.
    rows : positions of the members, heaviest first.
    weights : of the members, in their order.
    """

    rule: str
    rows: Int[np.ndarray, " k"]
    weights: Float[np.ndarray, " k"]

    def squared_error(self, exam: ValueEvaluationSet) -> float:
        """Mean squared error, from the second moments of the members' residuals."""
        return float(self.weights @ exam.moments[np.ix_(self.rows, self.rows)] @ self.weights)

    def losses(self, exam: ValueEvaluationSet) -> Float[np.ndarray, " n"]:
        """Squared error on each instance."""
        found: Float[np.ndarray, " n"] = (self.weights @ exam.residuals[self.rows]) ** 2
        return found

    def without(self, kept: Int[np.ndarray, " j"]) -> Average:
        """The same mean of these members only (positions among the members), their weights scaled up."""
        weights = self.weights[kept]
        weights = weights / weights.sum() if weights.any() else np.full(len(kept), 1 / len(kept))
        return replace(self, rows=self.rows[kept], weights=weights)


def average(rule: str, exam: ValueEvaluationSet, rows: Int[np.ndarray, " k"]) -> Average:
    """Members averaged by a rule, its weights fitted on this exam.

    Parameters
    ----------
    rule : a name in `RULES`.
    rows : positions of the members; those with less error stand first where weights tie.
    """
    check(rule)
    best_first = rows[np.argsort(exam.squared_errors[rows], kind="stable")]
    weights = RULES[rule](exam.moments[np.ix_(best_first, best_first)], float(exam.n))
    heaviest_first = np.argsort(-weights, kind="stable")
    return Average(rule, best_first[heaviest_first], weights[heaviest_first])


def check(rule: str) -> None:
    """Refuse a rule that is unknown or for classes."""
    if rule not in RULES:
        raise InputError(f"no rule {rule!r} where the truth is a number", cure=near(rule, RULES))


def _equal(moments: Float[np.ndarray, "k k"], count: float) -> Float[np.ndarray, " k"]:  # noqa: ARG001
    return np.full(len(moments), 1 / len(moments))


RULES: Mapping[str, Callable[[Float[np.ndarray, "k k"], float], Float[np.ndarray, " k"]]] = {
    "average": moment_weights,
    "mean": _equal,
}
"""Rules by name: weights of the members from the second moments of their residuals and the number of instances."""
