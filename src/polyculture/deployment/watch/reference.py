"""What was normal at certification? The statistics that live answers are compared with, and the alarms on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError
from polyculture.measures.effective import effective

from .answer_columns import co_dissent, dissents, not_unanimous, wrong_answers
from .detection.drift import bin_counts

MOST_ROWS = 1000
"""Rows of the profile that are stored for tests of drift."""
MOST_GROUPS = 50
"""Values of a column of groups; of columns with more, no group is watched."""
BINS = 10
TAIL = 0.05
"""Part of the reference on each side of the range in which a number counts as usual."""
LOW_CONFIDENCE = 0.1
"""Part of the reference that counts as answered with low confidence."""
PERCENTILES = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class CertifiedAnswers:
    """Answers to the instances on which a portfolio was certified.

    Parameters
    ----------
    answer, member_answers : codes of classes; -1 for none. Regression: all -1.
    label : code of the true class, or the true number.
    confidence : probability of the answer; nan where there is none.
    value, member_values : regression: predicted numbers; nan for classes.
    tolerance : regression: the largest error that counts as right; nan for classes.
    classes : number of classes.
    groups : by column the value of each instance.
    profile, profile_names : numbers of the inputs, and what they are called; nan for a missing cell.
    categories : number of categories of those profile numbers that are codes of categories, -1 for an unknown one.
    latency_ms : of each answer, where it was measured.
    sequence_disagreement : tags, whose tokens are the instances: disagreement of each sequence, as in records.
    """

    answer: Int[np.ndarray, " n"]
    member_answers: Int[np.ndarray, "n m"]
    label: Float[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    value: Float[np.ndarray, " n"]
    member_values: Float[np.ndarray, "n m"]
    tolerance: float = math.nan
    classes: int = 0
    groups: Mapping[str, Sequence[str]] | None = None
    profile: Float[np.ndarray, "r d"] | None = None
    profile_names: tuple[str, ...] = ()
    categories: Mapping[str, int] = field(default_factory=dict)
    latency_ms: Float[np.ndarray, " k"] | None = None
    sequence_disagreement: Float[np.ndarray, " k"] | None = None


def reference_statistics(certified: CertifiedAnswers) -> dict[str, Any]:
    """What `reference.json` of a bundle holds: plain numbers and lists, nan as None.

    Raises InputError without instances, and where columns differ in length.
    """
    n, m = certified.member_answers.shape
    if n == 0 or m == 0:
        raise InputError(f"{n} instances and {m} members", "at least 1 of each")
    if not n == len(certified.answer) == len(certified.label) == len(certified.confidence):
        raise InputError(f"columns of {n}, {len(certified.answer)} and {len(certified.label)} rows", "equal lengths")
    regression = not math.isnan(certified.tolerance)
    spread = (
        np.nanquantile(np.abs(certified.member_values - certified.value[:, None]), 0.95, axis=0) if regression else None
    )
    dissent = dissents(certified.answer, certified.member_answers, certified.value, certified.member_values, spread)
    wrong = wrong_answers(certified.label, certified.member_answers, certified.member_values, certified.tolerance)
    portfolio_wrong = wrong_answers(certified.label, certified.answer, certified.value, certified.tolerance)
    events = not_unanimous(dissent, certified.member_answers)
    statistics: dict[str, Any] = {
        "n": n,
        "disagreement": _share(events),
        "co_dissent": _share(co_dissent(dissent)),
        "co_disagreement": _pair_shares(dissent),
        "dissent": [_share(column) for column in dissent.T],
        "member_answer_shares": _answer_shares(certified.member_answers, certified.classes),
        "member_answer_counts": _answer_counts(certified.member_answers, certified.classes),
        "all_wrong": _share(all_wrong(wrong)),
        "error": _share(portfolio_wrong),
        "members_error": [_share(column) for column in wrong.T],
        "n_eff": _number(n_eff(wrong, None if regression else certified.label.astype(np.int64))),
        "n_eff_dissent": _number(n_eff(dissent, None)),
        "gain": _gain(portfolio_wrong, wrong),
        "spread": None if spread is None else spread.tolist(),
        "tolerance": _number(certified.tolerance),
        "groups": _groups(certified.groups or {}, events, all_wrong(wrong)),
        "cutoffs": {},
    }
    if certified.sequence_disagreement is not None:
        limit = float(np.nanquantile(certified.sequence_disagreement, 1 - LOW_CONFIDENCE))
        statistics["cutoffs"]["disagreement"] = limit
        statistics["disagreement"] = float((certified.sequence_disagreement > limit).mean())
    statistics |= _confidence(certified.confidence, statistics["cutoffs"])
    if certified.profile is not None and certified.profile.shape[1]:
        statistics["profile"] = _profile(certified, certified.profile, statistics["cutoffs"])
    if certified.latency_ms is not None and len(certified.latency_ms):
        levels = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
        statistics["latency_ms"] = {k: float(np.quantile(certified.latency_ms, q)) for k, q in levels.items()}
        statistics["cutoffs"]["latency_p99"] = statistics["latency_ms"]["p99"]
    return statistics


def all_wrong(wrong: Int[np.ndarray, "n m"]) -> Int[np.ndarray, " n"]:
    """1 where every member is wrong, 0 where some member is right, -1 where neither is known."""
    right = (wrong == 0).any(axis=1)
    return np.where(right, 0, np.where((wrong == 1).all(axis=1), 1, -1)).astype(np.int8)


def n_eff(wrong: Int[np.ndarray, "n m"], classes: Int[np.ndarray, " n"] | None) -> float:
    """Effective number of independent members, given the true class where there is one; nan where undefined."""
    return float(effective((wrong == 1).T, classes, (wrong >= 0).T).n_eff)


def _gain(portfolio_wrong: Int[np.ndarray, " n"], wrong: Int[np.ndarray, "n m"]) -> float | None:
    """Error of the best single member minus error of the portfolio, each on what the member answered."""
    defined = (portfolio_wrong >= 0)[:, None] & (wrong >= 0)
    counts = defined.sum(axis=0)
    differences = np.where(defined, (wrong == 1).astype(float) - (portfolio_wrong == 1)[:, None], 0.0).sum(axis=0)
    return float((differences[counts > 0] / counts[counts > 0]).min()) if counts.any() else None


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _share(events: Int[np.ndarray, " n"]) -> float | None:
    """Share of 1 among what is defined; None where nothing is."""
    return float((events == 1).sum() / (events >= 0).sum()) if (events >= 0).any() else None


def pair_counts(dissent: Int[np.ndarray, "n m"]) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """Answers on which both members of a pair dissent, and on which that is known of both."""
    E, W = ((dissent == 1).astype(np.float32), (dissent >= 0).astype(np.float32))
    return (E.T @ E).astype(float), (W.T @ W).astype(float)


def _pair_shares(dissent: Int[np.ndarray, "n m"]) -> list[list[float | None]]:
    joint, observed = pair_counts(dissent)
    shares = np.divide(joint, observed, out=np.full(joint.shape, np.nan), where=observed > 0)
    return [[_number(share) for share in row] for row in shares.tolist()]


def _answer_counts(member_answers: Int[np.ndarray, "n m"], classes: int) -> list[list[int]]:
    return [np.bincount(column[column >= 0], minlength=classes)[:classes].tolist() for column in member_answers.T]


def _answer_shares(member_answers: Int[np.ndarray, "n m"], classes: int) -> list[list[float]]:
    rows = np.array(_answer_counts(member_answers, classes), float).reshape(member_answers.shape[1], classes)
    shares: list[list[float]] = (rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)).tolist()
    return shares


def _groups(
    groups: Mapping[str, Sequence[str]], events: Int[np.ndarray, " n"], failed: Int[np.ndarray, " n"]
) -> dict[str, Any]:
    """By column and value: instances, disagreement and share that all members fail."""
    table: dict[str, Any] = {}
    for column, values in groups.items():
        names = np.asarray(values, dtype=object).astype(str)
        levels = np.unique(names)
        if len(levels) <= MOST_GROUPS:
            masks = {str(level): names == level for level in levels}
            table[column] = {
                level: {"n": int(mask.sum()), "disagreement": _share(events[mask]), "all_wrong": _share(failed[mask])}
                for level, mask in masks.items()
            }
    return table


def _confidence(confidence: Float[np.ndarray, " n"], cutoffs: dict[str, Any]) -> dict[str, Any]:
    values = confidence[np.isfinite(confidence)]
    if not len(values):
        return {}
    cutoffs["confidence"] = float(np.quantile(values, LOW_CONFIDENCE))
    quantiles = np.quantile(values, PERCENTILES).tolist()
    low = float((values < cutoffs["confidence"]).mean())
    return {"confidence": {"n": len(values), "mean": float(values.mean()), "quantiles": quantiles, "low": low}}


def _profile(certified: CertifiedAnswers, profile: Float[np.ndarray, "n d"], cutoffs: dict[str, Any]) -> dict[str, Any]:
    """Bins, counts, moments, missing shares and evenly spaced rows of the numbers of the inputs."""
    names = certified.profile_names
    if len(names) != profile.shape[1]:
        raise InputError(f"{len(names)} names of {profile.shape[1]} profile numbers", "a name for each")
    rows = profile[np.linspace(0, len(profile) - 1, min(MOST_ROWS, len(profile))).astype(int)]
    columns = [
        _profile_column(column, certified.categories.get(n, 0)) for n, column in zip(names, profile.T, strict=True)
    ]
    for name, column in zip(names, columns, strict=True):
        limits = column.pop("limits")
        if limits:
            cutoffs[f"input_drift:{name}"] = limits
    keys = ("edges", "counts", "mean", "sd", "outside", "missing", "unknown")
    return {
        "names": list(names),
        "categories": [certified.categories.get(name, 0) for name in names],
        **{key: [column[key] for column in columns] for key in keys},
        "rows": [[_number(value) for value in row] for row in rows.tolist()],
    }


def _profile_column(column: Float[np.ndarray, " n"], categories: int) -> dict[str, Any]:
    """What is stored of one number of the inputs: numbers: bins and the usual range; categories: counts."""
    values = column[np.isfinite(column)]
    summary: dict[str, Any] = {"limits": [], "outside": None, "mean": None, "sd": None, "unknown": 0.0}
    summary["missing"] = float(np.isnan(column).mean())
    if categories:
        summary["unknown"] = float((values < 0).mean()) if len(values) else 0.0
        counts = np.bincount(values[values >= 0].astype(int), minlength=categories)[:categories]
        return summary | {"edges": [], "counts": counts.tolist()}
    if not len(values):
        return summary | {"edges": [], "counts": [0]}
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])).tolist()
    limits = np.quantile(values, [TAIL, 1 - TAIL]).tolist()
    outside_share = float(((values < limits[0]) | (values > limits[1])).mean())
    counts = bin_counts(column, edges).astype(int)
    summary |= {"mean": float(values.mean()), "sd": float(values.std()), "outside": outside_share, "limits": limits}
    return summary | {"edges": edges, "counts": counts.tolist()}
