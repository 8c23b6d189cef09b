"""On which instances do models agree in the answer and differ in the reason, or the reverse? And which features lead?

Pairs count here only where both models have some reason: a model that no single feature moves shows none to compare.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.explanations import Explanations
from polyculture.results import FEWEST_INSTANCES

from .comparison import ReasonComparison

MOST_LISTED = 30
MOST_FEATURES = 25
LARGE, SMALL = 0.95, 0.5
"""Shares of pairs with the same answer from which models agree in it, and below which they do not."""


def same_answer_other_reasons(comparison: ReasonComparison) -> pd.DataFrame:
    """Instances on which (nearly) all pairs give the same answer, those with the least agreement of reasons first."""
    agreed = _same(comparison)
    rows = agreed >= LARGE
    reasons = comparison.agreement.by_instance("feature", comparison.reasoned)
    return _listed(comparison, rows & np.isfinite(reasons), reasons, agreed, ascending=True)


def same_reasons_other_answer(comparison: ReasonComparison) -> pd.DataFrame:
    """Instances on which pairs answer differently, those where these pairs agree most in their reasons first."""
    agreed = _same(comparison)
    if comparison.same_answer is None:
        return _listed(comparison, np.zeros(len(agreed), bool), agreed, agreed, ascending=False)
    reasons = comparison.agreement.by_instance("feature", comparison.reasoned & ~comparison.same_answer)
    return _listed(comparison, (agreed < 1) & np.isfinite(reasons), reasons, agreed, ascending=False)


def _same(comparison: ReasonComparison) -> Float[np.ndarray, " n"]:
    """Share of the pairs that give the same answer on each instance; nan for predicted numbers."""
    if comparison.same_answer is None:
        return np.full(comparison.explanations.shape[1], np.nan)
    return np.asarray(comparison.same_answer.mean(axis=0))


def _listed(
    comparison: ReasonComparison,
    rows: Bool[np.ndarray, " n"],
    reasons: Float[np.ndarray, " n"],
    agreed: Float[np.ndarray, " n"],
    *,
    ascending: bool,
) -> pd.DataFrame:
    """The most striking of these instances: answers, and the reasons of the two models that agree least (most)."""
    explanations, names = comparison.explanations, feature_words(comparison)
    positions = np.flatnonzero(rows)
    positions = positions[np.argsort(reasons[positions] * (1 if ascending else -1), kind="stable")][:MOST_LISTED]
    first, second = comparison.agreement.pairs
    records = []
    for i in positions:
        values = np.where(comparison.reasoned[:, i], comparison.agreement.values["feature"][:, i], np.nan)
        if not ascending and comparison.same_answer is not None:
            values = np.where(comparison.same_answer[:, i], np.nan, values)
        pair = int(np.nanargmin(values) if ascending else np.nanargmax(values))
        row: dict[str, object] = {"instance": str(explanations.instances.index[int(i)]), "agreement": reasons[i]}
        row |= {"same_answer": agreed[i]} | _answers(comparison, int(i), (int(first[pair]), int(second[pair])))
        for role, model in (("one", first[pair]), ("other", second[pair])):
            row |= {role: explanations.model_ids[model]}
            row |= {f"reasons_of_{role}": ", ".join(names(int(i), top_of(comparison, int(model), int(i)))) or "none"}
        records.append(row)
    columns = ["instance", "agreement", "same_answer"]
    return pd.DataFrame(records) if records else pd.DataFrame(columns=columns)


def _answers(comparison: ReasonComparison, i: int, pair: tuple[int, int]) -> dict[str, object]:
    """What the two models answer; once where it is the same."""
    answers, classes = comparison.answers, comparison.explanations.classes
    if answers is None or not classes:
        return {}
    names = [classes[int(answers[model, i])] for model in pair]
    return {"answer": names[0] if names[0] == names[1] else f"{names[0]} / {names[1]}"}


def top_of(comparison: ReasonComparison, model: int, i: int) -> Int[np.ndarray, " k"]:
    """The reasons of one model on one instance, largest first."""
    row = np.abs(comparison.reasons[model, i])
    order = np.argsort(-row, kind="stable")[: comparison.k]
    reasons: Int[np.ndarray, " k"] = order[row[order] > 0]
    return reasons


def feature_words(comparison: ReasonComparison) -> _Names:
    """From an instance and reasons to their names."""
    return _Names(comparison.explanations, comparison.groups)


class _Names:
    """Names of reasons: columns, words with their place, or places such as ``row 3, column 4``."""

    def __init__(self, explanations: Explanations, groups: Int[np.ndarray, " d"]) -> None:
        self._words = explanations.words
        self._first = np.unique(groups, return_index=True)[1]
        self._sizes = np.bincount(groups)
        self._names = place_names(explanations)

    def __call__(self, i: int, reasons: Int[np.ndarray, " k"]) -> list[str]:
        """In the order of the reasons."""
        if self._words is not None:
            return [str(self._words[i, self._first[r]]) for r in reasons]
        return [self.general(int(r)) for r in reasons]

    def general(self, reason: int) -> str:
        """The name that a reason has on every instance."""
        name = self._names[self._first[reason]]
        return name if self._sizes[reason] == 1 else f"{name} and {self._sizes[reason] - 1} around it"


def place_names(explanations: Explanations) -> list[str]:
    """What each feature is called: its column, or where it is, counted from 0."""
    axes = {
        "image": ("row", "column"),
        "volume": ("slice", "row", "column"),
        "audio": ("frame", "band"),
        "series": ("step", "feature"),
        "text": ("word",),
    }.get(explanations.modality)
    if explanations.features and all(name.isdecimal() for name in explanations.features):
        return [f"column {name}" for name in explanations.features]
    if explanations.features or axes is None or len(axes) != len(explanations.feature_shape):
        return explanations.feature_names()
    return [
        ", ".join(f"{axis} {k}" for axis, k in zip(axes, place, strict=True))
        for place in np.ndindex(*explanations.feature_shape)
    ]


def leading_features(comparison: ReasonComparison) -> pd.DataFrame:
    """One row per feature (per word of texts), the most frequent first: how often it is a reason, of how many models.

    `share` of all explanations whose instance has it, `instances` that have it, `part` of the sum of all sizes of
    attributions, `models` that have it among their reasons at least once; `toward` is the share of its attributions
    that speak for the explained class.
    """
    m, n, _ = comparison.reasons.shape
    marks = np.zeros(comparison.reasons.shape, bool)
    for model in range(m):
        size = np.abs(comparison.reasons[model])
        order = np.argsort(-size, axis=1, kind="stable")[:, : comparison.k]
        np.put_along_axis(marks[model], order, np.take_along_axis(size, order, axis=1) > 0, axis=1)
    codes, names = _codes(comparison)
    present = codes >= 0
    flat = np.where(present, codes, len(names))
    table = {
        "feature": names,
        "share": _by_code(marks.sum(axis=0), flat, len(names)) / m,
        "part": _by_code(np.abs(comparison.reasons).sum(axis=0, dtype=np.float64), flat, len(names)),
        "toward": _by_code((comparison.reasons > 0).sum(axis=0), flat, len(names)),
        "models": [0] * len(names),
    }
    size = _by_code((comparison.reasons != 0).sum(axis=0), flat, len(names))
    occurrences = _occurrences(flat, len(names))
    table["models"] = np.sum([_by_code(marks[a], flat, len(names)) > 0 for a in range(m)], axis=0)
    table["instances"] = occurrences
    table["share"] = np.asarray(table["share"]) / np.maximum(occurrences, 1)
    table["part"] = np.asarray(table["part"]) / max(float(np.sum(table["part"])), 1e-300)
    table["toward"] = np.divide(table["toward"], size, out=np.full(len(names), np.nan), where=size > 0)
    frame = pd.DataFrame(table)
    frequent = frame[frame["instances"] >= min(FEWEST_INSTANCES, n)]
    frame = frequent if len(frequent) else frame
    return (
        frame.sort_values(["share", "part"], ascending=False, kind="stable").head(MOST_FEATURES).reset_index(drop=True)
    )


def _codes(comparison: ReasonComparison) -> tuple[Int[np.ndarray, "n g"], list[str]]:
    """Code of the named feature at each place of each instance, −1 where there is none, and the names."""
    explanations, n = comparison.explanations, comparison.explanations.shape[1]
    if explanations.words is None:
        names = feature_words(comparison)
        count = comparison.reasons.shape[2]
        return np.tile(np.arange(count), (n, 1)), [names.general(g) for g in range(count)]
    first = np.unique(comparison.groups, return_index=True)[1]
    words = np.char.lower(explanations.words[:, first].astype(str))
    vocabulary, codes = np.unique(words, return_inverse=True)
    codes = codes.reshape(words.shape)
    return np.where(words == "", -1, codes), [str(word) for word in vocabulary]


def _by_code(numbers: np.ndarray, codes: Int[np.ndarray, "n g"], count: int) -> Float[np.ndarray, " f"]:
    return np.bincount(codes.ravel(), np.asarray(numbers, np.float64).ravel(), count + 1)[:count]


def _occurrences(codes: Int[np.ndarray, "n g"], count: int) -> Float[np.ndarray, " f"]:
    """Places that have each feature: instances of a feature, occurrences of a word."""
    return np.bincount(codes.ravel(), minlength=count + 1)[:count].astype(np.float64)
