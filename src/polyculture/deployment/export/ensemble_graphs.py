"""How does an ensemble of learners become graphs? One graph per kept learner, and a rule that combines them.

A learner's members (one per fold, and one of all rows) stand in one graph with its temperature. The pool of the
ensemble is written as stacking: p ∝ exp(bias + Σ weights × log max(p, floor)), with weights by class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool
from sklearn.utils.validation import check_is_fitted

from polyculture.errors import InputError
from polyculture.models.features import features
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.graphs.graph_builder import DOUBLE, GraphBuilder
from polyculture.models.graphs.learner_graphs import ambiguous
from polyculture.models.graphs.preprocessing_graphs import MISSING, Matrix, category_name
from polyculture.models.graphs.sklearn_graphs import placed, prediction
from polyculture.selection.estimators.crossfitting import LOWEST_PROBABILITY
from polyculture.selection.estimators.member_weights import SMALLEST

VIEW = "columns"
"""Name of the input of every graph: n × columns, float64."""


@dataclass(frozen=True)
class TableColumn:
    """A column of the table that an ensemble reads.

    Parameters
    ----------
    name : of the column; x0, x1, … where the table had no names.
    kind : whether cells are numbers (nan where missing), or positions in `categories` (−1 for any other category).
    categories : sorted; a cell without a category has the category "missing".
    """

    name: str
    kind: Literal["number", "category"]
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LearnerGraph:
    """A kept learner of an ensemble.

    Parameters
    ----------
    name : of the learner.
    proto : the `onnx.ModelProto`, from `VIEW` to ``probabilities`` (n × c) or ``value`` (n × 1), float32.
    weight : in the ensemble.
    weights_by_class : which count in its place; empty where there are none.
    """

    name: str
    proto: Any
    weight: float
    weights_by_class: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class EnsembleGraphs:
    """An ensemble as graphs, and how they are combined.

    Parameters
    ----------
    members : heaviest first.
    columns : what they read.
    classes : labels in the order of the probabilities; empty for a regression.
    rule : ``"stacking"``, ``"mixture"`` or, of numbers, ``"average"``.
    bias : of each class, for stacking.
    floor : to which probabilities are raised before their logarithm is taken.
    """

    members: tuple[LearnerGraph, ...]
    columns: tuple[TableColumn, ...]
    classes: tuple[str, ...]
    rule: Literal["stacking", "mixture", "average"]
    bias: tuple[float, ...] = ()
    floor: float = SMALLEST


def ensemble_graphs(ensemble: Any) -> EnsembleGraphs:
    """The graphs of a fitted `DiverseEnsembleClassifier` or `DiverseEnsembleRegressor`.

    Raises InputError for a learner that has no graph, with its name.
    """
    check_is_fitted(ensemble)
    pool, columns = ensemble._pool, column_specs(ensemble)
    classes = tuple(map(str, getattr(ensemble, "classes_", ())))
    weights = pool.weights[pool.members].astype(float)
    if pool.rule == "mixture":
        weights = weights / weights.sum()
    by_class = pool.by_class[pool.members]
    members = []
    for position, (name, fits) in enumerate(ensemble.members_.items()):
        temperature = float(pool.temperatures[pool.members[position]])
        try:
            proto = _learner(fits, ensemble._shares[name], temperature, columns, len(classes), pool.rule)
        except InputError as error:
            raise InputError(
                f"the member {name!r} cannot be exported: {error.wrong}", error.expected, error.cure
            ) from error
        members.append(LearnerGraph(name, proto, float(weights[position]), tuple(map(float, by_class[position]))))
    if pool.rule != "stacking":
        return EnsembleGraphs(tuple(members), columns, classes, pool.rule)
    prior = np.log(np.maximum(pool.frequency, SMALLEST))
    bias = prior + pool.bias - prior * by_class.sum(axis=0)
    return EnsembleGraphs(tuple(members), columns, classes, "stacking", tuple(map(float, bias)))


def column_specs(ensemble: Any) -> tuple[TableColumn, ...]:
    """The columns that a fitted ensemble reads, with the categories that any of its members knows."""
    d = ensemble.n_features_in_
    names = [str(name) for name in getattr(ensemble, "feature_names_in_", [f"x{i}" for i in range(d)])]
    categories: dict[int, set[str]] = {position: set() for position in ensemble._input_format.categorical}
    for fits in ensemble.members_.values():
        for fitted in fits:
            for position, texts in _categories(fitted, range(d)):
                categories.setdefault(position, set()).update(texts)
    if ensemble._input_format.raw:  # a column that no member reads may hold anything
        positions = {i for fits in ensemble.members_.values() for fitted in fits for i in _positions(fitted, d)}
        categories |= {i: set() for i in range(d) if i not in positions}
    return tuple(
        TableColumn(name, "category", tuple(sorted(categories[i]))) if i in categories else TableColumn(name, "number")
        for i, name in enumerate(names)
    )


def undetermined(model: Any, inputs: Any, learner: str = "") -> Bool[np.ndarray, " n"]:
    """For which inputs a model's answer depends on the order of its training rows, so that a graph may differ.

    So it is where several training rows are equally near and not all of them are neighbours.

    Parameters
    ----------
    model : an ensemble, an estimator of scikit-learn, or a `FittedEstimator` (for tags a row per token).
    inputs : what it reads.
    learner : the only one of an ensemble's learners that counts; all of them where empty.
    """
    if isinstance(model, FittedEstimator):
        return undetermined(model.estimator, features(model.encoder, inputs))
    if hasattr(model, "members_") and hasattr(model, "_input_format"):
        rows = model._input_format.read(model, inputs)
        learners = [model.members_[learner]] if learner else model.members_.values()
        masks = [undetermined(fitted, rows) for fits in learners for fitted in fits]
        return np.asarray(np.any(masks, axis=0))
    if hasattr(model, "model_"):
        return undetermined(model.model_, model._read(inputs, reset=False))
    if hasattr(model, "steps"):
        for _, step in model.steps[:-1]:
            inputs = inputs if step == "passthrough" else step.transform(inputs)
        return undetermined(model.steps[-1][1], inputs)
    if type(model).__name__.startswith("KNeighbors"):
        return ambiguous(model, inputs)
    return np.zeros(inputs.shape[0] if hasattr(inputs, "shape") else len(inputs), bool)


def _learner(
    fits: Sequence[Any],
    shares: np.ndarray,
    temperature: float,
    columns: tuple[TableColumn, ...],
    classes: int,
    rule: str,
) -> Any:
    """The graph of all members of a learner, combined as `OpinionPool.opinion` does it."""
    g = GraphBuilder()
    categories = {i: column.categories for i, column in enumerate(columns) if column.kind == "category"}
    x = Matrix(VIEW, len(columns), categories)
    parts = []
    for share, fitted in zip(shares, fits, strict=True):
        value = _probabilities(g, fitted, x, classes, temperature) if classes else prediction(g, fitted, x)
        if rule == "stacking":
            value = g.add("Log", g.add("Clip", value, SMALLEST, 1.0))
        parts.append(g.add("Mul", value, float(share)))
    total = g.add("Sum", *parts)
    if rule == "stacking":
        total = g.add("Softmax", total, axis=1)
    output = ("probabilities", ["n", classes]) if classes else ("value", ["n", 1])
    return g.model([(VIEW, DOUBLE, ["n", len(columns)])], (total, *output))


def _probabilities(g: GraphBuilder, fitted: Any, x: Matrix, classes: int, temperature: float) -> str:
    """Probabilities from what a member offers, as in `polyculture.selection.estimators.crossfitting.scores`."""
    scores, lowest = prediction(g, fitted, x), float(np.log(LOWEST_PROBABILITY))
    positions = np.asarray(fitted.classes_, np.int64)
    fill: str | float = lowest
    if hasattr(fitted, "predict_proba"):
        scores = g.add("Log", g.add("Clip", scores, LOWEST_PROBABILITY, 1.0))
    else:
        if len(positions) == 2:
            scores = g.joined([g.add("Mul", scores, -0.5), g.add("Mul", scores, 0.5)])
        fill = g.add("Add", g.add("ReduceMin", scores, np.array([1]), keepdims=1), lowest)
    if len(positions) < classes:
        absent = np.ones((1, classes))
        absent[:, positions] = 0.0
        scores = g.add("Add", placed(g, scores, positions, classes), g.add("Mul", fill, absent))
    return g.add("Softmax", g.add("Div", scores, temperature), axis=1)


def _categories(estimator: Any, positions: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
    """Columns that an estimator reads as text, with the categories that it knows."""
    if getattr(estimator, "_preprocessor", None) is not None:
        yield from _categories(estimator._preprocessor, positions)
    elif hasattr(estimator, "steps"):
        for _, step in estimator.steps:
            texts = list(_categories(step, positions))
            yield from texts
            if type(step).__name__ == "SimpleImputer" and not step.add_indicator:
                yield from ((positions[i], [MISSING]) for i in _text_columns(step))
            elif step != "passthrough":
                break
    elif hasattr(estimator, "transformers_"):
        for name, inner, _ in estimator.transformers_:
            yield from _categories(inner, [positions[i] for i in estimator._transformer_to_input_indices[name]])
    elif hasattr(estimator, "transformer_list"):
        for _, inner in estimator.transformer_list:
            yield from _categories(inner, positions)
    elif hasattr(estimator, "regressor_"):
        yield from _categories(estimator.regressor_, positions)
    elif hasattr(estimator, "calibrated_classifiers_"):
        for calibrated in estimator.calibrated_classifiers_:
            yield from _categories(calibrated.estimator, positions)
    elif hasattr(estimator, "categories_"):
        for position, values in zip(positions, estimator.categories_, strict=True):
            if values.dtype.kind in "OUS":
                yield position, [category_name(value) for value in values]


def _positions(estimator: Any, d: int) -> set[int]:
    """Columns that an estimator reads."""
    if hasattr(estimator, "steps"):
        return _positions(estimator.steps[0][1], d)
    if not hasattr(estimator, "transformers_"):
        return set(range(d))
    names = [name for name, inner, _ in estimator.transformers_ if not isinstance(inner, str) or inner != "drop"]
    return {int(i) for name in names for i in estimator._transformer_to_input_indices[name]}


def _text_columns(imputer: Any) -> list[int]:
    """Columns of text among those that an imputer replaces missing cells of."""
    return [i for i, value in enumerate(imputer.statistics_) if isinstance(value, str)]
