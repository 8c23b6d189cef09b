"""Which instances choose, and which judge? Never the same ones, and clusters stay whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError
from polyculture.rng import stream

from .questions import Questions

AnyExam = TypeVar("AnyExam", bound=Questions)


@dataclass(frozen=True, eq=False)
class SelectionSplit(Generic[AnyExam]):
    """The exam to choose on and the exam to certify on, without a common instance."""

    chosen_on: AnyExam
    certified_on: AnyExam


def folds(exam: Questions, k: int, seed: int, *names: str | int) -> Int[np.ndarray, " n"]:
    """Fold 0 … k − 1 of each instance: at random, whole clusters together, each class spread evenly over the folds.

    The models' outcomes play no part: folds that are made alike in them hide how much a choice depends on chance.
    """
    ranks = _ranks(exam, seed, *names)
    if ranks.max() + 1 < k:
        raise InputError(
            f"{_counted(exam, ranks)} to choose on for {k} folds",
            f"{k} or more",
            "bring a longer table (with none to certify on it is cut in two); from Python also Terms(folds=…)",
        )
    return ranks % k


def halves(exam: Questions, share: float, seed: int) -> Bool[np.ndarray, " n"]:
    """Which instances judge: about this share of each class, or of the clusters."""
    if not 0 < share < 1:
        raise InputError(f"a share of {share} to certify on", "a number between 0 and 1, such as 0.5")
    ranks = _ranks(exam, seed, "selection", "certification")
    judges: Bool[np.ndarray, " n"] = np.floor((ranks + 1) * share) > np.floor(ranks * share)
    if judges.all() or not judges.any():
        raise InputError(
            f"{_counted(exam, ranks)}, and a share of {share} of them to certify on",
            "some to choose on and some to certify on",
            "bring a longer table, another share, or other instances to certify on",
        )
    return judges


def _counted(exam: Questions, ranks: Int[np.ndarray, " n"]) -> str:
    what, count = "instance" if exam.cluster_codes is None else "cluster", int(ranks.max()) + 1
    return f"{count} {what}{'' if count == 1 else 's'}"


def _ranks(exam: Questions, seed: int, *names: str | int) -> Int[np.ndarray, " n"]:
    """Place of each instance in a random order sorted by class, or of its cluster in a random order of clusters."""
    rng, codes = stream(seed, *names), exam.cluster_codes
    if codes is not None:
        of_clusters: Int[np.ndarray, " g"] = rng.permutation(int(codes.max()) + 1)
        return np.asarray(of_clusters[codes])
    order = rng.permutation(exam.n)
    strata = np.zeros(exam.n, np.int64) if exam.strata is None else exam.strata[order]
    ranks = np.empty(exam.n, np.int64)
    ranks[order[np.argsort(strata, kind="stable")]] = np.arange(exam.n)
    return ranks


def apart(chosen_on: pd.Index, certified_on: pd.Index) -> None:
    """Refuse instances on both sides, where instances have names; mere numbers of rows are no names."""
    if isinstance(chosen_on, pd.RangeIndex) and isinstance(certified_on, pd.RangeIndex):
        return
    both = chosen_on.intersection(certified_on)
    if len(both):
        raise InputError(
            f"{len(both)} instances to choose on are also there to certify on, such as {both[0]!r}",
            "different instances",
            "leave certify_on out to split the table",
        )


def companions(
    shifted: Mapping[str, AnyExam], sides: tuple[pd.Index, pd.Index], seed: int
) -> tuple[Mapping[str, AnyExam], Mapping[str, AnyExam]]:
    """Shifted test sets parted like the table they belong to: companions of an instance go where it went.

    Parameters
    ----------
    sides : ids of the instances to choose on and to certify on. Instances of neither side (or, as rows are numbered
        alike, of both) are parted at random, half and half.
    """
    first: dict[str, AnyExam] = {}
    second: dict[str, AnyExam] = {}
    for name, exam in shifted.items():
        ids = exam.instances.index
        here, there = (ids.isin(side) for side in sides)
        judges = _ranks(exam, seed, "selection", "shift", name) % 2 == 1
        judges = np.where(here != there, there, judges)
        for side, rows in ((first, ~judges), (second, judges)):
            if rows.any():
                side[name] = exam.take(np.flatnonzero(rows))
    return first, second


def without(exam: AnyExam, held_out: Int[np.ndarray, " k"]) -> AnyExam:
    """The exam without some of its instances, and its shifted test sets without their companions."""
    rest = np.setdiff1d(np.arange(exam.n), held_out)
    gone = exam.instances.index[held_out]
    shifted: dict[str, Any] = {}
    for name, there in exam.shifted.items():
        kept = np.flatnonzero(~there.instances.index.isin(gone))
        if len(kept):
            shifted[name] = there.take(kept)
    return exam.take(rest).beside(shifted)


def outside(
    exam: AnyExam, k: int, seed: int, chosen: Callable[[AnyExam], Callable[[AnyExam], Float[np.ndarray, " r"]]]
) -> Float[np.ndarray, " n"]:
    """Loss of every instance under what is chosen without its fold.

    Parameters
    ----------
    k : folds.
    chosen : makes the whole choice on one exam, and gives the losses of what was chosen on another.
    """
    fold = folds(exam, k, seed, "selection", "nested")
    found: Float[np.ndarray, " n"] = np.full(exam.n, np.nan)
    for part in range(k):
        here = np.flatnonzero(fold == part)
        found[here] = chosen(without(exam, here))(exam.take(here))
    return found
