"""The verb explains estimators of every family, each modality, and plain functions; it chooses the method itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.explanation import METHODS, ExplainOptions, explain
from polyculture.models.encoder import Encoder
from polyculture.models.features import features
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.population import Population
from polyculture.rng import stream

ensemble = pytest.importorskip("sklearn.ensemble")
linear = pytest.importorskip("sklearn.linear_model")


def fitted(estimator, train: Dataset) -> FittedEstimator:
    encoder = Encoder.of(train)
    estimator.fit(features(encoder, train.array), train.labels)
    return FittedEstimator(estimator, encoder, len(train.classes))


def dataset(modality: str) -> Dataset:
    rng = stream(0, modality)
    labels = np.arange(60) % 2
    if modality == "text":
        words = np.array(["film", "plot", "the", "of", "scene"])
        texts = [" ".join([*rng.choice(words, 5), "awful" if label else "great"]) for label in labels]
        return Dataset(np.array(texts, object), labels, ("good", "bad"), modality="text")
    shapes = {"table": (5,), "image": (6, 6), "volume": (4, 4, 4), "series": (8, 3), "audio": (4000,)}
    inputs = rng.normal(size=(60, *shapes[modality])).astype(np.float32) * 0.1
    if modality == "audio":
        inputs[labels == 1] += np.sin(np.arange(4000) * 2.0).astype(np.float32) * 0.5
    else:
        inputs.reshape(60, -1)[:, 3] += labels
    return Dataset(inputs, labels, ("no", "yes"), modality=modality)  # type: ignore[arg-type]


FOREST: Callable = lambda seed=0: ensemble.RandomForestClassifier(20, max_depth=4, random_state=seed)  # noqa: E731
BOOSTED: Callable = lambda: ensemble.HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2)  # noqa: E731


@pytest.mark.parametrize(
    ("makers", "method", "scale"),
    [
        ([FOREST, FOREST], "tree-shap", "probability"),
        ([BOOSTED], "tree-shap", "logit"),
        ([FOREST, BOOSTED], "occlusion", "probability"),
        ([FOREST, linear.LogisticRegression], "occlusion", "probability"),
    ],
)
def test_the_method_is_one_that_suits_all_models_in_one_scale(makers: list, method: str, scale: str) -> None:
    if method == "tree-shap":
        pytest.importorskip("shap")
    train = dataset("table")
    models = {str(k): fitted(make(), train) for k, make in enumerate(makers)}
    result = explain(Population(models, train.classes), train, options=ExplainOptions(instances=5))
    assert (result.method, result.scale) == (method, scale)
    assert result.baseline == ("training rows" if method == "tree-shap" else "mean of the background")


def test_forests_of_texts_are_explained_by_occlusion() -> None:
    train = dataset("text")
    result = explain(Population({"f": fitted(FOREST(), train)}, train.classes), train)
    assert result.method == "occlusion"
    assert result.words is not None
    largest = result.words[np.arange(60), result.values[0].argmax(axis=1)]
    assert set(largest) <= {"awful", "great"}


ANY = [name for name, method in METHODS.items() if "any" in method.kinds]


@pytest.mark.parametrize("modality", ["table", "image", "volume", "series", "audio", "text"])
@pytest.mark.parametrize("name", ANY)
def test_every_method_finds_what_a_forest_looks_at_in_every_modality(name: str, modality: str) -> None:
    train = dataset(modality)
    options = ExplainOptions(instances=6, samples=None if name == "occlusion" else 150, baseline="zero")
    result = explain(Population({"f": fitted(FOREST(), train)}, train.classes), train, name, options)
    m, n, d = result.shape
    assert (m, n) == (1, 6)
    assert np.prod(result.feature_shape) == d
    if modality in ("table", "image", "volume", "series"):
        assert (np.abs(result.values[0]).argmax(axis=1) == 3).mean() >= 0.5
    elif modality == "audio":
        maps = np.abs(result.values[0]).reshape(6, *result.feature_shape).sum(axis=(0, 1))
        assert 25 <= maps.argmax() <= 35  # the tone of 2,546 Hz is band 30
    if METHODS[name].complete:
        model = fitted(FOREST(), train)
        chosen = train.take(train.instances.index.get_indexer(result.instances.index))
        empty = np.full(6, "", object) if modality == "text" else np.zeros_like(chosen.array)
        rows = np.arange(6), result.targets[0]
        gap = model(chosen.array)[rows] - model(empty)[rows]
        np.testing.assert_allclose(result.values[0].sum(axis=1), gap, atol=1e-3)


def test_the_same_seed_gives_the_same_and_another_seed_another_explanation() -> None:
    train = dataset("series")
    population = Population({"f": fitted(FOREST(), train)}, train.classes)
    runs = [
        explain(population, train, "kernel-shap", ExplainOptions(instances=None, seed=seed, samples=60)).values
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(runs[0], runs[1])
    assert not np.allclose(runs[0], runs[2], atol=1e-3)
