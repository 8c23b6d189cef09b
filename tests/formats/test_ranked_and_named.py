"""Are arrays of the k best answers, and names of the classes beside probabilities, read as what they are?"""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.errors import InputError
from polyculture.formats import read

RANKED = {"ann": [[5, 3, 1], [0, 1, 2], [4, 5, 0]], "bob": [[3, 5, 1], [0, 2, 1], [5, 4, 0]]}
CHANCES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
ARRAYS = {"ann": CHANCES, "bob": CHANCES[[1, 1, 0]]}
WRONG = [[False, False, False], [True, False, True]]


@pytest.mark.parametrize("kind", [np.int64, np.uint8, str, object])
def test_the_first_of_the_best_answers_counts(kind):
    arrays = {model: np.array(rows).astype(kind) for model, rows in RANKED.items()}
    labels = np.array([5, 0, 4]).astype(kind)
    assert read(arrays, label=labels).wrong.tolist() == WRONG


def test_one_hot_answers_stay_classes():
    one_hot = {"ann": np.eye(3, dtype=int), "bob": np.eye(3, dtype=int)[[1, 1, 0]]}
    assert read(one_hot, label=[0, 1, 2]).wrong.tolist() == WRONG


@pytest.mark.parametrize(
    "rows",
    [
        [[3, 0, 1], [0, 3, 1], [4, 0, 0]],  # votes, one repeated in a row
        [[3, 0, 1], [0, 3, 1], [1, 3, 0]],  # votes, four in every row
        [[5, -1, 1], [0, 1, 2], [4, 5, 0]],
    ],
)
def test_counts_are_no_best_answers(rows):
    with pytest.raises(InputError, match="neither probabilities nor the 3 best answers"):
        read({"ann": rows, "bob": rows}, label=[0, 1, 0])


@pytest.mark.parametrize(
    "labels", [["cat", "dog", "elk"], [0, 1, 2], np.eye(3, dtype=int)], ids=["names", "codes", "one-hot"]
)
def test_classes_have_names(labels):
    predictions = read(ARRAYS, label=labels, classes=["cat", "dog", "elk"])
    assert predictions.classes == ("cat", "dog", "elk")
    assert predictions.wrong.tolist() == WRONG


def test_names_that_are_numbers_are_names_first():
    predictions = read(ARRAYS, label=[2, 0, 1], classes=[2, 0, 1])
    assert predictions.wrong.tolist() == WRONG
    assert predictions.classes == ("2", "0", "1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": ["cat", "dog", "elk"]}, "name the classes in the order of the columns with classes"),
        ({"label": [0, 1, 2], "classes": ["cat", "dog"]}, "2 names of classes but 3 columns of probabilities"),
        ({"label": [0, 1, 2], "classes": ["cat", "dog", "dog"]}, "2 names of classes but 3 columns of probabilities"),
        ({"label": ["cow", "dog", "elk"], "classes": ["cat", "dog", "elk"]}, "the label 'cow' is none of 3 classes"),
    ],
)
def test_names_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        read(ARRAYS, **options)


def test_names_beside_answers_are_refused():
    with pytest.raises(InputError, match="classes beside answers"):
        read({"ann": [0, 1], "bob": [1, 1]}, label=[0, 1], classes=["cat", "dog"])


def test_a_folder_of_arrays_has_names_of_classes(tmp_path):
    for model, array in ARRAYS.items():
        np.save(tmp_path / f"{model}.npy", array)
    np.save(tmp_path / "label.npy", np.array(["cat", "dog", "elk"]))
    assert read(tmp_path, classes=["cat", "dog", "elk"]).wrong.tolist() == WRONG
