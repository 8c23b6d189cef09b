"""Does the gate let in what it should, and tell in full what it does not?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.measures.counts import count
from polyculture.predictions import MISSING, Predictions, smallest_integer


def table(ids, name="model"):
    return pd.DataFrame(index=pd.Index(ids, name=name))


def gate(**changes):
    whole = {
        "models": table(["a", "b"]),
        "instances": table([0, 1, 2], "instance"),
        "answers": np.array([[0, 1, 1], [1, 1, 0]], np.int8),
        "labels": np.array([0, 1, 0], np.int8),
        "classes": ("no", "yes"),
    }
    return Predictions(**(whole | changes))


def refused(**changes):
    with pytest.raises(InputError) as caught:
        gate(**changes)
    return str(caught.value)


def test_wrong_is_an_answer_that_is_not_the_label():
    assert gate().wrong.tolist() == [[False, False, True], [True, False, False]]


def test_missing_answer_is_not_wrong_and_not_observed():
    predictions = gate(answers=np.array([[0, 1, MISSING], [1, 1, 0]], np.int8))
    assert not predictions.wrong[0, 2]
    assert predictions.observed.tolist() == [[True, True, False], [True, True, True]]


def test_observed_is_none_when_nothing_is_missing():
    assert gate().observed is None


def test_wrong_follows_outcomes_when_there_are_no_labels():
    outcomes = np.array([[1, 0, MISSING], [0, 0, 1]], np.int8)
    predictions = gate(answers=None, labels=None, correct=outcomes)
    assert predictions.wrong.tolist() == [[False, True, False], [True, True, False]]
    assert not predictions.observed[0, 2]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"answers": None, "labels": None},
            "neither answers nor outcomes; expected answers with labels, or right/wrong outcomes.",
        ),
        (
            {"labels": None},
            "answers without labels; expected the true answer of each instance; "
            "name the column with the truth, or give right/wrong outcomes.",
        ),
        (
            {"models": table(["a"]), "answers": np.zeros((1, 3), np.int8)},
            "1 model: 'a'; expected two models or more; similarity is measured between models.",
        ),
        (
            {"models": table([]), "answers": np.zeros((0, 3), np.int8)},
            "0 models; expected two models or more; similarity is measured between models.",
        ),
        (
            {"instances": table([]), "answers": np.zeros((2, 0), np.int8), "labels": np.zeros(0, np.int8)},
            "no instances; expected one instance or more.",
        ),
        (
            {"models": table(["a", "a"])},
            "1 model id occurs more than once, such as 'a'; expected one column per model; "
            "drop the repeated models or give them ids of their own.",
        ),
        (
            {"instances": table(["x", "x", "x"], "instance")},
            "1 instance id occurs more than once, such as 'x'; expected one row per instance; "
            "drop the repeated instances or give them ids of their own.",
        ),
        (
            {"instances": table([0, 1], "instance")},
            "answers has shape (2, 3); expected (2, 2), for 2 models and 2 instances.",
        ),
        (
            {"answers": None, "labels": None, "correct": np.ones((3, 3), np.int8)},
            "correct has shape (3, 3); expected (2, 3), for 2 models and 3 instances.",
        ),
        (
            {"probabilities": np.zeros((2, 3, 4))},
            "probabilities have shape (2, 3, 4); expected (2, 3, 2): models × instances × classes.",
        ),
        (
            {"labels": np.array([0, 1, MISSING], np.int8)},
            "labels run from -1 to 1 but there are 2 classes; expected codes in 0 … 1.",
        ),
        (
            {"answers": np.array([[0, 1, 2], [0, 0, 0]], np.int8)},
            "answers run from 0 to 2 but there are 2 classes; expected codes in -1 … 1.",
        ),
        (
            {"answers": None, "labels": None, "correct": np.full((2, 3), 2, np.int8)},
            "outcomes other than right and wrong; expected 1 right, 0 wrong, -1 unknown.",
        ),
        (
            {"options": np.array([4, 4, 0])},
            "an instance with 0 options; expected one option or more.",
        ),
    ],
)
def test_gate_refuses(changes, text):
    assert refused(**changes) == text


def test_from_answers_codes_answers_and_labels_alike():
    predictions = Predictions.from_answers({"a": ["cat", "dog"], "b": ["dog", "dog"]}, ["cat", "dog"])
    assert predictions.classes == ("cat", "dog")
    assert predictions.answers.tolist() == [[0, 1], [1, 1]]
    assert predictions.labels.tolist() == [0, 1]
    assert predictions.answers.dtype == np.int8


@pytest.mark.parametrize("coded", [True, False])
def test_classes_have_the_order_in_which_they_are_named(coded):
    names = ["dog", "cat", "elk", "fox"]
    answers = {"a": ["cat", "dog", None], "b": ["dog", "dog", "elk"]}, ["cat", "dog", "elk"]
    if coded:
        answers = {"a": [1, 0, None], "b": [0, 0, 2]}, [1, 0, 2]
    chances = np.full((2, 3, 4), 0.25)
    predictions = Predictions.from_answers(*answers, classes=names, probabilities=chances)
    assert predictions.classes == tuple(names)
    assert predictions.answers.tolist() == [[1, 0, -1], [0, 0, 2]]
    assert predictions.labels.tolist() == [1, 0, 2]
    assert predictions.answers.dtype == np.int8


def test_numbers_may_be_names_of_classes():
    predictions = Predictions.from_answers({"a": [1.0, 2], "b": [3, 2]}, [1, 2], classes=np.array([3.0, 2.0, 1.0]))
    assert (predictions.classes, predictions.labels.tolist()) == (("3", "2", "1"), [2, 1])


def test_from_answers_takes_whole_floats_and_gaps():
    predictions = Predictions.from_answers({"a": [1.0, np.nan], "b": [7.0, None]}, [1, 0])
    assert predictions.classes == ("0", "1", "7")
    assert predictions.answers.tolist() == [[1, MISSING], [2, MISSING]]


def test_from_answers_takes_the_rows_of_the_model_table_by_id():
    family = pd.DataFrame({"family": ["y", "x"]}, index=["b", "a"])
    predictions = Predictions.from_answers({"a": [1, 0], "b": [0, 0]}, [1, 0], models=family)
    assert predictions.models["family"].to_dict() == {"a": "x", "b": "y"}
    assert predictions.model_ids == ["a", "b"]


@pytest.mark.parametrize(
    ("answers", "labels", "more", "text"),
    [
        (
            {"a": [0, 1], "b": [0, 1, 1]},
            [0, 1],
            {},
            "labels has 2 instances but b has 3; expected the same instances, in the same order, for every model.",
        ),
        (
            {"a": [0, 1], "b": [0, 1]},
            [0, None],
            {},
            "1 instances have no label; expected a true answer for every instance.",
        ),
        (
            {"a": [0, 1], "b": [0, 0.25]},
            [0, 1],
            {},
            "model column 'b' holds fractions such as 0.25; expected answers: integers, strings or booleans; "
            "turn scores into answers first, or leave the column out.",
        ),
        (
            {"a": [0, 1], "b": [0, 1]},
            [0.5, 1],
            {},
            "the label column holds fractions such as 0.5; expected answers: integers, strings or booleans; "
            "turn scores into answers first, or leave the column out.",
        ),
        (
            {"a": [0, 1], "b": [0, 1]},
            [0, 1],
            {"models": pd.DataFrame({"family": ["x"]}, index=["a"])},
            "the model table has no row for 'b'; expected one row per model, indexed by model id.",
        ),
        (
            {"a": [0, 1], "b": [0, 1]},
            [0, 1],
            {"instances": pd.DataFrame(index=[0])},
            "the instance table has 1 rows but there are 2 instances; expected one row per instance.",
        ),
        (
            {"a": ["cat", "dgo"], "b": ["dog", "dog"]},
            ["cat", "dog"],
            {"classes": ["cat", "dog"]},
            "the answer or label 'dgo' is none of the 2 classes; expected one of cat, dog; did you mean 'dog'?",
        ),
        (
            {"a": [0, 3], "b": [0, 1]},
            [0, 1],
            {"classes": ["cat", "dog", "elk"]},
            "the answer or label '0' is none of the 3 classes; expected one of cat, dog, elk; known: cat, dog, elk.",
        ),
        (
            {"a": ["cat", "dog"], "b": ["dog", "dog"]},
            ["cat", "dog"],
            {"classes": ["cat", "dog", "cat"]},
            "the class 'cat' is named twice; expected a name of its own for every class.",
        ),
        (
            {"a": ["cat", "dog"], "b": ["dog", "dog"]},
            ["cat", "dog"],
            {"classes": "cat dog"},
            "classes is the text 'cat dog'; expected a list with the name of every class.",
        ),
    ],
)
def test_from_answers_refuses(answers, labels, more, text):
    with pytest.raises(InputError) as caught:
        Predictions.from_answers(answers, labels, **more)
    assert str(caught.value) == text


def test_from_correct_takes_booleans_numbers_and_gaps():
    predictions = Predictions.from_correct({"a": [True, False, None], "b": [1, 0, 1]})
    assert predictions.correct.tolist() == [[1, 0, MISSING], [1, 0, 1]]


def test_from_correct_refuses_what_is_neither_right_nor_wrong():
    with pytest.raises(InputError) as caught:
        Predictions.from_correct({"a": [1, 0], "b": [1, 2]})
    assert str(caught.value) == "outcome 2 of model 'b'; expected true/false or 1/0 per instance."


def test_taken_models_keep_everything_about_them():
    chances = np.arange(6).reshape(2, 3) / 8
    predictions = gate(probabilities=np.stack([chances, 1 - chances], axis=2)).take_models(["b", "a"])
    assert predictions.model_ids == ["b", "a"]
    assert predictions.answers.tolist() == [[1, 1, 0], [0, 1, 1]]
    assert predictions.probabilities[0, 0, 0] == 3 / 8


def test_taking_an_unknown_model_names_the_near_ones():
    with pytest.raises(InputError) as caught:
        gate(models=table(["resnet", "vgg"])).take_models(["resnett"])
    assert str(caught.value) == "no model 'resnett'; did you mean 'resnet'?"


def test_taken_instances_keep_everything_about_them():
    predictions = gate(options=np.array([2, 3, 4])).take_instances(np.array([2, 0]))
    assert list(predictions.instances.index) == [2, 0]
    assert predictions.labels.tolist() == [0, 0]
    assert predictions.answers.tolist() == [[1, 0], [0, 1]]
    assert predictions.options.tolist() == [4, 2]


def test_labels_are_classes_when_most_instances_share_theirs():
    many = Predictions.from_answers({"a": [0, 1] * 5, "b": [0, 1] * 5}, [0, 1] * 5)
    each_its_own = Predictions.from_answers({"a": range(10), "b": range(10)}, range(10))
    assert many.has_fixed_classes
    assert not each_its_own.has_fixed_classes


def test_a_single_class_explains_nothing():
    assert not Predictions.from_answers({"a": [1] * 9, "b": [1] * 9}, [1] * 9).has_fixed_classes


@pytest.mark.parametrize(("classes", "kind"), [(2, np.int8), (127, np.int8), (128, np.int16), (40000, np.int32)])
def test_codes_take_no_more_room_than_they_need(classes, kind):
    assert smallest_integer(classes) is kind


kinds = st.sampled_from([st.integers(-3, 9), st.sampled_from(["a", "b", "ß"]), st.booleans()])


@given(kind=kinds, drawn=st.data())
def test_codes_tell_apart_what_answers_tell_apart(kind, drawn):
    n = drawn.draw(st.integers(1, 12))
    column = st.lists(st.none() | kind, min_size=n, max_size=n)
    answers = {"a": drawn.draw(column), "b": drawn.draw(column)}
    labels = drawn.draw(st.lists(kind, min_size=n, max_size=n))
    predictions = Predictions.from_answers(answers, labels)
    for row, said in zip(predictions.wrong, answers.values(), strict=True):
        assert row.tolist() == [a is not None and a != y for a, y in zip(said, labels, strict=True)]
    for row, said in zip(predictions.answers, answers.values(), strict=True):
        assert [predictions.classes[c] if c != MISSING else None for c in row] == [
            None if a is None else str(a) for a in said
        ]


def judged(**more):
    """Answers with labels and a judge who finds 'nö' as good as 'no', and takes no answer for a wrong one."""
    return Predictions.from_answers(
        {"a": ["no", "nö", None, "yes"], "b": ["no", "no", None, None]},
        ["no", "no", "yes", "yes"],
        **({"correct": {"b": [1, 1, 0, None], "a": [True, True, False, False]}} | more),
    )


def test_outcomes_count_more_than_labels():
    predictions = judged()
    assert predictions.wrong.tolist() == [[False, False, True, True], [False, False, True, False]]
    assert predictions.observed.tolist() == [[True] * 4, [True, True, True, False]]
    assert predictions.labels.tolist() == [0, 0, 2, 2]


def test_no_answer_that_is_wrong_agrees_with_none():
    p = judged()
    counts = count(p.answers, p.labels, p.correct, len(p.classes))
    assert (counts.n00[0, 1], counts.same_wrong[0, 1]) == (1, 0)


def test_labels_are_classes_with_outcomes_as_without():
    labels = ["x", "y"] * 20
    answers = {"a": labels, "b": ["x"] * 40}
    assert Predictions.from_answers(answers, labels).has_fixed_classes
    assert Predictions.from_answers(answers, labels, correct={"a": [1] * 40, "b": [0] * 40}).has_fixed_classes


@pytest.mark.parametrize(
    ("correct", "text"),
    [
        ({"a": [1, 1, 0, 0]}, "answers or outcomes of 'b' are missing; expected both of every model."),
        (
            {"a": [1, 1, 0, 0], "b": [1, 1, 0, 0], "c": [1, 1, 0, 0]},
            "answers or outcomes of 'c' are missing; expected both of every model.",
        ),
        (
            {"a": [1, 1, 0, 0], "b": [1, 1, 0]},
            "labels has 4 instances but b has 3; expected the same instances, in the same order, for every model.",
        ),
        (
            {"a": [1, 1, 0, 0], "b": [1, 1, 0, 0.5]},
            "outcome 0.5 of model 'b'; expected true/false or 1/0 per instance.",
        ),
    ],
)
def test_from_answers_refuses_outcomes_of_others(correct, text):
    with pytest.raises(InputError) as caught:
        judged(correct=correct)
    assert str(caught.value) == text


def numbers(**changes):
    rows = {"a": [1.0, 2.0, np.nan], "b": [1.5, 2.0, 7.0]}
    return Predictions.from_values(rows, [1.0, 3.0, 5.0], **changes)


def test_the_task_is_what_was_predicted():
    outcomes = Predictions.from_correct({"a": [1, 0], "b": [1, 1]})
    assert (gate().task, outcomes.task, numbers().task) == ("classification", "outcomes", "regression")


def test_a_number_is_wrong_beyond_the_tolerance_and_unknown_where_missing():
    predictions = numbers(tolerance=0.5)
    assert predictions.residuals.tolist()[1] == [0.5, -1.0, 2.0]
    assert np.isnan(predictions.residuals[0, 2])
    assert predictions.wrong.tolist() == [[False, True, False], [False, True, True]]
    assert predictions.observed.tolist() == [[True, True, False], [True, True, True]]
    assert predictions.allowed_error == 0.5
    assert predictions.shape == (2, 3)


def test_the_tolerance_is_the_median_rmse_unless_given():
    predictions = numbers()
    assert predictions.rmse.tolist() == [np.sqrt(1 / 2), np.sqrt(5.25 / 3)]
    assert predictions.allowed_error == np.median(predictions.rmse)


def test_numbers_are_taken_with_their_models_and_instances():
    models = pd.DataFrame({"seconds": [2.0, 1.0]}, index=["b", "a"])
    instances = pd.DataFrame({"site": ["x", "x", "y"]}, index=["i0", "i1", "i2"])
    predictions = numbers(models=models, instances=instances, noise=0.1)
    single = predictions.take_models(["b"])
    assert (single.model_ids, single.values.tolist(), single.noise) == (["b"], [[1.5, 2.0, 7.0]], 0.1)
    assert single.models.to_dict() == {"seconds": {"b": 2.0}}
    selected = predictions.take_instances(np.array([2, 0]))
    assert selected.targets.tolist() == [5.0, 1.0]
    assert selected.values[1].tolist() == [7.0, 1.5]
    assert selected.instances["site"].to_dict() == {"i2": "y", "i0": "x"}
    assert numbers().take_instances(np.array([1, 2])).instances.index.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: Predictions.from_values({"a": [1.0, 2.0], "b": [1.0]}, [1.0, 2.0]),
            "b has 1 values but there are 2 targets; expected one per instance.",
        ),
        (lambda: Predictions.from_values({}, [1.0]), "no models; expected two models or more."),
        (
            lambda: Predictions.from_values({"a": [1.0], "b": [1.0]}, [np.nan]),
            "a target that is not a finite number; expected a true value for every instance.",
        ),
        (
            lambda: numbers(tolerance=-1.0),
            "noise 0.0 and tolerance -1.0; expected a variance and an error above 0.",
        ),
        (
            lambda: Predictions(table(["a", "b"]), table([0, 1]), values=np.zeros((2, 3)), targets=np.zeros(3)),
            "values has shape (2, 3); expected (2, 2), for 2 models and 2 instances.",
        ),
        (
            lambda: gate(values=np.zeros((2, 3)), targets=np.zeros(3)),
            "values and answers; expected predicted numbers, or answers and outcomes.",
        ),
        (
            lambda: gate(values=np.zeros((2, 3))),
            "predicted numbers without targets; expected values and targets, or neither.",
        ),
        (
            lambda: gate(targets=np.zeros(3)),
            "predicted numbers without values; expected values and targets, or neither.",
        ),
        (
            lambda: gate().residuals,
            "residuals of answers; expected predicted numbers; Predictions.from_values takes them.",
        ),
    ],
)
def test_the_gate_refuses_numbers(make, text):
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize("number", [np.inf, -np.inf])
def test_an_infinite_prediction_is_no_gap(number: float) -> None:
    instances = pd.DataFrame(index=pd.Index(["a", "b", "c"], name="instance"))
    with pytest.raises(InputError) as caught:
        Predictions.from_values(
            {"ridge": [1.0, 2.0, 3.0], "forest": [1.0, np.nan, number]}, [1.0, 2.0, 3.0], instances=instances
        )
    assert str(caught.value) == (
        f"model 'forest' predicts {number:g} for instance 'c'; expected finite numbers, or nothing where there is "
        "none; cap the overflow, or leave the model out."
    )
