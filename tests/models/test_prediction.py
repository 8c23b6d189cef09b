"""Are predictions what the models say?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
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
    np.testing.assert_array_equal(predictions.probabilities[0], rises(PIXELS.array))
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


def test_every_token_of_a_sequence_is_an_instance_that_knows_its_sequence() -> None:
    tokens = np.array([["a", "B", ""], ["B", "a", "a"]])
    labels = np.array([[0, 1, -1], [1, 0, 0]])
    known = pd.DataFrame({"genre": ["x", "y"]}, index=pd.Index(["s1", "s2"], name="instance"))
    sentences = Dataset(tokens, labels, ("low", "high"), known, modality="tags")

    def capitals(inputs: np.ndarray) -> np.ndarray:
        high = np.char.isupper(inputs[inputs != ""]).astype(float)
        return np.column_stack([1 - high, high])

    predictions = predict(
        Population({"right": capitals, "left": lambda i: capitals(i)[:, ::-1]}, ("low", "high")), sentences
    )
    assert list(predictions.instances.index) == ["s1:0", "s1:1", "s2:0", "s2:1", "s2:2"]
    assert list(predictions.instances["sequence"]) == ["s1", "s1", "s2", "s2", "s2"]
    assert list(predictions.instances["genre"]) == ["x", "x", "y", "y", "y"]
    assert not predictions.wrong[0].any()
    assert predictions.wrong[1].all()


def test_regressors_predict_numbers() -> None:
    numbers = Dataset(np.array([[1.0], [3.0]]), np.array([2.0, 6.0]), ())
    population = Population({"twice": lambda inputs: 2 * inputs, "same": lambda inputs: inputs}, ())
    predictions = predict(population, numbers)
    np.testing.assert_array_equal(predictions.values, [[2, 6], [1, 3]])
    np.testing.assert_array_equal(predictions.targets, [2, 6])
    with pytest.raises(InputError) as caught:
        predict(Population({"a": lambda inputs: inputs[:, 0]}, ()), numbers)
    assert str(caught.value) == "the predictions of 'a' have shape (2,); expected 2 × 1 finite numbers."
