"""Are predictions what the models say?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.population import Population
from polyculture.training import predict

PIXELS = Dataset(np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 1]), ("low", "high"))


def rises(inputs: np.ndarray) -> np.ndarray:
    """The larger the input, the likelier the second class; a tie at 1."""
    return np.column_stack([1 - inputs[:, 0] / 2, inputs[:, 0] / 2])


def falls(inputs: np.ndarray) -> np.ndarray:
    """The opposite."""
    return rises(2 - inputs)


def test_the_answer_is_the_most_probable_class_and_the_first_of_a_tie() -> None:
    predictions = predict(Population({"rises": rises, "falls": falls}, ("low", "high")), PIXELS)
    np.testing.assert_array_equal(predictions.answers, [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(predictions.wrong, [[False, True, False], [True, True, True]])
    assert predictions.probabilities is not None
    assert predictions.probabilities.dtype == np.float32
    np.testing.assert_array_equal(predictions.probabilities[0], rises(PIXELS.inputs))
    assert predictions.model_ids == ["rises", "falls"]
    assert predictions.instances is PIXELS.instances


def test_a_dataset_with_other_classes_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        predict(Population({"a": rises, "b": falls}, ("high", "low")), PIXELS)
    assert str(caught.value) == "the dataset has the classes low, high; expected those of the population: high, low."


def test_a_model_that_answers_with_the_wrong_shape_is_named() -> None:
    population = Population({"a": rises, "b": lambda inputs: inputs}, ("low", "high"))
    with pytest.raises(InputError) as caught:
        predict(population, PIXELS)
    assert str(caught.value) == "the probabilities of 'b' have shape (3, 1); expected 3 × 2 finite numbers."


def test_a_model_that_answers_with_nan_is_named() -> None:
    population = Population({"a": rises, "b": lambda inputs: rises(inputs) * np.nan}, ("low", "high"))
    with pytest.raises(InputError) as caught:
        predict(population, PIXELS)
    assert str(caught.value) == "the probabilities of 'b' have nan or infinite values; expected 3 × 2 finite numbers."


def test_predictions_keep_what_is_known_about_models_and_instances() -> None:
    named = replace(PIXELS, instances=PIXELS.instances.assign(group=["x", "x", "y"]))
    predictions = predict(Population({"a": rises, "b": falls}, ("low", "high")), named)
    assert list(predictions.instances["group"]) == ["x", "x", "y"]
