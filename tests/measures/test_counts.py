"""Counts of all pairs equal a plain loop over pairs, in every form the table can take."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.measures import counts as counting
from polyculture.measures.counts import PairCounts, count, total


def plain(answers, labels, correct, classes, options=None) -> dict[str, np.ndarray]:
    """The same numbers, one pair and one mask at a time."""
    table = correct if correct is not None else answers
    m, n = table.shape
    if correct is None:
        seen, wrong = (answers >= 0) & (labels >= 0), answers != labels
    else:
        seen, wrong = correct >= 0, correct == 0
    k = np.full(n, classes) if options is None else options
    names = ["n", "n11", "n10", "n00", "same_answer", "same_wrong", "n00_open", "baseline"]
    names += ["n11_open", "n10_open", "coincidence"]
    out = {name: np.zeros((m, m)) for name in names}
    for a in range(m):
        for b in range(m):
            both = seen[a] & seen[b]
            joint = both & wrong[a] & wrong[b]
            out["n"][a, b] = both.sum()
            out["n11"][a, b] = (both & ~wrong[a] & ~wrong[b]).sum()
            out["n10"][a, b] = (both & ~wrong[a] & wrong[b]).sum()
            out["n00"][a, b] = joint.sum()
            if answers is not None:
                same = (answers[a] == answers[b]) & (answers[a] >= 0) & (answers[b] >= 0)
                out["same_answer"][a, b] = (both & same).sum()
                out["same_wrong"][a, b] = (joint & same & (k > 1)).sum()
                out["n00_open"][a, b] = (joint & (k > 1)).sum()
                out["baseline"][a, b] = (1 / (k[joint & (k > 1)] - 1)).sum()
                out["n11_open"][a, b] = (both & ~wrong[a] & ~wrong[b] & (k > 1)).sum()
                out["n10_open"][a, b] = (both & ~wrong[a] & wrong[b] & (k > 1)).sum()
                out["coincidence"][a, b] = (1 / (k[both & (k > 1)] - 1)).sum()
    return out if answers is not None else {name: out[name] for name in names[:4]}


def assert_counts(found: PairCounts, expected: dict[str, np.ndarray]) -> None:
    for field in fields(found):
        value = getattr(found, field.name)
        if field.name in expected:
            np.testing.assert_allclose(value, expected[field.name], rtol=1e-12, err_msg=field.name)
        else:
            assert value is None
    np.testing.assert_array_equal(found.n01, found.n - found.n11 - found.n10 - found.n00)


@st.composite
def tables(draw):
    """Answers, labels, outcomes, classes, options: any of the forms."""
    m, n = draw(st.integers(1, 5)), draw(st.integers(1, 140))
    classes = draw(st.sampled_from([1, 2, 3, 10, 130, 400]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = np.int8 if classes <= 127 else draw(st.sampled_from([np.int16, np.int32, np.int64]))
    form = draw(st.sampled_from(["labels", "correct only", "both"]))
    few = min(classes, 4)
    codes = rng.choice(rng.integers(0, classes, few), (m, n)).astype(dtype)
    labels = codes[0].copy() if form == "labels" else None
    correct = None if form == "labels" else rng.integers(0, 2, (m, n)).astype(np.int8)
    answers = None if form == "correct only" else codes
    if answers is not None:
        answers = np.where(rng.random((m, n)) < 0.3, dtype(rng.integers(0, classes)), answers)
    for table in (answers, labels, correct):
        if table is not None and draw(st.booleans()):
            table[rng.random(table.shape) < 0.2] = -1
    options = rng.choice([1, 2, 5], n) if draw(st.booleans()) else None
    return answers, labels, correct, classes, options


@settings(max_examples=150, deadline=None)
@given(tables())
def test_counts_equal_a_plain_loop(table) -> None:
    assert_counts(count(*table), plain(*table))


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(0, 140))
def test_counts_of_two_parts_add_up(table, cut) -> None:
    answers, labels, correct, classes, options = table

    def part(where: slice) -> PairCounts:
        cells = [None if t is None else t[:, where] for t in (answers, correct)]
        rows = [None if t is None else t[where] for t in (labels, options)]
        return count(cells[0], rows[0], cells[1], classes, rows[1])

    assert_counts(total([part(slice(cut)), part(slice(cut, None))]), plain(*table))


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(0, 2**32 - 1))
def test_the_order_of_models_and_instances_and_the_names_of_classes_do_not_matter(table, seed) -> None:
    answers, labels, correct, classes, options = table
    rng = np.random.default_rng(seed)
    m, n = (answers if answers is not None else correct).shape
    models, instances, names = rng.permutation(m), rng.permutation(n), np.append(rng.permutation(classes), -1)
    moved = count(
        None if answers is None else names[answers[models][:, instances]],
        None if labels is None else names[labels[instances]],
        None if correct is None else correct[models][:, instances],
        classes,
        None if options is None else options[instances],
    )
    assert_counts(moved, {name: x[np.ix_(models, models)] for name, x in plain(*table).items()})


@settings(max_examples=20, deadline=None)
@given(tables())
def test_a_copy_of_a_model_has_the_counts_of_the_model(table) -> None:
    answers, labels, correct, classes, options = table
    m = len(answers if answers is not None else correct)
    rows = [*range(m), 0]
    doubled = [None if t is None else t[rows] for t in (answers, correct)]
    found = count(doubled[0], labels, doubled[1], classes, options)
    assert_counts(found, {name: x[np.ix_(rows, rows)] for name, x in plain(*table).items()})


def test_masked_counts_equal_brute_force_over_chunks() -> None:
    """T3: 97 × 5 deterministic mask, in chunks of 10."""
    i, m = np.arange(97)[None], np.arange(5)[:, None]
    observed = (i + 2 * m) % 5 != 0
    correct = np.where(observed, (i * (m + 3) + m * m) % 7 > 2, -1).astype(np.int8)
    found = total(count(None, None, correct[:, s : s + 10], 2) for s in range(0, 97, 10))
    assert_counts(found, plain(None, None, correct, 2))
    joint = [[((correct[a] == 0) & (correct[b] == 0)).sum() for b in range(5)] for a in range(5)]
    np.testing.assert_array_equal(found.n00, joint)


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_many_models_on_several_chunks_and_threads_equal_matrix_products(missing: float) -> None:
    rng = np.random.default_rng(5)
    n = 64 * counting.WORDS * 2 + 77
    labels = rng.integers(0, 3, n).astype(np.int8)
    answers = np.where(rng.random((2 * counting.COLUMNS + 1, n)) < 0.6, labels, rng.integers(0, 3, n)).astype(np.int8)
    answers[rng.random(answers.shape) < missing] = -1
    found = count(answers, labels, None, 3)
    seen, wrong = (x.astype(np.float32) for x in (answers >= 0, (answers >= 0) & (answers != labels)))
    right = seen - wrong
    same = [(answers == k).astype(np.float32) for k in range(3)]
    np.testing.assert_array_equal(found.n, seen @ seen.T)
    np.testing.assert_array_equal(found.n00, wrong @ wrong.T)
    np.testing.assert_array_equal(found.n11, right @ right.T)
    np.testing.assert_array_equal(found.n10, right @ wrong.T)
    np.testing.assert_array_equal(found.same_answer, sum(x @ x.T for x in same))


def test_a_full_chunk_of_ones_does_not_overflow() -> None:
    n = 64 * counting.WORDS
    found = count(None, None, np.zeros((2, n), np.int8), 2)
    np.testing.assert_array_equal(found.n00, np.full((2, 2), n))


def test_no_instances_give_zero_counts() -> None:
    found = count(np.zeros((2, 0), np.int8), np.zeros(0, np.int8), None, 3, np.zeros(0, np.int64))
    assert not found.n.any()
    assert not found.same_wrong.any()


def test_a_sum_lacks_the_answers_that_one_part_lacks() -> None:
    answers = np.array([[0, 1], [1, 1]], np.int8)
    correct = (answers == 1).astype(np.int8)
    merged = count(answers, None, correct, 2) + count(None, None, correct, 2)
    assert merged.n.tolist() == [[4, 4], [4, 4]]
    assert merged.same_answer is None
    assert merged.baseline is None


def test_answers_without_any_truth_are_refused() -> None:
    with pytest.raises(InputError) as error:
        count(np.zeros((2, 3), np.int8), None, None, 2)
    assert str(error.value) == ("no outcomes to count; expected right/wrong outcomes, or answers together with labels.")
