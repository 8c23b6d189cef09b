"""Do the levels of the data axis give what their names say, and refuse what they do not fit?"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.dataset import Dataset
from polyculture.errors import InputError, MissingExtraError
from polyculture.preparation.transforms import BoundedAmount, find_transform, with_augmented_copy
from polyculture.recipe import Recipe
from polyculture.training import DATA, Problem, train
from polyculture.training.learned_level import LearnedLevel

FITS_ALL = ("all", "half-a", "half-b", "part", "part:2/3", "subset", "subset:0.1", "bootstrap")
Counts = st.lists(st.integers(1, 30), min_size=2, max_size=4)


def skewed(counts: list[int]) -> Dataset:
    """A table with so many instances of each class; the feature tells each instance from all others."""
    labels = np.repeat(np.arange(len(counts)), counts)
    inputs = np.stack([np.arange(len(labels)), labels], axis=1).astype(np.float32)
    return Dataset(inputs, labels, tuple("abcd"[: len(counts)]))


def ids(dataset: Dataset) -> set[object]:
    """Which instances there are."""
    return set(dataset.instances.index)


def test_the_halves_are_disjoint_cover_everything_and_keep_the_labels_in_proportion(digits: Problem) -> None:
    train = digits.split.train
    a, b = (DATA[half].take(train, 0) for half in ("half-a", "half-b"))
    assert not ids(a) & ids(b)
    assert ids(a) | ids(b) == ids(train)
    assert np.abs(np.bincount(a.labels) - np.bincount(b.labels)).max() <= 1


@pytest.mark.parametrize("name", ["half-a", "part:1/3"])
def test_disjoint_parts_are_the_same_for_every_seed(digits: Problem, name: str) -> None:
    train, level = digits.split.train, find_transform(name)
    assert list(level.take(train, 0).instances.index) == list(level.take(train, 7).instances.index)


@given(Counts, st.integers(1, 5))
def test_parts_are_disjoint_cover_everything_and_keep_every_class_in_proportion(counts: list[int], parts: int) -> None:
    train = skewed(counts)
    shares = [find_transform(f"part:{k}/{parts}").take(train, 0) for k in range(1, parts + 1)]
    assert sum(map(len, shares)) == len(train) == len(set().union(*map(ids, shares)))
    for label, count in enumerate(counts):
        assert all(abs((part.labels == label).sum() - count / parts) < 1 for part in shares)


@given(Counts, st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 3))
def test_a_subset_has_its_share_of_every_class_and_grows_with_it(
    counts: list[int], share: float, other: float, seed: int
) -> None:
    train = skewed(counts)
    small, large = (find_transform(f"subset:{each}").take(train, seed) for each in sorted((share, other)))
    assert ids(small) <= ids(large)
    for label, count in enumerate(counts):
        assert (small.labels == label).sum() == max(1, round(min(share, other) * count))


def test_a_bootstrap_repeats_some_instances_and_depends_on_the_seed_only(digits: Problem) -> None:
    train = digits.split.train
    first, again, other = (DATA["bootstrap"].take(train, seed) for seed in (0, 0, 1))
    assert len(first) == len(train)
    assert 0.55 < first.instances.index.nunique() / len(train) < 0.70
    np.testing.assert_array_equal(first.array, again.array)
    assert not np.array_equal(first.array, other.array)


@pytest.mark.parametrize("name", FITS_ALL)
def test_choosing_instances_fits_every_modality_and_task(sets: dict[str, Dataset], name: str) -> None:
    for whole in sets.values():
        find_transform(name).check(name, whole)
        taken = find_transform(name).take(whole, 0)
        assert 0 < len(taken) <= len(whole)
        assert ids(taken) <= ids(whole)


def test_halves_of_numbers_have_their_share_of_every_tenth(sets: dict[str, Dataset]) -> None:
    whole = sets["numbers"].labels
    tenths = np.quantile(whole, np.linspace(0, 1, 11))
    for half in ("half-a", "half-b"):
        kept = DATA[half].take(sets["numbers"], 0).labels
        counts = np.histogram(kept, tenths)[0] - np.histogram(whole, tenths)[0] / 2
        assert np.abs(counts).max() <= 1.5


@given(Counts, st.integers(0, 3))
def test_balanced_keeps_all_and_repeats_the_rarer_classes(counts: list[int], seed: int) -> None:
    balanced = DATA["balanced"].take(skewed(counts), seed)
    assert np.bincount(balanced.labels).tolist() == [max(counts)] * len(counts)
    assert ids(balanced) == set(range(sum(counts)))


@given(Counts, st.integers(0, 3))
def test_undersampled_leaves_every_class_as_rare_as_the_rarest_and_repeats_nothing(
    counts: list[int], seed: int
) -> None:
    fewer = DATA["undersampled"].take(skewed(counts), seed)
    assert np.bincount(fewer.labels).tolist() == [min(counts)] * len(counts)
    assert fewer.instances.index.is_unique


@given(Counts, st.floats(0.01, 1), st.integers(0, 3))
def test_imbalance_makes_classes_rarer_in_their_order(counts: list[int], ratio: float, seed: int) -> None:
    kept = np.bincount(find_transform(f"imbalance:{ratio}").take(skewed(counts), seed).labels)
    shares = [ratio ** (k / (len(counts) - 1)) for k in range(len(counts))]
    assert kept.tolist() == [max(1, round(share * count)) for share, count in zip(shares, counts, strict=True)]


@given(Counts, st.floats(0.01, 1), st.integers(0, 3))
def test_label_noise_spoils_its_share_of_the_labels_and_nothing_else(
    counts: list[int], share: float, seed: int
) -> None:
    train = skewed(counts)
    noisy = find_transform(f"label-noise:{share}").take(train, seed)
    assert (noisy.labels != train.labels).sum() == round(share * len(train))
    np.testing.assert_array_equal(noisy.array, train.array)
    assert noisy.instances.equals(train.instances)


def test_label_noise_takes_every_other_class_as_often() -> None:
    noisy = find_transform("label-noise:1").take(skewed([3000, 1, 1]), 0)
    assert (np.bincount(noisy.labels[:3000]) / 3000)[1:] == pytest.approx([0.5, 0.5], abs=0.03)


def test_label_noise_of_tags_leaves_what_is_no_token(sets: dict[str, Dataset]) -> None:
    tags = sets["tags"]
    noisy = find_transform("label-noise:0.5").take(tags, 0)
    np.testing.assert_array_equal(noisy.labels == -1, tags.labels == -1)
    assert (noisy.labels != tags.labels).sum() == round(0.5 * (tags.labels >= 0).sum())


def test_label_noise_of_one_class_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        DATA["label-noise"].take(Dataset(np.zeros((3, 1)), np.zeros(3, np.int64), ("only",)), 0)
    assert str(caught.value) == "label-noise was given 1 class; expected 2 or more."


def test_smote_fills_up_with_instances_between_those_of_the_class() -> None:
    pytest.importorskip("imblearn")
    draw = np.random.default_rng(0)
    inputs = np.concatenate([draw.normal(0, 1, (40, 2)), draw.normal(9, 1, (10, 2))]).astype(np.float32)
    known = pd.DataFrame({"site": ["x"] * 50}, index=[f"p{k}" for k in range(50)])
    train = Dataset(inputs, np.repeat([0, 1], [40, 10]), ("many", "few"), known)
    more = find_transform("smote:3").take(train, 0)
    assert np.bincount(more.labels).tolist() == [40, 40]
    np.testing.assert_array_equal(more.array[:50], inputs)
    new, few = more.array[50:], inputs[40:]
    assert more.array.dtype == np.float32
    assert (new >= few.min(axis=0)).all()
    assert (new <= few.max(axis=0)).all()
    assert list(more.instances.index[[0, 50, 79]]) == ["p0", "smote-0", "smote-29"]
    assert more.instances["site"].isna().sum() == 30
    np.testing.assert_array_equal(more.array, find_transform("smote:3").take(train, 0).array)
    assert not np.array_equal(more.array, find_transform("smote:3").take(train, 1).array)


def test_smote_of_too_small_a_class_says_what_would_do() -> None:
    pytest.importorskip("imblearn")
    with pytest.raises(InputError) as caught:
        DATA["smote"].take(skewed([20, 4]), 0)
    assert str(caught.value) == (
        "smote:5 was given 4 instances of class 'b'; expected more than 5; take fewer neighbours, or 'balanced'."
    )


def test_augmented_adds_one_slightly_changed_copy_of_every_image(digits: Problem) -> None:
    train = digits.split.train
    augmented = DATA["augmented"].take(train, 0)
    n = len(train)
    assert len(augmented) == 2 * n
    np.testing.assert_array_equal(augmented.array[:n], train.array)
    np.testing.assert_array_equal(augmented.labels[n:], train.labels)
    changed = np.abs(augmented.array[n:] - train.array).mean(axis=(1, 2))
    strangers = np.abs(train.array[1:] - train.array[:-1]).mean(axis=(1, 2))
    assert changed.min() > 0
    assert changed.mean() < 0.6 * strangers.mean()
    assert augmented.array.dtype == np.float32


def test_augmented_tables_get_noise_in_proportion_to_each_feature() -> None:
    inputs = np.stack([np.arange(50.0), np.full(50, 3.0)], axis=1)
    table = Dataset(inputs, np.zeros(50, np.int64), ("only",))
    added = DATA["augmented"].take(table, 0).array[50:] - inputs
    assert np.abs(added[:, 0]).max() > 0
    assert np.abs(added[:, 1]).max() == 0


def test_learners_without_epochs_get_one_seen_copy_after_the_original(sets: dict[str, Dataset]) -> None:
    text, n = sets["text"], len(sets["text"])
    twice = with_augmented_copy(text, find_transform("drop:0.5").view, np.random.default_rng(0))
    np.testing.assert_array_equal(twice.array[:n], text.array)
    np.testing.assert_array_equal(twice.labels, np.tile(text.labels, 2))
    assert all(len(copy) < len(whole) for copy, whole in zip(twice.array[n:][:3], text.array[:3], strict=True))


def test_of_mixed_labels_a_copy_has_the_heavier(sets: dict[str, Dataset]) -> None:
    table, n = sets["table"], len(sets["table"])
    twice = with_augmented_copy(table, find_transform("mixup:0.01").view, np.random.default_rng(0))
    copies = twice.array[n:].round(3).tolist()
    assert twice.labels.dtype == table.labels.dtype
    owners = [table.array.round(3).tolist().index(copy) for copy in copies if copy in table.array.round(3).tolist()]
    kept = [k for k, copy in enumerate(copies) if copy in table.array.round(3).tolist()]
    assert len(kept) > n / 2
    np.testing.assert_array_equal(twice.labels[n:][kept], table.labels[owners])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rotat", "no data 'rotat'; did you mean 'rotate'?"),
        ("halves:0.5", "no data 'halves:0.5'; did you mean 'scale' or 'half-b' or 'half-a'?"),
        ("all:2", "the data level 'all' was given the amount '2'; expected none."),
        ("subset:0", "the amount of the data level 'subset' is '0'; expected a number above 0, at most 1."),
        ("subset:", "the amount of the data level 'subset' is ''; expected a number above 0, at most 1."),
        ("rotate:nan", "the amount of the data level 'rotate' is 'nan'; expected a number above 0, at most 180."),
        (
            "smote:2.5",
            "the amount of the data level 'smote' is '2.5'; expected a whole number above 0, at most 100.",
        ),
        (
            "part:3/2",
            "the amount of the data level 'part' is '3/2'; expected which part of how many, such as '1/2' or '3/3'.",
        ),
        (
            "part:0.5",
            "the amount of the data level 'part' is '0.5'; expected which part of how many, such as '1/2' or '3/3'.",
        ),
    ],
)
def test_a_level_that_there_is_not_is_refused(name: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        find_transform(name)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("level", "given", "says"),
    [
        ("rotate:30", "table", "the data level 'rotate:30' does not fit table; expected image."),
        ("drop", "audio", "the data level 'drop' does not fit audio; expected text or tags."),
        ("balanced", "numbers", "the data level 'balanced' does not fit regression; expected classification."),
        ("mixup", "numbers", "the data level 'mixup' does not fit regression; expected classification."),
        (
            "augmented",
            "text",
            "the data level 'augmented' does not fit text; expected table or image or volume or series or audio.",
        ),
    ],
)
def test_a_level_that_does_not_fit_is_refused(sets: dict[str, Dataset], level: str, given: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        find_transform(level).check(level, sets[given])
    assert str(caught.value) == says


def test_a_run_refuses_a_level_that_does_not_fit_before_anything_is_trained(digits: Problem) -> None:
    with pytest.raises(InputError) as caught:
        train([Recipe("knn"), Recipe("knn", data="drop")], digits)
    assert str(caught.value) == "the data level 'drop' does not fit image; expected text or tags."


@pytest.mark.parametrize(("level", "package"), [("rotate", "kornia"), ("smote", "imblearn")])
def test_without_the_extra_the_error_says_what_to_install(
    sets: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch, level: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as caught:
        DATA[level].check(level, sets["image" if level == "rotate" else "table"])
    assert str(caught.value) == f'the package {package!r} is not installed; pip install "polyculture[augment]".'


def test_a_population_learns_from_levels_of_every_kind(small: Problem) -> None:
    levels = ("subset:0.5", "label-noise:0.1", "imbalance:0.5", "mixup", "noise:0.2")
    recipes = [Recipe("mlp", data=level, optimizer="adam", hyperparameters={"epochs": 3}) for level in levels]
    population = train([*recipes, Recipe("knn", data="noise")], small, workers=1)
    assert not population.failed
    assert list(population.factors["data"]) == [*levels, "noise"]


def test_the_guide_lists_every_level_with_its_usual_amount() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "levels.md").read_text(encoding="utf-8")
    for name, level in DATA.items():
        if isinstance(level, LearnedLevel):
            assert level.row(name) in guide.splitlines()
            continue
        row = next(line for line in guide.splitlines() if f"`{name}`" in line and line.startswith("|"))
        if isinstance(level.amount, BoundedAmount):
            usual = list(inspect.signature(level.view or level.take).parameters.values())[2].default
            assert row.split("|")[2].strip() == f"{usual:g}"
