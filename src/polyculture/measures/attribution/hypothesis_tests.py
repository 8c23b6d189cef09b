"""Could it be chance? Tests of what goes with alikeness, over pairs of models, which are never independent.

The headline is the conditional permutation: a factor's levels are dealt anew among models that are the same in all
other factors. It is exact where the factor does not matter, also where others overlap with it and do; textbook tests
on pairs are not. Where there are too few ways to deal, the delete-one-model jackknife takes over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln, stdtr

from .covariance_split import Factor, independent

FEW_ARRANGEMENTS = 200
"""Ways to deal the levels below which a permutation test has no power."""
CELLS_PER_BATCH = 1 << 21
MOST_SHAPLEY = 12


@dataclass(frozen=True, eq=False)
class PairRegression:
    """A regression over pairs of models: the response and, after an intercept, factors and then controls.

    Parameters
    ----------
    a, b : first and second model of each pair.
    y : the response, such as φ.
    X : intercept, factors, controls.
    models : how many.
    """

    a: Int[np.ndarray, " p"]
    b: Int[np.ndarray, " p"]
    y: Float[np.ndarray, " p"]
    X: Float[np.ndarray, "p k"]
    models: int

    @classmethod
    def of(
        cls,
        response: Float[np.ndarray, "m m"],
        factors: Sequence[Factor],
        controls: Sequence[Float[np.ndarray, "m m"]] = (),
    ) -> PairRegression:
        """All pairs whose response is known; factors must be independent, controls that add nothing are left out."""
        a, b = np.triu_indices(len(response), 1)
        defined = np.isfinite(response[a, b])
        a, b = a[defined].astype(np.int64), b[defined].astype(np.int64)
        X = np.column_stack([np.ones(len(a)), *(f.alike[a, b] for f in factors), *(c[a, b] for c in controls)])
        columns = independent(X)
        # Factors have passed the gate; only controls may give way, such as the error rates of equally good models.
        columns[: 1 + len(factors)] = True
        return cls(a, b, response[a, b], X[:, columns], len(response))


@dataclass(frozen=True)
class CoefficientTest:
    """t of a coefficient over pairs and its one-sided p-value against a larger one; nan where it cannot be had."""

    __test__ = False
    t: float
    p: float


@dataclass(frozen=True, eq=False)
class _Residualised:
    """The response and a basis of all other columns: every t of a new column x follows from x·(y, basis).

    In single precision: ten million products per second and core matter more than the seventh digit of a t.
    """

    basis: Float[np.ndarray, "p k"]
    square: float
    df: int

    @classmethod
    def without(cls, pairs: PairRegression, column: int) -> _Residualised:
        basis = np.linalg.qr(np.delete(pairs.X, column, axis=1))[0]
        # (A7): everything but the tested column stays the same over permutations, so it is projected out once.
        y = pairs.y - basis @ (basis.T @ pairs.y)
        return cls(np.column_stack([y, basis]).astype(np.float32), float(y @ y), len(y) - pairs.X.shape[1])

    def t(self, x: Float[np.ndarray, "r p"]) -> Float[np.ndarray, " r"]:
        """t of each row as the last column of the regression (Frisch-Waugh); 0 where the others explain it."""
        products = (x @ self.basis).astype(float)
        square = np.einsum("rp,rp->r", x, x).astype(float)
        # Squared length of x beyond the basis, by Pythagoras: the residual of x itself is never formed.
        unique = square - (products[:, 1:] ** 2).sum(axis=1)
        usable = unique > 1e-5 * np.maximum(square, 1)
        unique = np.where(usable, unique, 1.0)
        slope = products[:, 0] / unique
        residual = np.maximum(self.square - slope**2 * unique, 1e-300)
        t: Float[np.ndarray, " r"] = np.where(usable, slope * np.sqrt(unique * self.df / residual), 0.0)
        return t


def conditional_permutation(
    pairs: PairRegression,
    column: int,
    factor: Factor,
    strata: Int[np.ndarray, " u"],
    generator: np.random.Generator,
    permutations: int = 1999,
    units: Int[np.ndarray, " m"] | None = None,
) -> CoefficientTest:
    """Test of one factor by dealing its levels anew among the models of a stratum (the same in all other factors).

    The observed arrangement counts as one of them: p ≥ 1/(permutations + 1).

    Parameters
    ----------
    column : of `pairs.X` that holds the factor.
    strata : code of the combination of all other factors, one per model, or per unit where there are units.
    units : code of what gets a level as one, such as the runs whose checkpoints share an architecture; every model by
        itself where None. The factor has to be the same within a unit.
    """
    levels = factor.levels.astype(np.int16 if factor.levels.max() < 2**15 else np.int64)
    similarity = factor.alike.astype(np.float32)

    def rows(deal: Int[np.ndarray, "r m"]) -> Float[np.ndarray, "r p"]:
        # Levels can be compared after dealing; a graded similarity has to be looked up for the pair that was dealt.
        if factor.graded:
            return np.asarray(similarity[deal[:, pairs.a], deal[:, pairs.b]])
        permuted = levels[deal]
        shared = np.take(permuted, pairs.a, axis=1) == np.take(permuted, pairs.b, axis=1)
        return np.asarray(shared, dtype=np.float32)

    deals = _deals(strata, permutations, len(pairs.y), generator)
    if units is None:
        return _permuted(pairs, column, rows, deals)
    member = np.unique(units, return_index=True)[1]
    return _permuted(pairs, column, rows, (member[deal][:, units] for deal in deals))


def mrqap(
    pairs: PairRegression, column: int, generator: np.random.Generator, permutations: int = 499
) -> CoefficientTest:
    """Double semi-partialling: the factor's residual is permuted over models. A companion, not the headline.

    It rejects a true null .08 to .19 of the time at .05 where factors overlap and matter. Source: Dekker, Krackhardt
    and Snijders 2007.
    """
    residual = pairs.X[:, column]
    basis = np.linalg.qr(np.delete(pairs.X, column, axis=1))[0]
    matrix = np.zeros((pairs.models, pairs.models))
    matrix[pairs.a, pairs.b] = residual - basis @ (basis.T @ residual)
    flat = (matrix + matrix.T).ravel().astype(np.float32)

    def rows(deal: Int[np.ndarray, "r m"]) -> Float[np.ndarray, "r p"]:
        positions = np.take(deal, pairs.a, axis=1) * pairs.models + np.take(deal, pairs.b, axis=1)
        return np.asarray(flat[positions])

    stratum = np.zeros(pairs.models, dtype=np.int64)
    return _permuted(pairs, column, rows, _deals(stratum, permutations, len(pairs.y), generator))


def _permuted(
    pairs: PairRegression,
    column: int,
    rows: Callable[[Int[np.ndarray, "r m"]], Float[np.ndarray, "r p"]],
    deals: Iterator[Int[np.ndarray, "r m"]],
) -> CoefficientTest:
    residualised = _Residualised.without(pairs, column)
    observed = float(residualised.t(pairs.X[:, [column]].T.astype(np.float32))[0])
    # Equal arrangements must count as equal in single precision, else p would be too small.
    limit = observed - 1e-5 * max(1.0, abs(observed))
    # The observed arrangement is one of those possible: p is never 0, and the test is exact.
    larger, total = 1, 1
    for deal in deals:
        larger += int((residualised.t(rows(deal)) >= limit).sum())
        total += len(deal)
    return CoefficientTest(observed, larger / total)


def _deals(
    strata: Int[np.ndarray, " u"], count: int, pairs: int, generator: np.random.Generator
) -> Iterator[Int[np.ndarray, "r u"]]:
    """Permutations of the models (or units) that keep every stratum to itself, in batches."""
    home = np.argsort(strata, kind="stable")
    batch = max(1, CELLS_PER_BATCH // max(pairs, 1))
    for start in range(0, count, batch):
        rows = min(batch, count - start)
        # Integer stratum plus a fraction: sorting shuffles within strata and never across, for all rows at once.
        shuffled = np.argsort(strata + generator.random((rows, len(strata))), axis=1)
        deal = np.empty_like(shuffled)
        deal[:, home] = shuffled
        yield deal


def arrangements(levels: Int[np.ndarray, " m"], strata: Int[np.ndarray, " m"]) -> float:
    """Distinguishable ways to permute the levels within the strata: a product of multinomials; may be inf."""
    log = 0.0
    for s in np.unique(strata):
        counts = np.bincount(levels[strata == s])
        # (A8) in logarithms: 60 models have more arrangements than a float can hold.
        log += float(gammaln(counts.sum() + 1) - gammaln(counts + 1).sum())
    return float(round(math.exp(log))) if log < 30 else math.exp(log) if log < 700 else math.inf


def node_jackknife(pairs: PairRegression, column: int, units: Int[np.ndarray, " m"] | None = None) -> CoefficientTest:
    """Test of one column by leaving out one model at a time, t with models − 1 degrees of freedom; conservative.

    nan without scatter, and where leaving out some model makes the column a combination of the others.

    Parameters
    ----------
    units : code of what is left out as one, such as the runs whose checkpoints share an architecture.
    """
    units = np.arange(pairs.models) if units is None else units
    k = pairs.X.shape[1]
    Z = np.column_stack([pairs.X, pairs.y])
    gram = np.concatenate([[Z.T @ Z], grams_without(pairs, units)])
    # Unit columns, so that the limit on eigenvalues means collinearity and not units.
    scale = np.sqrt(np.maximum(np.einsum("ijj->ij", gram), 1e-300))
    unit = gram / (scale[:, :, None] * scale[:, None, :])
    if (np.linalg.eigvalsh(unit[:, :k, :k])[:, 0] < 1e-10).any():
        return CoefficientTest(math.nan, math.nan)
    slopes = np.linalg.solve(unit[:, :k, :k], unit[:, :k, k:])[:, column, 0] * scale[:, k] / scale[:, column]
    estimate, error = float(slopes[0]), jackknife_error(slopes[1:])
    if not error >= 1e-12:
        return CoefficientTest(math.nan, math.nan)
    return CoefficientTest(estimate / error, float(stdtr(len(slopes) - 2, -estimate / error)))


def grams_without(pairs: PairRegression, units: Int[np.ndarray, " m"]) -> Float[np.ndarray, "u k k"]:
    """Cross-products of all columns and, last, the response, without the pairs of each unit's models in turn."""
    Z = np.column_stack([pairs.X, pairs.y])
    m, k = pairs.models, Z.shape[1]
    cube = np.zeros((m, m, k))
    cube[pairs.a, pairs.b] = Z
    cube[pairs.b, pairs.a] = Z
    # (A9): leaving a model out removes its pairs, so its part is subtracted from the cross-products instead of fitting
    # anew m times.
    contributions = np.zeros((int(units.max()) + 1, k, k))
    np.add.at(contributions, units, cube.transpose(0, 2, 1) @ cube)
    # Pairs inside a unit were subtracted with both of their models.
    inner = units[pairs.a] == units[pairs.b]
    np.add.at(contributions, units[pairs.a][inner], -Z[inner][:, :, None] * Z[inner][:, None, :])
    remainder: Float[np.ndarray, "u k k"] = Z.T @ Z - contributions
    return remainder


def jackknife_error(replicates: Float[np.ndarray, " u"]) -> float:
    """Standard error of a number from its values without each unit in turn; nan from fewer than three."""
    u = len(replicates)
    if u < 3:
        return math.nan
    return math.sqrt((u - 1) / u * float(((replicates - replicates.mean()) ** 2).sum()))


def shapley(y: Float[np.ndarray, " p"], X: Float[np.ndarray, "p f"]) -> Float[np.ndarray, " f"]:
    """R² of the pairs' response, shared out among the columns by Shapley value; the sum is R². A description only.

    It squares scales and gives a factor without any part in the response a share where factors overlap.

    Parameters
    ----------
    X : factors, without an intercept; all nan with more than 12.

    Source: Lindeman, Merenda and Gold 1980.
    """
    count = X.shape[1]
    if count > MOST_SHAPLEY:
        return np.full(count, np.nan)
    centred = np.column_stack([X - X.mean(axis=0), y - y.mean()])
    gram = centred.T @ centred

    def r2(team: tuple[int, ...]) -> float:
        members = list(team)
        if not members or gram[-1, -1] == 0:
            return 0.0
        target = gram[members, -1]
        # Teams may hold aliases; R² is defined all the same, coefficients are not.
        explained = target @ np.linalg.pinv(gram[np.ix_(members, members)], hermitian=True) @ target
        return float(explained / gram[-1, -1])

    r2_by_team: dict[tuple[int, ...], float] = {}
    for size in range(count + 1):
        for team in combinations(range(count), size):
            r2_by_team[team] = r2(team)
    out = np.zeros(count)
    for team, value in r2_by_team.items():
        for player in set(range(count)) - set(team):
            # Share of the orders in which exactly this team has come before the player.
            weight = math.factorial(len(team)) * math.factorial(count - len(team) - 1) / math.factorial(count)
            out[player] += weight * (r2_by_team[tuple(sorted((*team, player)))] - value)
    return out
