"""Does a dataset hold together, whatever is taken from it?"""

from __future__ import annotations

import pickle
import re
from dataclasses import replace

import jaxtyping
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError

FIVE = Dataset(np.arange(10.0).reshape(5, 2), np.array([0, 1, 0, 1, 1]), ("no", "yes"), name="five")


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users run it: annotations are not checked, so wrong types reach the gate."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def test_instances_are_numbered_when_nothing_is_known_about_them() -> None:
    assert list(FIVE.instances.index) == [0, 1, 2, 3, 4]
    assert FIVE.instances.index.name == "instance"
    assert len(FIVE) == 5


@given(st.lists(st.integers(0, 4), max_size=12))
def test_taking_instances_takes_all_that_belongs_to_them(rows: list[int]) -> None:
    taken = FIVE.take(np.array(rows, dtype=int))
    assert list(taken.instances.index) == rows
    np.testing.assert_array_equal(taken.array[:, 0], 2.0 * np.array(rows))
    np.testing.assert_array_equal(taken.labels, FIVE.labels[rows] if rows else [])
    assert taken.name == "five"


def test_other_inputs_keep_labels_and_instances() -> None:
    seen = FIVE.with_inputs(FIVE.array + 1, "five, brighter")
    assert seen.name == "five, brighter"
    assert FIVE.with_inputs(FIVE.array).name == "five"
    assert seen.labels is FIVE.labels
    assert seen.instances is FIVE.instances


def test_a_split_tells_how_large_its_parts_are() -> None:
    split = Split(FIVE, FIVE.take(np.arange(2)), FIVE.take(np.arange(3)), {"noise@2": FIVE, "noise@1": FIVE})
    assert split.summary() == {"train": 5, "selection": 2, "test": 3, "shifted": ["noise@1", "noise@2"]}


def test_a_dataset_may_be_empty() -> None:
    assert len(FIVE.take(np.array([], dtype=int))) == 0


@pytest.mark.parametrize(
    ("inputs", "labels", "instances", "says"),
    [
        (3, [0, 1], None, "3 inputs but 2 labels; expected as many labels as inputs."),
        (2, [0, 2], None, "labels run from 0 to 2 but there are 2 classes; expected codes in 0 … 1."),
        (2, [-1, 1], None, "labels run from -1 to 1 but there are 2 classes; expected codes in 0 … 1."),
        (2, [0, 1], 3, "3 instance rows but 2 labels; expected one row per instance."),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    unchecked: None, inputs: int, labels: list[int], instances: int | None, says: str
) -> None:
    known = {} if instances is None else {"instances": pd.DataFrame({"group": range(instances)})}
    with pytest.raises(InputError) as caught:
        Dataset(np.zeros((inputs, 2)), np.array(labels), ("no", "yes"), **known)
    assert str(caught.value) == says


def test_a_dataset_tells_what_is_asked_by_its_labels() -> None:
    inputs = np.zeros((2, 3))
    assert FIVE.task == "classification"
    assert Dataset(inputs, np.array([0.5, 2.0]), ()).task == "regression"
    assert Dataset(inputs, np.array([[0, 1, -1], [1, 1, 0]]), ("a", "b")).task == "tagging"


def test_labels_of_tokens_may_end_and_others_may_not() -> None:
    with pytest.raises(InputError) as caught:
        Dataset(np.zeros((1, 2)), np.array([-1]), ("a",))
    assert str(caught.value) == "labels run from -1 to -1 but there are 1 classes; expected codes in 0 … 0."
    with pytest.raises(InputError) as caught:
        Dataset(np.zeros((1, 2)), np.array([[0, 1]]), ("a",))
    assert str(caught.value) == "labels run from 0 to 1 but there are 1 classes; expected codes in -1 … 0."


@pytest.mark.parametrize(("label", "classes"), [(1.0, ("a",)), (np.nan, ()), (np.inf, ())])
def test_labels_that_are_numbers_are_finite_and_have_no_classes(label: float, classes: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        Dataset(np.zeros((1, 2)), np.array([label]), classes)
    assert str(caught.value) == "labels that are numbers; expected no classes, and finite numbers only."


BOTH = Dataset(
    {"ct": np.arange(40.0).reshape(5, 2, 2, 2), "history": np.arange(10.0).reshape(5, 2)},
    FIVE.labels,
    FIVE.classes,
    name="patients",
    modality={"ct": "volume", "history": "table"},
)


def test_one_input_is_named_by_its_modality() -> None:
    assert (dict(FIVE.inputs), dict(FIVE.modalities)) == ({"table": FIVE.array}, {"table": "table"})
    images = Dataset(np.zeros((2, 3, 3)), np.array([0, 1]), ("no", "yes"), modality="image")
    assert (images.modality, list(images.inputs)) == ("image", ["image"])
    with pytest.raises(TypeError):
        images.inputs["image"] = images.array  # type: ignore[index]


def test_a_single_input_can_be_used_as_an_array() -> None:
    assert FIVE.inputs.shape == (5, 2)
    assert np.shares_memory(np.asarray(FIVE.inputs), FIVE.array)
    assert np.asarray(FIVE.inputs, np.float32).dtype == np.float32
    again = Dataset(np.asarray(FIVE.inputs) + 1, FIVE.labels, FIVE.classes)
    np.testing.assert_array_equal(again.inputs, FIVE.array + 1)


@given(st.lists(st.integers(0, 4), max_size=12))
def test_taking_instances_takes_every_input(rows: list[int]) -> None:
    taken = BOTH.take(np.array(rows, dtype=int))
    assert (len(taken), dict(taken.modalities)) == (len(rows), dict(BOTH.modalities))
    for name in ("ct", "history"):
        np.testing.assert_array_equal(taken.inputs[name], BOTH.inputs[name][rows] if rows else BOTH.inputs[name][:0])


def test_several_inputs_can_be_replaced_and_pickled() -> None:
    seen = pickle.loads(pickle.dumps(BOTH.with_inputs({name: -array for name, array in BOTH.inputs.items()}, "minus")))
    assert (seen.name, list(seen.inputs), dict(seen.modalities)) == ("minus", ["ct", "history"], dict(BOTH.modalities))
    np.testing.assert_array_equal(seen.inputs["ct"], -BOTH.inputs["ct"])
    assert replace(BOTH, labels=BOTH.labels[::-1]).modalities == BOTH.modalities


@pytest.mark.parametrize("attribute", ["array", "modality"])
def test_several_inputs_are_not_read_as_one(attribute: str) -> None:
    with pytest.raises(InputError) as caught:
        getattr(BOTH, attribute)
    for use in (np.asarray, lambda inputs: inputs.shape):
        with pytest.raises(InputError, match=re.escape(str(caught.value))):
            use(BOTH.inputs)
    assert str(caught.value) == (
        "the dataset 'patients' has the inputs 'ct' and 'history'; expected one; choose a learner that reads several "
        "inputs, or make a dataset of one of them."
    )


@pytest.mark.parametrize(
    ("inputs", "modality", "says"),
    [
        ({"ct": np.zeros((5, 1))}, "table", "'ct' as inputs with the modalities of 'table'"),
        (np.zeros((5, 1)), {"a": "table", "b": "table"}, "one array as inputs with the modalities of 'a' and 'b'"),
        ({}, {}, "none as inputs with the modalities of none"),
        (
            {"a": np.zeros((5, 1)), "b": np.zeros((4, 1))},
            {"a": "table", "b": "table"},
            "4 inputs 'b' but 5 labels; expected as many labels as inputs.",
        ),
    ],
)
def test_inputs_without_a_modality_or_of_another_length_are_refused(
    unchecked: None, inputs: object, modality: object, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        Dataset(inputs, FIVE.labels, FIVE.classes, modality=modality)
    expected = says if "labels" in says else f"{says}; expected one modality for each input, under the same name."
    assert str(caught.value) == expected
