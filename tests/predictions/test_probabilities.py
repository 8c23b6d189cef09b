"""Is a row that is no distribution refused wherever probabilities come in?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.formats import predictions_of_models, read, write
from polyculture.predictions import Predictions

LABELS = [0, 1, 2]
GOOD = np.eye(3) * 0.4 + 0.2
EXPECTED = "expected probabilities: finite numbers of 0 or more with the sum 1 (± 0.02)"


@pytest.mark.parametrize(
    ("rows", "fault", "cure"),
    [
        (np.eye(3) * 4 - 1, "sum to 1 and its smallest is -1", "apply softmax to logits first, or give the answers"),
        (GOOD * 100, "sum to 100", "divide percentages by 100; logits need softmax first"),
        (GOOD * 0.9, "sum to 0.9", "divide every row by its sum"),
        (np.where(np.eye(3), np.inf, 0.0), "sum to inf", "compute softmax in float32 or wider"),
        (np.where(np.eye(3), np.nan, 0.5), "sum to nan", "compute softmax in float32 or wider"),
    ],
)
def test_a_row_that_is_no_distribution_is_refused_with_its_cure(rows, fault, cure, tmp_path):
    np.save(tmp_path / "a.npy", GOOD)
    np.save(tmp_path / "bad.npy", rows)
    np.save(tmp_path / "label.npy", np.array(LABELS))
    stacked = np.stack([GOOD, rows])
    answers = {"a": LABELS, "bad": LABELS}
    for make in (
        lambda: read({"a": GOOD, "bad": rows}, label=LABELS),
        lambda: read(tmp_path),
        lambda: Predictions.from_answers(answers, LABELS, probabilities=stacked),
    ):
        with pytest.raises(InputError) as error:
            make()
        assert f"the probabilities of 'bad' for instance 0 {fault}; {EXPECTED}; {cure}" in str(error.value)


def test_a_folder_with_probabilities_that_are_none_is_refused(tmp_path):
    write(read({"a": GOOD, "b": GOOD}, label=LABELS), tmp_path / "p")
    np.save(tmp_path / "p" / "probabilities.npy", np.ones((2, 3, 3)))
    with pytest.raises(InputError, match="the probabilities of 'a' for instance 0 sum to 3"):
        read(tmp_path / "p")


def test_one_column_of_a_sigmoid_is_refused_with_its_cure():
    with pytest.raises(InputError, match=r"becomes two with np.hstack\(\[1 - p, p\]\)"):
        read({"a": np.array([[0.2], [0.7]]), "b": np.array([[0.2], [0.7]])}, label=[0, 0])


def test_a_row_of_nan_is_a_missing_answer():
    rows = GOOD.copy()
    rows[1] = np.nan
    predictions = read({"a": GOOD, "b": rows}, label=LABELS)
    assert predictions.answers[1].tolist() == [0, -1, 2]


@given(arrays(np.float64, (4, 3), elements=st.floats(-30, 30)))
def test_softmax_of_any_logits_passes(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float16)
    assert read({"a": probabilities, "b": probabilities}, label=[0, 1, 2, 0]).shape == (2, 4)


def test_models_are_held_to_the_same_gate():
    dataset = Dataset(np.eye(3), np.array(LABELS), ("x", "y", "z"))
    with pytest.raises(InputError, match="apply softmax"):
        predictions_of_models({"a": lambda x: x * 3, "b": lambda x: x}, dataset)


def test_probabilities_are_read_once_and_again_only_with_other_arrays() -> None:
    """Reading them at every `replace` took 7 ns a number: seconds for a thousand classes."""
    stacked = np.full((2, 3, 2), 0.5)
    stacked[0, 0] = np.nan
    answers = {"a": [None, 0, 1], "b": [0, 0, 1]}
    predictions = Predictions.from_answers(answers, [0, 1, 0], probabilities=stacked)
    changed = stacked.copy()
    changed[1, 2] = 3
    with pytest.raises(InputError, match="the probabilities of 'b' for instance 2 sum to 6"):
        replace(predictions, probabilities=changed)
    answered = np.zeros_like(predictions.answers)
    with pytest.raises(InputError, match="the probabilities of 'a' for instance 0 sum to nan"):
        replace(predictions, answers=answered)
    stacked[1, 2] = 3  # in place, to see that nobody looks
    for same in (replace(predictions, fixed_classes=True), predictions.take_instances(np.array([2, 0]))):
        assert same.take_models(["b", "a"]).probabilities is not None
