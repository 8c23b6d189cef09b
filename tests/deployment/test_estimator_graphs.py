"""The graph of every scikit-learn learner of a run gives the probabilities of the learner, for every kind of input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnxruntime as ort

from polyculture.dataset import Dataset, Modality
from polyculture.deployment.export.ensemble_graphs import undetermined
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.graphs.feature_graphs import fitted_estimator_graph
from polyculture.models.graphs.graph_builder import FLOAT, GraphBuilder
from polyculture.models.graphs.learner_graphs import pairwise_sum
from polyculture.models.spectrogram import log_mel
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.architectures import ARCHITECTURES
from polyculture.training.architectures.sklearn_models import SklearnModel

CLASSES = ("first", "second", "third", "never seen")
MODALITIES: tuple[Modality, ...] = ("table", "image", "volume", "series", "audio", "text", "tags")
FURTHER: dict[str, list[dict[str, Any]]] = {
    "knn": [{"weights": "distance"}, {"neighbours": 7}],
    "svm": [{"kernel": "linear"}, {"kernel": "poly"}, {"kernel": "sigmoid"}],
}
"""Levels that compute something else than the default one."""
WORDS = np.array(
    [
        "the",
        "of",
        "red",
        "green",
        "blue",
        "one",
        "two",
        "three",
        "cat",
        "dog",
        "tree",
        "a",
        "is",
        "not",
        "zebra",
        ",",
        ".",
    ]
)
TOKENS = np.array(["The", "of", "Red", "green", "blue", "One2", "two", "three", "cats", "dogs", "tree", "a"])


def made(modality: Modality, regression: bool = False, n: int = 90) -> Dataset:
    """Inputs that tell three of four classes apart, but not always."""
    generator = stream(1, modality)
    labels = np.arange(n) % 3
    shapes: dict[str, tuple[int, ...]] = {
        "table": (5,), "image": (5, 5), "volume": (3, 3, 3), "series": (6, 2), "audio": (700,)
    }  # fmt: skip
    if modality == "tags":
        codes = generator.integers(0, len(TOKENS), (n // 2, 5))
        ends = np.arange(5) < generator.integers(2, 6, n // 2)[:, None]
        return Dataset(np.where(ends, TOKENS[codes], ""), np.where(ends, codes % 3, -1), CLASSES, modality="tags")
    if modality == "text":
        lines = [" ".join(generator.choice(WORDS[y * 3 : y * 3 + 10], generator.integers(1, 14))) for y in labels]
        inputs = np.array(lines, dtype=object)
    else:
        inputs = generator.random((n, *shapes[modality])).astype(np.float32) * 0.6
        inputs += labels.reshape(n, *[1] * len(shapes[modality])).astype(np.float32) * 0.12
    if regression:
        return Dataset(inputs, labels * 10.0 + generator.normal(size=n), (), modality=modality)
    return Dataset(inputs, labels, CLASSES, modality=modality)


def view(model: FittedEstimator, kind: str, inputs: np.ndarray) -> np.ndarray:
    """What the graph reads."""
    if kind == "log_mel":
        return log_mel(inputs)
    return model.encoder(inputs) if "codes" in kind else np.asarray(inputs, np.float32)


def outputs(model: FittedEstimator, dataset: Dataset) -> np.ndarray:
    """What the graph gives, a row per instance or token."""
    graph = fitted_estimator_graph(model, "x")
    session = ort.InferenceSession(graph.proto.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = view(model, graph.kind, dataset.array)
    assert inputs.shape[1:] == graph.shape
    assert inputs.dtype == graph.dtype
    values: np.ndarray = session.run(None, {"x": inputs})[0]
    return values[dataset.labels >= 0] if dataset.task == "tagging" else values


def fitted(architecture: str, train: Dataset, settings: dict[str, Any]) -> FittedEstimator:
    trees = {"trees": 12} if architecture in ("forest", "extra-trees") else {}
    rounds = {"rounds": 12} if architecture == "boosting" else {}
    objective = "squared" if train.task == "regression" else "cross-entropy"
    recipe = Recipe(architecture, objective=objective, hyperparameters={**trees, **rounds, **settings})
    model = ARCHITECTURES[architecture].fit(recipe, train)
    assert isinstance(model, FittedEstimator)
    return model


OF_WORDS = ("text", "tags")
LEARNERS = {name: a for name, a in ARCHITECTURES.items() if isinstance(a, SklearnModel)}
CLASSIFIERS = [(name, settings) for name, a in LEARNERS.items() if a.build for settings in [{}, *FURTHER.get(name, [])]]
REGRESSORS = [
    (name, settings) for name, a in LEARNERS.items() if a.regressor for settings in [{}, *FURTHER.get(name, [])]
]


@pytest.mark.parametrize(
    ("architecture", "settings", "modality"),
    [(n, s, m) for n, s in CLASSIFIERS for m in MODALITIES if m in OF_WORDS or not LEARNERS[n].reads_words_only],
)
def test_graph_gives_the_probabilities_of_a_classifier(
    modality: Modality, architecture: str, settings: dict[str, Any]
) -> None:
    dataset = made(modality)
    train, test = dataset.take(np.arange(0, len(dataset), 2)), dataset.take(np.arange(1, len(dataset), 2))
    model = fitted(architecture, train, settings)
    clear = ~undetermined(model, test.array)
    values, expected = outputs(model, test), model(test.array)
    assert values.shape == expected.shape
    assert np.abs(values - expected)[clear].max(initial=0) < 5e-6
    assert clear.mean() > 0.9 or (architecture, modality) == ("knn", "tags")
    assert (values[:, 3] == 0).all()


@pytest.mark.parametrize("modality", [m for m in MODALITIES if m != "tags"])
@pytest.mark.parametrize(("architecture", "settings"), REGRESSORS)
def test_graph_gives_the_numbers_of_a_regressor(
    modality: Modality, architecture: str, settings: dict[str, Any]
) -> None:
    dataset = made(modality, regression=True)
    train, test = dataset.take(np.arange(0, 90, 2)), dataset.take(np.arange(1, 90, 2))
    model = fitted(architecture, train, settings)
    values, expected = outputs(model, test)[:, 0], model.estimate(test.array)
    assert np.abs(values - expected)[~undetermined(model, test.array)].max() < 1e-5 * np.std(train.labels)


def test_two_classes_have_two_probabilities() -> None:
    dataset = made("table")
    train = dataset.take(np.flatnonzero(dataset.labels < 2))
    for architecture in ("logistic", "svm", "boosting", "naive-bayes", "knn", "forest"):
        model = fitted(architecture, train, {})
        assert np.abs(outputs(model, dataset) - model(dataset.array)).max() < 1e-6


def test_a_class_that_is_not_in_the_training_set_lies_between_others() -> None:
    dataset = made("table")
    train = dataset.take(np.flatnonzero(dataset.labels != 1))
    for architecture in ("logistic", "svm", "boosting", "naive-bayes", "knn", "forest"):
        model = fitted(architecture, train, {})
        values = outputs(model, dataset)
        assert (values[:, 1] == 0).all()
        assert np.abs(values - model(dataset.array)).max() < 1e-6


def test_learners_of_tied_rows_are_undetermined_where_the_tie_decides() -> None:
    inputs = np.array([[0.0], [1.0], [1.0], [3.0], [9.0]], np.float32)
    dataset = Dataset(inputs, np.array([0, 1, 2, 0, 1]), CLASSES)
    model = fitted("knn", dataset, {"neighbours": 2})
    # From 0.0 the second and the third nearest are equally far; from 8.0 the nearest are 9 and 3.
    assert undetermined(model, np.array([[0.0], [8.0]], np.float32)).tolist() == [True, False]


def test_boosting_of_projected_words_splits_by_rounded_numbers_alike() -> None:
    """Of 16 columns 15 factors are made: one holds nothing but rounding errors, and trees split by it, too."""
    generator = stream(2, "few words")
    words = np.array([f"w{i}" for i in range(14)])
    lines = [
        " ".join(generator.choice(words[y * 3 : y * 3 + 8], generator.integers(2, 20))) for y in np.arange(240) % 3
    ]
    dataset = Dataset(np.array(lines), np.arange(240) % 3, CLASSES[:3], modality="text")
    train, test = dataset.take(np.arange(0, 240, 2)), dataset.take(np.arange(1, 240, 2))
    for architecture in ("boosting", "naive-bayes"):
        model = ARCHITECTURES[architecture].fit(Recipe(architecture), train)
        assert isinstance(model, FittedEstimator)
        assert np.abs(outputs(model, test) - model(test.array)).max() < 1e-6


def test_naive_bayes_of_many_pixels_is_rounded_alike() -> None:
    """Sums of 784 terms in single precision: added up otherwise, probabilities would differ by a thousandth."""
    generator = stream(3, "pixels")
    labels = np.arange(120) % 3
    inputs = (generator.random((120, 28, 28)) * 0.98 + labels[:, None, None] * 0.01).astype(np.float32)
    dataset = Dataset(inputs, labels, CLASSES[:3], modality="image")
    model = fitted("naive-bayes", dataset.take(np.arange(60)), {"smoothing": 1e-6})
    test = dataset.take(np.arange(60, 120))
    assert np.abs(outputs(model, test) - model(test.array)).max() < 1e-6


@pytest.mark.parametrize("n", [1, 7, 8, 13, 128, 129, 300, 784])
def test_sums_are_rounded_as_by_numpy(n: int) -> None:
    rows = stream(4, "sums").normal(size=(20, 2, n)).astype(np.float32)
    g = GraphBuilder()
    proto = g.model([("x", FLOAT, ["n", 2, n])], (pairwise_sum(g, "x", n), "y", ["n", 2]))
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (sums,) = session.run(None, {"x": rows})
    expected = np.stack([np.ascontiguousarray(rows[:, k]).sum(axis=1) for k in (0, 1)], axis=1)
    assert (sums == expected).all()


def test_trees_of_numbers_between_two_floats_split_as_in_scikit_learn() -> None:
    """A threshold in double precision lies between two neighbouring floats: rounding it to either would be wrong."""
    low = np.float32(0.1)
    high = np.nextafter(low, np.float32(1))
    inputs = np.repeat(np.array([low, high], np.float32), 20)[:, None]
    dataset = Dataset(inputs, np.repeat([0, 1], 20), CLASSES[:2], modality="series" if inputs.ndim == 3 else "table")
    image = Dataset(inputs[:, :, None], dataset.labels, CLASSES[:2], modality="image")
    for architecture in ("forest", "boosting", "extra-trees"):
        model = fitted(architecture, image, {})
        assert np.abs(outputs(model, image) - model(image.array)).max() < 1e-6


@pytest.mark.parametrize("architecture", ["boosting", "svm", "forest", "knn"])
def test_a_stored_model_has_the_same_graph(architecture: str, tmp_path: Path) -> None:
    pytest.importorskip("skops")
    dataset = made("text")
    model = fitted(architecture, dataset, {})
    model.save(tmp_path)
    stored = FittedEstimator.load(tmp_path, len(CLASSES))
    graphs = [fitted_estimator_graph(m, "x").proto.SerializeToString() for m in (model, stored)]
    assert graphs[0] == graphs[1]
