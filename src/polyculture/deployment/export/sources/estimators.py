"""How are fitted estimators exported? Ensembles learner by learner, other estimators as a set of one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.errors import InputError, PolycultureError, need
from polyculture.models.graphs.fitted_graphs import fitted_graph

from ...bundle.manifest import Column, InputView, Task
from ..ensemble_graphs import VIEW, LearnerGraph, ensemble_graphs, undetermined
from .material import ExportSource, SourceMember
from .runs import SHARED
from .views import view_of

MISSING = "missing"
"""Category of a cell without one, in ensembles."""


def estimator_source(estimator: Any, held_out: tuple[Any, Any] | None = None) -> ExportSource:
    """What to export of a fitted `DiverseEnsembleClassifier`, `DiverseEnsembleRegressor` or estimator of a recipe.

    Parameters
    ----------
    held_out : rows that it was not fitted on, and their targets; None for rows that it has kept.

    Raises InputError for anything else, and for an estimator that is not fitted.
    """
    need("sklearn")
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    name = type(estimator).__name__
    if not hasattr(estimator, "_examples") and not hasattr(estimator, "export"):
        raise InputError(
            f"a {name} to export",
            "the folder of a run or of select, a Portfolio, or a fitted estimator of polyculture",
            "polyculture.DiverseEnsembleClassifier takes other learners",
        )
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise InputError(f"a {name} that is not fitted", "a fitted one", "call fit first") from error
    if hasattr(estimator, "members_"):
        return _ensemble(estimator, held_out)
    return _single(estimator, held_out)


def _ensemble(ensemble: Any, held_out: tuple[Any, Any] | None) -> ExportSource:
    if ensemble._input_format.sparse:
        raise InputError("an ensemble of sparse inputs", "one of dense inputs or of a dataframe", "fit it on these")
    if held_out is None and not hasattr(ensemble, "_examples"):
        raise InputError(
            "an ensemble that was saved without rows",
            "some to compare graphs on",
            "give X and y, or save with evidence=True",
        )
    graphs = ensemble_graphs(ensemble)
    rows, examples = getattr(ensemble, "_examples", (None, None))
    inputs, targets = (_frame(ensemble, examples), None) if held_out is None else held_out
    inputs = inputs.to_pandas() if hasattr(inputs, "to_pandas") else inputs
    columns = tuple(Column(c.name, c.kind, c.categories, bool(ensemble.prepare)) for c in graphs.columns)
    members = tuple(_learner(ensemble, i, graph, columns) for i, graph in enumerate(graphs.members))
    crossfitted = None
    if held_out is None:
        labels = np.asarray(ensemble._training_scores.y[rows])
        crossfitted = _crossfitted(ensemble, rows)
    else:
        labels = _codes(ensemble, targets)
    portfolio = _portfolio(ensemble)
    return ExportSource(
        **_facts(ensemble, graphs.classes),
        modality="table",
        input_shape=(len(columns),),
        members=members,
        rule=graphs.rule,
        inputs=inputs,
        raw=_raw(inputs, columns),
        labels=labels.astype(np.int64 if graphs.classes else np.float64),
        certified=np.ones(len(labels), bool),
        crossfitted=crossfitted,
        instances=pd.DataFrame(index=pd.RangeIndex(len(labels), name="instance")),
        columns=columns,
        bias=graphs.bias,
        floor=graphs.floor,
        certificate={} if portfolio is None else json.loads(portfolio.to_json()),
        sentence="" if portfolio is None else portfolio.sentence,
    )


def _learner(ensemble: Any, position: int, graph: LearnerGraph, columns: tuple[Column, ...]) -> SourceMember:
    def outputs(X: Any) -> np.ndarray:
        """What the fits of a learner say together, as `predict_proba` makes it."""
        scores = np.array(ensemble._scores(X)[position])
        shares = ensemble._shares[graph.name]
        if not graph_classes:
            return np.asarray(np.tensordot(shares, scores, axes=1))
        return np.asarray(ensemble._pool.opinion(int(ensemble._pool.members[position]), scores, shares))

    graph_classes = len(getattr(ensemble, "classes_", ()))
    family = str(ensemble.candidates_.loc[graph.name, "family"])
    return SourceMember(
        id=f"{position + 1:02d}-{_slug(graph.name)}",
        name=graph.name,
        outputs=outputs,
        graph=lambda view: _renamed(graph.proto, view),
        view=InputView(VIEW, "columns", (len(columns),), "float64"),
        weight=graph.weight,
        weights_by_class=graph.weights_by_class,
        recipe={"learner": graph.name, "family": family},
        ancestry={"family": family, "data": "all"},
        undetermined=partial(undetermined, ensemble, learner=graph.name),
    )


def _renamed(proto: Any, view: str) -> Any:
    if view != VIEW:
        raise InputError(f"a view {view!r} of an ensemble", repr(VIEW))
    return proto


def _crossfitted(ensemble: Any, rows: Any) -> tuple[Float[np.ndarray, "n m c"], Float[np.ndarray, "n c"]]:
    """What members and ensemble give for rows that they, and the weights, were not fitted on."""
    from polyculture.selection.estimators.nested_validation import nested

    pool, crossfitted = ensemble._pool, ensemble._training_scores
    if pool.rule == "average":
        members = crossfitted.scores[pool.members]
    else:
        members = np.exp(pool.logs(crossfitted.scores)[pool.members])
    combined = nested(crossfitted, ensemble._fit_weights)[0]
    return np.moveaxis(members[:, rows], 0, 1).astype(np.float32), combined[rows].astype(np.float32)


def _portfolio(ensemble: Any) -> Any:
    """The ensemble with its certificate; None where it has only one learner."""
    try:
        return ensemble.portfolio_
    except PolycultureError:
        return None


def _frame(ensemble: Any, examples: Any) -> Any:
    """Kept rows as the ensemble reads them: with the names of the columns, where it has learned some."""
    names = getattr(ensemble, "feature_names_in_", None)
    return examples if names is None else pd.DataFrame(np.asarray(examples), columns=names)


def _raw(inputs: Any, columns: tuple[Column, ...]) -> Float[np.ndarray, "n d"]:
    """Numbers as they are, categories as positions, nan where a cell is missing."""
    table = np.empty((len(inputs), len(columns)), np.float64)
    cells = inputs.to_numpy() if hasattr(inputs, "iloc") else np.asarray(inputs)
    for position, column in enumerate(columns):
        if column.kind == "category":
            codes = {category: float(code) for code, category in enumerate(column.categories)}
            missing = pd.isna(cells[:, position])
            codes_of_cells = [
                np.nan if gap else codes.get(str(cell), -1.0)
                for cell, gap in zip(cells[:, position], missing, strict=True)
            ]
            table[:, position] = codes_of_cells
        else:
            table[:, position] = pd.to_numeric(pd.Series(cells[:, position]), errors="coerce").to_numpy(np.float64)
    return table


def _single(estimator: Any, held_out: tuple[Any, Any] | None) -> ExportSource:
    """An estimator of a recipe as a set of one member."""
    model = estimator.model_
    encoder = model.encoder
    inputs = estimator._examples if held_out is None else estimator._read(held_out[0], reset=False)
    classes = tuple(map(str, getattr(estimator, "classes_", ())))
    view, vocabulary = view_of(encoder)
    recipe = estimator._recipe("cross-entropy" if classes else "squared")
    member = SourceMember(
        id=recipe.id,
        name=recipe.architecture,
        outputs=model,
        graph=partial(fitted_graph, model),
        view=view,
        vocabulary=vocabulary,
        recipe=recipe.to_dict(),
        ancestry={axis: str(getattr(recipe, axis)) for axis in SHARED},
        undetermined=partial(undetermined, model) if hasattr(model, "estimator") else None,
    )
    table = encoder.modality == "table"
    names = getattr(estimator, "feature_names_in_", [f"x{i}" for i in range(estimator.n_features_in_)]) if table else ()
    labels = np.zeros(len(inputs)) if held_out is None else _codes(estimator, held_out[1])
    return ExportSource(
        **_facts(estimator, classes),
        modality=encoder.modality,
        input_shape=tuple(np.shape(inputs)[1:]),
        members=(member,),
        rule="mean",
        inputs=inputs,
        raw=np.asarray(inputs),
        labels=labels.astype(np.int64 if classes else np.float64),
        certified=np.full(len(inputs), held_out is not None),
        instances=pd.DataFrame(index=pd.RangeIndex(len(inputs), name="instance")),
        columns=tuple(Column(str(name)) for name in names),
    )


def _facts(estimator: Any, classes: tuple[str, ...]) -> Mapping[str, Any]:
    task: Task = "classification" if classes else "regression"
    return {"name": type(estimator).__name__, "task": task, "classes": classes}


def _codes(estimator: Any, targets: Any) -> np.ndarray:
    """Targets as codes of the classes, or as numbers; InputError for a class that was not learned."""
    if targets is None:
        raise InputError("rows to check on without targets", "a target for every row", "give y, too")
    values = np.asarray(targets).ravel()
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return values.astype(np.float64)
    unknown = values[~np.isin(values, classes)]
    if len(unknown):
        raise InputError(f"the target {unknown[0]!r}", f"one of {', '.join(map(str, classes[:12]))}")
    return np.searchsorted(classes, values)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "learner"
