"""Do the learners without layers learn every modality, numbers too, and come back from disk as they were?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.encoder import Encoder
from polyculture.models.features import features
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES
from polyculture.training.architectures import SklearnModel
from polyculture.training.context import TrainingContext

LEARNERS = {name: a for name, a in ARCHITECTURES.items() if isinstance(a, SklearnModel)}
OF_CLASSES = [name for name, learner in LEARNERS.items() if learner.build]
OF_NUMBERS = [name for name, learner in LEARNERS.items() if learner.regressor]


MODALITIES = ("table", "image", "colour", "volume", "series", "audio", "text", "tags")
WORDS = ("text", "tags")


@pytest.mark.parametrize(
    ("name", "modality"),
    [(n, m) for n in OF_CLASSES for m in MODALITIES if m in WORDS or not LEARNERS[n].reads_words_only],
)
def test_it_learns_every_modality_and_comes_back_from_disk(
    sets: dict[str, Dataset], name: str, modality: str, tmp_path: Path
) -> None:
    dataset = sets[modality]
    fitted = LEARNERS[name].fit(Recipe(name), dataset)
    probabilities = fitted(dataset.array)
    labels = dataset.labels[dataset.labels >= 0]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.8
    assert fitted.parameters > 0
    fitted.save(tmp_path)
    again = LEARNERS[name].load(Recipe(name), dataset, tmp_path)
    np.testing.assert_array_equal(again(dataset.array), probabilities)


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_it_learns_numbers_and_comes_back_from_disk(sets: dict[str, Dataset], name: str, tmp_path: Path) -> None:
    dataset = sets["numbers"]
    fitted = LEARNERS[name].fit(Recipe(name, objective="squared"), dataset)
    predicted = fitted(dataset.array)
    assert predicted.shape == (len(dataset), 1)
    assert np.corrcoef(predicted[:, 0], dataset.labels)[0, 1] > 0.8
    assert abs(predicted.mean() - 10) < 1
    fitted.save(tmp_path)
    again = LEARNERS[name].load(Recipe(name), dataset, tmp_path)
    np.testing.assert_array_equal(again(dataset.array), predicted)


def test_the_ridge_finds_the_line(sets: dict[str, Dataset]) -> None:
    dataset = sets["numbers"]
    fitted = LEARNERS["ridge"].fit(Recipe("ridge", hyperparameters={"C": 1e6}), dataset)
    np.testing.assert_allclose(fitted(dataset.array)[:, 0], dataset.labels, atol=1e-3)


def test_words_are_counted_and_the_end_is_not() -> None:
    train = Dataset(np.array(["good good film", "film bad bad"]), np.array([0, 1]), ("a", "b"), modality="text")
    encoder = Encoder.of(train)  # 2 bad, 3 film, 4 good
    np.testing.assert_array_equal(features(encoder, train.array).toarray(), [[0, 0, 0, 1, 2], [0, 0, 2, 1, 0]])


def test_a_token_is_read_with_its_neighbours(sets: dict[str, Dataset]) -> None:
    tags = sets["tags"]
    encoder = Encoder.of(tags)
    counts = features(encoder, tags.array)
    assert counts.shape == ((tags.labels >= 0).sum(), 1 + 3 * sum(encoder.form.vocabulary))
    assert (counts.sum(axis=1) == 12).all()
    first, second = counts[[0]].indices.tolist(), counts[[1]].indices.tolist()
    marks, width = 4, sum(encoder.form.vocabulary)
    assert [i + width for i in second[:marks]] == first[marks : 2 * marks]  # what comes before the second is the first


def test_what_learns_classes_refuses_numbers_and_the_other_way_round(sets: dict[str, Dataset]) -> None:
    with pytest.raises(InputError) as caught:
        LEARNERS["logistic"].fit(Recipe("logistic"), sets["numbers"])
    assert str(caught.value) == "'logistic' for regression; expected an architecture for this task; such as 'forest'."
    with pytest.raises(InputError) as caught:
        LEARNERS["ridge"].fit(Recipe("ridge"), sets["table"])
    assert str(caught.value) == "'ridge' for classification; expected an architecture for this task; such as 'forest'."


def test_what_only_nets_can_be_told_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        LEARNERS["forest"].check(Recipe("forest", objective="focal"))
    assert str(caught.value) == (
        "'forest' with the objective 'focal' and the pre-training 'none'; expected its own objective, 'none'."
    )


def test_a_view_adds_one_copy_to_what_is_learned(sets: dict[str, Dataset]) -> None:
    table = sets["table"]
    moved = TrainingContext(view=lambda train, generator: (train.array + 100, None))
    fitted = LEARNERS["knn"].fit(Recipe("knn"), table, moved)
    assert fitted.parameters == 2 * table.array.size


@pytest.mark.parametrize("regression", [False, True])
def test_there_are_no_more_neighbours_than_instances(regression: bool) -> None:
    labels = np.arange(6) / 2 if regression else np.arange(6) % 2
    train = Dataset(np.arange(12, dtype=np.float32).reshape(6, 2), labels, () if regression else ("a", "b"))
    recipe = Recipe("knn", hyperparameters={"neighbours": 9})
    values = LEARNERS["knn"].fit(recipe, train)(train.array)
    np.testing.assert_allclose(values[:, 0], 1.25 if regression else 0.5, atol=1e-6)
