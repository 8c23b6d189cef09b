"""What is usual? The bundle's own answers to the instances that certified it, for the watch and for conformal sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from polyculture.selection import conformal

from ..bundle.bundle import Bundle
from ..bundle.predictor import Answers
from ..bundle.profiles import MOST_COLUMNS
from ..watch import CertifiedAnswers, reference_statistics
from .sources.material import ExportSource

LEVEL = 0.9
"""Share of the conformal sets that have the true class."""
BLOCK = 256


def certified_answers(bundle: Bundle, source: ExportSource) -> tuple[Answers, np.ndarray]:
    """The bundle's answers to the instances that certified the portfolio, and their labels."""
    rows = np.flatnonzero(source.certified)
    if source.crossfitted is not None:
        members, combination = (array[rows] for array in source.crossfitted)
        return Answers(combination, members, np.ones(members.shape[1], bool), bundle.manifest), source.labels[rows]
    parts = [bundle.predict(source.raw[part]) for part in np.array_split(rows, -(-len(rows) // BLOCK))]
    answers = Answers(
        np.concatenate([part.combined for part in parts]),
        np.concatenate([part.members for part in parts]),
        parts[0].answered,
        bundle.manifest,
        None if parts[0].length is None else np.concatenate([part.length for part in parts if part.length is not None]),
    )
    return answers, source.labels[rows]


def conformal_threshold(answers: Answers, labels: np.ndarray) -> dict[str, float]:
    """Level and threshold of split conformal prediction; the least ambiguous sets, of numbers the absolute error.

    Empty where there are too few instances for the level. Source: Vovk, Gammerman and Shafer 2005; Sadinle, Lei and
    Wasserman 2019.
    """
    if answers.manifest.task == "regression":
        errors = np.sort(np.abs(answers.value.astype(np.float64) - labels))
        rank = math.ceil((len(errors) + 1) * LEVEL - 1e-9)
        return {"level": LEVEL, "threshold": float(errors[rank - 1])} if rank <= len(errors) else {}
    probabilities, truth = _flat(answers.combined, labels)
    threshold = conformal(probabilities, truth, 1 - LEVEL).threshold
    return {"level": LEVEL, "threshold": threshold} if math.isfinite(threshold) else {}


def reference(bundle: Bundle, source: ExportSource, answers: Answers, labels: np.ndarray) -> dict[str, Any]:
    """The statistics of ``reference.json``; of tags every token is an instance.

    A number is wrong where its error is above the median member's root mean squared error, as in `Predictions`.
    """
    rows = np.flatnonzero(source.certified)
    names = bundle.profile_names
    manifest = bundle.manifest
    groups: Mapping[str, Sequence[str]] = {
        name: source.instances[name].astype(str).to_numpy()[rows].tolist() for name in source.groups
    }
    fields = _of_tokens(answers, labels) if manifest.task == "tagging" else _of_instances(answers, labels)
    categories = {c.name: len(c.categories) for c in manifest.columns[:MOST_COLUMNS] if c.kind == "category"}
    return reference_statistics(
        CertifiedAnswers(
            **fields,
            classes=len(manifest.classes),
            groups={} if manifest.task == "tagging" else groups,
            profile=_profile(bundle, source, rows),
            profile_names=names,
            categories=categories,
        )
    )


def _profile(bundle: Bundle, source: ExportSource, rows: np.ndarray) -> np.ndarray:
    """Numbers of the inputs; nan for masked columns, which are not to be found in any file."""
    parts = [bundle.profile(source.raw[part]) for part in np.array_split(rows, -(-len(rows) // BLOCK))]
    numbers = np.concatenate(parts)
    numbers[:, np.isin(bundle.profile_names, bundle.manifest.masked)] = np.nan
    return numbers


def _of_instances(answers: Answers, labels: np.ndarray) -> dict[str, Any]:
    regression = answers.manifest.task == "regression"
    squares = (answers.member_values.astype(np.float64) - labels[:, None]) ** 2 if regression else np.zeros((1, 1))
    return {
        "answer": answers.answer,
        "member_answers": answers.member_answers,
        "label": labels.astype(np.float64),
        "confidence": np.asarray(answers.confidence, np.float64),
        "value": np.asarray(answers.value, np.float64),
        "member_values": np.asarray(answers.member_values, np.float64),
        "tolerance": float(np.median(np.sqrt(squares.mean(axis=0)))) if regression else math.nan,
    }


def _of_tokens(answers: Answers, labels: np.ndarray) -> dict[str, Any]:
    """Every token as an instance."""
    present: Bool[np.ndarray, "n l"] = labels >= 0
    members = np.moveaxis(answers.member_answers, 1, 2)[present]
    undefined = np.full(len(members), np.nan)
    return {
        "answer": answers.answer[present],
        "member_answers": members,
        "label": labels[present].astype(np.float64),
        "confidence": np.asarray(answers.confidence[present], np.float64),
        "value": undefined,
        "member_values": np.full(members.shape, np.nan),
        "sequence_disagreement": np.asarray(answers.disagreement, np.float64),
    }


def _flat(combined: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of instances, or of the tokens of all sequences."""
    if labels.ndim == 1:
        return combined, labels
    present = labels >= 0
    return combined[present], labels[present]
