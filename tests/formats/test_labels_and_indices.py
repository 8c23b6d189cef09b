"""Are labels of any shape read or refused in one line, and are pandas Series matched by their index?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.formats import read
from polyculture.predictions import Predictions

TRUTH = np.array([0, 1, 2] * 10)
CHANCES = np.eye(3)[TRUTH] * 0.4 + 0.2
ANSWERS = {"a": TRUTH, "b": np.roll(TRUTH, 1)}


@pytest.mark.parametrize(
    "label",
    [
        np.eye(3)[TRUTH],
        np.eye(3, dtype=bool)[TRUTH],
        np.eye(3)[TRUTH].tolist(),
        TRUTH[:, None],
        pd.DataFrame({"y": TRUTH}),
    ],
    ids=["one-hot", "booleans", "lists", "column", "dataframe"],
)
def test_one_hot_labels_and_single_columns_are_their_class(label, tmp_path):
    for predictions in (
        read({"a": CHANCES, "b": CHANCES[::-1]}, label=label),
        read({name: values[:, None] for name, values in ANSWERS.items()}, label=label),
        Predictions.from_answers({"a": TRUTH, "b": TRUTH[::-1]}, label),
    ):
        assert predictions.labels.tolist() == TRUTH.tolist()
    for name, array in (("a", CHANCES), ("b", CHANCES), ("label", np.asarray(label))):
        np.save(tmp_path / f"{name}.npy", array)
    assert read(tmp_path).labels.tolist() == TRUTH.tolist()


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        (CHANCES, "label is an array of the shape (30, 3); expected n true answers; take argmax(axis=1)"),
        (np.zeros((30, 2, 2)), "label is an array of the shape (30, 2, 2); expected n true answers"),
        (3, "label is an array of the shape (); expected n true answers"),
        (np.full(30, np.nan), "the label 'nan' is none of 3 classes"),
        (np.full(30, 0.7), "the label '0.7' is none of 3 classes"),
        ([[1], [1, 2]], "label is no array"),
    ],
)
def test_labels_of_another_shape_are_refused_in_one_line(label, problem):
    with pytest.raises(InputError) as error:
        read({"a": CHANCES, "b": CHANCES}, label=label)
    assert problem in str(error.value)


def test_answers_that_are_tables_or_objects_are_refused():
    with pytest.raises(InputError, match=r"a is an array of the shape \(30, 3\); expected n answers"):
        Predictions.from_answers({"a": CHANCES, "b": TRUTH}, TRUTH)
    with pytest.raises(InputError, match=r"an answer or label is \{\}"):
        read({"a": np.array([{}, 1], dtype=object), "b": [1, 2]}, label=[1, 2])


def shuffled(values):
    return pd.Series(values).sample(frac=1, random_state=0)


def test_series_are_matched_by_their_index():
    expected = [(values != TRUTH).mean() for values in ANSWERS.values()]
    label, columns = pd.Series(TRUTH), {"a": pd.Series(ANSWERS["a"]), "b": shuffled(ANSWERS["b"])}
    for predictions in (read(columns, label=label), Predictions.from_answers(columns, label)):
        assert predictions.wrong.mean(axis=1).tolist() == expected
    right = {name: column == label.loc[column.index] for name, column in columns.items()}
    assert Predictions.from_correct(right).wrong.mean(axis=1).tolist() == expected
    values = {name: column.astype(float) for name, column in columns.items()}
    assert Predictions.from_values(values, label.astype(float)).residuals[1].tolist() == (ANSWERS["b"] - TRUTH).tolist()
    tables = {"a": pd.DataFrame(CHANCES), "b": pd.DataFrame(CHANCES).sample(frac=1, random_state=0)}
    assert not Predictions.from_answers({n: t.idxmax(axis=1) for n, t in tables.items()}, label).wrong.any()


def test_series_with_other_indices_are_refused():
    columns = {"a": pd.Series(TRUTH), "b": pd.Series(TRUTH, index=range(5, 35))}
    with pytest.raises(InputError) as error:
        read(columns, label=TRUTH)
    assert str(error.value) == (
        "the index of b is not that of a, such as 0; expected the same index for all, each key once; give arrays "
        "(.to_numpy()) or reset the index (.reset_index(drop=True)) if the order of rows counts."
    )
    with pytest.raises(InputError, match="the index of a is not that of label"):
        Predictions.from_answers(ANSWERS | {"a": pd.Series(TRUTH)}, pd.Series(TRUTH, index=range(5, 35)))


def test_a_list_among_series_in_several_orders_is_refused():
    with pytest.raises(InputError, match="label has no index but others have the same index in several orders"):
        read({"a": pd.Series(TRUTH), "b": shuffled(TRUTH)}, label=TRUTH)


def test_equal_indices_and_lists_stay_as_they_are():
    index = range(5, 35)
    predictions = read({"a": pd.Series(TRUTH, index=index), "b": TRUTH.tolist()}, label=pd.Series(TRUTH, index=index))
    assert not predictions.wrong.any()
