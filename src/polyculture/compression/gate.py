"""Which compressed models are kept? Those that are smaller or faster and whose answers, and set, stay what they were.

Every model is judged first, then the set: while that is more alike, or less accurate, than the budget allows, the
original is put back whose return helps most. What is refused keeps its original. Budgets are held by the estimates, not
by what is shown beyond doubt: an original is never wrong to keep. Few instances therefore refuse more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from polyculture.errors import InputError
from polyculture.predictions import Predictions, PredictionSets
from polyculture.stats.interval import Interval, percent

from .changes import MEMBER_NUMBERS, SET_NUMBERS, Behaviour, Change, churn
from .measuring import Measurement

SLOWER, GAIN = 1.1, 1.1
"""How many times slower at one input no compressed model may be, and how many times smaller or faster it must be."""
SAME = 1.05
"""Times faster below which nobody notices."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Budget:
    """What compression has to gain, and what it may cost.

    Parameters
    ----------
    smaller, faster, fewer_flops : how many times at least, every model; faster at one input. None: smaller or faster by
        a tenth.
    churn : largest share of a model's answers that may change.
    accuracy : largest loss of accuracy (of R² for numbers) of a model, and of the set: .01 is a point.
    alikeness : largest loss of n_eff, and largest rise of the joint-error ratio, of the set, as a share of what it was.

    Raises InputError for factors that are not above 1 and shares outside 0 to 1.
    """

    smaller: float | None = None
    faster: float | None = None
    fewer_flops: float | None = None
    churn: float = 0.05
    accuracy: float = 0.01
    alikeness: float = 0.05

    def __post_init__(self) -> None:
        for name in ("smaller", "faster", "fewer_flops"):
            factor = getattr(self, name)
            if factor is not None and not 1 < factor < math.inf:
                raise InputError(f"{name.replace('_', ' ')} by {factor:g}", "a factor above 1, such as 2")
        for name in ("churn", "accuracy", "alikeness"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"a budget of {getattr(self, name):g} for {name}", "a share between 0 and 1")


@dataclass(frozen=True, eq=False)
class Verdict:
    """What became of one model.

    Parameters
    ----------
    model : its name.
    accepted : whether it was replaced by the compressed one.
    reason : one sentence with the numbers that decided.
    measurement : size and speed; None where it was not measured.
    churn : share of its answers that changed.
    changes : by name, `polyculture.compression.changes.MEMBER_NUMBERS` and ``"accuracy on SHIFT"``.
    """

    model: str
    accepted: bool
    reason: str
    measurement: Measurement | None
    churn: Interval
    changes: Mapping[str, Change]


@dataclass(frozen=True, eq=False)
class SetVerdict:
    """What became of the set.

    Parameters
    ----------
    verdicts : of each model, in the order of the predictions.
    factors : how many times the set became ``"smaller"``, ``"faster"`` (one input) and ``"faster_32"``: sums over the
        models that were measured; undefined where there is none.
    churn : share of the set's answers (mean probability, or plurality) that changed.
    changes : the numbers of the set as one model, those of `polyculture.compression.changes.SET_NUMBERS`, and
        ``"accuracy on SHIFT"``: what is kept against the originals.
    attempted : the same if every compressed model had been taken.
    """

    verdicts: tuple[Verdict, ...]
    factors: Mapping[str, Interval]
    churn: Interval
    changes: Mapping[str, Change]
    attempted: Mapping[str, Change]

    @property
    def accepted(self) -> tuple[str, ...]:
        """Names of the models that were replaced."""
        return tuple(verdict.model for verdict in self.verdicts if verdict.accepted)

    @property
    def refused(self) -> dict[str, str]:
        """Why the others keep their originals, by name."""
        return {verdict.model: verdict.reason for verdict in self.verdicts if not verdict.accepted}


@dataclass(frozen=True, eq=False)
class _Sets:
    """Behaviour on the test set and on shifted ones, of originals and compressed models."""

    test: tuple[Behaviour, Behaviour]
    shifted: Mapping[str, tuple[Behaviour, Behaviour]]
    weights: Float[np.ndarray, " m"] | None
    level: float
    names: tuple[str, ...]


def gate(
    originals: PredictionSets,
    compressed: PredictionSets,
    measurements: Mapping[str, Measurement],
    budget: Budget = Budget(),
    *,
    failed: Mapping[str, str] | None = None,
    weights: Float[np.ndarray, " m"] | None = None,
    level: float = 0.95,
) -> SetVerdict:
    """Which compressed models are kept, and what that does to each and to the set.

    Parameters
    ----------
    originals, compressed : predictions of the same models in the same order on the same instances; models that could
        not be compressed have their original predictions in both. Test set and shifted sets are used.
    measurements : by the names of the originals, of those that were compressed; of the others, with the original in
        both places, so that the factors are those of the whole set.
    budget : what is asked, and what it may cost.
    failed : why models were not compressed, by name.
    weights : of the models in the set; equal where None.

    Raises InputError for predictions that do not belong together.
    """
    names = tuple(originals.test.model_ids)
    reasons = dict(failed or {})
    sets = _behaviours(originals, compressed, names, weights, level)
    unknown = [name for name in names if name not in measurements and name not in reasons]
    if unknown:
        raise InputError(f"no measurement of {unknown[0]!r}", "one of every model that was compressed")
    changes = {name: _member_numbers(sets, row) for row, name in enumerate(names)}
    first, second = sets.test
    churns = {name: churn(first.take(row), second.take(row), level) for row, name in enumerate(names)}
    for name in names:
        if name not in reasons:
            reason = refusal(measurements[name], churns[name], changes[name], budget)
            reasons |= {name: reason} if reason else {}
    mask = np.array([name not in reasons for name in names])
    reasons |= _returned(sets, mask, budget)
    verdicts = tuple(
        Verdict(
            name,
            name not in reasons,
            reasons[name] if name in reasons else gains(measurements[name], churns[name], changes[name]),
            measurements.get(name),
            churns[name],
            changes[name],
        )
        for name in names
    )
    pair = first.combined(weights), second.mixed(first, mask).combined(weights)
    return SetVerdict(
        verdicts,
        _factors(verdicts, measurements),
        churn(*pair, level),
        _set_numbers(sets, mask),
        _set_numbers(sets, np.ones(len(names), bool)),
    )


def _behaviours(
    originals: PredictionSets,
    compressed: PredictionSets,
    names: tuple[str, ...],
    weights: Float[np.ndarray, " m"] | None,
    level: float,
) -> _Sets:
    pairs: dict[str, tuple[Predictions, Predictions]] = {"test": (originals.test, compressed.test)}
    pairs |= {
        name: (part, compressed.shifted[name]) for name, part in originals.shifted.items() if name in compressed.shifted
    }
    for name, (first, second) in pairs.items():
        if first.shape != second.shape or first.task != second.task or first.task == "outcomes":
            raise InputError(
                f"originals with {first.task} of {first.shape} and compressed models with {second.task} of "
                f"{second.shape} on {name}",
                "classes or numbers of the same models on the same instances",
            )
    parts = {
        name: (Behaviour.of(first, first, originals.cluster), Behaviour.of(second, first, originals.cluster))
        for name, (first, second) in pairs.items()
    }
    return _Sets(parts.pop("test"), parts, weights, level, names)


def _numbers(
    test: tuple[Behaviour, Behaviour], shifted: Mapping[str, tuple[Behaviour, Behaviour]], level: float
) -> dict[str, Change]:
    """Numbers of one model, or of a set as one."""
    changes = {name: compare(*test, level) for name, compare in MEMBER_NUMBERS.items()}
    quality = _quality(test[0])
    compare = MEMBER_NUMBERS[quality]
    return changes | {f"{quality} on {name}": compare(*pair, level) for name, pair in shifted.items()}


def _quality(behaviour: Behaviour) -> str:
    return "accuracy" if behaviour.residuals is None else "r_squared"


def _member_numbers(sets: _Sets, row: int) -> dict[str, Change]:
    def one(pair: tuple[Behaviour, Behaviour]) -> tuple[Behaviour, Behaviour]:
        return pair[0].take(row), pair[1].take(row)

    return _numbers(one(sets.test), {name: one(pair) for name, pair in sets.shifted.items()}, sets.level)


def _set_numbers(sets: _Sets, mask: Bool[np.ndarray, " m"]) -> dict[str, Change]:
    def one(pair: tuple[Behaviour, Behaviour]) -> tuple[Behaviour, Behaviour]:
        return pair[0].combined(sets.weights), pair[1].mixed(pair[0], mask).combined(sets.weights)

    numbers = _numbers(one(sets.test), {name: one(pair) for name, pair in sets.shifted.items()}, sets.level)
    original, compressed = sets.test[0], sets.test[1].mixed(sets.test[0], mask)
    return numbers | {name: compare(original, compressed, sets.level) for name, compare in SET_NUMBERS.items()}


def refusal(measurement: Measurement, changed: Interval, changes: Mapping[str, Change], budget: Budget) -> str:
    """Why a compressed model is not kept, in one sentence; empty where it is."""
    factors, speed, speed_32 = measurement.factors, measurement.speed.estimate, measurement.speed_32.estimate
    original, compressed = measurement.original, measurement.compressed
    if speed * SLOWER < 1:
        milliseconds = f"{original.milliseconds:.3g} → {compressed.milliseconds:.3g} ms"
        return f"{_times(1 / speed)} slower at one input ({milliseconds}) where at most {_times(SLOWER)} is allowed"
    if max(factors["smaller"], speed, speed_32) < GAIN:
        return (
            f"neither smaller ({factors['smaller']:.2f}×) nor faster by a tenth ({speed:.2f}× at one input, "
            f"{speed_32:.2f}× at 32)"
        )
    targets = {"smaller": budget.smaller, "faster": budget.faster, "fewer flops": budget.fewer_flops}
    for name, factor in targets.items():
        if factor is not None and not factors[name] >= factor:
            return f"{factors[name]:.2f}× {name} where {factor:g}× was asked for"
    if changed.estimate > budget.churn + ROUNDING:
        return f"{percent(changed.estimate)} of its answers changed where at most {percent(budget.churn)} may"
    for name in ("accuracy", "r_squared"):
        if -changes[name].change.estimate > budget.accuracy + ROUNDING:
            return _loss_words(changes[name], name, budget, "it")
    return ""


def _loss_words(change: Change, name: str, budget: Budget, subject: str) -> str:
    """That too much accuracy, or R² of numbers, is lost."""
    words = "accuracy" if name == "accuracy" else "R²"
    return (
        f"{subject} loses {percent(-change.change.estimate)} of {words} ({_arrow(change, name)}) where at most "
        f"{percent(budget.accuracy)} may be lost"
    )


def gains(measurement: Measurement, changed: Interval, changes: Mapping[str, Change]) -> str:
    """What was gained and what it cost, in one sentence."""
    name = "r_squared" if changes["r_squared"].change.defined else "accuracy"
    words = "R²" if name == "r_squared" else "accuracy"
    speeds = ((measurement.speed.estimate, "at one input"), (measurement.speed_32.estimate, "at 32"))
    faster = ", ".join(f"{_speed_words(speed)} {batch}" for speed, batch in speeds)
    smaller = measurement.factors["smaller"]
    size = f"{_times(smaller)} smaller" if smaller >= 1 else f"{_times(1 / smaller)} larger"
    return (
        f"{size}, {faster}; {percent(changed.estimate)} of its answers changed, {words} {_arrow(changes[name], name)}"
    )


def _times(factor: float) -> str:
    return f"{factor:.1f}×" if factor < 10 else f"{factor:.0f}×"


def _speed_words(speed: float) -> str:
    if 1 / SAME < speed < SAME:
        return "as fast"
    return f"{_times(speed)} faster" if speed >= 1 else f"{_times(1 / speed)} slower"


def _arrow(change: Change, name: str) -> str:
    """A number original and compressed."""
    numbers = (change.original.estimate, change.compressed.estimate)
    original, compressed = (percent(number) if name == "accuracy" else f"{number:.3g}" for number in numbers)
    return f"{original} → {compressed}"


def _returned(sets: _Sets, mask: Bool[np.ndarray, " m"], budget: Budget) -> dict[str, str]:
    """Models whose originals are put back for the sake of the set, with the reason; they leave the mask."""
    reasons: dict[str, str] = {}
    excess, reason = _excess(sets, mask, budget)
    while excess > ROUNDING and mask.any():
        trials = {}
        for row in map(int, np.flatnonzero(mask)):
            mask[row] = False
            trials[row] = _excess(sets, mask, budget)
            mask[row] = True
        row = min(trials, key=lambda place: trials[place][0])
        mask[row] = False
        reasons[sets.names[row]] = f"put back for the sake of the set: {reason}"
        excess, reason = trials[row]
    return reasons


def _excess(sets: _Sets, mask: Bool[np.ndarray, " m"], budget: Budget) -> tuple[float, str]:
    """How far the set is beyond its budget (0 or less: within), and by what."""
    original, compressed = sets.test[0], sets.test[1].mixed(sets.test[0], mask)
    parts: list[tuple[float, str]] = [(-math.inf, "")]
    first, second = original.effective.n_eff, compressed.effective.n_eff
    if math.isfinite(first) and math.isfinite(second):
        loss = 1 - second / first
        words = f"its n_eff falls from {first:.2f} to {second:.2f}, by {percent(loss)}"
        parts.append((loss - budget.alikeness, f"{words} where at most {percent(budget.alikeness)} is allowed"))
    first, second = original.joint_errors.ratio, compressed.joint_errors.ratio
    if first > 0 and math.isfinite(second):
        rise = second / first - 1
        words = f"its joint errors rise from {first:.2f}× to {second:.2f}× independence, by {percent(rise)}"
        parts.append((rise - budget.alikeness, f"{words} where at most {percent(budget.alikeness)} is allowed"))
    name = _quality(original)
    pair = original.combined(sets.weights), compressed.combined(sets.weights)
    change = MEMBER_NUMBERS[name](*pair, sets.level)
    if change.change.defined:
        loss = -change.change.estimate
        parts.append((loss - budget.accuracy, _loss_words(change, name, budget, "the set as one model")))
    return max(parts, key=lambda part: part[0])


def _factors(verdicts: tuple[Verdict, ...], measurements: Mapping[str, Measurement]) -> dict[str, Interval]:
    """How many times the set became smaller and faster, over the models that were measured."""
    parts = [(measurements[v.model], v.accepted) for v in verdicts if v.model in measurements]
    if not parts:
        return dict.fromkeys(("smaller", "faster", "faster_32"), Interval.undefined("no model was compressed"))
    original = sum(part.original.bytes for part, _ in parts)
    compressed = sum(part.compressed.bytes if accepted else part.original.bytes for part, accepted in parts)
    factors = {"smaller": Interval(original / compressed, n=len(parts), method="bytes of the graphs")}
    for name, batch in (("faster", ""), ("faster_32", "_32")):
        times = np.array([getattr(part.original, f"milliseconds{batch}") for part, _ in parts])
        speeds = [getattr(part, f"speed{batch}") if accepted else Interval(1.0, 1.0, 1.0) for part, accepted in parts]
        ends = [
            float(times.sum() / (times / [getattr(speed, end) for speed in speeds]).sum())
            for end in ("estimate", "low", "high")
        ]
        factors[name] = Interval(ends[0], ends[1], ends[2], 0.95, len(parts), "sum of medians, all at their limits")
    return factors
