"""Who answered what? Models × instances, with the truth where it is known; checked once, here, at the gate."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError, near

MISSING = -1
"""Code of a cell that was never observed: no answer, no outcome."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers or outcomes of every model on every instance.

    `answers` with `labels`, or `correct`, or any of these together: where `correct` is given it says who is right,
    whatever answers and labels look like, and the labels say what class the instance is of. A MISSING answer that
    `correct` calls wrong is "no answer": a wrong one, like no other. Most users call `Predictions.from_answers` or
    `Predictions.from_correct`.

    Parameters
    ----------
    models : one row per model, indexed by model id; its columns are factors (architecture, family, cost, …).
    instances : one row per instance, indexed by instance id; its columns are groups, clusters, difficulty, ….
    answers : m × n answer codes, indices into `classes`; MISSING where there is none.
    labels : n codes of the true answers, indices into `classes`.
    correct : m × n, 1 right, 0 wrong, MISSING unknown; where right does not mean equal to the label, or is all that is
        known.
    classes : what each answer code stands for.
    probabilities : m × n × c class probabilities, columns in the order of `classes`.
    options : n counts of the answers one could choose from, where instances differ in that (multiple choice).
    fixed_classes : whether the labels are the same few classes for all instances, so that "given the true class"
        means something; None decides from the labels (see `has_fixed_classes`).
    """

    models: pd.DataFrame
    instances: pd.DataFrame
    answers: Int[np.ndarray, "m n"] | None = None
    labels: Int[np.ndarray, " n"] | None = None
    correct: Int[np.ndarray, "m n"] | None = None
    classes: tuple[str, ...] = ()
    probabilities: Float[np.ndarray, "m n c"] | None = None
    options: Int[np.ndarray, " n"] | None = None
    fixed_classes: bool | None = None

    def __post_init__(self) -> None:
        self._check_presence()
        self._check_names()
        self._check_shapes()
        self._check_codes()

    def _check_presence(self) -> None:
        if self.answers is None and self.correct is None:
            raise InputError("neither answers nor outcomes", "answers with labels, or right/wrong outcomes")
        if self.labels is None and self.correct is None:
            raise InputError(
                "answers without labels",
                "the true answer of each instance",
                "name the column with the truth, or give right/wrong outcomes",
            )
        if len(self.models) < 2:
            named = f": {self.models.index[0]!r}" if len(self.models) else ""
            raise InputError(
                f"{len(self.models)} model{named or 's'}",
                "two models or more",
                "alikeness needs somebody to be alike with",
            )
        if len(self.instances) == 0:
            raise InputError("no instances", "one instance or more")

    def _check_names(self) -> None:
        for what, index in (("model", self.models.index), ("instance", self.instances.index)):
            if index.has_duplicates:
                twice = index[index.duplicated()].unique()
                raise InputError(
                    f"{len(twice)} {what} id{'s' if len(twice) > 1 else ''} stand{'' if len(twice) > 1 else 's'} "
                    f"more than once, such as {twice[0]!r}",
                    f"one {'column' if what == 'model' else 'row'} per {what}",
                    f"drop the repeated {what}s or give them ids of their own",
                )

    def _check_shapes(self) -> None:
        m, n = len(self.models), len(self.instances)
        expected = {"answers": (m, n), "correct": (m, n), "labels": (n,), "options": (n,)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise InputError(f"{name} has shape {array.shape}", f"{shape}, for {m} models and {n} instances")
        whole = (m, n, len(self.classes))
        if self.probabilities is not None and self.probabilities.shape != whole:
            raise InputError(
                f"probabilities have shape {self.probabilities.shape}", f"{whole}: models × instances × classes"
            )

    def _check_codes(self) -> None:
        for name in ("answers", "labels"):
            codes = getattr(self, name)
            if codes is None:
                continue
            if codes.dtype.kind not in "iu":
                raise InputError(
                    f"{name} of the type {codes.dtype}",
                    "integer codes",
                    "Predictions.from_answers makes codes of answers",
                )
            low, high = int(codes.min()), int(codes.max())
            floor = MISSING if name == "answers" else 0
            if low < floor or high >= len(self.classes):
                raise InputError(
                    f"{name} run from {low} to {high} but there are {len(self.classes)} classes",
                    f"codes in {floor} … {len(self.classes) - 1}",
                )
        if self.correct is not None and not np.isin(np.unique(self.correct), (MISSING, 0, 1)).all():
            raise InputError("outcomes other than right and wrong", f"1 right, 0 wrong, {MISSING} unknown")
        if self.options is not None and int(self.options.min()) < 1:
            raise InputError(f"an instance with {self.options.min()} options", "one option or more")

    @classmethod
    def from_answers(
        cls,
        answers: Mapping[str, Iterable[Any]] | pd.DataFrame,
        labels: Iterable[Any],
        *,
        correct: Mapping[str, Iterable[Any]] | pd.DataFrame | None = None,
        models: pd.DataFrame | None = None,
        instances: pd.DataFrame | None = None,
        **more: Any,
    ) -> Predictions:
        """Predictions from each model's answers, of any hashable kind, and the true answers.

        Parameters
        ----------
        answers : by model id, one answer per instance: integers, strings or booleans; None or nan where there is none.
        labels : the true answer of each instance, of the same kind.
        correct : by model id, whether each answer is right, where that is not whether it equals the label (a judge, a
            grader): booleans or 0/1; None or nan where unknown. No answer with outcome 0 is a wrong one.
        models, instances, more : as in the class.
        """
        columns = {str(name): pd.Series(list(column), dtype=object) for name, column in answers.items()}
        truth = pd.Series(list(labels), dtype=object)
        _check_lengths({"labels": len(truth)} | {name: len(column) for name, column in columns.items()})
        if truth.isna().any():
            raise InputError(f"{int(truth.isna().sum())} instances have no label", "a true answer for every instance")
        _check_whole("the label column", truth)
        for name, column in columns.items():
            _check_whole(f"model column {name!r}", column)
        everything = pd.concat([truth, *columns.values()], ignore_index=True)
        codes, classes = pd.factorize(everything, sort=_sortable(everything))
        table = codes.reshape(len(columns) + 1, len(truth)).astype(smallest_integer(len(classes)))
        return cls(
            models=_model_table(models, list(columns)),
            instances=_instance_table(instances, len(truth)),
            answers=table[1:],
            labels=table[0],
            correct=None if correct is None else _outcomes(correct, list(columns), len(truth)),
            classes=tuple(str(int(c)) if isinstance(c, float) else str(c) for c in classes),
            **more,
        )

    @classmethod
    def from_correct(
        cls,
        correct: Mapping[str, Iterable[Any]] | pd.DataFrame,
        *,
        models: pd.DataFrame | None = None,
        instances: pd.DataFrame | None = None,
        **more: Any,
    ) -> Predictions:
        """Predictions from right/wrong outcomes alone: booleans or 0/1 by model id; None or nan where unknown."""
        ids = [str(name) for name in correct]
        outcomes = _outcomes(correct, ids)
        return cls(
            models=_model_table(models, ids),
            instances=_instance_table(instances, outcomes.shape[1]),
            correct=outcomes,
            **more,
        )

    @classmethod
    def from_decisions(
        cls, decisions: Mapping[str, Iterable[Any]] | pd.DataFrame, adverse: Any, **more: Any
    ) -> Predictions:
        """Predictions from decisions without a truth (hiring, credit): failing means getting the adverse one.

        Then the systemic failure rate is the share of instances, such as applicants, that everybody rejects. If it is
        known who is qualified, give that as strata.

        Parameters
        ----------
        decisions : by model id, one decision per instance; None or nan where there is none.
        adverse : the decision that hurts, such as ``"reject"``; everything else is not adverse.
        more : `models` and `instances`, as in `from_correct`.
        """
        columns = {str(name): pd.Series(list(column), dtype=object) for name, column in decisions.items()}
        if not any((column == adverse).any() for column in columns.values()):
            known = sorted({str(v) for column in columns.values() for v in column.dropna().unique()})
            raise InputError(f"nobody decided {adverse!r}", "the adverse decision", near(str(adverse), known))
        better = {name: (column != adverse).where(column.notna(), None) for name, column in columns.items()}
        return cls.from_correct(better, **more)

    @cached_property
    def observed(self) -> Bool[np.ndarray, "m n"] | None:
        """Where an outcome is known, from `correct` or else from an answer; None when it is known everywhere."""
        table = self.correct if self.correct is not None else self.answers
        assert table is not None
        mask = table != MISSING
        return None if mask.all() else mask

    @cached_property
    def wrong(self) -> Bool[np.ndarray, "m n"]:
        """Where a model is known to be wrong, by `correct` or else by the label; False where nothing is known."""
        if self.correct is not None:
            wrong: np.ndarray = self.correct == 0
        else:
            assert self.answers is not None
            assert self.labels is not None
            wrong = (self.answers != self.labels) & (self.answers != MISSING)
        return wrong

    @cached_property
    def has_fixed_classes(self) -> bool:
        """Whether the labels are classes: at least half of the instances share theirs with four others or more."""
        if self.fixed_classes is not None:
            return self.fixed_classes and self.labels is not None
        if self.labels is None or self.options is not None:
            return False
        return are_classes(np.bincount(self.labels, minlength=len(self.classes)))

    @property
    def model_ids(self) -> list[str]:
        """Ids in the order of the rows."""
        return [str(m) for m in self.models.index]

    @property
    def shape(self) -> tuple[int, int]:
        """Models, instances."""
        return len(self.models), len(self.instances)

    def take_models(self, ids: Sequence[Hashable]) -> Predictions:
        """The same instances answered by these models only, in this order."""
        known = list(self.models.index)
        for m in ids:
            if m not in known:
                raise InputError(f"no model {m!r}", cure=near(str(m), known))
        rows = [known.index(m) for m in ids]
        return replace(
            self,
            models=self.models.iloc[rows],
            answers=None if self.answers is None else self.answers[rows],
            correct=None if self.correct is None else self.correct[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
        )

    def take_instances(self, rows: Int[np.ndarray, " k"]) -> Predictions:
        """The same models on the instances at these positions, in this order."""
        return replace(
            self,
            instances=self.instances.iloc[rows],
            answers=None if self.answers is None else self.answers[:, rows],
            correct=None if self.correct is None else self.correct[:, rows],
            labels=None if self.labels is None else self.labels[rows],
            options=None if self.options is None else self.options[rows],
            probabilities=None if self.probabilities is None else self.probabilities[:, rows],
        )


def are_classes(sizes: Int[np.ndarray, " c"]) -> bool:
    """Whether labels that so many instances have each are classes; see `Predictions.has_fixed_classes`."""
    return bool(2 * sizes[sizes >= 5].sum() >= sizes.sum() and np.count_nonzero(sizes) > 1)


def smallest_integer(classes: int) -> type[np.signedinteger[Any]]:
    """The narrowest signed type that holds codes −1 … classes − 1."""
    return np.int8 if classes <= 127 else np.int16 if classes <= 32767 else np.int32


def fractions_error(what: str, value: object) -> InputError:
    """The error for a column of fractions: those are scores or probabilities, not answers."""
    return InputError(
        f"{what} holds fractions such as {value}",
        "answers: integers, strings or booleans",
        "turn scores into answers first, or leave the column out",
    )


def _check_whole(what: str, column: pd.Series[Any]) -> None:
    known = column.dropna().infer_objects()
    if pd.api.types.is_float_dtype(known) and not (known % 1 == 0).all():
        raise fractions_error(what, known[known % 1 != 0].iloc[0])


def _check_lengths(lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        (first, a), *rest = lengths.items()
        second, b = next((name, n) for name, n in rest if n != a)
        raise InputError(
            f"{first} has {a} instances but {second} has {b}",
            "the same instances, in the same order, for every model",
        )


def _outcomes(
    given: Mapping[str, Iterable[Any]] | pd.DataFrame, ids: list[str], n: int | None = None
) -> Int[np.ndarray, "m n"]:
    """Outcomes of these models in this order: 1 right, 0 wrong, MISSING unknown."""
    columns = {str(name): pd.Series(list(column), dtype=object) for name, column in given.items()}
    if set(columns) != set(ids):
        odd = next(name for name in [*ids, *columns] if (name in columns) != (name in ids))
        raise InputError(f"answers or outcomes of {odd!r} are missing", "both of every model")
    _check_lengths(({} if n is None else {"labels": n}) | {name: len(column) for name, column in columns.items()})
    outcomes = np.full((len(columns), len(next(iter(columns.values()), []))), MISSING, np.int8)
    for row, name in zip(outcomes, ids, strict=True):
        column = columns[name]
        known = column.notna()
        strange = ~column[known].isin([0, 1, True, False])
        if strange.any():
            raise InputError(
                f"outcome {column[known][strange].iloc[0]!r} of model {name!r}", "true/false or 1/0 per instance"
            )
        row[known.to_numpy()] = column[known].astype(np.int8)
    return outcomes


def _sortable(values: pd.Series[Any]) -> bool:
    return len({str if isinstance(v, str) else float for v in values.dropna().unique()}) == 1


def _model_table(given: pd.DataFrame | None, ids: list[str]) -> pd.DataFrame:
    """The rows of the given table that belong to these models, in their order."""
    if given is None:
        return pd.DataFrame(index=pd.Index(ids, name="model", dtype=object))
    absent = [model for model in ids if model not in given.index]
    if absent:
        raise InputError(f"the model table has no row for {absent[0]!r}", "one row per model, indexed by model id")
    return given.loc[ids]


def _instance_table(given: pd.DataFrame | None, n: int) -> pd.DataFrame:
    if given is None:
        return pd.DataFrame(index=pd.RangeIndex(n, name="instance"))
    if len(given) != n:
        raise InputError(
            f"the instance table has {len(given)} rows but there are {n} instances", "one row per instance"
        )
    return given
