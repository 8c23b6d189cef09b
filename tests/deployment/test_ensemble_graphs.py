"""An ensemble's graphs and their rule give what the ensemble predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnxruntime as ort
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC

from polyculture.deployment.export.ensemble_graphs import EnsembleGraphs, TableColumn, ensemble_graphs, undetermined
from polyculture.rng import stream
from polyculture.selection import DiverseEnsembleClassifier, DiverseEnsembleRegressor

CLASSIFIERS = [
    ("logistic", LogisticRegression(max_iter=300)),
    ("boosting", HistGradientBoostingClassifier(max_iter=10)),
    ("bayes", GaussianNB()),
    ("machine", SVC(break_ties=True)),
    ("forest", RandomForestClassifier(10)),
]
REGRESSORS = [
    ("ridge", Ridge()),
    ("boosting", HistGradientBoostingRegressor(max_iter=10)),
    ("near", KNeighborsRegressor()),
]


def table(n: int = 200) -> tuple[pd.DataFrame, np.ndarray]:
    generator = stream(7, "table")
    colour = generator.choice(["red", "green", "blue", "grey"], n, p=[0.4, 0.3, 0.25, 0.05])
    frame = pd.DataFrame({"size": generator.normal(size=n), "colour": colour, "age": generator.integers(1, 90, n)})
    frame.loc[::11, "size"] = np.nan
    frame.loc[::13, "colour"] = None
    return frame, frame["size"].fillna(0.5) + (colour == "red") + frame["age"] / 50 + generator.normal(size=n) / 3


def columns(graphs: EnsembleGraphs, frame: pd.DataFrame) -> np.ndarray:
    values = []
    for column in graphs.columns:
        cells: Any = frame[column.name]
        if column.kind == "category":
            places = {category: place for place, category in enumerate(column.categories)}
            cells = [places.get("missing" if pd.isna(cell) else str(cell), -1) for cell in cells]
        values.append(np.asarray(cells, dtype=np.float64))
    return np.column_stack(values)


def members(graphs: EnsembleGraphs, inputs: np.ndarray) -> np.ndarray:
    sessions = [
        ort.InferenceSession(member.proto.SerializeToString(), providers=["CPUExecutionProvider"])
        for member in graphs.members
    ]
    return np.array([session.run(None, {"columns": inputs})[0] for session in sessions], dtype=np.float64)


def combined(graphs: EnsembleGraphs, values: np.ndarray) -> np.ndarray:
    """By the rule, as it is written in `EnsembleGraphs`."""
    weights = np.array([member.weight for member in graphs.members])
    if graphs.rule != "stacking":
        return np.tensordot(weights, values, axes=1)
    powers = np.array([member.weights_by_class for member in graphs.members])
    return softmax(np.einsum("mnc,mc->nc", np.log(np.maximum(values, graphs.floor)), powers) + graphs.bias, axis=1)


@pytest.mark.parametrize("rule", ["stacking", "mixture"])
@pytest.mark.parametrize("refit", [True, False])
def test_a_classifier_equals_its_graphs_and_their_rule(rule: str, refit: bool) -> None:
    frame, signal = table()
    labels = np.array(["low", "middle", "high"])[np.digitize(signal, [0.8, 2.0])]
    model = DiverseEnsembleClassifier(CLASSIFIERS, rule=rule, cv=3, refit=refit, floor=0.0, random_state=0)
    model.fit(frame[:130], labels[:130])
    graphs, test = ensemble_graphs(model), frame[130:].assign(colour=[*frame["colour"][130:-4], *["violet"] * 4])
    assert [member.name for member in graphs.members] == list(model.members_)
    assert graphs.classes == ("high", "low", "middle")
    assert len(graphs.members) > (rule == "stacking")
    assert np.abs(combined(graphs, members(graphs, columns(graphs, test))) - model.predict_proba(test)).max() < 1e-6


def test_a_regressor_equals_the_mean_of_its_graphs() -> None:
    frame, signal = table()
    model = DiverseEnsembleRegressor(REGRESSORS, cv=3, random_state=0).fit(frame[:130], signal[:130])
    graphs = ensemble_graphs(model)
    values = combined(graphs, members(graphs, columns(graphs, frame[130:])))[:, 0]
    assert graphs.rule == "average"
    assert np.abs(values - model.predict(frame[130:])).max() < 1e-6


def test_columns_name_the_categories_that_members_know() -> None:
    frame, signal = table()
    model = DiverseEnsembleClassifier([("forest", RandomForestClassifier(3))], cv=2, floor=0.0, random_state=0)
    graphs = ensemble_graphs(model.fit(frame, signal > 1))
    categories = ("blue", "green", "grey", "missing", "red")
    assert graphs.columns == (
        TableColumn("size", "number"),
        TableColumn("colour", "category", categories),
        TableColumn("age", "number"),
    )
    assert graphs.classes == ("False", "True")


def test_a_class_that_a_fold_lacks_has_the_lowest_probability() -> None:
    generator = stream(8, "rare class")
    rows = generator.normal(size=(60, 2))
    labels = (rows[:, 0] > 0).astype(int)
    labels[:2] = 2
    splits = [(np.arange(30, 60), np.arange(30)), (np.arange(30), np.arange(30, 60))]
    learners = [("bayes", GaussianNB()), ("machine", SVC()), ("boosting", HistGradientBoostingClassifier(max_iter=5))]
    for learner in learners:
        model = DiverseEnsembleClassifier([learner], cv=splits, floor=0.0, random_state=0).fit(rows, labels)
        graphs = ensemble_graphs(model)
        assert np.abs(combined(graphs, members(graphs, rows)) - model.predict_proba(rows)).max() < 1e-6


def test_rows_with_tied_neighbours_are_undetermined() -> None:
    rows = np.repeat(np.arange(8.0), 5)[:, None]
    labels = np.tile([0, 1, 1, 0, 1], 8)
    learners = [("near", KNeighborsClassifier(3)), ("bayes", GaussianNB())]
    queries = np.array([[2.0], [7.0]])
    alone = DiverseEnsembleClassifier(learners[1:], cv=2, floor=0.0, random_state=0).fit(rows, labels)
    assert not undetermined(alone, queries).any()
    alone = DiverseEnsembleClassifier(learners[:1], cv=2, floor=0.0, random_state=0).fit(rows, labels)
    assert undetermined(alone, queries).all()
    assert undetermined(alone, queries, "near").all()


def recipe_error(name: str, **settings: Any) -> float:
    """Largest difference of an ensemble of one recipe from its graph."""
    from polyculture.training import RecipeClassifier

    generator = stream(9, "recipes")
    rows = generator.normal(size=(80, 4))
    labels = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    learner = RecipeClassifier(name, **settings)
    model = DiverseEnsembleClassifier([("only", learner)], cv=2, floor=0.0, random_state=0).fit(rows, labels)
    graphs = ensemble_graphs(model)
    return float(np.abs(combined(graphs, members(graphs, rows)) - model.predict_proba(rows)).max())


def test_recipes_as_learners_equal_their_graphs() -> None:
    assert recipe_error("forest", hyperparameters={"trees": 5}) < 1e-6
    assert recipe_error("logistic", modality="image", shape=(2, 2)) < 1e-6
    assert recipe_error("boosting", modality="series", shape=(2, 2)) < 1e-6


@pytest.mark.slow
def test_nets_as_learners_equal_their_graphs() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    assert recipe_error("mlp", hyperparameters={"epochs": 1, "width": 8}) < 1e-5
