"""Which shared ingredient goes with alikeness? The mean error covariance, split exactly among what models share.

The covariance of two models' errors, in units of the mean variance, is regressed on what the two share: one column
per factor, 1 where both have the same level (or a similarity in [0, 1]), and an intercept for what all have in
common. Residuals sum to zero, so coefficient × share of pairs, summed, is ρ without remainder (Haseman and Elston
1972, for pairs of relatives). Factors that the design cannot tell apart get no coefficient: `identifiability`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

VIF_REFUSED, VIF_FLAGGED = 5.0, 2.5
"""Variance inflation above which a factor gets no number, and above which it gets one with a warning."""
FEW_DISCORDANT = 10
"""Pairs alike in one factor and not in the other that are needed to tell the two apart."""


@dataclass(frozen=True, eq=False)
class Factor:
    """What models may have in common.

    Parameters
    ----------
    levels : code of what each model has; models with the same code are the same in this factor.
    alike : how much each pair shares, in [0, 1]; 1 on the diagonal.
    graded : whether there is anything between sharing and not sharing.
    """

    levels: Int[np.ndarray, " m"]
    alike: Float[np.ndarray, "m m"]
    graded: bool = False

    def take(self, models: Bool[np.ndarray, " m"]) -> Factor:
        """The factor of these models only."""
        return Factor(self.levels[models], self.alike[np.ix_(models, models)], self.graded)


def by_level(levels: Int[np.ndarray, " m"]) -> Factor:
    """Models share this factor if they have the same level; a negative level is unknown and not shared."""
    codes = levels.astype(np.int64)
    unknown = codes < 0
    # Two unknown levels need not be the same one, so each becomes a level of its own.
    codes[unknown] = codes.max(initial=0) + 1 + np.arange(int(unknown.sum()))
    return Factor(np.unique(codes, return_inverse=True)[1].astype(np.int64), _equal(codes))


def by_overlap(members: Bool[np.ndarray, "m s"]) -> Factor:
    """Models share as much as their sets overlap: Jaccard, common over all members; two empty sets share nothing."""
    sets = members.astype(float)
    common = sets @ sets.T
    sizes = sets.sum(axis=1)
    # Empty sets share nothing: 0/0 is set to 0, not to 1, which would make unknown sources the most alike.
    union = sizes[:, None] + sizes - common
    similarity = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    np.fill_diagonal(similarity, 1.0)
    return Factor(np.unique(members, axis=0, return_inverse=True)[1].ravel().astype(np.int64), similarity, True)


def by_distance(values: Float[np.ndarray, "m d"]) -> Factor:
    """Models share as much as their numbers are close: 1 − Gower distance, the mean over columns of |x − x'| / range.

    Columns without spread are left out; a nan is not shared. Source: Gower 1971.
    """
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    varied = values[:, high > low] / (high - low)[high > low]
    similarity = np.ones((len(values), len(values)))
    if varied.shape[1]:
        similarity = 1 - np.abs(varied[:, None, :] - varied[None, :, :]).mean(axis=2)
    similarity = np.nan_to_num(similarity, nan=0.0)
    np.fill_diagonal(similarity, 1.0)
    return Factor(np.unique(values, axis=0, return_inverse=True)[1].ravel().astype(np.int64), similarity, True)


def both(first: Factor, second: Factor) -> Factor:
    """The interaction of two factors: what models share that share both."""
    levels = np.unique(np.stack([first.levels, second.levels]), axis=1, return_inverse=True)[1].ravel()
    return Factor(levels.astype(np.int64), first.alike * second.alike, first.graded or second.graded)


def _equal(codes: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m m"]:
    indicator: Float[np.ndarray, "m m"] = (codes[:, None] == codes[None, :]).astype(float)
    return indicator


@dataclass(frozen=True, eq=False)
class Identifiability:
    """Which factors the set of models can tell apart, before any error is looked at.

    Parameters
    ----------
    constant : all pairs of models share the factor, or none does, or all to the same degree.
    few_levels : fewer than two levels with two models.
    vif : variance inflation of each factor's column given the others, ≥ 1; inf for aliases, nan for those left out.
    discordant : pairs alike in the row's factor and not in the column's.
    aliases : groups of factors that are exact linear combinations of each other.
    shared : pairs alike in each factor.
    nested : the row's factor lies within the column's: who shares the row's shares the column's, too.
    cramers_v : association of every two factors' levels over models, in [0, 1].
    overlap : absolute correlation of every two factors' columns over pairs of models; 0 with constant ones.
    """

    constant: Bool[np.ndarray, " f"]
    few_levels: Bool[np.ndarray, " f"]
    vif: Float[np.ndarray, " f"]
    discordant: Int[np.ndarray, "f f"]
    shared: Int[np.ndarray, " f"]
    nested: Bool[np.ndarray, "f f"]
    aliases: tuple[tuple[int, ...], ...]
    cramers_v: Float[np.ndarray, "f f"]
    overlap: Float[np.ndarray, "f f"]

    @property
    def left_out(self) -> Bool[np.ndarray, " f"]:
        """Factors that say nothing about any pair: constant ones and those with too few levels."""
        out: Bool[np.ndarray, " f"] = self.constant | self.few_levels
        return out

    @property
    def estimable(self) -> Bool[np.ndarray, " f"]:
        """Factors that get a number of their own."""
        out: Bool[np.ndarray, " f"] = ~self.left_out
        out[[f for group in self.together for f in group]] = False
        return out

    @property
    def flagged(self) -> Bool[np.ndarray, " f"]:
        """Factors whose number is uncertain because others nearly tell it."""
        flagged: Bool[np.ndarray, " f"] = self.estimable & (np.nan_to_num(self.vif, nan=1.0) > VIF_FLAGGED)
        return flagged

    @property
    def separating(self) -> Int[np.ndarray, "f f"]:
        """Pairs that tell the row's factor from the column's: alike in the one and not in the other.

        Nobody shares a run and not its architecture, so within another factor all pairs alike in the row's count.
        """
        pairs: Int[np.ndarray, "f f"] = np.where(self.nested, self.shared[:, None], self.discordant)
        return pairs

    @property
    def links(self) -> dict[tuple[int, int], str]:
        """Which two factors cannot be told apart, and why: ``alias``, ``inflation`` (of the first) or ``few pairs``."""
        usable = np.flatnonzero(~self.left_out)
        links = {(f, g): "alias" for group in self.aliases for f in group for g in group if f != g}
        separating = np.minimum(self.separating, self.separating.T)
        for f in usable:
            rivals = usable[usable != f]
            # With few discordant pairs a handful of pairs alone would decide between the two columns.
            for g in rivals[separating[f, rivals] < FEW_DISCORDANT]:
                links.setdefault((int(f), int(g)), "few pairs")
            # (A5) does not say which others nearly tell f: joined with the closest one, a sum is left.
            if self.vif[f] > VIF_REFUSED and len(rivals) and not any(pair[0] == f for pair in links):
                links[int(f), int(rivals[np.argmax(self.overlap[f, rivals])])] = "inflation"
        return links

    @property
    def together(self) -> tuple[tuple[int, ...], ...]:
        """Groups of factors of which only the sum is identified.

        Aliases; a factor with VIF above 5 and the factor it goes with most; two factors with fewer than 10 pairs alike
        in the one and not in the other, of which a factor that lies within the other needs the second kind only.
        """
        joined = np.zeros((len(self.vif), len(self.vif)), dtype=bool)
        for f, g in self.links:
            joined[f, g] = True
        return _groups(joined)

    @property
    def chains(self) -> tuple[tuple[int, ...], ...]:
        """Estimable factors that lie within each other, from the coarsest to the finest; every longest such list."""
        estimable = np.flatnonzero(self.estimable)
        nested = self.nested[np.ix_(estimable, estimable)]
        # A direct step has no factor in between.
        direct = nested & ~((nested.astype(int) @ nested.astype(int)) > 0)

        def below(f: int) -> list[tuple[int, ...]]:
            finer = np.flatnonzero(direct[:, f])
            return [(f, *path) for g in finer for path in below(int(g))] or [(f,)]

        paths = [path for f in np.flatnonzero(~direct.any(axis=1)) for path in below(int(f))]
        return tuple(tuple(int(estimable[f]) for f in path) for path in paths if len(path) > 1)


def identifiability(factors: Sequence[Factor]) -> Identifiability:
    """What is identifiable from what the models share alone; the limits come from simulated populations."""
    m = len(factors[0].levels)
    a, b = np.triu_indices(m, 1)
    X = np.column_stack([f.alike[a, b] for f in factors])
    sharing = X > 0.5
    constant = np.ptp(X, axis=0) < 1e-12
    few_levels = np.array([not f.graded and (np.bincount(f.levels) >= 2).sum() < 2 for f in factors])
    # Those that are left out are in no regression, so they inflate nothing.
    usable = np.flatnonzero(~(constant | few_levels))
    vif = np.full(len(factors), np.nan)
    vif[usable] = inflation(X[:, usable])
    return Identifiability(
        constant,
        few_levels,
        vif,
        (sharing.T.astype(np.int64) @ (~sharing).astype(np.int64)),
        sharing.sum(axis=0).astype(np.int64),
        nesting(factors) & ~(constant | few_levels) & ~(constant | few_levels)[:, None],
        tuple(tuple(int(usable[f]) for f in group) for group in alias_groups(X[:, usable])),
        np.array([[cramers_v(f.levels, g.levels) for g in factors] for f in factors]),
        _overlap(X),
    )


def nesting(factors: Sequence[Factor]) -> Bool[np.ndarray, "f f"]:
    """Whether the row's factor lies within the column's: all models of one of its levels are alike there, fully.

    A graded factor lies within none. Two that split the models in the same way do not lie within each other.
    """
    contained = np.zeros((len(factors), len(factors)), dtype=bool)
    for f, fine in enumerate(factors):
        if not fine.graded:
            shared = fine.alike > 0.5
            contained[f] = [bool((coarse.alike[shared] > 1 - 1e-12).all()) for coarse in factors]
    out: Bool[np.ndarray, "f f"] = contained & ~contained.T
    return out


def _overlap(X: Float[np.ndarray, "p f"]) -> Float[np.ndarray, "f f"]:
    centred = X - X.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-9)
    overlap: Float[np.ndarray, "f f"] = np.abs(unit.T @ unit)
    return overlap


def inflation(X: Float[np.ndarray, "p f"]) -> Float[np.ndarray, " f"]:
    """Variance inflation of each column given the others and an intercept: 1/(1 − R²), ≥ 1; inf where exact."""
    centred = X - X.mean(axis=0)
    out = np.full(X.shape[1], np.inf)
    for f in range(X.shape[1]):
        # One least-squares fit per column: with aliases the correlation matrix has no inverse.
        predictors = np.delete(centred, f, axis=1)
        residual = centred[:, f] - predictors @ np.linalg.lstsq(predictors, centred[:, f])[0]
        total = float(centred[:, f] @ centred[:, f])
        unexplained = float(residual @ residual)
        if unexplained > 1e-10 * total:
            out[f] = total / unexplained
    return out


def alias_groups(X: Float[np.ndarray, "p f"]) -> tuple[tuple[int, ...], ...]:
    """Columns that are linear combinations of each other and of an intercept, from the null space of the design."""
    if not X.shape[1]:
        return ()
    Z = np.column_stack([np.ones(len(X)), X])
    # Columns of unit length, so that the limit does not depend on how many pairs share a factor.
    _, singular, V = np.linalg.svd(Z / np.linalg.norm(Z, axis=0), full_matrices=False)
    null = V[singular < 1e-8 * singular[0]]
    # The projector on the null space does not depend on which basis the decomposition happened to return.
    return _groups(np.abs(null.T @ null)[1:, 1:] > 1e-6)


def independent(X: Float[np.ndarray, "p k"]) -> Bool[np.ndarray, " k"]:
    """Columns that are no linear combination of those before them."""
    length = np.linalg.norm(X, axis=0)
    # A column that those before it explain leaves nothing on the diagonal of R.
    diagonal = np.abs(np.diag(np.linalg.qr(X / np.where(length > 0, length, 1.0), mode="r")))
    mask: Bool[np.ndarray, " k"] = (length > 0) & (diagonal > 1e-7)
    return mask


def _groups(joined: Bool[np.ndarray, "f f"]) -> tuple[tuple[int, ...], ...]:
    """Connected groups of two or more."""
    if not len(joined):
        return ()
    count, label = connected_components(csr_array(joined), directed=False)
    groups = (tuple(int(f) for f in np.flatnonzero(label == g)) for g in range(count))
    return tuple(group for group in groups if len(group) > 1)


def cramers_v(first: Int[np.ndarray, " m"], second: Int[np.ndarray, " m"]) -> float:
    """Association of two classifications, in [0, 1]: 0 if crossed evenly, 1 if one tells the other; nan if constant."""
    table = crossed(first, second).astype(float)
    smaller = min(table.shape) - 1
    if smaller < 1:
        return float("nan")
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(np.sqrt(((table - expected) ** 2 / expected).sum() / table.sum() / smaller))


def crossed(first: Int[np.ndarray, " m"], second: Int[np.ndarray, " m"]) -> Int[np.ndarray, "r c"]:
    """Models with each combination of two factors' levels, coded 0, 1, 2, …"""
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1), dtype=np.int64)
    np.add.at(table, (first, second), 1)
    return table


def missing_cell(
    first: Int[np.ndarray, " m"], second: Int[np.ndarray, " m"], possible: Bool[np.ndarray, "r c"] | None = None
) -> tuple[int, int] | None:
    """The combination of levels whose absence confounds two factors most: rarest compared with even crossing.

    A model made of it is the one to add to distinguish the two.

    Parameters
    ----------
    possible : combinations that can be made; all where None. None is returned where no absent one can.
    """
    table = crossed(first, second).astype(float)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    absent = table == 0
    if possible is not None and absent.any():
        absent &= possible
        if not absent.any():
            return None
    # Empty cells first, whatever is expected of the others: only a new combination separates two factors.
    row, column = np.unravel_index(np.argmax(np.where(absent, 1e9, 0) + expected - table), table.shape)
    return int(row), int(column)


@dataclass(frozen=True, eq=False)
class CovarianceSplit:
    """ρ, split among an intercept (common to all models) and the factors, in this order.

    Parameters
    ----------
    rho : mean error covariance over mean error variance, over the pairs that share instances.
    coefficients : what sharing a factor adds to a pair's covariance, in units of the mean variance.
    pair_shares : share of pairs that have it in common (mean similarity where graded); 1 for the intercept.
    weights : symmetric matrices H with coefficient = ½ Σ_ab H_ab C_ab, that give the part of each instance.
    residual : what the factors leave unexplained of each pair, 0 on the diagonal and where there is no pair.
    """

    rho: float
    coefficients: Float[np.ndarray, " k"]
    pair_shares: Float[np.ndarray, " k"]
    weights: Float[np.ndarray, "k m m"]
    residual: Float[np.ndarray, "m m"]

    @property
    def contributions(self) -> Float[np.ndarray, " k"]:
        """Coefficient × share of pairs; their sum is ρ."""
        parts: Float[np.ndarray, " k"] = self.coefficients * self.pair_shares
        return parts


def split(
    covariance: Float[np.ndarray, "m m"], factors: Sequence[Factor], unit: float | None = None
) -> CovarianceSplit:
    """How much of the mean error covariance goes with each factor; exact, by least squares over pairs of models.

    Parameters
    ----------
    covariance : of the models' errors, or any other similarity; nan for pairs without common instances, which are left
        out.
    factors : what models share. Of aliased ones only the sum of their contributions means something.
    unit : what is one; the mean variance where None.
    """
    m = len(covariance)
    a, b = np.triu_indices(m, 1)
    defined = np.isfinite(covariance[a, b])
    a, b = a[defined], b[defined]
    variance = float(np.diag(covariance).mean()) if unit is None else unit
    y = covariance[a, b] / variance
    X = np.column_stack([np.ones(len(a)), *(f.alike[a, b] for f in factors)])
    # (A3): with an intercept residuals sum to zero and contributions add up to ρ. The pseudo-inverse keeps that true
    # for aliases, whose sum is all that means something.
    inverse = np.linalg.pinv(X)
    coefficients = inverse @ y
    weights, residual = np.zeros((X.shape[1], m, m)), np.zeros((m, m))
    # (A6): a row of the inverse, unfolded to a symmetric matrix, makes the coefficient a quadratic form in residuals.
    weights[:, a, b] = inverse / variance
    residual[a, b] = y - X @ coefficients
    return CovarianceSplit(
        float(y.mean()), coefficients, X.mean(axis=0), weights + weights.transpose(0, 2, 1), residual + residual.T
    )


def correlation(covariance: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    """φ of every pair from covariances; nan where a model does not vary."""
    spread = np.sqrt(np.diag(covariance))
    scale = spread[:, None] * spread
    phi: Float[np.ndarray, "m m"] = np.divide(covariance, scale, out=np.full_like(covariance, np.nan), where=scale > 0)
    return phi


def accuracy_controls(error_rates: Num[np.ndarray, " m"]) -> list[Float[np.ndarray, "m m"]]:
    """Difference and mean of two models' error rates: without them, what only changes accuracy looks like a cause."""
    e = error_rates.astype(float)
    # φ of unequal error rates cannot reach 1: without the difference, factors that move accuracy look like sharing.
    return [np.abs(e[:, None] - e), (e[:, None] + e) / 2]
