"""Faithful attributions name what an output depends on; against models of which that is known."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.explanation import ExplainOptions
from polyculture.explanation.faithfulness import faithfulness, faithfulness_of, infidelity
from polyculture.rng import stream


def additive(weights: np.ndarray, inputs: np.ndarray):
    """The output of a linear model with masked features at 0."""

    def output(rows, mask):
        return (np.where(mask, 0.0, inputs[rows]) * weights).sum(axis=1)

    return output


@pytest.fixture
def inputs() -> np.ndarray:
    return stream(0, "inputs").random((30, 10)) + 0.5


def test_exact_attributions_of_a_linear_model_are_faithful(inputs):
    weights = np.array([8.0, 4, 2, 1, 0.5, 0.25, 0.2, 0.1, 0.05, 0.01])
    result = faithfulness(additive(weights, inputs), inputs * weights, stream(0, "order"))
    assert (result.infidelity < 1e-9).all()
    assert (result.deletion < result.random).all()
    np.testing.assert_allclose(result.insertion + result.deletion, result.change)  # as the model is additive
    assert result.relative("random").mean() == pytest.approx(0.5, abs=0.08)
    assert result.relative("deletion").mean() < 0.25


def test_deletion_by_hand():
    result = faithfulness(additive(np.array([3.0, 1.0]), np.ones((1, 2))), np.array([[3.0, 1.0]]), stream(0, "o"), 2)
    # 4 → 1 → 0 of 4: (1 + ¼)/2 and (¼ + 0)/2, each over half of the features; put back: 0 → 3 → 4.
    assert result.change.tolist() == [4.0]
    assert result.relative("deletion")[0] == pytest.approx((1 + 0.25) / 4 + 0.25 / 4)
    assert result.relative("insertion")[0] == pytest.approx(0.75 / 4 + 1.75 / 4)


def test_attributions_of_something_else_are_not_faithful(inputs):
    weights = np.array([8.0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    misled = np.zeros_like(inputs)
    misled[:, 7] = 1.0
    result = faithfulness(additive(weights, inputs), misled, stream(0, "order"))
    assert result.infidelity.mean() > 0.25
    assert infidelity(additive(weights, inputs), np.zeros_like(inputs), stream(0, "s")).tolist() == [1.0] * 30


def test_a_model_that_never_changes_has_no_faithfulness(inputs):
    result = faithfulness(lambda rows, mask: np.ones(len(rows)), inputs, stream(0, "order"))
    for numbers in (result.relative("deletion"), result.relative("insertion"), result.infidelity):
        assert np.isnan(numbers).all()


def test_infidelity_does_not_depend_on_the_scale_of_attributions(inputs):
    weights = np.arange(10.0)
    output = additive(weights**2, inputs)
    first, second = (infidelity(output, s * inputs * weights, stream(0, "s")) for s in (1.0, -50.0))
    np.testing.assert_allclose(first, second)


def test_words_that_decide_are_taken_away_first():
    texts = np.array(["good film", "a good long dull film", "the film is good today and it was", "bad"], dtype=object)

    def model(inputs):
        positive = np.array([0.9 if "good" in str(text) else 0.2 for text in inputs])
        return np.stack([1 - positive, positive], axis=1)

    data = Dataset(texts, np.array([1, 1, 1, 0]), ("bad", "good"), modality="text")
    values = np.zeros((4, 12))  # as of a longer text among others that were explained
    values[0, 0] = values[1, 1] = values[2, 3] = 1.0
    options, targets = ExplainOptions(scale="probability"), np.array([1, 1, 1, 1])
    result = faithfulness_of(model, values, texts, targets, data, options, stream(0, "words"))
    np.testing.assert_allclose(result.change, [0.7, 0.7, 0.7, 0.0], atol=1e-9)
    assert (result.deletion[:3] < result.random[:3] + 1e-9).all()
    assert (result.infidelity[:3] < 1e-9).all()
    assert np.isnan(result.infidelity[3])


def test_patches_are_taken_away_as_occlusion_does():
    generator = stream(0, "images")
    images = generator.random((5, 24, 24)).astype(np.float32)

    def model(inputs):
        positive = 1 / (1 + np.exp(-inputs[:, :3, :3].mean(axis=(1, 2))))
        return np.stack([1 - positive, positive], axis=1)

    data = Dataset(images, np.ones(5, np.int64), ("no", "yes"), modality="image")
    values = np.zeros((5, 24, 24))
    values[:, :3, :3] = (images - images.mean(axis=0))[:, :3, :3]
    options = ExplainOptions(scale="logit")
    result = faithfulness_of(model, values.reshape(5, -1), images, np.ones(5, np.int64), data, options, stream(0, "i"))
    assert (result.infidelity < 1e-6).all()
