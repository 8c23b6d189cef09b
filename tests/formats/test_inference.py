"""Is every kind of ready model asked as it wants to be?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.formats import predictions_of_models

INPUTS = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 1.0], [0.0, 1.0, 4.0], [5.0, 0.0, 0.0]])
DATASET = Dataset(INPUTS, np.array([0, 1, 2, 1]), ("ant", "bee", "cat"))
SOFTMAX = np.exp(INPUTS) / np.exp(INPUTS).sum(axis=1, keepdims=True)


def truth(_inputs):
    return DATASET.labels


def refused(model):
    with pytest.raises(InputError) as caught:
        predictions_of_models({"m": model, "t": truth}, DATASET)
    return str(caught.value)


def test_callables_give_codes_or_names_of_classes():
    predictions = predictions_of_models({"codes": truth, "names": lambda inputs: ["ant", "bee", "cat", "ant"]}, DATASET)
    assert predictions.wrong.tolist() == [[False] * 4, [False, False, False, True]]
    assert predictions.probabilities is None


def test_callables_give_probabilities_in_the_order_of_the_classes():
    predictions = predictions_of_models(
        {"a": lambda inputs: SOFTMAX, "b": lambda inputs: np.eye(3)[[0, 0, 2, 0]]}, DATASET
    )
    assert predictions.answers.tolist() == [[0, 1, 2, 0], [0, 0, 2, 0]]
    assert predictions.probabilities.shape == (2, 4, 3)


def test_models_with_and_without_probabilities_are_compared_by_their_answers():
    predictions = predictions_of_models({"a": lambda inputs: SOFTMAX, "b": truth}, DATASET)
    assert predictions.answers.tolist() == [[0, 1, 2, 0], [0, 1, 2, 1]]
    assert predictions.probabilities is None


@pytest.mark.parametrize("names", [[0, 1, 2], ["ant", "bee", "cat"]])
def test_sklearn_columns_are_put_in_the_order_of_the_classes(names):
    from sklearn.tree import DecisionTreeClassifier

    known = np.array(names, dtype=object if isinstance(names[0], str) else int)[[2, 1, 2, 1]]
    fitted = DecisionTreeClassifier(random_state=0).fit(INPUTS, known.tolist())  # has never seen an ant
    predictions = predictions_of_models({"tree": fitted, "t": truth}, DATASET)
    assert predictions.answers[0].tolist() == [2, 1, 2, 1]
    both = predictions_of_models({"tree": fitted, "again": fitted}, DATASET)
    assert both.probabilities[0, :, 0].tolist() == [0, 0, 0, 0]


def test_sklearn_models_without_probabilities_predict():
    from sklearn.svm import LinearSVC

    fitted = LinearSVC(random_state=0).fit(INPUTS, DATASET.labels)
    predictions = predictions_of_models({"svc": fitted, "t": truth}, DATASET)
    assert predictions.answers[0].tolist() == fitted.predict(INPUTS).tolist()


def test_torch_modules_answer_in_eval_mode_with_softmax():
    torch = pytest.importorskip("torch")
    linear = torch.nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(3))
    module = torch.nn.Sequential(linear, torch.nn.Dropout(0.9))
    predictions = predictions_of_models({"module": module, "again": module}, DATASET)
    np.testing.assert_allclose(predictions.probabilities[0], SOFTMAX, rtol=1e-5)
    assert module.training  # as it was before


def test_torch_modules_that_end_in_softmax_are_left_alone():
    torch = pytest.importorskip("torch")
    linear = torch.nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(3))
    predictions = predictions_of_models({"a": torch.nn.Sequential(linear, torch.nn.Softmax(1)), "b": linear}, DATASET)
    np.testing.assert_allclose(predictions.probabilities[0], predictions.probabilities[1], rtol=1e-5)


@dataclass
class Session:
    """What an ONNX session looks like from outside."""

    type: str = "tensor(float)"
    name: str = "x"
    classes: int = 3

    def get_inputs(self):
        return [self]

    def run(self, wanted, feed):
        assert wanted is None
        numbers = feed["x"]
        assert numbers.dtype == np.float32
        return [numbers.argmax(axis=1), numbers[:, : self.classes]]


def test_onnx_sessions_are_run_with_their_own_type_and_the_fitting_output_counts():
    predictions = predictions_of_models({"onnx": Session(), "again": Session()}, DATASET)
    np.testing.assert_allclose(predictions.probabilities[0], SOFTMAX, rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (
            "model.pkl",
            "the model 'm' is a str; expected something that can be called, or a scikit-learn, PyTorch or ONNX model.",
        ),
        (
            lambda inputs: np.zeros((4, 2)),
            "the answers of 'm' have the shape (4, 2); expected 4 answers, or 4 × 3 probabilities.",
        ),
        (
            lambda inputs: np.full((4, 3), np.nan),
            "the answers of 'm' have values that are no finite numbers; expected 4 answers, or 4 × 3 probabilities.",
        ),
        (
            lambda inputs: INPUTS,
            "the rows of 'm' are no probabilities; expected numbers in 0 … 1 with the sum 1; apply softmax.",
        ),
        (
            lambda inputs: ["ant", "bee", "dog", "ant"],
            "'m' answers 'dog'; expected a class, or its number, 0 … 2.",
        ),
        (
            Session(classes=2),
            "the outputs of 'm' have the shapes (4,), (4, 2); expected one of 4 × 3 numbers; export it without ZipMap.",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(model, text):
    assert refused(model) == text


def test_torch_module_without_parameters_is_refused():
    torch = pytest.importorskip("torch")
    text = refused(torch.nn.Softmax(1))
    assert text == "the module 'm' has no parameters; expected some; wrap it in a function of arrays."


def test_numbers_that_are_names_and_codes_of_other_classes_are_refused():
    inputs = np.zeros((3, 1), np.float32)
    digits = Dataset(inputs, np.array([0, 1, 2]), ("1", "2", "3"))
    codes = predictions_of_models({"a": lambda x: [0, 1, 2], "b": lambda x: [0, 0, 1]}, digits)
    assert codes.wrong.tolist() == [[False] * 3, [False, True, True]]
    names = predictions_of_models({"a": lambda x: [1, 2, 3], "b": lambda x: ["1", "1", "2"]}, digits)
    assert names.wrong.tolist() == codes.wrong.tolist()
    with pytest.raises(InputError, match="'b' answers 1, which is the name of a class and the number of another"):
        predictions_of_models({"a": lambda x: [1, 2, 3], "b": lambda x: [1, 1, 2]}, digits)
