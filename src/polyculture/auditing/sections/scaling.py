"""Does ability appear suddenly with scale, or only in the metric? Curves, a test for a break, and a verdict."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.errors import InputError, near
from polyculture.measures.scaling import (
    FEW_SCALES,
    LevelShift,
    ScalingCurve,
    at_limit,
    find_break,
    fit_curves,
    push_through,
    redraw_curves,
)
from polyculture.predictions import Predictions
from polyculture.results import Section, SectionSpec
from polyculture.rng import stream
from polyculture.stats import Interval, influence_interval, jeffreys, without_exponent

from ..context import AuditContext

ALPHA, ALPHA_PUSH = 0.05, 0.01
TOO_NOISY = math.log(2)
"""Half-width of the interval of a jump in log-loss above which not even a halving could be seen."""
SMALLEST = 1e-12
CURVE_POINTS = 60
SHAPE_NAMES = {
    "power law": ("exponent",),
    "broken power law": ("exponent before", "exponent after", "break"),
    "sigmoid": ("middle", "width"),
}


@dataclass(frozen=True, eq=False)
class Scale:
    """How large each model is; dates are taken as e to the power of years, so that curves in log scale suit them.

    Parameters
    ----------
    name : column.
    values : above 0; nan where unknown.
    epoch : year at which a date's value is 1; nan for plain numbers.
    """

    name: str
    values: Float[np.ndarray, " m"]
    epoch: float = math.nan

    def shown(self, values: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Scales as people read them: the number itself, or the year."""
        return values if math.isnan(self.epoch) else np.asarray(self.epoch + np.log(values))

    def word(self, value: float) -> str:
        """A scale in words."""
        return without_exponent(f"{self.shown(np.array([value]))[0]:{'.3g' if math.isnan(self.epoch) else '.1f'}}")


_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_UNITS |= {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SIZE = re.compile(r"(?i)(\d[\d,_]*(?:\.\d+)?)\s*(thousand|million|billion|trillion|[kmbt]|)(?:\s*param(?:eter)?s?)?")


def with_units(cells: pd.Series[Any]) -> pd.Series[Any]:
    """The cells as numbers, where they are sizes such as 7B, 1.5k or 350 million; else as they are.

    Raises InputError where some sizes have a unit and others have none.
    """
    filled = cells.dropna()
    matches = [match for match in (_SIZE.fullmatch(str(cell).strip()) for cell in filled) if match]
    if pd.api.types.is_numeric_dtype(cells) or len(matches) < len(filled) or not any(match[2] for match in matches):
        return cells
    bare = next((match[0] for match in matches if not match[2]), None)
    if bare is not None:
        united = next(match[0] for match in matches if match[2])
        raise InputError(
            f"model column {cells.name!r} holds {united!r} and {bare!r}", "a unit for all sizes, or for none"
        )
    sizes = [float(match[1].replace(",", "").replace("_", "")) * _UNITS[match[2].lower()] for match in matches]
    return pd.Series(sizes, index=filled.index, name=cells.name).reindex(cells.index)


def read_scale(predictions: Predictions, column: str) -> Scale:
    """The column of the model table that says how large models are: positive numbers (also 7B, 350M), or dates.

    Raises InputError if there is no such column, or it holds something else.
    """
    columns = [str(c) for c in predictions.models.columns]
    if column not in columns:
        raise InputError(f"no model column {column!r}", "a column with sizes or dates", near(column, columns))
    cells = with_units(predictions.models.iloc[:, columns.index(column)])
    if pd.api.types.is_bool_dtype(cells):
        raise InputError(f"model column {column!r} holds true/false", "positive numbers or dates")
    if pd.api.types.is_numeric_dtype(cells):
        values = cells.to_numpy(dtype=float)
        if (values <= 0).any():
            raise InputError(f"model column {column!r} holds {values[values <= 0][0]:g}", "sizes above 0")
        return Scale(column, values)
    dates = pd.to_datetime(cells, errors="coerce", format="ISO8601")
    invalid = dates.isna() & cells.notna()
    if invalid.any():
        raise InputError(f"model column {column!r} holds {cells[invalid].iloc[0]!r}", "positive numbers or ISO dates")
    years = 2000 + ((dates - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=365.2425)).to_numpy(dtype=float)
    first = float(np.nanmin(years))
    return Scale(column, np.exp(years - first), first)


def emergence(predictions: Predictions, scale: str = "parameters", *, seed: int = 0, level: float = 0.95) -> Section:
    """Whether ability changes smoothly with scale: curves with intervals, a test for a break, and a verdict.

    A break is tested on log-loss, which needs probabilities. Where only accuracy breaks, the smooth log-loss is pushed
    through "the largest probability wins": if that reproduces the accuracies, the break is the metric's.

    Parameters
    ----------
    predictions : of models of different scale, best with several seeds at each.
    scale : column of the model table, positive numbers or dates.
    seed : of the bootstrap.
    level : confidence level of the intervals.

    Verdicts: smooth, metric-induced, break, undetermined. Tables: points and curve (of the log-loss, or else of
    accuracy), families, breaks.
    Raises InputError for a column that is no scale.
    """
    scale_column = read_scale(predictions, scale)
    has_scale = np.isfinite(scale_column.values)
    if len(np.unique(scale_column.values[has_scale])) < 3:
        n_scales = len(np.unique(scale_column.values[has_scale]))
        return SPEC.skip(f"{n_scales} different values of {scale}; a curve needs 3 or more")
    sized = predictions.take_models([m for m, ok in zip(predictions.models.index, has_scale, strict=True) if ok])
    size = replace(scale_column, values=scale_column.values[has_scale])
    metrics = _metrics(sized)
    generator = stream(seed, "scaling", scale)
    fits = {name: _fit(name, size, y, generator, level) for name, y in metrics.items()}
    breaks = {name: find_break(size.values, _scaled(name, y), generator) for name, y in metrics.items()}
    push = _push(sized, size.values, metrics) if "log_loss" in metrics else math.nan
    verdict, explanation = _verdict(size, breaks, push, metrics["accuracy"])
    metric = "log_loss" if "log_loss" in fits else "accuracy"
    tables = {"points": _points(sized, size, metric, level), "curve": fits[metric].curve(size)}
    if metric != "accuracy":
        tables |= {
            "accuracy points": _points(sized, size, "accuracy", level),
            "accuracy curve": fits["accuracy"].curve(size),
        }
    tables["families"] = pd.concat([fit.families for fit in fits.values()], ignore_index=True)
    tables["breaks"] = pd.DataFrame([{"metric": name} | vars(b) for name, b in breaks.items()])
    tables["breaks"]["at"] = size.shown(tables["breaks"]["at"].to_numpy(dtype=float))
    numbers = {k: v for fit in fits.values() for k, v in fit.numbers.items()}
    numbers |= {f"{name} jump": _jump(b, len(sized.models)) for name, b in breaks.items()}
    if verdict == "break":
        place = float(size.shown(np.array([breaks["log_loss"].at]))[0])
        numbers["break"] = Interval(place, n=len(sized.models), method="largest F")
    return SPEC.answer(f"{verdict.capitalize()}: {explanation}. {fits[metric].sentence}", numbers, tables)


def _points(predictions: Predictions, scale: Scale, metric: str, level: float) -> pd.DataFrame:
    """One row per model: its scale and metric, with limits over instances."""
    limits = []
    for m in range(predictions.shape[0]):
        if metric == "log_loss":
            losses = _losses(predictions, m)
            limits.append(influence_interval(float(losses.mean()), losses - losses.mean(), level=level))
        else:
            n_answered = predictions.shape[1] if predictions.observed is None else int(predictions.observed[m].sum())
            limits.append(jeffreys(n_answered - int(predictions.wrong[m].sum()), n_answered, level))
    return pd.DataFrame(
        {
            "model": predictions.model_ids,
            "scale": scale.shown(scale.values),
            "metric": [i.estimate for i in limits],
            "low": [i.low for i in limits],
            "high": [i.high for i in limits],
        }
    )


def _metrics(predictions: Predictions) -> dict[str, Float[np.ndarray, " m"]]:
    """Accuracy of each model and, where there are probabilities, its mean log-loss."""
    wrong, observed = predictions.wrong, predictions.observed
    n_answered = np.full(len(wrong), wrong.shape[1]) if observed is None else observed.sum(axis=1)
    metrics: dict[str, Float[np.ndarray, " m"]] = {}
    if predictions.probabilities is not None and predictions.labels is not None:
        metrics["log_loss"] = np.array([_losses(predictions, m).mean() for m in range(len(wrong))])
    return metrics | {"accuracy": 1 - wrong.sum(axis=1) / np.maximum(n_answered, 1)}


def _losses(predictions: Predictions, model: int) -> Float[np.ndarray, " k"]:
    """Log-loss of one model on the instances it was seen on."""
    assert predictions.probabilities is not None
    assert predictions.labels is not None
    rows = np.arange(predictions.shape[1])
    truth = np.asarray(predictions.probabilities[model])[rows, predictions.labels]
    losses: Float[np.ndarray, " k"] = -np.log(np.clip(truth.astype(float), SMALLEST, 1.0))
    return losses if predictions.observed is None else losses[predictions.observed[model]]


def _scaled(name: str, y: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """The metric on the scale on which it is tested for a break."""
    return np.log(np.maximum(y, SMALLEST)) if name == "log_loss" else y


@dataclass(frozen=True, eq=False)
class _Fit:
    sentence: str
    numbers: dict[str, Interval]
    families: pd.DataFrame
    points: pd.DataFrame

    def curve(self, scale: Scale) -> pd.DataFrame:
        """The fitted curve with its band, against scale as people read it."""
        return self.points.assign(scale=scale.shown(self.points["scale"].to_numpy(dtype=float)))


def _fit(name: str, size: Scale, y: Float[np.ndarray, " m"], generator: np.random.Generator, level: float) -> _Fit:
    """The curve with the smallest AICc, with bootstrap limits; the scatter of a loss is taken as proportional to it."""
    scale = size.values
    weights = 1 / np.maximum(y, SMALLEST) ** 2 if name == "log_loss" else np.ones(len(y))
    curves = fit_curves(scale, y, weights)
    best = curves[0]
    draws = redraw_curves(best, scale, weights, generator)
    tails = [(1 - level) / 2, (1 + level) / 2]
    grid = np.geomspace(scale.min(), scale.max(), CURVE_POINTS)
    low, high = np.quantile([d.at(grid) for d in draws], tails, axis=0)
    highest = 1.0 if name == "accuracy" else math.inf
    fit, low, high = (np.clip(y, 0, highest) for y in (best.at(grid), low, high))
    points = pd.DataFrame({"scale": grid, "fit": fit, "low": low, "high": high, "family": best.family})
    floors = [c.floor if 0 <= c.floor <= highest else math.nan for c in curves]
    rows = [
        {"metric": name, "family": c.family, "aicc": c.aicc, "floor": floor, "sd": c.sd}
        for c, floor in zip(curves, floors, strict=True)
    ]
    numbers = {}
    labels = SHAPE_NAMES[best.family]
    untold = {label for label, limit in zip(labels, at_limit(best, scale), strict=True) if limit}
    for label, value in _parameters(best, size).items():
        spread = np.quantile([_parameters(d, size)[label] for d in draws], tails)
        method = f"parametric bootstrap, {len(draws)} draws"
        possible = label != "floor" or (0 <= value <= highest and spread[0] <= highest and spread[1] >= 0)
        if label == "floor":
            spread = np.clip(spread, 0, highest)
        numbers[f"{name} {label}"] = Interval(value, float(spread[0]), float(spread[1]), level, len(y), method)
        if label in untold:
            numbers[f"{name} {label}"] = Interval.undefined("beyond what these scales tell", len(y))
        if not possible:
            numbers[f"{name} {label}"] = Interval.undefined("these scales do not tell where it levels off", len(y))
    words = ", ".join(f"{k.removeprefix(name + ' ')} {v.format('.3g')}" for k, v in numbers.items())
    sentence = f"The {name.replace('_', '-')} follows a {best.family} best ({words})."
    step = float(np.diff(np.unique(np.log(scale))).max())
    if best.family == "sigmoid" and 2 * math.log(9) * best.shape[1] < step:
        sentence += " It is steeper than the steps between scales, so how steep cannot be resolved."
    return _Fit(sentence, numbers, pd.DataFrame(rows), points)


def _parameters(curve: ScalingCurve, size: Scale) -> dict[str, float]:
    """Numbers of a curve that mean something: places as scales, the width from 10 to 90 % in decades or years."""
    shape = dict(zip(SHAPE_NAMES[curve.family], curve.shape, strict=True))
    for place in ("middle", "break"):
        if place in shape:
            logarithm = math.log(curve.middle) + shape[place]
            shape[place] = math.exp(min(logarithm, 700.0)) if math.isnan(size.epoch) else size.epoch + logarithm
    if "width" in shape:
        shape["width"] *= 2 * math.log(9) / (math.log(10) if math.isnan(size.epoch) else 1)
    return shape if curve.family == "sigmoid" else shape | {"floor": curve.floor}


def _jump(estimate: LevelShift, n: int) -> Interval:
    if math.isnan(estimate.p):
        return Interval.undefined(f"fewer than {FEW_SCALES} different scales, or no scatter", n)
    return Interval(estimate.shift, estimate.low, estimate.high, 0.95, n, "t, for a given place")


def _push(
    predictions: Predictions, scale: Float[np.ndarray, " m"], metrics: dict[str, Float[np.ndarray, " m"]]
) -> float:
    """p-value of the accuracies being what smooth log-losses give when the largest probability wins."""
    x, y = np.log(scale), _scaled("log_loss", metrics["log_loss"])
    smooth = np.polyval(np.polyfit(x, y, min(2, len(np.unique(x)) - 1)), x)
    sd = float((y - smooth).std())
    predicted, variance = np.empty((2, len(x)))
    for m in range(len(x)):
        right = _right_if(predictions, m)
        expected, upper, lower = (float(right(math.exp(smooth[m] - y[m] + step))) for step in (0.0, sd, -sd))
        predicted[m] = expected
        n = predictions.shape[1]
        variance[m] = expected * (1 - expected) / n + ((upper - lower) / 2) ** 2
    return push_through(metrics["accuracy"], predicted, variance)


def _right_if(predictions: Predictions, model: int) -> Callable[[float], float]:
    """Accuracy of one model as a function of a factor on all its log-losses, the other classes scaled to match."""
    assert predictions.probabilities is not None
    assert predictions.labels is not None
    answered = slice(None) if predictions.observed is None else predictions.observed[model]
    p, labels = np.array(predictions.probabilities[model], dtype=float)[answered], predictions.labels[answered]
    rows = np.arange(len(p))
    truth = np.clip(p[rows, labels], SMALLEST, 1 - SMALLEST)
    p[rows, labels] = -1.0
    rival = p.max(axis=1) / (1 - truth)

    def accuracy(factor: float) -> float:
        changed = truth**factor
        return float((changed > rival * (1 - changed)).mean())

    return accuracy


def _verdict(
    scale: Scale, breaks: dict[str, LevelShift], push: float, accuracy: Float[np.ndarray, " m"]
) -> tuple[str, str]:
    """The verdict and the reason for it."""
    sharp = breaks["accuracy"]
    steps = len(np.unique(scale.values))
    if steps < FEW_SCALES:
        return "undetermined", f"{steps} different scales; {FEW_SCALES} are needed to tell a break from a curve"
    if "log_loss" not in breaks:
        return "undetermined", "without probabilities there is no continuous metric, and a sharp one proves no break"
    smooth = breaks["log_loss"]
    if math.isnan(smooth.p):
        return "undetermined", "the log-losses show no scatter to test against"
    reach = (smooth.high - smooth.low) / 2
    place = f"at {scale.name} {scale.word(smooth.at)}"
    if smooth.p < ALPHA:
        change = math.expm1(smooth.shift)
        return "break", f"the log-loss itself changes by {100 * change:+.0f} % {place} (sup-F p {_p(smooth.p)})"
    if reach > TOO_NOISY:
        return "undetermined", "seeds differ so much that not even a halving of the log-loss could be seen"
    if accuracy.max() == 0:
        return "undetermined", "no model is ever right: the accuracy is below resolution"
    if sharp.p < ALPHA and push < ALPHA_PUSH:
        return "undetermined", (
            f"accuracy breaks at {scale.name} {scale.word(sharp.at)} (p {_p(sharp.p)}), the log-loss does not "
            f"(p {_p(smooth.p)}), but the smooth log-loss does not reproduce the accuracies (p {_p(push)})"
        )
    if sharp.p < ALPHA:
        return "metric-induced", (
            f"accuracy seems to break (p {_p(sharp.p)}), but the log-loss does not (p {_p(smooth.p)}), and pushed "
            f"through the metric it gives the same accuracies (p {_p(push)})"
        )
    return "smooth", f"neither log-loss (p {_p(smooth.p)}) nor accuracy (p {_p(sharp.p)}) breaks anywhere"


def _p(p: Any) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _compute(context: AuditContext, *_: object) -> Section:
    o = context.options
    if not o.scale:
        return SPEC.skip("no model column was named as the scale")
    return emergence(context.predictions, o.scale, seed=o.seed, level=o.level)


SPEC = SectionSpec("scaling", "Does ability appear suddenly with scale?", place=30, compute=_compute)
