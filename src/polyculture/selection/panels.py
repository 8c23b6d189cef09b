"""Which k judges fail together least? Panels that vote, chosen by how rarely many of them are wrong at once.

The mean over instances of (share of the panel that is wrong)² is Q(S) = Σ_{a,b ∈ S} G_ab / k², with G = EEᵀ/n: the
diagonal holds error rates, the rest co-failures. It is mean error less mean ambiguity, uses all of the failure counts
instead of a threshold, and therefore over-fits less than counting the majority's errors.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError

MOST_ENUMERATED = 200_000
"""Above this many sets of k models swapping takes over from enumeration."""
BLOCK = 20_000
FEWEST_COMMON = 30
"""Common instances that a pair needs where verdicts are missing."""


@dataclass(frozen=True)
class Panel:
    """A choice of models, and what it was chosen by.

    Parameters
    ----------
    models : positions of the chosen models, ascending.
    criterion : Q, the mean squared share of the panel that is wrong, on the instances it was chosen on. Report a
        panel's quality on other instances only: what was minimised is too small.
    exact : whether every set of that size was looked at.
    """

    models: tuple[int, ...]
    criterion: float
    exact: bool


def co_failure(
    wrong: Bool[np.ndarray, "m n"], observed: Bool[np.ndarray, "m n"] | None = None, names: Sequence[str] = ()
) -> Float[np.ndarray, "m m"]:
    """Share of the instances that both models fail; error rates on the diagonal.

    With missing verdicts every pair is counted where both were observed, which is unbiased if verdicts are missing at
    random. Such a matrix need not be one of moments: negative eigenvalues, by which a panel could seem to fail less
    than never, are set to 0 and the error rates restored.

    Parameters
    ----------
    wrong : where a model is wrong; the value of unobserved cells is ignored.
    observed : where a verdict is known; everywhere where None. Pairs need 30 common instances or more.
    names : of the models, for the error; their positions where none are given.
    """
    if observed is None:
        errors = wrong.astype(np.float32)
        return np.asarray((errors @ errors.T).astype(np.float64) / max(wrong.shape[1], 1))
    errors, verdicts = (wrong & observed).astype(np.float32), observed.astype(np.float32)
    common = (verdicts @ verdicts.T).astype(np.float64)
    if common.min() < FEWEST_COMMON:
        a, b = map(int, np.unravel_index(int(common.argmin()), common.shape))
        first, second = (names[a], names[b]) if names else (str(a), str(b))
        raise InputError(
            f"the models {first!r} and {second!r} have verdicts on {common[a, b]:.0f} common instances",
            f"{FEWEST_COMMON} or more for every pair",
            "leave out models with few verdicts",
        )
    return _moments((errors @ errors.T).astype(np.float64) / common)


def _moments(shares: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    """The same diagonal and no negative eigenvalue."""
    values, vectors = np.linalg.eigh(shares)
    if values[0] >= -1e-12:
        return shares
    repaired = (vectors * np.maximum(values, 0)) @ vectors.T
    target, repaired_diagonal = np.diag(shares), np.diag(repaired)
    scale = np.sqrt(np.divide(target, repaired_diagonal, out=np.ones(len(shares)), where=repaired_diagonal > 0))
    return np.asarray(repaired * np.outer(scale, scale))


def panel(shares: Float[np.ndarray, "m m"], k: int) -> Panel:
    """The k models that fail together least.

    Exact where at most 200,000 sets have to be looked at, else the best of swapping members from each model as a start.

    Parameters
    ----------
    shares : from `co_failure`, on instances that are not those on which the panel will be reported.
    k : size of the panel, 1 … m; three or more for a vote.
    """
    m = len(shares)
    if not 1 <= k <= m:
        raise InputError(f"a panel of {k} out of {m} models", f"a size from 1 to {m}")
    if math.comb(m, k) <= MOST_ENUMERATED:
        members = _enumerated(shares, k)
        return Panel(tuple(int(i) for i in members), _criterion(shares, members), True)
    sets = [_swapped(shares, _greedy(shares, k, first)) for first in range(m)]
    best = min(sets, key=lambda members: _criterion(shares, members))
    return Panel(tuple(sorted(int(i) for i in best)), _criterion(shares, best), False)


def _criterion(shares: Float[np.ndarray, "m m"], members: Int[np.ndarray, " k"]) -> float:
    return float(shares[np.ix_(members, members)].sum()) / len(members) ** 2


def _enumerated(shares: Float[np.ndarray, "m m"], k: int) -> Int[np.ndarray, " k"]:
    """The best of all sets; the first in lexicographic order where several are equally good."""
    best, lowest = np.arange(k), math.inf
    sets = itertools.combinations(range(len(shares)), k)
    while block := list(itertools.islice(sets, BLOCK)):
        rows = np.array(block)
        sums = shares[rows[:, :, None], rows[:, None, :]].sum(axis=(1, 2))
        position = int(sums.argmin())
        if sums[position] < lowest:
            best, lowest = rows[position], float(sums[position])
    return best


def _greedy(shares: Float[np.ndarray, "m m"], k: int, first: int) -> Int[np.ndarray, " k"]:
    """Start with one model and add, k − 1 times, the one that raises the sum least."""
    cost = np.diag(shares).copy()
    members = [first]
    while len(members) < k:
        cost = cost + 2 * shares[members[-1]]
        cost[members] = np.inf
        members.append(int(cost.argmin()))
    return np.array(members)


def _swapped(shares: Float[np.ndarray, "m m"], start: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
    """Exchange one member for one outsider as long as that lowers the criterion, the best exchange first."""
    members = np.sort(start)
    diagonal = np.diag(shares)
    while True:
        selected = np.zeros(len(shares), dtype=bool)
        selected[members] = True
        shared = shares[:, members].sum(axis=1)
        removals, additions = members, np.flatnonzero(~selected)
        removal = diagonal[removals] - 2 * shared[removals]
        addition = diagonal[additions] + 2 * shared[additions]
        change = removal[:, None] + addition[None, :] - 2 * shares[np.ix_(removals, additions)]
        if not change.size or change.min() >= -1e-12:
            return members
        i, j = np.unravel_index(int(change.argmin()), change.shape)
        members = np.sort(np.append(np.delete(members, i), additions[j]))
