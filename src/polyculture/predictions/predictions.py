"""What did every model predict for every instance, and was it right? Checked once, here, at the gate."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError, near, visible

from .columns import (
    MISSING,
    Columns,
    are_classes,
    are_distinct_texts,
    by_index,
    check_probabilities,
    encode_answers,
    encode_by_name,
    instance_table,
    model_table,
    object_columns,
    one_dimensional,
    outcome_table,
    value_table,
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers, outcomes or predicted numbers of every model on every instance.

    Three tasks share this noun. Classification: `answers` with `labels`. Outcomes: `correct`, alone or with any of
    these: it says who is right, whatever answers and labels look like, and the labels say what class the instance is
    of. A MISSING answer that `correct` calls wrong is "no answer": a wrong one, like no other. Regression: `values`
    with `targets`. Most users call `from_answers`, `from_correct` or `from_values`.

    Parameters
    ----------
    models : one row per model, indexed by model id; its columns are factors (architecture, family, cost, …).
    instances : one row per instance, indexed by instance id; its columns are groups, clusters, difficulty, ….
    answers : m × n answer codes, indices into `classes`; MISSING where there is none.
    labels : n codes of the true answers, indices into `classes`.
    correct : m × n, 1 right, 0 wrong, MISSING unknown; where right is not equal to the label, or all that is known.
    classes : what each answer code stands for.
    probabilities : m × n × c class probabilities, columns in the order of `classes`.
    options : n counts of the answers one could choose from, where instances differ in that (multiple choice).
    fixed_classes : whether the labels are the same few classes for all instances, so that "given the true class"
        means something; None decides from the labels (see `has_fixed_classes`).
    values : m × n predicted numbers; nan where there is none.
    targets : n true numbers.
    tolerance : a predicted number is wrong where its error is larger; if None, see `allowed_error`.
    noise : known variance of noise in the targets: an error that all models share and are not to blame for.
    _checked : set by the class itself: probabilities and answers that were read through, which `replace` hands on.

    Raises InputError for shapes that do not fit, codes outside of the classes, repeated ids, and fewer than two models
    (one of numbers).

    Examples
    --------
    >>> predictions = pc.Predictions.from_answers({"ann": [0, 1, 1], "bob": [0, 0, 1]}, labels=[0, 1, 0])
    >>> predictions.shape
    (2, 3)
    >>> predictions.wrong
    array([[False, False,  True],
           [False,  True,  True]])
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
    values: Float[np.ndarray, "m n"] | None = None
    targets: Float[np.ndarray, " n"] | None = None
    tolerance: float | None = None
    noise: float = 0.0
    _checked: tuple[Any, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        self._check_presence()
        self._check_names()
        self._check_shapes()
        self._check_codes()
        self._check_numbers()

    def _check_presence(self) -> None:
        classes = list(self._arrays("answers", "labels", "correct", "probabilities"))
        if (self.values is None) != (self.targets is None):
            absent = "targets" if self.targets is None else "values"
            raise InputError(f"predicted numbers without {absent}", "values and targets, or neither")
        if self.values is not None and classes:
            raise InputError(f"values and {classes[0]}", "predicted numbers, or answers and outcomes")
        if self.values is None and self.answers is None and self.correct is None:
            raise InputError("neither answers nor outcomes", "answers with labels, or right/wrong outcomes")
        if self.values is None and self.labels is None and self.correct is None:
            raise InputError(
                "answers without labels",
                "the true answer of each instance",
                "name the column with the truth, or give right/wrong outcomes",
            )
        if len(self.models) < (2 if self.values is None else 1):  # the mean of a single regressor is defined
            name = f": {self.models.index[0]!r}" if len(self.models) else "s"
            raise InputError(
                f"{len(self.models)} model{name}",
                "two models or more",
                "similarity is measured between models",
            )
        if len(self.instances) == 0:
            raise InputError("no instances", "one instance or more")

    def _check_names(self) -> None:
        for kind, index in (("model", self.models.index), ("instance", self.instances.index)):
            if not are_distinct_texts(index) and index.has_duplicates:  # which makes an object of every text
                repeated = index[index.duplicated()].unique()
                raise InputError(
                    f"{len(repeated)} {kind} id{'s occur' if len(repeated) > 1 else ' occurs'} more than once, "
                    f"such as {repeated[0]!r}",
                    f"one {'column' if kind == 'model' else 'row'} per {kind}",
                    f"drop the repeated {kind}s or give them ids of their own",
                )

    def _check_shapes(self) -> None:
        m, n = len(self.models), len(self.instances)
        expected = {"answers": (m, n), "correct": (m, n), "labels": (n,), "options": (n,)}
        expected |= {"values": (m, n), "targets": (n,)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise InputError(f"{name} has shape {array.shape}", f"{shape}, for {m} models and {n} instances")
        size = (m, n, len(self.classes))
        if self.probabilities is not None and self.probabilities.shape != size:
            raise InputError(
                f"probabilities have shape {self.probabilities.shape}", f"{size}: models × instances × classes"
            )
        self._check_distributions()

    def _check_distributions(self) -> None:
        arrays = (self.probabilities, self.answers)
        if self.probabilities is None or [id(array) for array in self._checked] == [id(array) for array in arrays]:
            return
        check_probabilities(self.probabilities, self.model_ids, self.instances.index, self.answers)
        object.__setattr__(self, "_checked", arrays)

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

    def _check_numbers(self) -> None:
        if self.targets is not None and not np.isfinite(self.targets).all():
            raise InputError("a target that is not a finite number", "a true value for every instance")
        if self.values is not None and np.isinf(self.values).any():
            model, instance = np.argwhere(np.isinf(self.values))[0]
            raise InputError(
                f"model {self.model_ids[model]!r} predicts {self.values[model, instance]:g} for instance "
                f"{self.instances.index[instance]!r}",
                "finite numbers, or nothing where there is none",
                "cap the overflow, or leave the model out",
            )
        if self.noise < 0 or (self.tolerance is not None and self.tolerance <= 0):
            raise InputError(f"noise {self.noise} and tolerance {self.tolerance}", "a variance and an error above 0")

    @classmethod
    def from_answers(
        cls,
        answers: Columns,
        labels: Iterable[Any],
        *,
        correct: Columns | None = None,
        models: pd.DataFrame | None = None,
        instances: pd.DataFrame | None = None,
        classes: Iterable[Any] = (),
        **more: Any,
    ) -> Predictions:
        """Predictions from each model's answers, of any hashable kind, and the true answers.

        Parameters
        ----------
        answers : by model id, one answer per instance: integers, strings or booleans; None or nan where there is none.
        labels : the true answer of each instance, of the same kind.
        correct : by model id, whether each answer is right, where that is not whether it equals the label (a judge, a
            grader): booleans or 0/1; None or nan where unknown. No answer with outcome 0 is a wrong one.
        classes : names of all classes in their order, such as that of the columns of probabilities; answers and labels
            are names, or the numbers of the classes from 0. Left out, they are the answers and labels that occur.
        models, instances, more : as in the class; rows of `models` are found by their index.
        """
        columns = object_columns(by_index(answers, labels))
        codes, names = encode_answers(columns, pd.Series(one_dimensional("label", labels), dtype=object))
        codes, names = encode_by_name(codes, names, classes)
        outcomes = None if correct is None else outcome_table(by_index(correct, labels), list(columns), codes.shape[1])
        return cls(
            models=model_table(models, list(columns)),
            instances=instance_table(instances, codes.shape[1]),
            answers=codes[1:],
            labels=codes[0],
            correct=outcomes,
            classes=names,
            **more,
        )

    @classmethod
    def from_correct(
        cls,
        correct: Columns,
        *,
        models: pd.DataFrame | None = None,
        instances: pd.DataFrame | None = None,
        **more: Any,
    ) -> Predictions:
        """Predictions from right/wrong outcomes alone: booleans or 0/1 by model id; None or nan where unknown."""
        ids = [str(name) for name in correct]
        outcomes = outcome_table(correct, ids)
        instances = instance_table(instances, outcomes.shape[1])
        return cls(models=model_table(models, ids), instances=instances, correct=outcomes, **more)

    @classmethod
    def from_decisions(cls, decisions: Columns, adverse: Any, **more: Any) -> Predictions:
        """Predictions from decisions without a truth (hiring, credit): failing means getting the adverse one.

        Then the systemic failure rate is the share of instances, such as applicants, that everybody rejects. If it is
        known who is qualified, give that as strata.

        Parameters
        ----------
        decisions : by model id, one decision per instance; None or nan where there is none.
        adverse : the decision that hurts, such as ``"reject"``; everything else is not adverse.
        more : `models` and `instances`, as in `from_correct`.
        """
        columns = object_columns(decisions)
        if not any((column == adverse).any() for column in columns.values()):
            choices = sorted({str(v) for column in columns.values() for v in column.dropna().unique()})
            raise InputError(f"no model decided {adverse!r}", "the adverse decision", near(str(adverse), choices))
        favourable = {name: (column != adverse).where(column.notna(), None) for name, column in columns.items()}
        return cls.from_correct(favourable, **more)

    @classmethod
    def from_values(
        cls,
        values: Columns,
        targets: Iterable[float],
        *,
        models: pd.DataFrame | None = None,
        instances: pd.DataFrame | None = None,
        tolerance: float | None = None,
        noise: float = 0.0,
    ) -> Predictions:
        """Predictions from each model's predicted numbers and the true numbers.

        Parameters
        ----------
        values : by model id, one number per instance; nan where there is none.
        targets : the true number of each instance.
        models, instances, tolerance, noise : as in the class; rows of `models` are found by their index.
        """
        truth = np.asarray(one_dimensional("targets", targets), dtype=np.float64)
        table = value_table(by_index(values, targets), truth)
        return cls(
            models=model_table(models, [str(name) for name in values]),
            instances=instance_table(instances, len(truth)),
            values=table,
            targets=truth,
            tolerance=tolerance,
            noise=noise,
        )

    @property
    def task(self) -> Literal["classification", "outcomes", "regression"]:
        """What was predicted: numbers, classes, or nothing but who is right."""
        if self.values is not None:
            return "regression"
        return "outcomes" if self.answers is None else "classification"

    @cached_property
    def observed(self) -> Bool[np.ndarray, "m n"] | None:
        """Where an outcome, an answer or a number is known; None when it is known everywhere."""
        if self.values is not None:
            mask: np.ndarray = np.isfinite(self.values)
        else:
            table = self.correct if self.correct is not None else self.answers
            assert table is not None
            if int(table.min(initial=0)) > MISSING:
                return None
            mask = table != MISSING
        return None if mask.all() else mask

    @cached_property
    def wrong(self) -> Bool[np.ndarray, "m n"]:
        """Where a model is known to be wrong, by `correct`, the label or `allowed_error`; False where unknown."""
        if self.values is not None:
            wrong: np.ndarray = np.abs(self.residuals) > self.allowed_error
        elif self.correct is not None:
            wrong = self.correct == 0
        else:
            assert self.answers is not None
            assert self.labels is not None
            wrong = (self.answers != self.labels) & (self.answers != MISSING)
        return wrong

    @cached_property
    def residuals(self) -> Float[np.ndarray, "m n"]:
        """Predicted minus true numbers; nan where nothing was predicted. Regression only."""
        if self.values is None or self.targets is None:
            raise InputError("residuals of answers", "predicted numbers", "Predictions.from_values takes them")
        residuals: np.ndarray = np.where(np.isfinite(self.values), self.values - self.targets, np.nan)
        return residuals

    @cached_property
    def rmse(self) -> Float[np.ndarray, " m"]:
        """Root mean squared error of each model on the instances that it predicted. Regression only."""
        counts = np.isfinite(self.residuals).sum(axis=1)
        rmse: np.ndarray = np.sqrt((np.nan_to_num(self.residuals) ** 2).sum(axis=1) / np.maximum(counts, 1))
        return rmse

    @cached_property
    def allowed_error(self) -> float:
        """Largest error that is not wrong: the tolerance, or the median model's RMSE. Regression only."""
        return float(np.median(self.rmse)) if self.tolerance is None else self.tolerance

    @cached_property
    def has_fixed_classes(self) -> bool:
        """Whether the labels are classes: nine in ten instances share theirs with four others or more."""
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

    def __repr__(self) -> str:
        """Size, task and quality, then the first models."""
        (m, n), quality = self.shape, "RMSE" if self.task == "regression" else "accuracy"
        answered = np.full(m, n) if self.observed is None else self.observed.sum(axis=1)
        scores = self.rmse if quality == "RMSE" else 1 - self.wrong.sum(axis=1) / np.maximum(answered, 1)
        classes = f", {len(self.classes):,} classes" if self.classes else ""
        text = f"Predictions: {m:,} models × {n:,} instances{classes}, {self.task}; {quality} {np.min(scores):.3g} "
        text += f"… {np.max(scores):.3g}; {100 * (1 - answered.mean() / n):.1f} % missing"
        rows = [f"  {model[:60]}  {score:.3g}" for model, score in zip(self.model_ids[:5], scores, strict=False)]
        return "\n".join([text, *map(visible, rows)] + ([f"  … {m - 5:,} more models"] if m > 5 else []))

    def take_models(self, ids: Sequence[Hashable]) -> Predictions:
        """The same instances answered by these models only, in this order."""
        index = list(self.models.index)
        for model in ids:
            if model not in index:
                raise InputError(f"no model {model!r}", cure=near(str(model), index))
        rows = [index.index(model) for model in ids]
        tables = self._arrays("answers", "correct", "probabilities", "values")
        return self._part({name: array[rows] for name, array in tables.items()}, models=self.models.iloc[rows])

    def take_instances(self, rows: Int[np.ndarray, " k"]) -> Predictions:
        """The same models on the instances at these positions, in this order."""
        arrays = self._arrays("labels", "options", "targets")
        tables = self._arrays("answers", "correct", "probabilities", "values")
        fields = {name: array[rows] for name, array in arrays.items()}
        fields |= {name: table[:, rows] for name, table in tables.items()}
        return self._part(fields, instances=self.instances.iloc[rows])

    def _part(self, arrays: dict[str, Any], **tables: Any) -> Predictions:
        """Some of these models and instances, whose probabilities are known to be distributions."""
        return replace(self, **arrays, **tables, _checked=(arrays.get("probabilities"), arrays.get("answers")))

    def _arrays(self, *names: str) -> dict[str, Any]:
        return {name: array for name in names if (array := getattr(self, name)) is not None}
