"""How far are the graphs of scikit-learn learners from the learners, on rows that they were not trained on?

    python benchmarks/export_errors.py

Prints two tables in Markdown: learners of runs by kind of input, and default learners of ensembles by kind of table.
Each cell is the largest difference of a probability, or of a number in standard deviations of the truth. Rows for which
the learner's own answer depends on the order of its training rows (tied nearest neighbours) are left out; where there
are any, their share stands in brackets. Graphs of nets: benchmarks/export_errors_nets.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from polyculture.dataset import Dataset
from polyculture.deployment.export.ensemble_graphs import EnsembleGraphs, ensemble_graphs, undetermined
from polyculture.errors import TrainingError
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.graphs.feature_graphs import fitted_estimator_graph
from polyculture.models.spectrogram import log_mel
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.selection import DiverseEnsembleClassifier, DiverseEnsembleRegressor
from polyculture.selection.estimators.crossfitting import scores
from polyculture.selection.estimators.default_learners import classifiers, regressors
from polyculture.training.architectures import ARCHITECTURES
from polyculture.training.architectures.sklearn_models import SklearnModel

WORDS = np.array([f"{a}{b}" for a in ("wood", "Stone", "iron", "x9") for b in ("", "s", "-like", "mill", "Field", "2")])
LEVELS: dict[str, list[dict[str, Any]]] = {
    "knn": [{}, {"weights": "distance"}],
    "svm": [{}, {"kernel": "linear"}, {"kernel": "poly"}],
}
"""Levels of hyperparameters that compute something else; the default ones elsewhere."""
MODALITIES = ("table", "image", "volume", "series", "audio", "text", "tags")


def waves(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Noise with a part that depends on the class."""
    draw = stream(0, "waves", str(shape))
    pattern = draw.random((int(labels.max()) + 1, *shape))
    mixed: np.ndarray = (0.3 * pattern[labels] + 0.7 * draw.random((len(labels), *shape))).astype(np.float32)
    return mixed


def made(modality: str, n: int = 400) -> Dataset:
    """Real tables and images that come with scikit-learn; other inputs are drawn at random, for three classes."""
    draw, labels = stream(0, "inputs", modality), np.arange(n) % 3
    if modality == "image":
        digits = load_digits()
        return Dataset((digits.images / 16).astype(np.float32), digits.target, tuple("0123456789"), modality="image")
    if modality == "table":
        X, y = load_wine(return_X_y=True)
        order = draw.permutation(len(y))
        return Dataset(X[order].astype(np.float32), y[order], ("a", "b", "c"), modality="table")
    if modality == "text":
        texts = [" ".join(draw.choice(WORDS[y * 4 : y * 4 + 16], draw.integers(2, 25))) for y in labels]
        return Dataset(np.array(texts), labels, ("a", "b", "c"), modality="text")
    if modality == "tags":
        codes, ends = draw.integers(0, len(WORDS), (n // 4, 12)), draw.integers(2, 13, n // 4)
        present = np.arange(12) < ends[:, None]
        tokens = np.where(present, WORDS[codes], "")
        return Dataset(tokens, np.where(present, codes % 3, -1), ("a", "b", "c"), modality="tags")
    shapes = {"volume": (5, 6, 7), "series": (12, 3), "audio": (1600,)}
    kind: Any = modality
    return Dataset(waves(labels, shapes[modality]), labels, ("a", "b", "c"), modality=kind)


def with_numbers(dataset: Dataset) -> Dataset:
    """The same inputs with a number to be predicted."""
    noise = stream(0, "noise").normal(size=len(dataset))
    return Dataset(dataset.array, dataset.labels * 10.0 + noise, (), modality=dataset.modality)


def run(proto: Any, inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: np.ndarray = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    return outputs


def estimator_error(name: str, settings: dict[str, Any], dataset: Dataset) -> tuple[float, float]:
    """Largest error on every second instance, and the share of rows left out."""
    train, test = dataset.take(np.arange(0, len(dataset), 2)), dataset.take(np.arange(1, len(dataset), 2))
    objective = "squared" if dataset.task == "regression" else "cross-entropy"
    model = ARCHITECTURES[name].fit(Recipe(name, objective=objective, hyperparameters=settings), train)
    assert isinstance(model, FittedEstimator)
    graph = fitted_estimator_graph(model, "x")
    inputs = test.array
    if graph.kind != "numbers":
        inputs = log_mel(inputs) if graph.kind == "log_mel" else model.encoder(inputs)
    values = run(graph.proto, inputs.astype(graph.dtype))
    values = values[test.labels >= 0] if test.task == "tagging" else values
    tied = undetermined(model, test.array)
    scale = float(np.std(train.labels)) if test.task == "regression" else 1.0
    return float(np.abs(values - model(test.array))[~tied].max(initial=0.0)) / scale, float(tied.mean())


def estimator_rows() -> Iterator[list[str]]:
    """A row for each learner of runs and each level; classification, and regression where it can."""
    for name, learner in ARCHITECTURES.items():
        for settings in LEVELS.get(name, [{}]) if isinstance(learner, SklearnModel) else []:
            level = "".join(f" {value}" for value in settings.values())
            for is_regression, builder in ((False, learner.build), (True, learner.regressor)):  # type: ignore[attr-defined]
                if builder is None:
                    continue
                cells = [name + level + (" (regression)" if is_regression else "")]
                for modality in MODALITIES:
                    dataset = made(modality)
                    if modality == "tags" and is_regression:
                        cells.append("–")
                        continue
                    cells.append(
                        cell(*estimator_error(name, settings, with_numbers(dataset) if is_regression else dataset))
                    )
                yield cells


def tables() -> dict[str, tuple[Any, np.ndarray, bool]]:
    """Tables by name, what is predicted, and whether it is a number."""
    draw = stream(0, "tables")
    wine, cancer, diabetes = (
        load_wine(return_X_y=True),
        load_breast_cancer(return_X_y=True),
        load_diabetes(return_X_y=True),
    )
    frame = pd.DataFrame(wine[0][:, :5], columns=list("abcde"))
    frame["kind"] = draw.choice(
        np.array(["red", "white", "grey", "pink"], object), len(frame), p=[0.5, 0.3, 0.18, 0.02]
    )
    frame["place"] = np.where(wine[1] == draw.integers(0, 3, len(frame)), "north", "south")
    frame = frame.mask(draw.random(frame.shape) < 0.1, None)
    frame[list("abcde")] = frame[list("abcde")].astype(float)
    holes = np.where(draw.random(diabetes[0].shape) < 0.1, np.nan, diabetes[0])
    return {
        "numbers, 3 classes": (*wine, False),
        "numbers, 2 classes": (*cancer, False),
        "categories and missing cells, 3 classes": (frame, wine[1], False),
        "numbers and missing cells, regression": (holes, diabetes[1], True),
    }


def columns(graphs: EnsembleGraphs, inputs: Any) -> np.ndarray:
    """The view that the graphs of an ensemble read."""
    frame, values = pd.DataFrame(inputs), []
    for position, column in enumerate(graphs.columns):
        cells: Any = frame.iloc[:, position]
        if column.kind == "category":
            places = {category: place for place, category in enumerate(column.categories)}
            cells = [places.get("missing" if pd.isna(cell) else str(cell), -1) for cell in cells]
        values.append(np.asarray(cells, dtype=np.float64))
    return np.column_stack(values)


def learner_error(learner: Any, inputs: Any, targets: np.ndarray, is_regression: bool) -> tuple[float, float]:
    """As `estimator_error`, of an ensemble of this learner only."""
    order = stream(0, "halves").permutation(len(targets))
    train, test = np.array_split(order, 2)
    take: Callable[[np.ndarray], Any] = (
        (lambda rows: inputs.iloc[rows]) if hasattr(inputs, "iloc") else inputs.__getitem__
    )
    kind = DiverseEnsembleRegressor if is_regression else DiverseEnsembleClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits on few rows
        model = kind([("only", learner)], cv=2, floor=-1e9, random_state=0).fit(take(train), targets[train])
        graphs = ensemble_graphs(model)
        rows = model._input_format.read(model, take(test))
        parts = np.array([scores(fits, rows, len(graphs.classes)) for fits in model.members_["only"]])
        tied = undetermined(model, take(test))
    parts = parts if is_regression else softmax(parts / model._pool.temperatures[0], axis=2)
    expected = np.tensordot(model._shares["only"], parts, axes=1)
    errors = np.abs(run(graphs.members[0].proto, columns(graphs, take(test))) - expected)
    scale = float(np.std(targets)) if is_regression else 1.0
    return float(errors[~tied].max(initial=0.0)) / scale, float(tied.mean())


def learner_rows() -> Iterator[list[str]]:
    """A row for each default learner of an ensemble."""
    learners, problems = (dict(classifiers()), dict(regressors())), tables()
    for name in dict.fromkeys([*learners[0], *learners[1]]):
        cells = [name]
        for inputs, targets, is_regression in problems.values():
            learner = learners[is_regression].get(name)
            try:
                cells.append("–" if learner is None else cell(*learner_error(learner, inputs, targets, is_regression)))
            except TrainingError:  # such as more columns than rows of a class
                cells.append("not fitted")
        yield cells


def cell(error: float, tied: float) -> str:
    return f"{error:.0e}" + (f" ({tied:.1%})" if tied else "")


def main() -> None:
    """Print both tables, row by row."""
    for head, rows in (
        (["learner", *MODALITIES], estimator_rows()),
        (["learner of an ensemble", *tables()], learner_rows()),
    ):
        print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
        for row in rows:
            print(f"| {' | '.join(row)} |", flush=True)
        print()


if __name__ == "__main__":
    main()
