"""What does a lever change? Replicates with it against plain ones of the same seeds, with how sure we are.

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

FEWEST = 3
"""Replicates below which a spread over seeds cannot be told, nor how it changes when one is left out."""
SMALLEST = 1e-12

Clusters = Shaped[np.ndarray, " _"] | None


@dataclass(frozen=True, eq=False)
class Replicates:
    """What the models of one recipe did that differ in their seed only.

    Parameters
    ----------
    probabilities : of each class, on the test set; the answer is the most probable one (the first if tied).
    train_wrong : where each is wrong on the training set as it was before any level of the data axis.
    shifted_wrong : share of its shifted versions that each gets wrong of each instance; no columns without shifts.
    seconds, operations : what each fit took; nan where not known. Fits that were timed together have equal seconds.
    """

    probabilities: Float[np.ndarray, "r n c"]
    train_wrong: Bool[np.ndarray, "r k"]
    shifted_wrong: Float[np.ndarray, "r s"]
    seconds: Float[np.ndarray, " r"]
    operations: Float[np.ndarray, " r"]


@dataclass(frozen=True, eq=False)
class Asked:
    """The instances that all were asked about.

    Parameters
    ----------
    labels : true classes of the test set.
    clusters, train_clusters, shifted_clusters : which instances were sampled together; None where each stands alone.
    shifted_weights : how much each shifted instance counts, summing to 1 (one that is in more sets counts for more);
        None for all the same.
    """

    labels: Int[np.ndarray, " n"]
    clusters: Clusters = None
    train_clusters: Clusters = None
    shifted_clusters: Clusters = None
    shifted_weights: Float[np.ndarray, " s"] | None = None

    def wrong(self, one: Replicates) -> Bool[np.ndarray, "r n"]:
        """Where each replicate is wrong on the test set."""
        return np.asarray(one.probabilities.argmax(axis=2) != self.labels)


@dataclass(frozen=True, eq=False)
class Change:
    """A number with the lever against the same without it, and what moves their difference.

    Parameters
    ----------
    plain, pulled : the number without and with the lever.
    estimate : difference, or logarithm of the ratio.
    without_each : the estimate without each seed in turn.
    influences : for each sample of instances their influence on the estimate, and their clusters.
    reason : why the estimate is nan.
    """

    plain: float
    pulled: float
    estimate: float
    without_each: Float[np.ndarray, " r"]
    influences: Sequence[tuple[Float[np.ndarray, " _"], Clusters]] = field(default_factory=list)
    reason: str = ""

    def half_width(self, alpha: float) -> float:
        """Of the interval with error rate `alpha`; the formula is at the top of this module."""
        r = len(self.without_each)
        errors = [(math.sqrt((r - 1) / r * float(((self.without_each - self.without_each.mean()) ** 2).sum())), r)]
        errors += [standard_error(influence, clusters) for influence, clusters in self.influences]
        return math.hypot(*(float(stdtrit(draws - 1, 1 - alpha / 2)) * error for error, draws in errors))

    @property
    def p_value(self) -> float:
        """Two-sided p that nothing changes; nan where the estimate does not vary at all."""
        if math.isnan(self.estimate + self.half_width(0.5)) or (
            self.estimate and self.half_width(0.5) <= 1e-12 * abs(self.estimate)
        ):
            return math.nan
        if self.estimate == 0:
            return 1.0

        def beyond(log_alpha: float) -> float:
            return self.half_width(math.exp(log_alpha)) - abs(self.estimate)

        least = math.log(1e-12)  # the quantile of 1 − α/2 has no more digits
        return float(math.exp(brentq(beyond, least, 0.0))) if beyond(least) > 0 else math.exp(least)


@dataclass(frozen=True)
class Measure:
    """A number that levers may change: how it is computed, its name in words, whether changes are ratios and tested."""

    of: Callable[[Replicates, Replicates, Asked], Change]
    words: str
    ratio: bool = False
    tested: bool = True


def effects(plain: Replicates, levers: Mapping[str, Replicates], asked: Asked, level: float = 0.95) -> pd.DataFrame:
    """What each lever changes, a row per lever and number in `MEASURES`.

    Columns: lever, measure, plain and pulled (the number without and with it), change (pulled − plain, or where
    ``MEASURES[measure].ratio`` pulled / plain), low, high, p, q (p adjusted over levers for the false discovery rate),
    reason (why undefined
    or without limits). What a fit cost has no p.

    Parameters
    ----------
    plain, levers : replicate r of each has the same seed.
    asked : what they were asked.
    level : of the intervals.

    An instance that a lever helps and one that it harms cancel. A change is one of *this* recipe on *these* kinds of
    instances. Raises InputError for fewer replicates than 3, or not as many with a lever as without.
    """
    for name, one in {"plain": plain, **levers}.items():
        if len(one.seconds) < FEWEST or len(one.seconds) != len(plain.seconds):
            wanted = f"{FEWEST} or more" if len(plain.seconds) < FEWEST else f"{len(plain.seconds)}, as without it"
            raise InputError(f"{len(one.seconds)} replicates of {name!r}", wanted)
    tables = []
    for name, measure in MEASURES.items():
        rows = [
            {"lever": lever, "measure": name} | _row(measure.of(plain, one, asked), measure, level)
            for lever, one in levers.items()
        ]
        table = pd.DataFrame(rows)
        table.insert(list(table.columns).index("reason"), "q", benjamini_hochberg(table["p"].to_numpy(float)))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def standings(groups: Mapping[str, Replicates], asked: Asked, level: float = 0.95) -> pd.DataFrame:
    """How the replicates of each recipe stand: accuracy, and as how many independent models they fail.

    Columns: lever, accuracy, train_accuracy, n_eff, low, high, rho, reason. Limits of n_eff are for these models and
    other instances. It counts alikeness of errors, and models that err differently because they err more have more of
    it, too.
    """
    rows = []
    for name, one in groups.items():
        wrong = asked.wrong(one)
        found = effective(wrong)
        limits = n_eff_interval(found.n_models, found.design_effect, found.influence, asked.clusters, level)
        accuracies = {"accuracy": 1 - float(wrong.mean()), "train_accuracy": 1 - float(one.train_wrong.mean())}
        told = {"n_eff": limits.estimate, "low": limits.low, "high": limits.high, "rho": found.rho}
        rows.append({"lever": name, **accuracies, **told, "reason": found.reason})
    return pd.DataFrame(rows)


def _row(found: Change, measure: Measure, level: float) -> dict[str, object]:
    reach = math.nan if math.isnan(found.estimate) else found.half_width(1 - level)
    ends = [found.estimate, found.estimate - reach, found.estimate + reach]
    change, low, high = (math.exp(end) for end in ends) if measure.ratio else ends
    told = {"plain": found.plain, "pulled": found.pulled, "change": change, "low": low, "high": high}
    return told | {"p": found.p_value if measure.tested else math.nan, "reason": found.reason}


def _accuracy(plain: Replicates, lever: Replicates, asked: Asked) -> Change:
    return _of_means([~asked.wrong(plain)], [~asked.wrong(lever)], [(None, asked.clusters)])


def _gap(plain: Replicates, lever: Replicates, asked: Asked) -> Change:
    first, second = ([asked.wrong(one), -1.0 * one.train_wrong] for one in (plain, lever))
    return _of_means(first, second, [(None, asked.clusters), (None, asked.train_clusters)])


def _shifted(plain: Replicates, lever: Replicates, asked: Asked) -> Change:
    if not plain.shifted_wrong.shape[1]:
        return _undefined("no shifted tests", len(plain.seconds))
    where = [(asked.shifted_weights, asked.shifted_clusters)]
    return _of_means([1 - plain.shifted_wrong], [1 - lever.shifted_wrong], where)


def _log_loss(plain: Replicates, lever: Replicates, asked: Asked) -> Change:
    def losses(one: Replicates) -> Float[np.ndarray, "r n"]:
        true = one.probabilities[:, np.arange(len(asked.labels)), asked.labels]
        return np.asarray(-np.log(np.maximum(true.astype(float), SMALLEST)))

    return _of_means([losses(plain)], [losses(lever)], [(None, asked.clusters)])


def _of_means(
    plain: Sequence[Num[np.ndarray, "r _"] | Bool[np.ndarray, "r _"]],
    lever: Sequence[Num[np.ndarray, "r _"] | Bool[np.ndarray, "r _"]],
    samples: Sequence[tuple[Float[np.ndarray, " _"] | None, Clusters]],
) -> Change:
    """Difference of sums of means, each over a sample of instances of its own, with weights and clusters."""
    before, after = np.zeros((2, len(plain[0])))
    influences = []
    for first, second, (given, clusters) in zip(plain, lever, samples, strict=True):
        n = first.shape[1]
        weights = np.full(n, 1 / n) if given is None else given
        before, after = before + first @ weights, after + second @ weights
        apart = second.mean(axis=0) - first.mean(axis=0)
        influences.append((n * weights * (apart - apart @ weights), clusters))
    return _by_seed(before, after, after - before, influences)


def _ece(plain: Replicates, lever: Replicates, asked: Asked) -> Change:
    def tables(one: Replicates) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " n"]]:
        found = [reliability(q.max(axis=1).astype(float), q.argmax(axis=1) == asked.labels) for q in one.probabilities]
        return np.array([one.debiased for one in found]), np.mean([one.influence for one in found], axis=0)

    (before, first), (after, second) = tables(plain), tables(lever)
    return _by_seed(before, after, after - before, [(second - first, asked.clusters)])


def _seconds(plain: Replicates, lever: Replicates, asked: Asked) -> Change:  # noqa: ARG001
    found = _cost(plain.seconds, lever.seconds)
    r = len(plain.seconds)
    if min(len(np.unique(one.seconds)) for one in (plain, lever)) == r or found.reason:
        return found
    return replace(found, without_each=np.full(r, np.nan), reason="no limits: some fits were timed together")


def _operations(plain: Replicates, lever: Replicates, asked: Asked) -> Change:  # noqa: ARG001
    return _cost(plain.operations, lever.operations)


def _cost(before: Float[np.ndarray, " r"], after: Float[np.ndarray, " r"]) -> Change:
    if not (np.minimum(before, after) > 0).all():
        return _undefined("not known of every fit", len(before))
    return _by_seed(before, after, np.log(after / before), [])


def _by_seed(
    before: Float[np.ndarray, " r"],
    after: Float[np.ndarray, " r"],
    change: Float[np.ndarray, " r"],
    influences: Sequence[tuple[Float[np.ndarray, " _"], Clusters]],
) -> Change:
    """The mean of a number that each seed has by itself."""
    without_each = (change.sum() - change) / (len(change) - 1)
    return Change(float(before.mean()), float(after.mean()), float(change.mean()), without_each, influences)


def _n_eff(plain: Replicates, lever: Replicates, asked: Asked) -> Change:
    before, after = _centred(plain, asked), _centred(lever, asked)
    return _of_alikeness((before, before), (after, after), len(before), asked)


def _n_eff_pair(plain: Replicates, lever: Replicates, asked: Asked) -> Change:
    before, after = _centred(plain, asked), _centred(lever, asked)
    return _of_alikeness((before, before), (before, after), 2, asked)


Two = tuple[Float[np.ndarray, "r n"], Float[np.ndarray, "r n"]]


def _of_alikeness(plain: Two, lever: Two, members: int, asked: Asked) -> Change:
    """Ratio of n_eff of so many models, from the mean error correlation of two sorts of them; seeds are never equal."""
    (before, first), (after, second) = _design_effect(*plain, members), _design_effect(*lever, members)
    r = len(plain[0])
    if not (before > 0 and after > 0):
        return _undefined("no errors" if math.isnan(before + after) else "errors are perfectly complementary", r)
    without: list[float] = []
    for seed in range(r):
        kept = np.arange(r) != seed
        d = [_design_effect(a[kept], b[kept], members)[0] for a, b in (plain, lever)]
        without.append(math.log(d[0] / d[1]) if min(d) > 0 else math.nan)
    if np.isnan(without).any():
        return _undefined("too few errors to do without a seed", r)
    influence = first / before - second / after
    estimate = math.log(before / after)
    return Change(members / before, members / after, estimate, np.array(without), [(influence, asked.clusters)])


def _design_effect(
    a: Float[np.ndarray, "r n"], b: Float[np.ndarray, "r n"], members: int
) -> tuple[float, Float[np.ndarray, " n"]]:
    """1 + (members − 1) ρ, and the influence of the instances on it; ρ is over pairs a, b of different seeds."""
    r = len(a)
    joint = (a.sum(axis=0) * b.sum(axis=0) - (a * b).sum(axis=0)) / (r * (r - 1))
    own = ((a * a).mean(axis=0) + (b * b).mean(axis=0)) / 2
    variance = float(own.mean())
    if not variance > 0:
        return math.nan, np.full(a.shape[1], np.nan)
    rho = float(joint.mean()) / variance
    return 1 + (members - 1) * rho, (members - 1) * (joint - rho * own) / variance


def _centred(one: Replicates, asked: Asked) -> Float[np.ndarray, "r n"]:
    wrong = asked.wrong(one).astype(float)
    return np.asarray(wrong - wrong.mean(axis=1, keepdims=True))


def _undefined(reason: str, seeds: int) -> Change:
    return Change(math.nan, math.nan, math.nan, np.full(seeds, math.nan), reason=reason)


MEASURES: dict[str, Measure] = {
    "accuracy": Measure(_accuracy, "test accuracy"),
    "gap": Measure(_gap, "generalization gap, train less test accuracy"),
    "shifted_accuracy": Measure(_shifted, "mean accuracy on shifted tests"),
    "log_loss": Measure(_log_loss, "test log-loss"),
    "ece": Measure(_ece, "calibration error, less what chance adds"),
    "n_eff": Measure(_n_eff, "n_eff of the replicates with it, against the plain ones", ratio=True),
    "n_eff_pair": Measure(_n_eff_pair, "n_eff of a plain model with one with it, against two plain ones", ratio=True),
    "seconds": Measure(_seconds, "seconds of a fit", ratio=True, tested=False),
    "operations": Measure(_operations, "floating-point operations of a fit", ratio=True, tested=False),
}
"""What a lever may change, by name."""
