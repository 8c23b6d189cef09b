"""Which numbers of an audit have a name, and how sure is each? Extremes over pairs and models with limits for all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.special import ndtri

from polyculture.results import Audit
from polyculture.stats import Interval, every, jeffreys, kappa_limits, wilson

MOST_COMPARED = 200
"""Most alike pairs whose limits are widened to hold for all pairs; the limit of a maximum lies among them."""


@dataclass(frozen=True)
class Number:
    """A number of an audit, and which models it belongs to, where its name does not say it."""

    interval: Interval
    subject: str = ""


def numbers_of(audit: Audit) -> dict[str, Number]:
    """Every number of an audit that a gate can bound, by name."""
    numbers = {
        "n_eff": Number(audit.n_eff),
        "rho": Number(audit.null_model(audit.headline).rho),
        "all_wrong": Number(audit.systemic.rate),
    }
    for null_model in audit.null_models:
        numbers[f"n_eff@{null_model.name}"] = Number(null_model.n_eff)
        numbers[f"rho@{null_model.name}"] = Number(null_model.rho)
    numbers |= _kappa(audit) | _accuracy(audit)
    for name, interval in (*_shifts(audit), *_groups(audit)):
        numbers[name] = Number(interval)
    for section in audit.sections:
        numbers |= {f"{section.name}.{name}": Number(interval) for name, interval in section.numbers.items()}
    return numbers


def _level(audit: Audit) -> float:
    return audit.n_eff.level


def _kappa(audit: Audit) -> dict[str, Number]:
    """Mean, smallest and largest κ of all pairs where it is defined."""
    pairs, level = audit.pairwise, _level(audit)
    a, b = np.triu_indices(len(pairs.models), 1)
    kappa, low, high = (pairs.values[name][a, b] for name in ("kappa", "kappa_low", "kappa_high"))
    defined = np.flatnonzero(np.isfinite(kappa) & np.isfinite(low) & np.isfinite(high))
    if not len(defined):
        reason = "κ is not defined for any pair"
        return dict.fromkeys(("kappa_mean", "kappa_min", "kappa_max"), Number(Interval.undefined(reason)))
    a, b, kappa, low, high = (x[defined] for x in (a, b, kappa, low, high))
    n = int(pairs.counts["n"][a, b].min())
    total = len(pairs.models) * (len(pairs.models) - 1) // 2
    count = f"{len(defined):,} of {total:,} pairs"
    # Errors of the pairs' estimates may go together, and the error of a mean is at most the mean of the errors.
    estimate, bottom, top = (float(x.mean()) for x in (kappa, low, high))
    mean = Interval(estimate, bottom, top, level, n, f"mean of the estimates and of the limits of {count}")
    partial = f"defined for {count}" if len(defined) < total else ""
    numbers = {"kappa_mean": Number(mean, partial)}
    for name, sign, word in (("kappa_min", -1, "smallest"), ("kappa_max", 1, "largest")):
        extreme = int(np.argmax(sign * kappa))
        nearest = np.argsort(-sign * (low if sign > 0 else high), kind="stable")[:MOST_COMPARED]
        lows, highs = _widened(audit, (a[nearest], b[nearest]), (low[nearest], high[nearest]), len(defined))
        limits = (max(lows.max(), low.min()), high.max()) if sign > 0 else (low.min(), min(highs.min(), high.max()))
        ends = (min(float(limits[0]), float(kappa[extreme])), max(float(limits[1]), float(kappa[extreme])))
        method = f"{word} of {count}, limits for all at once"
        subject = f"{pairs.models[a[extreme]]} and {pairs.models[b[extreme]]}"
        subject += f"; {partial}" if partial else ""
        numbers[name] = Number(Interval(float(kappa[extreme]), *ends, level, n, method), subject)
    return numbers


def _widened(
    audit: Audit,
    rows: tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]],
    limits: tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]],
    pairs: int,
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Limits of κ of some pairs that hold for all pairs at once (Bonferroni).

    The limits of a maximum need it: among hundreds of pairs the largest looks larger than it is. They are made from the
    counts of instances, divided by the design effect of clusters, which the widths of the stored limits tell.
    """
    level, counts = _level(audit), audit.pairwise.counts
    names = ("both_right", "a_right_b_wrong", "a_wrong_b_right", "both_wrong")
    cells = np.stack([counts[name][rows] for name in names], axis=1).astype(float)
    if audit.facts.get("clusters"):
        narrow = kappa_limits(cells, level)
        inflation = float(np.nanmedian(((limits[1] - limits[0]) / (narrow.high - narrow.low)) ** 2))
        cells = cells / (inflation if inflation >= 1 else 1.0)
    wide = kappa_limits(cells, 1 - (1 - level) / pairs)
    return np.fmin(wide.low, limits[0]), np.fmax(wide.high, limits[1])


def _accuracy(audit: Audit) -> dict[str, Number]:
    """Accuracy of each model, of the best and the worst one, and their mean."""
    table, level = audit.leaderboard.table, _level(audit)
    table = table[table["n"] > 0]
    if table.empty:
        reason = "no model has answers"
        names = ("accuracy_mean", "accuracy_best", "accuracy_worst")
        return dict.fromkeys(names, Number(Interval.undefined(reason)))
    n, errors = table["n"].to_numpy(), table["errors"].to_numpy()
    wide = [wilson(int(k - e), int(k), 1 - (1 - level) / len(table)) for k, e in zip(n, errors, strict=True)]
    columns = (table[name].to_numpy(dtype=float) for name in ("accuracy", "low", "high"))
    accuracy, low, high = columns
    models = [str(model) for model in table["model"]]
    numbers = {
        f"accuracy@{model}": Number(Interval(share, bottom, top, level, int(k), "Wilson"))
        for model, k, share, bottom, top in zip(models, n, accuracy.tolist(), low.tolist(), high.tolist(), strict=True)
    }
    best, worst = int(np.argmax(accuracy)), int(np.argmin(accuracy))
    method = f"Wilson; limits for {every(len(table), 'model')} at once"
    top = Interval(float(accuracy[best]), max(i.low for i in wide), float(high.max()), level, int(n[best]), method)
    bottom = Interval(float(accuracy[worst]), float(low.min()), min(i.high for i in wide), level, int(n[worst]), method)
    mean = _mean_share(float(accuracy.mean()), int(n.min()), level)
    return numbers | {
        "accuracy_best": Number(top, models[best]),
        "accuracy_worst": Number(bottom, models[worst]),
        "accuracy_mean": Number(mean),
    }


def _mean_share(mean: float, n: int, level: float) -> Interval:
    """A mean of shares over models on the same instances.

    Per instance it lies between 0 and 1, so it varies at most as a share of one model does.
    """
    if not n or math.isnan(mean):
        return Interval.undefined("no instances", n)
    z = float(ndtri(0.5 + level / 2))
    centre = (mean * n + z * z / 2) / (n + z * z)
    reach = z / (n + z * z) * math.sqrt(n * mean * (1 - mean) + z * z / 4)
    low, high = max(0.0, centre - reach), min(1.0, centre + reach)
    return Interval(mean, low, high, level, n, "Wilson, as if all models erred on the same instances")


def _shifts(audit: Audit) -> Iterator[tuple[str, Interval]]:
    """Numbers of every shifted test set, from the table of the audit."""
    level, systemic = _level(audit), audit.systemic
    complete = systemic.n / audit.n_instances if audit.n_instances else 0.0
    for name, row in zip(shift_names(audit), _shift_rows(audit), strict=True):
        n = int(row["n"])
        yield f"n_eff@{name}", _limited(row["n_eff"], row["low"], row["high"], level, n)
        yield f"rho@{name}", _rho(audit, row, level, n)
        yield f"accuracy_mean@{name}", _mean_share(float(row["accuracy"]), n, level)
        yield f"accuracy_best@{name}", _best(float(row["best"]), n, audit.n_models, level)
        answered = round(n * complete)
        share = float(row["all_wrong"])
        if math.isnan(share):
            yield f"all_wrong@{name}", Interval.undefined("no instance was answered by every model")
        else:
            yield f"all_wrong@{name}", jeffreys(round(share * answered), answered, level)


def _shift_rows(audit: Audit) -> list[dict[str, Any]]:
    """Rows of the shifted test sets, without the unshifted one."""
    return [row for row in _rows(audit.shifts) if row["severity"] > 0]


def shift_names(audit: Audit) -> list[str]:
    """Shifted test sets as gates call them: ``"noise@3"``."""
    return [f"{row['shift']}@{row['severity']:g}" for row in _shift_rows(audit)]


def _limited(estimate: float, low: float, high: float, level: float, n: int) -> Interval:
    if math.isnan(estimate):
        return Interval.undefined("fewer than two models with right and wrong answers", n)
    reason = "no limits from these instances" if math.isnan(low) and math.isnan(high) else ""
    return Interval(float(estimate), float(low), float(high), level, n, "influence function, log scale", reason)


def _rho(audit: Audit, row: Mapping[str, Any], level: float, n: int) -> Interval:
    """ρ of a shifted test set with the limits of its n_eff: M/n_eff = 1 + ρ (M − 1) for M informative models."""
    rho, share = float(row["rho"]), 1 / float(row["n_eff"]) if row["n_eff"] else math.nan
    if math.isnan(rho) or math.isnan(share):
        return Interval.undefined("fewer than two models with right and wrong answers", n)
    models = (1 - rho) / (share - rho) if share - rho > 1e-9 else float(audit.n_models)
    ends = [(models / end - 1) / (models - 1) if end > 0 else math.nan for end in (row["high"], row["low"])]
    return _limited(rho, ends[0], ends[1], level, n)


def _best(accuracy: float, n: int, models: int, level: float) -> Interval:
    """Accuracy of the best of several models: its lower limit holds for all of them at once."""
    if math.isnan(accuracy) or not n:
        return Interval.undefined("no model has answers", n)
    successes = round(accuracy * n)
    low = wilson(successes, n, 1 - (1 - level) / models).low
    return Interval(accuracy, low, wilson(successes, n, level).high, level, n, "Wilson")


def _groups(audit: Audit) -> Iterator[tuple[str, Interval]]:
    """Numbers of every group, from the section of groups."""
    level = _level(audit)
    for name, row in zip(group_names(audit), _group_rows(audit), strict=True):
        n = int(row["n"])
        share, low, high = (float(row[key]) for key in ("all_wrong", "low", "high"))
        yield f"all_wrong@{name}", Interval(share, low, high, level, n, "Wilson")
        yield f"accuracy_mean@{name}", _mean_share(float(row["accuracy"]), n, level)


def _group_rows(audit: Audit) -> list[dict[str, Any]]:
    tables = [section.tables for section in audit.sections if section.name == "groups"]
    return _rows(tables[0]["groups"]) if tables and "groups" in tables[0] else []


def group_names(audit: Audit) -> list[str]:
    """Groups as gates call them: ``"site=north"``."""
    return [f"{row['column']}={row['group']}" for row in _group_rows(audit)]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
