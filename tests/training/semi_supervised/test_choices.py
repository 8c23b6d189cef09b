"""Which inputs get a label, and which instances keep theirs?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.dataset import Dataset
from polyculture.training.semi_supervised.choices import confident, surest_of_each_class
from polyculture.training.semi_supervised.labelled import LabelledPool, labelled_rows


def pool_answers(seed: int, p: int = 40, c: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(c, 0.5), p)


def dataset(counts: list[int]) -> Dataset:
    labels = np.repeat(np.arange(len(counts)), counts)
    inputs = np.stack([np.arange(len(labels)), labels], axis=1).astype(np.float32)
    return Dataset(inputs, labels, tuple("abcd"[: len(counts)]))


@given(st.integers(0, 99), st.floats(0, 1))
def test_exactly_the_inputs_at_or_above_the_threshold_get_their_most_probable_class(
    seed: int, threshold: float
) -> None:
    answers = pool_answers(seed)
    labels = confident(answers, threshold)
    assert set(labels.rows) == {k for k, row in enumerate(answers) if max(row) >= threshold}
    assert [int(np.argmax(answers[k])) for k in labels.rows] == list(labels.codes)


@given(st.integers(0, 99), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_takes_a_part_of_what_a_lower_one_takes(seed: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    answers = pool_answers(seed)
    assert set(confident(answers, high).rows) <= set(confident(answers, low).rows)


@given(st.integers(0, 99), st.floats(0, 1))
def test_of_each_class_the_surest_are_taken_and_no_more_than_its_share(seed: int, share: float) -> None:
    answers, class_shares = pool_answers(seed), np.array([0.5, 0.3, 0.2])
    labels = surest_of_each_class(answers, share, class_shares)
    codes, sureness = answers.argmax(axis=1), answers.max(axis=1)
    for code in range(3):
        members, taken = np.flatnonzero(codes == code), labels.rows[labels.codes == code]
        assert len(taken) == min(len(members), int(share * class_shares[code] * 40 + 0.5))
        others = np.setdiff1d(members, taken)
        assert not len(taken) or not len(others) or sureness[taken].min() >= sureness[others].max()


@given(st.lists(st.integers(1, 30), min_size=2, max_size=4), st.integers(0, 9), st.data())
def test_a_draw_has_the_number_of_labels_and_every_class(counts: list[int], draw: int, drawn: st.DataObject) -> None:
    train = dataset(counts)
    count = drawn.draw(st.integers(len(counts), sum(counts)))
    rows = labelled_rows(train, count, draw)
    assert len(set(rows)) == count
    assert set(train.labels[rows]) == set(range(len(counts)))
    assert list(rows) == list(labelled_rows(train, count, draw))


def test_a_draw_has_every_class_in_proportion() -> None:
    train = dataset([60, 30, 10])
    assert list(np.bincount(train.labels[labelled_rows(train, 50, 3)])) == [30, 15, 5]


@pytest.mark.parametrize(("draw", "same"), [("seed", False), (4, True)])
def test_labels_are_drawn_by_the_seed_or_by_the_number_of_the_draw(draw: object, same: bool) -> None:
    train = dataset([60, 60])
    first, other = (LabelledPool.of({"labels": 20, "draw": draw}, train, seed) for seed in (0, 1))
    assert np.array_equal(first.labelled.array, other.labelled.array) is same
    assert len(first.labelled) == 20
    assert sorted([*first.labelled.array[:, 0], *first.pool[:, 0]]) == list(range(120))


def test_pseudo_labels_follow_the_labels() -> None:
    split = LabelledPool.of({"labels": 4, "draw": 0}, dataset([10, 10]), 0)
    more = split.with_labels(np.array([2, 5]), np.array([1, 0]))
    assert len(more) == 6
    assert list(more.labels[:4]) == list(split.labelled.labels)
    assert list(more.labels[4:]) == [1, 0]
    np.testing.assert_array_equal(more.array[4:], split.pool[[2, 5]])
