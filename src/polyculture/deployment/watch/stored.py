"""How does a watch see answers that are in a store already? As columns, and their labels after them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from polyculture.deployment.store.records import NO_ANSWER

from .answer_columns import AnswerColumns

if TYPE_CHECKING:
    from polyculture.deployment.store.columns import StoredAnswers

    from .live import LiveWatch


def observe_stored(tracker: LiveWatch, piece: StoredAnswers) -> list[str]:
    """Let a watch see stored answers, if they are of its bundle, and their labels; gives the ids of those with one."""
    if piece.names.version != tracker.manifest.version:
        return []
    columns, labels = stored_columns(piece, len(tracker.manifest.members), len(tracker.events.profile_names))
    if not len(columns):
        return []
    tracker.observe_columns(columns)
    labelled = [k for k, label in enumerate(labels) if label is not None]
    times = piece.label_times[~piece.shadow]
    labelled.sort(key=lambda k: (times[k], k))
    ids, moments = [columns.ids[k] for k in labelled], [float(times[k]) for k in labelled]
    tracker.label(ids, [labels[k] for k in labelled], moments)
    return ids


def stored_columns(piece: StoredAnswers, members: int, profile: int) -> tuple[AnswerColumns, list[Any]]:
    """Stored answers without those of challengers, and their labels; None where there is none."""
    rows = ~piece.shadow
    n = int(rows.sum())
    columns = AnswerColumns(
        ids=piece.ids[rows].tolist(),
        time=piece.times[rows],
        answer=piece.answers[rows].astype(np.int64),
        value=piece.values[rows],
        confidence=piece.confidence[rows],
        member_answers=_sized(piece.member_answers[rows], n, members, NO_ANSWER).astype(np.int64),
        member_values=_sized(piece.member_values[rows], n, members, math.nan),
        disagreement=piece.disagreement[rows],
        quorum=piece.quorum[rows].astype(np.int64),
        latency_ms=piece.latency_ms[rows],
        profile=_sized(piece.profile[rows], n, profile, math.nan),
        groups={name: values[rows].tolist() for name, values in piece.groups.items()},
    )
    if piece.names.task == "regression":
        return columns, [None if math.isnan(value) else value for value in piece.label_values[rows].tolist()]
    return columns, [None if code == NO_ANSWER else code for code in piece.labels[rows].tolist()]


def _sized(cells: np.ndarray, n: int, width: int, missing: float | int) -> np.ndarray:
    """The cells, or missing ones where the rows have another length."""
    return cells if cells.shape[1] == width else np.full((n, width), missing)
