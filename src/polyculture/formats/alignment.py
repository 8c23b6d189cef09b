"""How well do the sources match each other? Counted while reading, reported before any result."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polyculture.errors import InputError, visible
from polyculture.predictions import Predictions

if TYPE_CHECKING:
    from polyculture.results import Section

FORMS = ["form", "variant", "cells", "unified"]
EXAMPLES = ["source", "answer", "rule"]
SKIPPED = ["place", "why"]


@dataclass(frozen=True, eq=False)
class AlignmentReport:
    """How well the sources match each other: the first thing to look at, before any result.

    Parameters
    ----------
    models : one row per model: model, source, items (with an answer or outcome), matched (items that all models have),
        missing, duplicated (the same item with the same answer again), other_order, other_prompt, other_reference
        (left out), unparsed, refused, failed and unscored (no outcome is known).
    n_instances, n_matched : instances in all, and those that every model has.
    matched_by : by what items of different models are matched, in words.
    labels : answers that differ only in case, spacing or type: form, variant, cells, unified.
    examples : how texts became answers: source, answer, rule.
    skipped : one row per unreadable line that was skipped, the first hundred: place, why.
    n_skipped : number of skipped lines.
    remarks : what was assumed about the columns of tables; part of the sentence.
    notes : what was chosen where the source left a choice (filter, metric, names), one sentence each.
    graded : how scores between right and wrong count, one sentence; empty where there are none.
    """

    models: pd.DataFrame
    n_instances: int
    n_matched: int
    matched_by: str
    labels: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=FORMS, dtype=object))
    examples: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=EXAMPLES, dtype=object))
    skipped: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=SKIPPED, dtype=object))
    n_skipped: int = 0
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    graded: str = ""

    def __repr__(self) -> str:
        return "\n".join(
            map(visible, (f"AlignmentReport: {self.sentence}", *self.notes, *self.remarks, "Next: .frame()"))
        )

    def frame(self) -> pd.DataFrame:
        """One row per model."""
        return self.models

    @property
    def sentence(self) -> str:
        """How many instances all models have, and what keeps the others from matching."""
        clauses = [
            f"{len(self.models)} models, {self.n_instances:,} instances matched by {self.matched_by}; "
            f"every model has {self.n_matched:,} of them"
        ]
        for column, words in _MISMATCHES.items():
            cells = self.models[column]
            if cells.sum():
                largest = int(cells.to_numpy().argmax())
                clauses.append(
                    f"{words}: {cells.sum():,} (most: {self.models['model'].iloc[largest]}, {cells.max():,})"
                )
        silent = self.models["model"][self.models["silent"]].tolist()
        if silent:
            verb = "gives" if len(silent) == 1 else "give"
            clauses.append(f"{', '.join(silent[:5])}{', …' if len(silent) > 5 else ''} {verb} no answers")
        if len(self.labels):
            first = self.labels.iloc[0]
            state = "treated as equal" if first["unified"] else "kept separate"
            clauses.append(
                f"{len(self.labels):,} answers differ from another only in case, spacing or type, such as "
                f"{first['variant']!r} and {first['form']!r}, and are {state}"
            )
        if self.graded:
            clauses.append(self.graded.removesuffix(".").replace("; ", ", and "))
        if self.n_skipped:
            clauses.append(f"lines left out: {self.n_skipped:,} (first: {self.skipped['place'].iloc[0]})")
        return "; ".join([*clauses, *self.remarks]) + "."

    def section(self) -> Section:
        """The report as a section of an audit."""
        from polyculture.results import Section  # which takes longer to import than a small file to read

        notes = pd.DataFrame({"note": list(self.notes)}, dtype=object)
        tables = {"models": self.models, "labels": self.labels, "examples": self.examples, "notes": notes}
        return Section("alignment", "What was read", self.sentence, tables=tables | {"skipped": self.skipped})


def check_matching(aligned: AlignedPredictions) -> None:
    """Raise InputError for a model that shares no instance with any other, or all of whose items were left out."""
    predictions, models = aligned.predictions, aligned.report.models
    observed = np.ones(predictions.shape, bool) if predictions.observed is None else predictions.observed
    times = observed.sum(axis=0)
    for model, row, left_out in zip(predictions.model_ids, observed, models["other_reference"].tolist(), strict=True):
        if left_out and not row.any():
            raise InputError(
                f"all {left_out:,} items of {model!r} have other true answers than those of the models before it",
                "the same true answers to the same instances",
                "if they differ only in case, spacing or type, read them with unify=True (--unify)",
            )
        if row.any() and times[row].max() < 2 and times.sum() > row.sum():
            ids = predictions.instances.index.tolist()
            position = int((~row & (times > 0)).argmax())
            raise InputError(
                f"{model!r} has no instance in common with another model: its ids are such as "
                f"{ids[int(row.argmax())]!r}, others such as {ids[position]!r}",
                "the same ids for the same instances in every source",
                "write them in the same form, or name the column of ids with instance (--instance)",
            )


_MISMATCHES = {
    "missing": "cells missing",
    "duplicated": "items given twice and counted once",
    "other_order": "items in another order",
    "other_prompt": "items with another prompt",
    "other_reference": "items left out because scored against another reference",
    "unparsed": "answers that cannot be parsed, no agreement",
    "refused": "refusals, no agreement",
    "failed": "requests that failed",
    "unscored": "not scored",
}


@dataclass(frozen=True, eq=False)
class AlignedPredictions:
    """Predictions, and the report on how well their sources match."""

    predictions: Predictions
    report: AlignmentReport
