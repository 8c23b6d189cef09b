"""Is the digits problem cut fairly, and are its shifted tests graded?"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture import rng
from polyculture.errors import InputError, MissingExtraError
from polyculture.training import Problem, load_problem
from polyculture.training.problems import stratified
from polyculture.training.shifts import SEVERITIES, SHIFTS


def test_digits_have_three_parts_that_share_no_image(digits: Problem) -> None:
    parts = [digits.split.train, digits.split.selection, digits.split.test]
    ids = [set(part.instances.index) for part in parts]
    assert [len(i) for i in ids] == [len(part) for part in parts]
    assert len(set.union(*ids)) == sum(map(len, ids)) == 1797
    assert len(digits.split.test) >= 700


def test_digits_parts_have_the_same_mix_of_labels(digits: Problem) -> None:
    whole = np.sum([np.bincount(p.labels) for p in (digits.split.train, digits.split.selection, digits.split.test)], 0)
    for part, share in ((digits.split.train, 0.45), (digits.split.selection, 0.15), (digits.split.test, 0.40)):
        assert np.abs(np.bincount(part.labels) - share * whole).max() <= 1


def test_digits_are_float32_images_between_0_and_1(digits: Problem) -> None:
    inputs = digits.split.train.inputs
    assert inputs.dtype == np.float32
    assert inputs.shape[1:] == (8, 8)
    assert (inputs.min(), inputs.max()) == (0, 1)
    assert digits.split.train.classes == tuple("0123456789")


def test_the_same_seed_gives_the_same_problem_and_another_seed_another(digits: Problem) -> None:
    again, other = load_problem("digits"), load_problem("digits", seed=1)
    assert again.fingerprint == digits.fingerprint != other.fingerprint
    for name, test in digits.split.shifted.items():
        np.testing.assert_array_equal(test.inputs, again.split.shifted[name].inputs)
    assert not np.array_equal(digits.split.shifted["noise@1"].inputs, other.split.shifted["noise@1"].inputs)


def test_every_kind_of_shift_has_five_severities_of_the_same_test_instances(digits: Problem) -> None:
    assert list(digits.split.shifted) == [f"{kind}@{severity}" for kind in SHIFTS for severity in (1, 2, 3, 4, 5)]
    for test in digits.split.shifted.values():
        np.testing.assert_array_equal(test.labels, digits.split.test.labels)
        assert list(test.instances.index) == list(digits.split.test.instances.index)
        assert test.inputs.dtype == np.float32
        assert test.inputs.min() >= 0
        assert test.inputs.max() <= 1


@pytest.mark.parametrize("kind", SHIFTS)
def test_a_shift_moves_images_further_the_more_severe_it_is(digits: Problem, kind: str) -> None:
    original = digits.split.test.inputs
    moved = [np.abs(digits.split.shifted[f"{kind}@{s}"].inputs - original).mean() for s in SEVERITIES]
    assert moved[0] > 0.005
    assert all(np.diff(moved) > 0)


def test_a_shift_by_a_whole_pixel_moves_the_image_by_one() -> None:
    image = np.zeros((40, 8, 8), np.float32)
    image[:, 4, 4] = 1
    moved = SHIFTS["shift"](image, 4, rng.stream(0))
    assert {tuple(np.argwhere(m > 0.99)[0]) for m in moved} == {(3, 4), (5, 4), (4, 3), (4, 5)}


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=60),
    st.sampled_from([(0.5, 0.5), (0.45, 0.15, 0.40), (0.2, 0.3, 0.1, 0.4)]),
    st.integers(0, 9),
)
def test_stratified_parts_cover_everything_once_and_keep_every_label_in_proportion(
    labels: list[int], shares: tuple[float, ...], seed: int
) -> None:
    codes = np.array(labels)
    parts = stratified(codes, shares, rng.stream(seed))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(codes)))
    for part, share in zip(parts, shares, strict=True):
        for label in set(labels):
            assert abs((codes[part] == label).sum() - share * labels.count(label)) <= 1


def test_an_unknown_problem_is_answered_with_a_near_one() -> None:
    with pytest.raises(InputError) as caught:
        load_problem("digit")
    assert str(caught.value).removesuffix(".") == "no problem 'digit'; did you mean 'digits'?"


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError) as caught:
        load_problem("digits")
    assert str(caught.value) == "the package 'sklearn' is not installed; pip install \"polyculture[train]\"."
