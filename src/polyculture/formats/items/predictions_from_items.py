"""How do collected items become Predictions, and the report on how well their sources match?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError
from polyculture.predictions import MISSING, Predictions, smallest_integer

from ..alignment import EXAMPLES, SKIPPED, AlignedPredictions, AlignmentReport
from ..json_lines import BadLines
from ..tables.categorical import in_order
from ..tables.column_roles import matching
from .builder import PredictionsBuilder
from .columns import ABSENT, ModelRun
from .factors import factors_from_logs
from .grades import graded_scores, graded_sentence

COUNTED = ("duplicated", "other_order", "other_prompt", "other_reference", "unparsed", "refused", "failed", "unscored")
_MOST_CELLS = 2**31


def assemble_items(
    items: PredictionsBuilder, matched_by: str, models: Sequence[str], source: str
) -> AlignedPredictions:
    """The table and the report; `models` are names or patterns of the models to read, all if empty."""
    if not items.columns:
        raise InputError(f"{source} holds no answers", "a log with at least one sample per model")
    items.parsers.clear()  # its memory is needed
    names = matching(list(dict.fromkeys(c.model for c in items.columns.values())), models, source)
    columns = [column for column in items.columns.values() if column.model in names]
    n = len(items.display_ids)
    dense = [column.dense(n) for column in columns]
    answers, outcomes = np.stack([a for a, _ in dense]), np.stack([o for _, o in dense])
    observed = answers != ABSENT
    instances = np.flatnonzero(observed.any(axis=0))  # models that were not selected may have other instances
    table = _ItemArrays(items, columns, answers[:, instances], outcomes[:, instances], instances)
    fractions = sum(len(column.grades) for column in columns)
    predictions = table.graded_predictions() if fractions else table.predictions()
    notes = list(items.notes)
    graded = ""
    if fractions:
        graded = graded_sentence(fractions, int((table.outcomes != MISSING).sum()))
    elif items.fractions:
        graded = f"{items.fractions:,} scores are neither 0 nor 1; {items.rules.threshold:g} or more counts as right."
    notes += [graded] if graded else []
    models_table, name_notes = factors_from_logs(columns, items.factors, items.rules.names or {})
    predictions = replace(predictions, models=models_table.set_axis(predictions.models.index))
    runs = [
        (column.source, column.counts, _answers_none(column, row, row_answers))
        for column, row, row_answers in zip(columns, observed, answers, strict=True)
    ]
    matched = int(observed.all(axis=0).sum())
    report = AlignmentReport(
        _models(predictions.model_ids, runs, observed.sum(axis=1).tolist(), len(instances), matched),
        len(instances),
        matched,
        matched_by,
        examples=pd.DataFrame([(s, *t) for s, t in items.examples.items()], columns=EXAMPLES, dtype=object),
        notes=(*notes, *name_notes),
        graded=graded,
        **_skipped(items.bad),
    )
    return AlignedPredictions(predictions, report)


def alignment_of_table(predictions: Predictions, source: str, matched_by: str, bad: BadLines) -> AlignmentReport:
    """The report on predictions that were read as one table."""
    (m, n), observed = predictions.shape, predictions.observed
    items = [n] * m if observed is None else observed.sum(axis=1).tolist()
    matched = n if observed is None else int(observed.all(axis=0).sum())
    runs: list[tuple[str, dict[str, int], bool]] = [(source, {}, not count) for count in items]
    models = _models(predictions.model_ids, runs, items, n, matched)
    return AlignmentReport(models, n, matched, matched_by, **_skipped(bad))


def _skipped(bad: BadLines) -> dict[str, Any]:
    return {"skipped": pd.DataFrame(bad.examples, columns=SKIPPED, dtype=object), "n_skipped": bad.count}


def _models(
    ids: Sequence[str],
    runs: Sequence[tuple[str, Mapping[str, int], bool]],
    items: Sequence[int],
    n_instances: int,
    matched: int,
) -> pd.DataFrame:
    """The row of each model, from its source, its counts, whether it gives no answers, and its number of items."""
    rows = [
        {"model": model, "source": source, "items": n_items, "matched": matched, "missing": n_instances - n_items}
        | {event: counts.get(event, 0) for event in COUNTED}
        | {"silent": silent}
        for model, (source, counts, silent), n_items in zip(ids, runs, items, strict=True)
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True, eq=False)
class _ItemArrays:
    """The items as arrays: codes of the vocabulary, UNSEEN where there is no item."""

    items: PredictionsBuilder
    columns: list[ModelRun]
    answers: Int[np.ndarray, "m n"]
    outcomes: Int[np.ndarray, "m n"]
    selected: Int[np.ndarray, " n"]

    def predictions(self) -> Predictions:
        """The answers, with labels where every instance has one, and outcomes where labels do not explain them all."""
        labels = np.array(self.items.labels, np.int32)[self.selected]
        codes = np.where(self.answers == ABSENT, MISSING, self.answers)
        labelled = labels != MISSING
        if not labelled.any() and not (self.outcomes != MISSING).any():
            raise InputError(
                "the logs hold neither scores nor labels",
                "scores or references in the logs",
                "give the true answers with label (--label): a file with the columns instance and label",
            )
        classes, places = self._classes(codes, labels)
        answers, truth = places[codes].astype(smallest_integer(len(classes))), places[labels]
        implied = np.where(codes == MISSING, MISSING, answers == truth)
        probabilities = self._probabilities(len(classes))
        fields: dict[str, Any] = {} if probabilities is None else {"probabilities": probabilities}
        if self.items.same_choices is False or _are_letters(self.items.choices):
            options = np.array(self.items.options, np.int32)[self.selected]
            if (options > 0).all():
                fields["options"] = options
        models = pd.DataFrame(index=pd.Index(_ids(self.columns), name="model", dtype=object))
        truth = truth.astype(answers.dtype)
        correct = None if labelled.all() and np.array_equal(implied, self.outcomes) else self.outcomes
        labels, instances = (truth, None) if labelled.all() else (None, np.array([*classes, None], dtype=object)[truth])
        stored_answers = None if (codes == MISSING).all() and correct is not None else answers
        fields = {} if stored_answers is None else fields
        return Predictions(
            models,
            self._instances(instances if labelled.any() else None),
            stored_answers,
            labels,
            correct,
            tuple(classes) if stored_answers is not None or labels is not None else (),
            **fields,
        )

    def graded_predictions(self) -> Predictions:
        """The scores as numbers from 0 to 1, with the target 1."""
        scores = np.where(self.outcomes == MISSING, np.nan, self.outcomes).astype(np.float64)
        for row, column in zip(scores, self.columns, strict=True):
            grades = np.full(len(self.items.display_ids), np.nan)
            grades[list(column.grades)] = list(column.grades.values())
            np.copyto(row, grades[self.selected], where=np.isfinite(grades[self.selected]))
        return graded_scores(_ids(self.columns), self._instances(None), scores)

    def _classes(self, codes: np.ndarray, labels: np.ndarray) -> tuple[list[str], Int[np.ndarray, " k"]]:
        """The classes in their order, and for every code of the vocabulary its class."""
        texts = self.items.vocabulary.texts
        if self.items.same_choices and self.items.choices:
            sorted_texts = [str(i) for i in range(len(self.items.choices))]
            names = list(self.items.choices)
        else:
            occurring = np.unique(np.concatenate([codes.ravel(), labels]))
            present = [texts[code] for code in occurring if code != MISSING]
            n_options = max(self.items.options, default=0) if self._has_probabilities else 0
            sorted_texts = names = in_order({*present, *(str(i) for i in range(n_options))})
        index = {text: i for i, text in enumerate(sorted_texts)}
        return names, np.array([index.get(text, MISSING) for text in texts] + [MISSING], np.int32)

    @property
    def _has_probabilities(self) -> bool:
        """Whether every answer came with a probability per choice; where there is no answer they may be unknown."""
        counts = np.array([len(column.probability_instances) for column in self.columns])
        return bool(counts.any() and (counts >= (self.answers >= 0).sum(axis=1)).all())

    def _probabilities(self, classes: int) -> Float[np.ndarray, "m n c"] | None:
        options = np.array(self.items.options, np.int32)
        if not self._has_probabilities or not len(options) or options.max() > classes:
            return None
        if len(self.columns) * len(self.selected) * classes > _MOST_CELLS:
            return None
        return np.stack([column.by_instance(options, classes)[self.selected] for column in self.columns])

    def _instances(self, labels: np.ndarray | None) -> pd.DataFrame:
        ids = [self.items.display_ids[i] for i in self.selected]
        groups = [self.items.groups[i] for i in self.selected]
        names = self.items.group_names.texts
        columns: dict[str, Any] = {}
        if len(set(groups)) > 1:
            columns["task"] = [names[code] for code in groups]
            ids = [f"{names[code]}/{text}" for code, text in zip(groups, ids, strict=True)]
        if labels is not None:
            columns["label"] = labels
        return pd.DataFrame(columns, index=pd.Index(_distinct(ids), name="instance", dtype=object))


def _ids(columns: list[ModelRun]) -> list[str]:
    """Ids of the runs: the model's name, with the number of the run where it has several."""
    runs = Counter(column.model for column in columns)
    return [f"{c.model}@{c.repeat}" if runs[c.model] > 1 else c.model for c in columns]


def _distinct(texts: list[str]) -> list[str]:
    """The texts, repeated ones with a number appended."""
    times: Counter[str] = Counter()
    ids = []
    for text in texts:
        times[text] += 1
        ids.append(text if times[text] == 1 else f"{text}#{times[text]}")
    return ids


def _are_letters(choices: Sequence[str] | None) -> bool:
    """Whether choices are named A, B, C, …: places in a list, not classes that mean the same for all instances."""
    return bool(choices) and all(len(text.strip()) == 1 and text.strip().isalpha() for text in choices or ())


def _answers_none(column: ModelRun, observed: Bool[np.ndarray, " n"], answers: Int[np.ndarray, " n"]) -> bool:
    """Whether a model gave no answers, as opposed to a source without answers."""
    no_answers = sum(column.counts.get(state, 0) for state in ("unparsed", "refused", "failed"))
    return bool((answers < 0).all()) and no_answers >= int(observed.sum())
