"""What does one change do? Replicates with it against baseline replicates of the same seeds, with intervals.

Seeds and instances are both samples: another draw of either would give another number. With R seeds and n instances
the half-width of an interval is

    √( (t_{R−1} · s_seeds)² + (t_{n−1} · s_instances)² )

s_seeds is the jackknife standard error over seeds (of means: their standard deviation / √R), s_instances that of the
influence values of the instances (clusters move together). What belongs to neither alone, the interaction of seeds and
instances, is in both, so the interval errs on the wide side; so does adding squared quantiles, which is wider than the
test of Cochran and Cox (1950), itself conservative. p is the level at which the interval touches "no change".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Num, Shaped
from scipy.optimize import brentq
from scipy.special import stdtrit

from polyculture.errors import InputError
from polyculture.measures.calibration import reliability
from polyculture.measures.effective import effective
from polyculture.stats import benjamini_hochberg, n_eff_interval, standard_error

MIN_REPLICATES = 3
"""Below this the spread over seeds and its jackknife are undefined."""
MIN_PROBABILITY = 1e-12

Clusters = Shaped[np.ndarray, " _"] | None


@dataclass(frozen=True, eq=False)
class Replicates:
    """Results of models of one recipe that differ in their seed only.

    Parameters
    ----------
    probabilities : of each class, on the test set; the answer is the most probable class (the first if tied).
    train_wrong : errors on the training set as it was before any level of the data axis.
    shifted_wrong : share of the shifted versions of each instance that a model gets wrong; no columns without shifts.
    seconds, operations : cost of each fit; nan where unknown. Fits that were timed together have equal seconds.
    """

    probabilities: Float[np.ndarray, "r n c"]
    train_wrong: Bool[np.ndarray, "r k"]
    shifted_wrong: Float[np.ndarray, "r s"]
    seconds: Float[np.ndarray, " r"]
    operations: Float[np.ndarray, " r"]


@dataclass(frozen=True, eq=False)
class Instances:
    """The instances on which all models are evaluated.

    Parameters
    ----------
    labels : true classes of the test set.
    clusters, train_clusters, shifted_clusters : which instances were sampled together; None for independent instances.
    shifted_weights : weight of each shifted instance, summing to 1 (in proportion to the number of sets that it is in);
        None for equal weights.
    """

    labels: Int[np.ndarray, " n"]
    clusters: Clusters = None
    train_clusters: Clusters = None
    shifted_clusters: Clusters = None
    shifted_weights: Float[np.ndarray, " s"] | None = None

    def wrong(self, replicates: Replicates) -> Bool[np.ndarray, "r n"]:
        """Errors of each replicate on the test set."""
        return np.asarray(replicates.probabilities.argmax(axis=2) != self.labels)


@dataclass(frozen=True, eq=False)
class Contrast:
    """A number with a change against the same number without it.

    Parameters
    ----------
    baseline, treatment : the number without and with the change.
    estimate : difference, or logarithm of the ratio.
    without_each : the estimate without each seed in turn.
    influences : for each sample of instances their influence on the estimate, and their clusters.
    reason : why the estimate is nan.
    """

    baseline: float
    treatment: float
    estimate: float
    jackknife: Float[np.ndarray, " r"]
    influences: Sequence[tuple[Float[np.ndarray, " _"], Clusters]] = field(default_factory=list)
    reason: str = ""

    def half_width(self, alpha: float) -> float:
        """Half-width of the interval with error rate `alpha`; the formula is at the top of this module."""
        r = len(self.jackknife)
        # (AB2): seeds by the jackknife, since n_eff is no mean over seeds; for means it is sd/√R.
        errors = [(math.sqrt((r - 1) / r * float(((self.jackknife - self.jackknife.mean()) ** 2).sum())), r)]
        errors += [standard_error(influence, clusters) for influence, clusters in self.influences]
        # (AB3): quantiles before squaring, as three seeds and a thousand instances have very different t. The
        # interaction is in both terms, which makes the interval wide and never narrow.
        return math.hypot(*(float(stdtrit(count - 1, 1 - alpha / 2)) * error for error, count in errors))

    @property
    def p_value(self) -> float:
        """Two-sided p of no change; nan where the estimate does not vary at all."""
        if math.isnan(self.estimate + self.half_width(0.5)) or (
            self.estimate and self.half_width(0.5) <= 1e-12 * abs(self.estimate)
        ):
            return math.nan
        if self.estimate == 0:
            return 1.0

        # The half-width is monotone in the level but has no inverse in closed form; the search is in the logarithm
        # because small p differ by orders of magnitude.
        def margin(log_alpha: float) -> float:
            return self.half_width(math.exp(log_alpha)) - abs(self.estimate)

        smallest = math.log(1e-12)  # the quantile of 1 − α/2 has no more digits
        return float(math.exp(brentq(margin, smallest, 0.0))) if margin(smallest) > 0 else math.exp(smallest)


@dataclass(frozen=True)
class ContrastMeasure:
    """A number that changes may affect: its contrast, its title, whether contrasts are ratios and have a test."""

    contrast: Callable[[Replicates, Replicates, Instances], Contrast]
    title: str
    ratio: bool = False
    tested: bool = True


def effect_table(
    baseline: Replicates, changes: Mapping[str, Replicates], instances: Instances, level: float = 0.95
) -> pd.DataFrame:
    """The effect of each change on each number in `MEASURES`.

    Columns: lever (name of the change), measure, plain and pulled (the number without and with it), change (pulled −
    plain, or where ``MEASURES[measure].ratio`` pulled / plain), low, high, p, q (p adjusted over changes for the false
    discovery rate), reason (why undefined or without limits). Costs have no p.

    Parameters
    ----------
    baseline, changes : replicate r of each has the same seed.
    level : of the intervals.

    Instances that gain and instances that lose cancel. An effect holds for *this* recipe on *these* kinds of instances.
    Raises InputError for fewer replicates than 3, or unequal numbers with and without a change.
    """
    for name, replicates in {"plain": baseline, **changes}.items():
        if len(replicates.seconds) < MIN_REPLICATES or len(replicates.seconds) != len(baseline.seconds):
            expected = (
                f"{MIN_REPLICATES} or more"
                if len(baseline.seconds) < MIN_REPLICATES
                else f"{len(baseline.seconds)}, as without it"
            )
            raise InputError(f"{len(replicates.seconds)} replicates of {name!r}", expected)
    tables = []
    for name, measure in MEASURES.items():
        rows = [
            {"lever": change, "measure": name}
            | _effect_row(measure.contrast(baseline, replicates, instances), measure, level)
            for change, replicates in changes.items()
        ]
        table = pd.DataFrame(rows)
        table.insert(list(table.columns).index("reason"), "q", benjamini_hochberg(table["p"].to_numpy(float)))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def standing_table(groups: Mapping[str, Replicates], instances: Instances, level: float = 0.95) -> pd.DataFrame:
    """Accuracy of the replicates of each recipe, and their effective number.

    Columns: lever, accuracy, train_accuracy, n_eff, low, high, rho, reason. Limits of n_eff are for these models and
    other instances. It measures similarity of errors: it also rises where models differ because they err more.
    """
    rows = []
    for name, replicates in groups.items():
        wrong = instances.wrong(replicates)
        estimate = effective(wrong)
        limits = n_eff_interval(
            estimate.n_models, estimate.design_effect, estimate.influence, instances.clusters, level
        )
        accuracies = {"accuracy": 1 - float(wrong.mean()), "train_accuracy": 1 - float(replicates.train_wrong.mean())}
        limits_row = {"n_eff": limits.estimate, "low": limits.low, "high": limits.high, "rho": estimate.rho}
        rows.append({"lever": name, **accuracies, **limits_row, "reason": estimate.reason})
    return pd.DataFrame(rows)


def _effect_row(contrast: Contrast, measure: ContrastMeasure, level: float) -> dict[str, object]:
    half_width = math.nan if math.isnan(contrast.estimate) else contrast.half_width(1 - level)
    bounds = [contrast.estimate, contrast.estimate - half_width, contrast.estimate + half_width]
    # Ratios are symmetric in the logarithm: half and double are equally far from no change.
    change, low, high = (math.exp(end) for end in bounds) if measure.ratio else bounds
    values = {"plain": contrast.baseline, "pulled": contrast.treatment, "change": change, "low": low, "high": high}
    return values | {"p": contrast.p_value if measure.tested else math.nan, "reason": contrast.reason}


def _accuracy(baseline: Replicates, treatment: Replicates, instances: Instances) -> Contrast:
    return _mean_contrast([~instances.wrong(baseline)], [~instances.wrong(treatment)], [(None, instances.clusters)])


def _gap(baseline: Replicates, treatment: Replicates, instances: Instances) -> Contrast:
    first, second = ([instances.wrong(group), -1.0 * group.train_wrong] for group in (baseline, treatment))
    return _mean_contrast(first, second, [(None, instances.clusters), (None, instances.train_clusters)])


def _shifted(baseline: Replicates, treatment: Replicates, instances: Instances) -> Contrast:
    if not baseline.shifted_wrong.shape[1]:
        return _undefined("no shifted tests", len(baseline.seconds))
    sample = [(instances.shifted_weights, instances.shifted_clusters)]
    return _mean_contrast([1 - baseline.shifted_wrong], [1 - treatment.shifted_wrong], sample)


def _log_loss(baseline: Replicates, treatment: Replicates, instances: Instances) -> Contrast:
    def losses(replicates: Replicates) -> Float[np.ndarray, "r n"]:
        probabilities = replicates.probabilities[:, np.arange(len(instances.labels)), instances.labels]
        return np.asarray(-np.log(np.maximum(probabilities.astype(float), MIN_PROBABILITY)))

    return _mean_contrast([losses(baseline)], [losses(treatment)], [(None, instances.clusters)])


def _mean_contrast(
    baseline: Sequence[Num[np.ndarray, "r _"] | Bool[np.ndarray, "r _"]],
    treatment: Sequence[Num[np.ndarray, "r _"] | Bool[np.ndarray, "r _"]],
    samples: Sequence[tuple[Float[np.ndarray, " _"] | None, Clusters]],
) -> Contrast:
    """Difference of sums of means, each over another sample of instances, with weights and clusters."""
    baseline_means, treatment_means = np.zeros((2, len(baseline[0])))
    influences = []
    for first, second, (sample_weights, clusters) in zip(baseline, treatment, samples, strict=True):
        n = first.shape[1]
        weights = np.full(n, 1 / n) if sample_weights is None else sample_weights
        baseline_means, treatment_means = baseline_means + first @ weights, treatment_means + second @ weights
        # Over seeds first: what is left varies over instances only, the second sample.
        differences = second.mean(axis=0) - first.mean(axis=0)
        # Weights sum to one; times n they are on the scale of influence values, whose mean is the estimate.
        influences.append((n * weights * (differences - differences @ weights), clusters))
    return _seed_contrast(baseline_means, treatment_means, treatment_means - baseline_means, influences)


def _ece(baseline: Replicates, treatment: Replicates, instances: Instances) -> Contrast:
    def calibration(replicates: Replicates) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " n"]]:
        tables = [
            reliability(q.max(axis=1).astype(float), q.argmax(axis=1) == instances.labels)
            for q in replicates.probabilities
        ]
        return np.array([table.debiased for table in tables]), np.mean([table.influence for table in tables], axis=0)

    (errors, first), (treatment_errors, second) = calibration(baseline), calibration(treatment)
    return _seed_contrast(errors, treatment_errors, treatment_errors - errors, [(second - first, instances.clusters)])


def _seconds(baseline: Replicates, treatment: Replicates, instances: Instances) -> Contrast:  # noqa: ARG001
    contrast = _cost(baseline.seconds, treatment.seconds)
    r = len(baseline.seconds)
    if min(len(np.unique(replicates.seconds)) for replicates in (baseline, treatment)) == r or contrast.reason:
        return contrast
    return replace(contrast, jackknife=np.full(r, np.nan), reason="no limits: some fits were timed together")


def _operations(baseline: Replicates, treatment: Replicates, instances: Instances) -> Contrast:  # noqa: ARG001
    return _cost(baseline.operations, treatment.operations)


def _cost(baseline: Float[np.ndarray, " r"], treatment: Float[np.ndarray, " r"]) -> Contrast:
    if not (np.minimum(baseline, treatment) > 0).all():
        return _undefined("not known of every fit", len(baseline))
    return _seed_contrast(baseline, treatment, np.log(treatment / baseline), [])


def _seed_contrast(
    baseline: Float[np.ndarray, " r"],
    treatment: Float[np.ndarray, " r"],
    changes: Float[np.ndarray, " r"],
    influences: Sequence[tuple[Float[np.ndarray, " _"], Clusters]],
) -> Contrast:
    """Contrast of a number that is computed per seed."""
    # Of a mean, without fitting anything again.
    jackknife = (changes.sum() - changes) / (len(changes) - 1)
    return Contrast(float(baseline.mean()), float(treatment.mean()), float(changes.mean()), jackknife, influences)


def _n_eff(baseline: Replicates, treatment: Replicates, instances: Instances) -> Contrast:
    errors, treatment_errors = _centred(baseline, instances), _centred(treatment, instances)
    return _similarity_contrast((errors, errors), (treatment_errors, treatment_errors), len(errors), instances)


def _n_eff_pair(baseline: Replicates, treatment: Replicates, instances: Instances) -> Contrast:
    errors, treatment_errors = _centred(baseline, instances), _centred(treatment, instances)
    return _similarity_contrast((errors, errors), (errors, treatment_errors), 2, instances)


ErrorPair = tuple[Float[np.ndarray, "r n"], Float[np.ndarray, "r n"]]


def _similarity_contrast(baseline: ErrorPair, treatment: ErrorPair, members: int, instances: Instances) -> Contrast:
    """Ratio of n_eff at this number of models, from the mean error correlation of pairs with different seeds."""
    (effect, first), (treatment_effect, second) = (_design_effect(*pair, members) for pair in (baseline, treatment))
    r = len(baseline[0])
    if not (effect > 0 and treatment_effect > 0):
        return _undefined(
            "no errors" if math.isnan(effect + treatment_effect) else "errors are perfectly complementary", r
        )
    jackknife: list[float] = []
    for seed in range(r):
        rows = np.arange(r) != seed
        # A ratio of pair statistics is not a mean over seeds: each seed is left out of both recipes and all is done
        # again.
        d = [_design_effect(a[rows], b[rows], members)[0] for a, b in (baseline, treatment)]
        jackknife.append(math.log(d[0] / d[1]) if min(d) > 0 else math.nan)
    if np.isnan(jackknife).any():
        return _undefined("too few errors to do without a seed", r)
    # (AB4), and d ln D = dD / D; the difference is taken per instance, so what hits both recipes cancels.
    influences = [(first / effect - second / treatment_effect, instances.clusters)]
    estimate = math.log(effect / treatment_effect)
    return Contrast(members / effect, members / treatment_effect, estimate, np.array(jackknife), influences)


def _design_effect(
    a: Float[np.ndarray, "r n"], b: Float[np.ndarray, "r n"], members: int
) -> tuple[float, Float[np.ndarray, " n"]]:
    """1 + (members − 1) ρ, and the influence of the instances on it; ρ is over pairs a, b of different seeds."""
    r = len(a)
    # (AB1): all pairs by one product of sums, less those of equal seeds, which share data and weights on purpose.
    joint = (a.sum(axis=0) * b.sum(axis=0) - (a * b).sum(axis=0)) / (r * (r - 1))
    # Of both recipes: ρ of a mixed pair is in units of their mean variance.
    variances = ((a * a).mean(axis=0) + (b * b).mean(axis=0)) / 2
    variance = float(variances.mean())
    if not variance > 0:
        return math.nan, np.full(a.shape[1], np.nan)
    rho = float(joint.mean()) / variance
    return 1 + (members - 1) * rho, (members - 1) * (joint - rho * variances) / variance


def _centred(replicates: Replicates, instances: Instances) -> Float[np.ndarray, "r n"]:
    wrong = instances.wrong(replicates).astype(float)
    return np.asarray(wrong - wrong.mean(axis=1, keepdims=True))


def _undefined(reason: str, seeds: int) -> Contrast:
    return Contrast(math.nan, math.nan, math.nan, np.full(seeds, math.nan), reason=reason)


MEASURES: dict[str, ContrastMeasure] = {
    "accuracy": ContrastMeasure(_accuracy, "test accuracy"),
    "gap": ContrastMeasure(_gap, "generalization gap, train minus test accuracy"),
    "shifted_accuracy": ContrastMeasure(_shifted, "mean accuracy on shifted tests"),
    "log_loss": ContrastMeasure(_log_loss, "test log-loss"),
    "ece": ContrastMeasure(_ece, "calibration error, corrected for chance"),
    "n_eff": ContrastMeasure(_n_eff, "n_eff of the replicates, over the baseline replicates", ratio=True),
    "n_eff_pair": ContrastMeasure(
        _n_eff_pair, "n_eff of a pair of baseline and changed model, over a baseline pair", ratio=True
    ),
    "seconds": ContrastMeasure(_seconds, "seconds of a fit", ratio=True, tested=False),
    "operations": ContrastMeasure(_operations, "floating-point operations of a fit", ratio=True, tested=False),
}
"""The numbers that a change may affect, by name."""
