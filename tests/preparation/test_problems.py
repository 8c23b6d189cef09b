"""Are problems cut fairly, whatever they are about?"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError, MissingExtraError
from polyculture.preparation.problems import RawData, build_problem
from polyculture.preparation.problems.bundled import BUNDLED
from polyculture.preparation.problems.raw_data import instance_table, object_array
from polyculture.training import DataOptions, Problem, load_problem


def made(n: int = 200, classes: int = 2, **columns: object) -> RawData:
    """Numbers with a class of each, and what is known of them."""
    features = np.column_stack([np.arange(n), np.arange(n) % 7]).astype(float)
    labels = object_array([f"c{k % classes}" for k in range(n)])
    return RawData("made", "table", features, labels, instance_table(n, **columns))


def parts_of(problem: Problem) -> list[Dataset]:
    return [problem.split.train, problem.split.selection, problem.split.test]


def ids_of(problem: Problem) -> list[set[object]]:
    return [set(part.instances.index) for part in parts_of(problem)]


def test_digits_have_three_parts_that_share_no_image(digits: Problem) -> None:
    ids = ids_of(digits)
    assert [len(i) for i in ids] == [len(part) for part in parts_of(digits)] == [808, 270, 719]
    assert len(set.union(*ids)) == sum(map(len, ids)) == 1797


def test_digits_parts_have_the_same_mix_of_labels(digits: Problem) -> None:
    whole = np.sum([np.bincount(p.labels) for p in parts_of(digits)], 0)
    for part, share in ((digits.split.train, 0.45), (digits.split.selection, 0.15), (digits.split.test, 0.40)):
        assert np.abs(np.bincount(part.labels) - share * whole).max() <= 1


def test_digits_are_float32_images_between_0_and_1(digits: Problem) -> None:
    inputs = digits.split.train.array
    assert inputs.dtype == np.float32
    assert inputs.shape[1:] == (8, 8)
    assert (inputs.min(), inputs.max()) == (0, 1)
    assert digits.split.train.classes == tuple("0123456789")


def test_the_digits_are_those_they_have_always_been(digits: Problem) -> None:
    assert digits.fingerprint == "d8585ba263f68344"
    assert digits.split.test.instances.index[:5].tolist() == [1, 5, 14, 15, 16]


def test_the_same_seed_gives_the_same_problem_and_another_seed_another(digits: Problem) -> None:
    again, other = load_problem("digits"), load_problem("digits", seed=1)
    assert again.fingerprint == digits.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("name", "task", "sizes", "features", "classes"),
    [
        ("wine", "classification", (81, 26, 71), 13, ("class_0", "class_1", "class_2")),
        ("breast-cancer", "classification", (256, 85, 228), 30, ("benign", "malignant")),
        ("iris", "classification", (66, 24, 60), 4, ("setosa", "versicolor", "virginica")),
        ("diabetes", "regression", (199, 66, 177), 10, ()),
    ],
)
def test_problems_that_scikit_learn_carries_are_whole(
    name: str, task: str, sizes: tuple[int, ...], features: int, classes: tuple[str, ...]
) -> None:
    problem = load_problem(name)
    assert (problem.name, problem.task, problem.modality) == (name, task, "table")
    assert tuple(map(len, parts_of(problem))) == sizes
    ids = ids_of(problem)
    assert len(set.union(*ids)) == sum(sizes)
    assert problem.split.train.array.shape[1:] == (features,)
    assert problem.split.train.classes == classes
    assert len(problem.split.shifted) == (30 if classes else 25)


def test_labels_of_carried_problems_belong_to_their_inputs() -> None:
    from sklearn.datasets import load_breast_cancer

    everything = load_breast_cancer()
    test = load_problem("breast-cancer").split.test
    rows = test.instances.index.to_numpy()
    np.testing.assert_allclose(test.array, everything.data[rows].astype(np.float32))
    assert [test.classes[k] for k in test.labels] == [str(everything.target_names[k]) for k in everything.target[rows]]


def test_a_sentence_tells_what_there_is(digits: Problem) -> None:
    assert digits.sentence == (
        "digits: 10 classes, 808 instances to learn from, 270 to choose on, 719 to be tested on."
    )
    held = build_problem(
        made(place=["north", "south", "west"] * 66 + ["north"] * 2), DataOptions(group="place", hold_out=("west",)), 0
    )
    assert held.sentence == (
        "made: 2 classes, 60 instances to learn from, 20 to choose on, 54 to be tested on, and elsewhere: place=west."
    )


def test_a_group_that_is_held_out_is_in_no_part_and_a_test_of_its_own() -> None:
    place = np.array(["north", "south", "west"])[np.arange(200) % 3]
    problem = build_problem(made(place=place.tolist()), DataOptions(group="place", hold_out=("west", "south")), 0)
    for part in parts_of(problem):
        assert set(part.instances["place"]) == {"north"}
    west = problem.split.shifted["place=west"]
    assert list(west.instances.index) == list(np.flatnonzero(place == "west"))
    assert next(iter(problem.split.shifted)) == "place=west"
    assert west.name == "made place=west"
    assert problem.groups == ()


def test_groups_that_are_not_held_out_are_there_to_be_compared() -> None:
    place = ["north", "south"] * 100
    problem = build_problem(made(place=place), DataOptions(group="place"), 0)
    assert problem.groups == ("place",)
    assert set(problem.split.test.instances["place"]) == {"north", "south"}


@pytest.mark.parametrize("fold", ["", "2/4"])
def test_clusters_are_never_on_both_sides(fold: str) -> None:
    patient = [f"p{k // 5}" for k in range(200)]
    problem = build_problem(made(patient=patient), DataOptions(cluster="patient", fold=fold), 0)
    owners = [set(part.instances["patient"]) for part in parts_of(problem)]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 40
    assert problem.cluster == "patient"


def test_a_cut_in_time_tests_on_what_comes_last() -> None:
    day = list(range(200))[::-1]
    problem = build_problem(made(day=day), DataOptions(time="day", limit=30), 0)
    days = [part.instances["day"] for part in parts_of(problem)]
    assert days[0].max() < days[1].min()
    assert days[1].max() < days[2].min()
    assert (days[0].min(), days[0].max()) == (60, 89)  # the latest of the first 45 %
    assert (days[2].min(), days[2].max()) == (120, 149)  # the first of the last 40 %


def test_the_tests_of_all_folds_are_everything_once() -> None:
    tests = [ids_of(build_problem(made(), DataOptions(fold=f"{k}/5"), 0)) for k in range(1, 6)]
    assert sorted(i for _, _, test in tests for i in test) == list(range(200))
    for train, selection, test in tests:
        assert len(test) == 40
        assert len(train | selection | test) == 200


def test_a_limit_is_kept_exactly_and_in_proportion() -> None:
    problem = build_problem(made(1000, classes=4), DataOptions(limit=50), 0)
    for part in parts_of(problem):
        assert len(part) == 50
        assert np.ptp(np.bincount(part.labels)) <= 1


def test_parts_that_files_tell_are_kept_and_a_choice_is_taken_from_training() -> None:
    material = made(160)
    told = RawData(**vars(material) | {"part": np.array(["train"] * 120 + ["test"] * 40)})
    train, selection, test = ids_of(build_problem(told, DataOptions(), 0))
    assert test == set(range(120, 160))
    assert train | selection == set(range(120))
    assert len(selection) == 16
    three = RawData(**vars(material) | {"part": np.array(["train"] * 80 + ["selection"] * 40 + ["test"] * 40)})
    assert ids_of(build_problem(three, DataOptions(), 0)) == [set(range(80)), set(range(80, 120)), set(range(120, 160))]


def test_other_material_is_read_as_the_first_was() -> None:
    other = RawData("other", "table", np.ones((3, 2)), object_array(["c1", "c0", "c0"]), instance_table(3))
    problem = build_problem(made(place=["north"] * 200), DataOptions(group="place"), 0, {"other": other})
    there = problem.split.shifted["other"]
    assert there.labels.tolist() == [1, 0, 0]
    assert there.instances["place"].tolist() == ["0", "1", "2"]
    assert [name for name in problem.split.shifted if "@" not in name] == ["other"]


def test_only_the_shifts_that_are_asked_for_are_made() -> None:
    assert list(build_problem(made(), DataOptions(shifts=()), 0).split.shifted) == []
    assert list(build_problem(made(), DataOptions(shifts=("drift",)), 0).split.shifted) == [
        f"drift@{s}" for s in range(1, 6)
    ]


@pytest.mark.parametrize(
    ("rule", "classes", "counts"),
    [
        (">0", (">0", "not >0"), (40, 20)),
        (">=2", (">=2", "not >=2"), (20, 40)),
        ("<1", ("<1", "not <1"), (20, 40)),
        ("<=1", ("<=1", "not <=1"), (40, 20)),
        ("=1.0", ("=1.0", "not =1.0"), (20, 40)),
        ("!=1", ("!=1", "not !=1"), (40, 20)),
        ("2", ("2", "not 2"), (20, 40)),
    ],
)
def test_labels_can_be_asked_for_one_thing(rule: str, classes: tuple[str, ...], counts: tuple[int, ...]) -> None:
    material = RawData(
        "made", "table", np.arange(60.0)[:, None], object_array([k % 3 for k in range(60)]), instance_table(60)
    )
    problem = build_problem(material, DataOptions(positive=rule), 0)
    assert problem.split.train.classes == classes
    labels = np.concatenate([part.labels for part in parts_of(problem)])
    assert tuple(np.bincount(labels)) == counts


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        ([k % 3 for k in range(90)], "", "classification"),
        (list(range(90)), "", "regression"),
        ([k / 2 for k in range(90)], "", "regression"),
        ([f"{k % 30}" for k in range(270)], "classification", "classification"),
        ([k % 3 for k in range(90)], "regression", "regression"),
    ],
)
def test_many_numbers_or_fractions_are_predicted_as_numbers(values: list[object], task: str, expected: str) -> None:
    material = RawData(
        "made", "table", np.arange(len(values), dtype=float)[:, None], object_array(values), instance_table(len(values))
    )
    assert build_problem(material, DataOptions(task=task), 0).task == expected


def test_classes_that_are_numbers_come_in_their_order() -> None:
    labels = object_array([f"{k % 11}.0" for k in range(110)])
    material = RawData("made", "table", np.arange(110.0)[:, None], labels, instance_table(110))
    assert build_problem(material, DataOptions(), 0).split.train.classes == tuple(map(str, range(11)))


def test_names_with_a_low_line_are_no_numbers() -> None:
    material = RawData("made", "table", np.arange(60.0)[:, None], object_array(["1_2", "12"] * 30), instance_table(60))
    assert build_problem(material, DataOptions(), 0).split.train.classes == ("12", "1_2")


def material_of(labels: list[object], **more: object) -> RawData:
    return RawData(
        "made", "table", np.arange(len(labels), dtype=float)[:, None], object_array(labels), instance_table(len(labels))
    )


WRONG: list[tuple[RawData, DataOptions, str]] = [
    (made(0), DataOptions(), "made holds no instance; expected one or more."),
    (
        material_of(["a"] * 9),
        DataOptions(),
        "all 9 instances of made are of the class 'a'; expected two classes or more; name another column by label.",
    ),
    (
        material_of(["a"] * 9 + ["b"]),
        DataOptions(),
        "the class 'b' of made has 1 instance; expected 5 or more of each; "
        "leave it out, or name another column by label.",
    ),
    (
        material_of(["a", "1"] * 9),
        DataOptions(task="regression"),
        "made has the label 'a'; expected numbers; name another column by label.",
    ),
    (
        material_of(["a", "1"] * 9),
        DataOptions(positive=">0"),
        "'>0' compares with 'a'; expected numbers on both sides.",
    ),
    (
        material_of(["2", "1"] * 9),
        DataOptions(positive=">x"),
        "'>x' compares with 'x'; expected numbers on both sides.",
    ),
    (made(place=["n"] * 200), DataOptions(group="plaice"), "made has no column 'plaice'; did you mean 'place'?"),
    (made(), DataOptions(cluster="who"), "made has no column 'who'; there are none."),
    (
        made(),
        DataOptions(hold_out=("west",)),
        "made has no groups to hold out; expected a column of groups; name one by group.",
    ),
    (
        made(place=["north", "south"] * 100),
        DataOptions(group="place", hold_out=("norht",)),
        "no instance with place 'norht'; did you mean 'north'?",
    ),
    (
        made(place=["north", "south"] * 100),
        DataOptions(group="place", hold_out=("north", "south")),
        "made without north, south holds no instance; expected one or more.",
    ),
]


@pytest.mark.parametrize(
    ("material", "source", "message"), WRONG, ids=lambda x: "" if not isinstance(x, str) else x[:30]
)
def test_material_that_cannot_be_cut_is_one_line(material: RawData, source: DataOptions, message: str) -> None:
    with pytest.raises(InputError) as caught:
        build_problem(material, source, 0)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            RawData("o", "text", object_array(["x"]), object_array(["c0"]), instance_table(1)),
            "other is of the kind text; expected table, as made.",
        ),
        (
            RawData("o", "table", np.ones((1, 5)), object_array(["c0"]), instance_table(1)),
            "inputs of the shape (5,); expected (2,), as those learned from.",
        ),
        (
            RawData("o", "table", np.ones((1, 2)), object_array(["c7"]), instance_table(1)),
            "other has the class 'c7'; expected only classes that are learned; did you mean 'c1' or 'c0'?",
        ),
        (
            RawData("o", "table", np.ones((0, 2)), object_array([]), instance_table(0)),
            "other holds no instance; expected one or more.",
        ),
    ],
)
def test_other_material_that_does_not_fit_is_one_line(other: RawData, message: str) -> None:
    with pytest.raises(InputError) as caught:
        build_problem(made(), DataOptions(), 0, {"other": other})
    assert str(caught.value) == message


def test_a_training_part_of_nothing_is_one_line() -> None:
    told = RawData(**vars(made(20)) | {"part": np.array(["test"] * 20)})
    with pytest.raises(InputError) as caught:
        build_problem(told, DataOptions(), 0)
    assert str(caught.value) == "the training part of made holds no instance; expected one or more."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "tabel"}, "no kind of problem 'tabel'; did you mean 'table'?"),
        ({"task": "ranking"}, "the task is 'ranking'; expected 'classification' or 'regression'."),
        ({"limit": 0}, "a limit of 0 instances; expected 1 or more."),
        ({"window": 0}, "a window of 0 and a horizon of 1 steps; expected 1 or more of each."),
        ({"cluster": "a", "time": "b"}, "both cluster and time; expected one way of splitting."),
        ({"time": "b", "fold": "1/2"}, "both time and fold; expected one way of splitting."),
        ({"fold": "3/2"}, "the fold is '3/2'; expected which of how many, such as '2/5'."),
        ({"fold": "first"}, "the fold is 'first'; expected which of how many, such as '2/5'."),
    ],
)
def test_a_source_that_contradicts_itself_is_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        DataOptions(**options)
    assert str(caught.value) == message


def test_an_unknown_problem_is_answered_with_a_near_one() -> None:
    with pytest.raises(InputError) as caught:
        load_problem("digit")
    assert str(caught.value) == "no problem 'digit'; did you mean 'digits'?"


def test_what_is_for_files_is_refused_for_problems_by_name() -> None:
    with pytest.raises(InputError) as caught:
        load_problem("wine", source=DataOptions(label="alcohol"))
    assert str(caught.value) == "label with the problem 'wine'; expected it for files only; leave it out."


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for name in BUNDLED:
        with pytest.raises(MissingExtraError) as caught:
            load_problem(name)
        assert str(caught.value) == "the package 'sklearn' is not installed; pip install \"polyculture[train]\"."


def test_loading_a_problem_needs_no_torch() -> None:
    import subprocess

    statement = (
        "import sys; from polyculture.training import load_problem; load_problem('wine').split.shifted['noise@1']; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", statement], check=False).returncode == 0


def test_instance_tables_are_those_of_the_parts(digits: Problem) -> None:
    assert isinstance(digits.split.test.instances, pd.DataFrame)
    assert len(digits.split.test.instances) == 719
