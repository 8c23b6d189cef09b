"""Which models fail together more than the difficulty of the instances explains, however sharply each discriminates?

The null is the two-parameter logistic model: one difficulty per instance, of any distribution, and per model a slope
and a level; given the difficulty, models fail independently. Slopes are fitted to the covariances of all pairs with
bounded weights, and pairs that stand out are left out of the fit: else the copies that are looked for would absorb
themselves into the slopes. What is left of each pair is divided by its standard error given difficulty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit, ndtr

from .counts import count

TOO_FEW = "fewer than three models both fail and succeed on the instances compared"
FEWEST_FOR_SLOPES = 5
"""With fewer models any excess of a pair can be had by slopes: they are taken to be equal."""
GRID = np.linspace(-5, 5, 81)
"""Difficulties, in standard deviations, at which its density is estimated."""
FLATTEST, STEEPEST = 0.05, 16.0
PULL = 4.0
"""Precision of log-slopes around their mean before seeing data: a standard deviation of ½."""
BOUND = 1.345
"""Residual over spread from which on a pair counts less (Huber 1964)."""
ALPHA = 0.05
LESS_UNEQUAL = 0.75
"""An explanation with more pairs that stand out must have slopes this much less unequal to be preferred."""
SWEEPS, ROUGH, CYCLES, STEPS = 12, 4, 6, 4
MAD_TO_SD = 1.4826
TINY = 1e-12


@dataclass(frozen=True, eq=False)
class PairExcess:
    """Joint failures of each pair beyond what difficulty explains when models discriminate unequally.

    Parameters
    ----------
    excess : observed minus expected joint failures as a share of the pair's instances.
    z : the same in standard errors given difficulty, without what the pair itself moved in the fit; standard normal if
        models fail independently given one difficulty.
    scaled : `z` over `scale`: what a pair stands out by from the other pairs.
    scale : spread of the bulk of the z, at least 1: above `largest_scale` one difficulty does not describe the models.
    largest_scale : what the null allows, max(2, 1 + 6.6/√pairs); four standard errors above 1.
    slope : how sharply each model's failures rise with difficulty (in its standard deviations), log-odds per unit.
    equal_slopes : fewer than five models, where unequal slopes cannot be told from pairs that are alike.
    n : instances compared.
    complete : only instances that every model answered were used.
    reason : why nothing is defined; empty otherwise.

    All matrices are nan on the diagonal and for models that always or never fail.
    """

    excess: Float[np.ndarray, "m m"]
    z: Float[np.ndarray, "m m"]
    scaled: Float[np.ndarray, "m m"]
    scale: float
    largest_scale: float
    slope: Float[np.ndarray, " m"]
    equal_slopes: bool
    n: int
    complete: bool = True
    reason: str = ""


def pair_excess(outcomes: Int[np.ndarray, "m n"]) -> PairExcess:
    """How much more often each pair fails together than one difficulty per instance explains.

    Takes O(m³ + m n), seconds for 67 × 50,000 or 500 × 30,000.

    Parameters
    ----------
    outcomes : 1 right, 0 wrong, −1 unknown. Instances that every model answered are compared if at least half are;
        else, where answers are missing regardless of difficulty, each pair on its own instances.

    Fewer than three models with right and wrong answers: all nan, with a reason. Sources: Bock and Aitkin 1981
    (the model); Efron 2004 (the scale); Huber 1964 (bounded weights).
    """
    m = len(outcomes)
    subset, complete = _comparable(outcomes)
    wrong, answered = subset == 0, subset >= 0
    errors, n = wrong.sum(axis=1), answered.sum(axis=1)
    selected = (errors > 0) & (errors < n)
    excess, z, scaled = np.full((3, m, m), np.nan)
    slope: Float[np.ndarray, " m"] = np.full(m, np.nan)
    informative = int(selected.sum())
    equal, pairs = informative < FEWEST_FOR_SLOPES, informative * (informative - 1) // 2
    if informative < 3:
        return PairExcess(excess, z, scaled, np.nan, np.nan, slope, equal, subset.shape[1], complete, TOO_FEW)
    table = _Covariances.of(subset[selected])
    solution = _fit(table, equal)
    square, scale = np.ix_(selected, selected), solution.spread
    excess[square], z[square], scaled[square] = solution.difference, solution.z, solution.z / scale
    slope[selected] = np.exp(solution.null.logs)
    largest = max(2.0, 1 + 6.6 / np.sqrt(pairs))
    return PairExcess(excess, z, scaled, scale, largest, slope, equal, subset.shape[1], complete)


def _comparable(outcomes: Int[np.ndarray, "m n"]) -> tuple[Int[np.ndarray, "m k"], bool]:
    """The instances to compare models on, and whether every model answered them."""
    answered = outcomes >= 0
    full: Bool[np.ndarray, " n"] = np.asarray(answered.all(axis=0))
    if full.all():
        return outcomes, True
    if 2 * full.sum() >= len(full) or not _missing_at_random(outcomes, answered):
        return outcomes[:, full], True
    return outcomes, False


def _missing_at_random(outcomes: Int[np.ndarray, "m n"], answered: Bool[np.ndarray, "m n"]) -> bool:
    """Whether no model's missing answers go with the failures of the models that did answer."""
    # Each model's own instances would else be harder or easier than those of others, which looks like alikeness.
    wrong = outcomes == 0
    rates = wrong.sum(axis=1) / np.maximum(answered.sum(axis=1), 1)
    # Failures beyond those expected of the models that answered: who is missing must not change the difficulty.
    difficulty = (wrong - rates[:, None] * answered).sum(axis=0) / np.maximum(answered.sum(axis=0), 1)
    spread = float(difficulty.std())
    if spread == 0:
        return True
    shares = answered.mean(axis=1)
    gaps = (answered - shares[:, None]) @ (difficulty - difficulty.mean())
    errors = spread * np.sqrt(shares * (1 - shares) * outcomes.shape[1])
    return bool((np.abs(gaps) <= 4 * np.maximum(errors, TINY)).all())


@dataclass(frozen=True, eq=False)
class _Covariances:
    """What the pairs show, and the instances that the density of difficulty is estimated from.

    Parameters
    ----------
    rates : error rate of each model.
    n, values : common instances and covariance of the failures of each pair.
    wrong, right : failures and successes of each model on each instance.
    """

    rates: Float[np.ndarray, " m"]
    n: Float[np.ndarray, "m m"]
    values: Float[np.ndarray, "m m"]
    wrong: Float[np.ndarray, "m n"]
    right: Float[np.ndarray, "m n"] | None

    @classmethod
    def of(cls, outcomes: Int[np.ndarray, "m n"]) -> _Covariances:
        """Of outcomes of models that each fail somewhere and succeed somewhere."""
        counts = count(None, None, outcomes.astype(np.int8), 2)
        n = np.maximum(counts.n, 1).astype(float)
        values = counts.n00 / n - ((counts.n00 + counts.n01) / n) * ((counts.n00 + counts.n10) / n)
        rates = np.diag(counts.n00) / np.diag(n)
        wrong, right = (outcomes == 0).astype(np.float32), None
        if (outcomes < 0).any():
            right = (outcomes == 1).astype(np.float32)
        # A pair without common instances says nothing: an enormous error instead of none.
        return cls(rates, np.where(counts.n > 0, n, TINY), values, wrong, right)


@dataclass(frozen=True, eq=False)
class _Null:
    """Slopes and levels of the models, and the density of difficulty on `GRID`."""

    logs: Float[np.ndarray, " m"]
    levels: Float[np.ndarray, " m"]
    density: Float[np.ndarray, " g"]

    @property
    def probabilities(self) -> Float[np.ndarray, "m g"]:
        """(X1) at each difficulty."""
        return np.asarray(expit(np.exp(self.logs)[:, None] * GRID + self.levels[:, None]))

    def levelled(self, rates: Float[np.ndarray, " m"]) -> _Null:
        """With the levels at which every model fails as often as it does."""
        levels, slopes = self.levels, np.exp(self.logs)[:, None]
        for _ in range(60):
            p = expit(slopes * GRID + levels[:, None])
            step = (p @ self.density - rates) / np.maximum((p * (1 - p)) @ self.density, 1e-6)
            # Far out the derivative is almost 0 and a full Newton step would leave the range of the logistic.
            levels = levels - np.clip(step, -1, 1)
            if np.abs(step).max() < 1e-8:
                break
        return replace(self, levels=levels)

    def redistributed(self, table: _Covariances) -> _Null:
        """With the density after four EM steps, brought back to mean 0 and standard deviation 1."""
        p = np.clip(self.probabilities, TINY, 1 - TINY)
        failure, success = np.log(p).astype(np.float32), np.log1p(-p).astype(np.float32)
        if table.right is None:
            scores = table.wrong.T @ (failure - success) + success.sum(axis=0)
        else:
            scores = table.wrong.T @ failure + table.right.T @ success
        likelihood = np.exp(scores - scores.max(axis=1, keepdims=True))
        density = self.density
        for _ in range(4):
            # (X3): the mean of what each instance says about its difficulty.
            weights = 1 / (likelihood @ density.astype(np.float32))
            density = density * (weights.astype(np.float32) @ likelihood)
            density = density / density.sum()
        centre = density @ GRID
        scale = float(np.sqrt(density @ (GRID - centre) ** 2))
        standard = np.interp(centre + scale * GRID, GRID, density, left=0, right=0) + 1e-9
        return replace(self, logs=_bounded(self.logs + np.log(scale)), density=standard / standard.sum())


def _bounded(logs: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Log-slopes within the range of slopes."""
    return np.asarray(np.clip(logs, np.log(FLATTEST), np.log(STEEPEST)))


@dataclass(frozen=True, eq=False)
class _Residuals:
    """What the null leaves of the pairs, and how it would change with the log-slopes.

    Parameters
    ----------
    difference, errors : observed less expected covariance, and its standard error given difficulty.
    gradient : derivative of the expected covariance by the log-slope of the row's model.
    joint : expected share of joint failures or joint successes, whichever is rarer.
    """

    difference: Float[np.ndarray, "m m"]
    errors: Float[np.ndarray, "m m"]
    gradient: Float[np.ndarray, "m m"]
    joint: Float[np.ndarray, "m m"]

    @classmethod
    def of(cls, table: _Covariances, null: _Null) -> _Residuals:
        """Of a null whose levels reproduce the error rates."""
        p, d, rates = null.probabilities, null.density, table.rates
        variances = p * (1 - p)
        joint = (p * d) @ p.T
        # (X4): the levels move along with the slopes, so that the error rates stay what they are.
        centre = (variances * d) @ GRID / np.maximum(variances @ d, TINY)
        gradient = (variances * d * (GRID - centre[:, None])) @ p.T * np.exp(null.logs)[:, None]
        # (X5): given difficulty, failures vary by p (1 − p), and independently.
        errors = np.sqrt(np.maximum((variances * d) @ variances.T, TINY) / table.n)
        right = 1 - rates[:, None] - rates + joint
        return cls(table.values - joint + np.outer(rates, rates), errors, gradient, np.minimum(joint, right))


@dataclass(frozen=True, eq=False)
class _Solution:
    """A null with the pairs that stand out of it.

    Parameters
    ----------
    difference, z : excess and z of each pair; nan on the diagonal.
    spread : of the bulk of z.
    outlying : which pairs (upper triangle) stand out, and were left out of the fit.
    """

    null: _Null
    difference: Float[np.ndarray, "m m"]
    z: Float[np.ndarray, "m m"]
    spread: float
    outlying: Bool[np.ndarray, " k"]

    @property
    def dispersion(self) -> float:
        """How unequal the slopes are: standard deviation of their logarithms."""
        return float(self.null.logs.std())


def _fit(table: _Covariances, equal: bool) -> _Solution:
    """The explanation of the pairs that needs the least unequal slopes.

    Models that share something and low slopes of all others are two explanations of one table, and where half of the
    models share something the second leaves fewer pairs over. So the fit is begun from equal slopes, too.
    """
    m = len(table.rates)
    normal = np.exp(-(GRID**2) / 2)
    start = _Null(np.zeros(m), 1.2 * np.log(table.rates / (1 - table.rates)), normal / normal.sum())
    empty = np.zeros(m * (m - 1) // 2, dtype=bool)
    unconstrained = _sweep(table, start, empty, equal)
    if equal or not unconstrained.outlying.any():
        return unconstrained
    constrained = _sweep(table, start, empty, True, ROUGH)
    second = _sweep(table, constrained.null, constrained.outlying, False, ROUGH)
    additional = second.outlying & ~unconstrained.outlying
    if additional.sum() <= unconstrained.outlying.sum() / 4:
        return unconstrained
    mirrored = _sweep(table, second.null, additional, False)
    if 2 * (mirrored.outlying & unconstrained.outlying).sum() > unconstrained.outlying.sum():
        return unconstrained  # not another explanation, but the same with more pairs
    # More pairs that stand out need slopes that are clearly more equal.
    factor = 1.0 if mirrored.outlying.sum() <= unconstrained.outlying.sum() else LESS_UNEQUAL
    return mirrored if mirrored.dispersion < factor * unconstrained.dispersion else unconstrained


def _sweep(
    table: _Covariances, start: _Null, outlying: Bool[np.ndarray, " k"], equal: bool, sweeps: int = SWEEPS
) -> _Solution:
    """Fits slopes and density, and leaves out the pairs that stand out, until they stay the same."""
    m, null, spread = len(table.rates), start, 1.0
    upper = np.triu_indices(m, 1)
    for sweep in range(sweeps):
        usable = ~np.eye(m, dtype=bool)
        usable[upper] = usable.T[upper] = ~outlying
        # The density settles in the first sweeps; afterwards only the slopes follow the pairs that are left.
        cycles = CYCLES if sweep == 0 else 2 if sweep < 5 else 1
        for cycle in range(cycles):
            null, residuals, weights, information = _slopes(table, null, usable, spread, equal)
            spread = _spread((residuals.difference / residuals.errors)[upper][~outlying])
            if cycle < cycles - 1:
                null = null.redistributed(table)
        z = _studentized(table, residuals, weights, information)
        spread = _spread(z[upper][~outlying])
        outstanding = _outstanding(z[upper] / spread)
        settled = bool((outstanding == outlying).all())
        outlying = outstanding
        if settled:
            break
    diagonal = np.where(np.eye(m, dtype=bool) | (table.n < 1), np.nan, 0.0)
    # Products of matrices are symmetric up to rounding only.
    difference, z = ((x + x.T) / 2 + diagonal for x in (residuals.difference, z))
    return _Solution(null, difference, z, spread, outlying)


def _slopes(
    table: _Covariances, null: _Null, usable: Bool[np.ndarray, "m m"], spread: float, equal: bool
) -> tuple[_Null, _Residuals, Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """Slopes by reweighted least squares; residuals, weights and the inverse information of the last step."""
    m = len(usable)
    for _ in range(STEPS):
        null = null.levelled(table.rates)
        residuals = _Residuals.of(table, null)
        distance = np.maximum(np.abs(residuals.difference / residuals.errors), TINY)
        # (X6): a pair far out pulls no more than one at the bound.
        weights = np.where(usable, np.minimum(1, BOUND * spread / distance), 0.0)
        precision, gradient = weights / residuals.errors**2, residuals.gradient
        normal = precision * gradient * gradient.T
        np.fill_diagonal(normal, (precision * gradient**2).sum(axis=1))
        score = (precision * gradient * residuals.difference).sum(axis=1)
        if equal:
            inverse = np.full((m, m), 1 / max(normal.sum(), TINY))
        else:
            pull = PULL * spread**2
            score = score - pull * (null.logs - null.logs.mean())
            inverse = np.linalg.inv(normal + pull * (np.eye(m) - 1 / m) + 1e-6 * np.eye(m))
        step = np.clip(inverse @ score, -0.5, 0.5)
        null = replace(null, logs=_bounded(null.logs + step))
        if np.abs(step).max() < 1e-3:
            break
    return null, residuals, weights, inverse


def _studentized(
    table: _Covariances, residuals: _Residuals, weights: Float[np.ndarray, "m m"], inverse: Float[np.ndarray, "m m"]
) -> Float[np.ndarray, "m m"]:
    """z of each pair as if it had been left out of the fit, on a scale that is normal for rare failures, too."""
    gradient, errors, variances = residuals.gradient, residuals.errors, np.diag(inverse)
    # (X7): what the fit would move the pair's expectation by; a pair's own weight in it is taken off.
    reach = gradient**2 * variances[:, None] + gradient.T**2 * variances + 2 * gradient * gradient.T * inverse
    leverage = reach / errors**2
    influence = np.minimum(weights * leverage, 0.95)
    z = residuals.difference / (errors * np.sqrt((1 - influence) * (1 - influence + leverage)))
    # (X8): square roots of counts have the same variance whatever their mean (Anscombe 1948).
    expected = residuals.joint * table.n
    observed = np.maximum(expected + residuals.difference * table.n, 0)
    factor = 2 * np.sqrt(expected) / (np.sqrt(observed + 3 / 8) + np.sqrt(expected + 3 / 8))
    return np.asarray(z * factor)


def _spread(z: Float[np.ndarray, " k"]) -> float:
    """Standard deviation of the bulk, from its lower half (pairs that are alike are in the upper), at least 1."""
    if len(z) < 3:
        return 1.0
    median = np.median(z)
    # (X9): median and MAD, as the pairs that are looked for must not widen their own yardstick.
    return max(1.0, MAD_TO_SD * float(np.median(median - z[z <= median])))


def _outstanding(scaled: Float[np.ndarray, " k"]) -> Bool[np.ndarray, " k"]:
    """Pairs more alike than others at a false discovery rate of 5 % (Benjamini and Hochberg 1995)."""
    p = ndtr(-scaled)
    order = np.sort(p)
    rejections = np.flatnonzero(order <= ALPHA * np.arange(1, len(p) + 1) / len(p))
    limit = order[rejections[-1]] if len(rejections) else -1.0
    return np.asarray((p <= limit) & (scaled > 0))
