"""What comes of all the items? One Predictions table, and the report on how what was read fits together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError
from polyculture.predictions import MISSING, Predictions, smallest_integer

from ..alignment import Aligned, Alignment
from ..json_lines import BadLines
from ..model_factors import factors_from_logs
from ..tables.categorical import in_order
from ..tables.column_roles import matching
from .builder import Collector
from .columns import UNSEEN, Column

COUNTED = ("duplicated", "other_order", "other_prompt", "other_reference", "unparsed", "refused", "failed")
_MOST_CELLS = 2**31


def finish(items: Collector, matched_by: str, models: Sequence[str], source: str) -> Aligned:
    """The table and the report; `models` are names or patterns of the models wanted, all if empty."""
    if not items.columns:
        raise InputError(f"{source} holds no answers", "a log with at least one sample per model")
    wanted = matching(list(dict.fromkeys(c.model for c in items.columns.values())), models, source)
    columns = items.all_columns(wanted)
    n = len(items.shown)
    dense = [column.dense(n) for column in columns]
    answers, outcomes = np.stack([a for a, _ in dense]), np.stack([o for _, o in dense])
    seen = answers != UNSEEN
    kept = np.flatnonzero(seen.any(axis=0))  # a model that is not wanted may have brought instances
    table = _Table(items, columns, answers[:, kept], outcomes[:, kept], kept)
    predictions = table.predictions()
    notes = list(items.notes)
    if items.fractions:
        notes.append(
            f"{items.fractions:,} scores are neither 0 nor 1; {items.rules.threshold:g} or more counts as right."
        )
    models_table, said = factors_from_logs(columns, items.factors, items.rules.names or {})
    predictions = _with_models(predictions, models_table)
    report = Alignment(
        _models(columns, predictions.model_ids, seen[:, kept], answers[:, kept]),
        len(kept),
        int(seen.all(axis=0).sum()),
        matched_by,
        no_labels(),
        pd.DataFrame([(s, *t) for s, t in items.examples.items()], columns=["source", "answer", "rule"], dtype=object),
        skipped_lines(items.bad),
        items.bad.count,
        (*notes, *said),
    )
    return Aligned(predictions, report)


def report_on(predictions: Predictions, source: str, matched_by: str, bad: BadLines) -> Alignment:
    """The report on a table that was read as a whole."""
    known = predictions.correct if predictions.correct is not None else predictions.answers
    assert known is not None
    seen = known != MISSING
    silent = ~seen.any(axis=1)
    everywhere = seen.all(axis=0)
    zeros = dict.fromkeys(COUNTED, 0)
    rows = [
        {"model": m, "source": source, "items": int(k), "matched": int(everywhere.sum()), "missing": int(len(s) - k)}
        | zeros
        | {"silent": bool(nothing)}
        for m, k, s, nothing in zip(predictions.model_ids, seen.sum(axis=1), seen, silent, strict=True)
    ]
    return Alignment(
        pd.DataFrame(rows),
        predictions.shape[1],
        int(everywhere.sum()),
        matched_by,
        no_labels(),
        pd.DataFrame(columns=["source", "answer", "rule"], dtype=object),
        skipped_lines(bad),
        bad.count,
    )


def no_labels() -> pd.DataFrame:
    """The table of answers that differ only in form, empty."""
    return pd.DataFrame(columns=["form", "variant", "cells", "unified"], dtype=object)


def skipped_lines(bad: BadLines) -> pd.DataFrame:
    """One row per line that was left out."""
    return pd.DataFrame(bad.shown, columns=["place", "why"], dtype=object)


@dataclass(frozen=True, eq=False)
class _Table:
    """What the items come to, in arrays: codes of the vocabulary, UNSEEN where there is no item."""

    items: Collector
    columns: list[Column]
    answers: Int[np.ndarray, "m n"]
    outcomes: Int[np.ndarray, "m n"]
    kept: Int[np.ndarray, " n"]

    def predictions(self) -> Predictions:
        """The answers, with labels where every instance has one, and outcomes where labels do not explain them all."""
        labels = self.items.labels_array()[self.kept]
        codes = np.where(self.answers == UNSEEN, MISSING, self.answers)
        told = labels != MISSING
        if not told.any() and not (self.outcomes != MISSING).any():
            raise InputError(
                "the logs do not tell which answers are right",
                "scores or references in the logs",
                "give the true answers with label (--label): a file with the columns instance and label",
            )
        classes, places = self._classes(codes, labels)
        answers, truth = places[codes].astype(smallest_integer(len(classes))), places[labels]
        implied = np.where(codes == MISSING, MISSING, answers == truth)
        chances = self._probabilities(len(classes))
        more: dict[str, Any] = {} if chances is None else {"probabilities": chances}
        if self.items.same_choices is False or _are_letters(self.items.choices):
            options = np.array(self.items.options, np.int32)[self.kept]
            if (options > 0).all():
                more["options"] = options
        models = pd.DataFrame(index=pd.Index(_ids(self.columns), name="model", dtype=object))
        truth = truth.astype(answers.dtype)
        correct = None if told.all() and np.array_equal(implied, self.outcomes) else self.outcomes
        labels, instances = (truth, None) if told.all() else (None, np.array([*classes, None], dtype=object)[truth])
        said = None if (codes == MISSING).all() and correct is not None else answers
        more = {} if said is None else more
        return Predictions(
            models,
            self._instances(instances if told.any() else None),
            said,
            labels,
            correct,
            tuple(classes) if said is not None or labels is not None else (),
            **more,
        )

    def _classes(self, codes: np.ndarray, labels: np.ndarray) -> tuple[list[str], Int[np.ndarray, " k"]]:
        """The classes in their order, and for every code of the vocabulary its class."""
        texts = self.items.vocabulary.texts
        if self.items.same_choices and self.items.choices:
            sorted_texts = [str(i) for i in range(len(self.items.choices))]
            names = list(self.items.choices)
        else:
            used = np.unique(np.concatenate([codes.ravel(), labels]))
            present = [texts[code] for code in used if code != MISSING]
            most = max(self.items.options, default=0) if self._has_chances else 0
            sorted_texts = names = in_order({*present, *(str(i) for i in range(most))})
        index = {text: i for i, text in enumerate(sorted_texts)}
        return names, np.array([index.get(text, MISSING) for text in texts] + [MISSING], np.int32)

    @property
    def _has_chances(self) -> bool:
        """Whether every item came with a probability per choice."""
        told = [len(column.chances_at) for column in self.columns]
        return bool(np.array_equal(told, (self.answers != UNSEEN).sum(axis=1)))

    def _probabilities(self, classes: int) -> Float[np.ndarray, "m n c"] | None:
        options = np.array(self.items.options, np.int32)
        if not self._has_chances or not len(options) or options.max() > classes:
            return None
        if len(self.columns) * len(self.kept) * classes > _MOST_CELLS:
            return None
        return np.stack([column.spread(options, classes)[self.kept] for column in self.columns])

    def _instances(self, labels: np.ndarray | None) -> pd.DataFrame:
        shown = [self.items.shown[i] for i in self.kept]
        groups = [self.items.groups[i] for i in self.kept]
        names = self.items.group_names.texts
        columns: dict[str, Any] = {}
        if len(set(groups)) > 1:
            columns["task"] = [names[code] for code in groups]
            shown = [f"{names[code]}/{text}" for code, text in zip(groups, shown, strict=True)]
        if labels is not None:
            columns["label"] = labels
        return pd.DataFrame(columns, index=pd.Index(_distinct(shown), name="instance", dtype=object))


def _ids(columns: list[Column]) -> list[str]:
    """Ids of the runs: the model's name, with the number of the run where it has several."""
    runs = Counter(column.model for column in columns)
    return [f"{c.model}@{c.repeat}" if runs[c.model] > 1 else c.model for c in columns]


def _distinct(texts: list[str]) -> list[str]:
    """The texts, those that stand again with a number behind them."""
    times: Counter[str] = Counter()
    ids = []
    for text in texts:
        times[text] += 1
        ids.append(text if times[text] == 1 else f"{text}#{times[text]}")
    return ids


def _are_letters(choices: Sequence[str] | None) -> bool:
    """Whether choices are named A, B, C, …: places in a list, not classes that mean the same for all instances."""
    return bool(choices) and all(len(text.strip()) == 1 and text.strip().isalpha() for text in choices or ())


def _with_models(predictions: Predictions, models: pd.DataFrame) -> Predictions:
    return replace(predictions, models=models.set_axis(predictions.models.index))


def _is_silent(column: Column, have: Bool[np.ndarray, " n"], said: Int[np.ndarray, " n"]) -> bool:
    """Whether a model answered nothing, as opposed to answers that the source does not tell."""
    none = sum(column.counts.get(state, 0) for state in ("unparsed", "refused", "failed"))
    return bool((said < 0).all()) and none >= int(have.sum())


def _models(
    columns: list[Column], ids: list[str], seen: Bool[np.ndarray, "m n"], answers: Int[np.ndarray, "m n"]
) -> pd.DataFrame:
    everywhere = int(seen.all(axis=0).sum())
    rows = [
        {"model": name, "source": column.source, "items": int(have.sum()), "matched": everywhere}
        | {"missing": int((~have).sum())}
        | {what: column.counts.get(what, 0) for what in COUNTED}
        | {"silent": _is_silent(column, have, said)}
        for column, name, have, said in zip(columns, ids, seen, answers, strict=True)
    ]
    return pd.DataFrame(rows)
