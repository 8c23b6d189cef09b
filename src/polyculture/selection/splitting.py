"""Which instances are for selection, and which for certification? Never the same ones, and clusters stay together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.predictions.content import is_numbered, same_content
from polyculture.rng import stream

from .evaluation import EvaluationSet


def folds(evaluation: EvaluationSet, k: int, seed: int, *names: str | int) -> Int[np.ndarray, " n"]:
    """Fold 0 … k − 1 of each instance: at random, clusters stay together, each class spread evenly over the folds.

    The models' outcomes play no part: folds that are balanced in them hide how much a choice depends on chance.
    """
    ranks = _ranks(evaluation, seed, *names)
    if ranks.max() + 1 < k:
        raise InputError(
            f"{_size(evaluation, ranks)} to choose on for {k} folds",
            f"{k} or more",
            "bring a longer table (with none to certify on it is cut in two); from Python also "
            "SelectionOptions(folds=…)",
        )
    return ranks % k


def halves(evaluation: EvaluationSet, share: float, seed: int) -> Bool[np.ndarray, " n"]:
    """Which instances certify: about this share of each class, or of the clusters."""
    if not 0 < share < 1:
        raise InputError(f"a share of {share} to certify on", "a number between 0 and 1, such as 0.5")
    ranks = _ranks(evaluation, seed, "selection", "certification")
    certify: Bool[np.ndarray, " n"] = np.floor((ranks + 1) * share) > np.floor(ranks * share)
    if certify.all() or not certify.any():
        raise InputError(
            f"{_size(evaluation, ranks)}, and a share of {share} of them to certify on",
            "some to choose on and some to certify on",
            "bring a longer table, another share, or other instances to certify on",
        )
    return certify


def _size(evaluation: EvaluationSet, ranks: Int[np.ndarray, " n"]) -> str:
    unit, count = "instance" if evaluation.cluster_codes is None else "cluster", int(ranks.max()) + 1
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _ranks(evaluation: EvaluationSet, seed: int, *names: str | int) -> Int[np.ndarray, " n"]:
    """Place of each instance in a random order sorted by class, or of its cluster in a random order of clusters."""
    rng, codes = stream(seed, *names), evaluation.cluster_codes
    if codes is not None:
        order_of_clusters: Int[np.ndarray, " g"] = rng.permutation(int(codes.max()) + 1)
        return np.asarray(order_of_clusters[codes])
    order = rng.permutation(evaluation.n)
    strata = np.zeros(evaluation.n, np.int64) if evaluation.strata is None else evaluation.strata[order]
    ranks = np.empty(evaluation.n, np.int64)
    ranks[order[np.argsort(strata, kind="stable")]] = np.arange(evaluation.n)
    return ranks


def check_disjoint(selection: Predictions, certification: Predictions) -> None:
    """Refuse instances on both sides: those of the same name; where rows are only numbered, one and the same table."""
    indices = selection.instances.index, certification.instances.index
    if all(map(is_numbered, indices)):
        if same_content(selection, certification):
            raise InputError(
                f"the {len(indices[0])} instances to certify on have the same labels and answers as those to choose on",
                "different instances",
                "leave certify_on out to split the table",
            )
        return
    common = indices[0].astype(str).intersection(indices[1].astype(str))
    if len(common):
        raise InputError(
            f"{len(common)} instances to choose on are also there to certify on, such as {common[0]!r}",
            "different instances",
            "leave certify_on out to split the table",
        )


def split_companions(
    shifted: Mapping[str, EvaluationSet],
    selection_ids: pd.Index,
    certification_ids: pd.Index,
    seed: int,
    halve: bool = True,
) -> tuple[Mapping[str, EvaluationSet], Mapping[str, EvaluationSet]]:
    """Shifted test sets split like the table they belong to: companions of an instance are on the instance's side.

    Instances of neither side (or of both, where rows are only numbered) are split at random, half and half; where
    `halve` is not set, all certify.
    """
    selection: dict[str, EvaluationSet] = {}
    certification: dict[str, EvaluationSet] = {}
    for name, evaluation in shifted.items():
        ids = evaluation.predictions.instances.index
        selects, certifies = ids.isin(selection_ids), ids.isin(certification_ids)
        random = (_ranks(evaluation, seed, "selection", "shift", name) % 2 == 1) | (not halve)
        certifies = np.where(selects != certifies, certifies, random)
        for side, rows in ((selection, ~certifies), (certification, certifies)):
            if rows.any():
                side[name] = evaluation.take(np.flatnonzero(rows))
    return selection, certification


def leave_out(evaluation: EvaluationSet, rows: Int[np.ndarray, " k"]) -> EvaluationSet:
    """The evaluation set without some of its instances, and its shifted test sets without their companions."""
    ids = evaluation.predictions.instances.index[rows]
    shifted: dict[str, EvaluationSet] = {}
    for name, companion in evaluation.shifted.items():
        remaining = np.flatnonzero(~companion.predictions.instances.index.isin(ids))
        if len(remaining):
            shifted[name] = companion.take(remaining)
    return evaluation.take(np.setdiff1d(np.arange(evaluation.n), rows)).with_shifted(shifted)


def cross_fitted_losses(
    evaluation: EvaluationSet,
    k: int,
    seed: int,
    select: Callable[[EvaluationSet], Callable[[EvaluationSet], Float[np.ndarray, " r"]]],
) -> Float[np.ndarray, " n"]:
    """Loss of every instance under what is selected without its fold.

    `select` makes the complete choice on one evaluation set, and returns its losses on another as a function.
    """
    fold = folds(evaluation, k, seed, "selection", "nested")
    losses: Float[np.ndarray, " n"] = np.full(evaluation.n, np.nan)
    for number in range(k):
        rows = np.flatnonzero(fold == number)
        losses[rows] = select(leave_out(evaluation, rows))(evaluation.take(rows))
    return losses
