"""Are labels found wrong by the published rules, and is it said who finds them and what that does to the headline?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.measures.label_errors import (
    NO_ANSWER,
    ONE_CLASS,
    confident_joint,
    flag,
    label_errors,
    margin,
)


def population(
    seed: int = 0, n: int = 2000, c: int = 5, m: int = 4, noise: float = 0.1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of members that know the true classes up to noise of their own; true classes; labels."""
    draw = np.random.default_rng(seed)
    true = draw.integers(0, c, n)
    labels = np.where(draw.random(n) < noise, (true + draw.integers(1, c, n)) % c, true)
    scores = np.exp(draw.normal(0, 1, (m, n, c)) + 3 * np.eye(c)[true])
    return scores / scores.sum(axis=2, keepdims=True), true, labels


@pytest.mark.parametrize("seed", range(6))
def test_the_joint_counts_are_those_of_cleanlab(seed: int) -> None:
    count = pytest.importorskip("cleanlab.count", reason="cleanlab is not installed")
    probabilities, _, labels = population(seed)
    mean = probabilities.mean(axis=0)
    oracle = count.compute_confident_joint(labels, mean, calibrate=False).astype(float)
    oracle *= (np.bincount(labels) / oracle.sum(axis=1))[:, None]
    np.testing.assert_allclose(confident_joint(mean, labels)[1], oracle, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_with_whole_counts_the_flags_are_those_of_cleanlab_by_both_of_its_rules(seed: int) -> None:
    """Whole, since it keeps the sum of each true class when it rounds, and here that of each label is kept."""
    cleanlab = pytest.importorskip("cleanlab.filter", reason="cleanlab is not installed")
    probabilities, _, labels = population(seed)
    mean = probabilities.mean(axis=0)
    joint = np.floor(confident_joint(mean, labels)[1])
    np.fill_diagonal(joint, 0)
    np.fill_diagonal(joint, np.bincount(labels) - joint.sum(axis=1))
    oracle = cleanlab.find_label_issues(
        labels, mean, filter_by="both", confident_joint=joint.astype(int), min_examples_per_class=1, n_jobs=1
    )
    np.testing.assert_array_equal(flag(mean, labels, joint), oracle)
    itself = cleanlab.find_label_issues(labels, mean, filter_by="both", n_jobs=1)
    assert (label_errors(probabilities, labels).flagged != itself).sum() <= 2


def test_the_score_is_the_normalized_margin_of_cleanlab() -> None:
    rank = pytest.importorskip("cleanlab.rank", reason="cleanlab is not installed")
    probabilities, _, labels = population()
    oracle = rank.get_label_quality_scores(labels, probabilities.mean(axis=0), method="normalized_margin")
    np.testing.assert_allclose((label_errors(probabilities, labels).score + 1) / 2, oracle, atol=1e-12)


def test_the_joint_counts_of_six_instances_by_hand() -> None:
    mean = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6], [0.95, 0.05]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    thresholds, joint = confident_joint(mean, labels)
    np.testing.assert_allclose(thresholds, [1.8 / 3, 1.55 / 3])
    np.testing.assert_allclose(joint, [[2, 1], [1, 2]])
    np.testing.assert_array_equal(flag(mean, labels, joint), [False, False, True, False, False, True])
    np.testing.assert_allclose(margin(mean, labels), [0.8, 0.4, -0.6, 0.8, 0.2, -0.9])


def test_planted_errors_are_found() -> None:
    probabilities, true, labels = population(7, n=3000)
    errors = label_errors(probabilities, labels)
    wrong = true != labels
    assert wrong[errors.flagged].mean() > 0.95
    assert errors.flagged[wrong].mean() > 0.85
    assert (errors.suggested[wrong] == true[wrong]).mean() > 0.95
    assert errors.estimated_count == pytest.approx(wrong.sum(), rel=0.1)
    assert errors.expected_precision == pytest.approx(wrong[errors.flagged].mean(), abs=0.05)
    np.testing.assert_array_equal(errors.score[errors.order], np.sort(errors.score))


@given(st.integers(0, 1000))
def test_order_of_members_instances_and_classes_does_not_matter(seed: int) -> None:
    probabilities, _, labels = population(seed, n=200, c=4)
    draw = np.random.default_rng(seed)
    members, rows, classes = draw.permutation(4), draw.permutation(200), draw.permutation(4)
    errors = label_errors(probabilities, labels)
    place = np.argsort(classes)
    other = label_errors(probabilities[members][:, rows][:, :, classes], place[labels[rows]])
    np.testing.assert_allclose(other.score, errors.score[rows], atol=1e-12)
    np.testing.assert_array_equal(other.suggested, place[errors.suggested[rows]])
    np.testing.assert_allclose(other.joint, errors.joint[classes][:, classes], atol=1e-9)
    np.testing.assert_array_equal(other.all_wrong, errors.all_wrong[rows])


@given(st.integers(0, 1000))
def test_labels_that_the_mean_confirms_are_never_flagged(seed: int) -> None:
    probabilities, _, labels = population(seed, n=100, c=3, noise=0.4)
    errors = label_errors(probabilities, labels)
    assert not (errors.flagged & (errors.suggested == labels)).any()
    assert (errors.score[errors.flagged] <= 0).all()
    np.testing.assert_allclose(errors.joint.sum(axis=1), np.bincount(labels, minlength=3))


def machine_labelled() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six members of three kinds; the errors of the labels are those of the first kind."""
    draw = np.random.default_rng(3)
    true = draw.integers(0, 4, 3000)
    mistaken = draw.random(3000) < 0.1
    labels = np.where(mistaken, (true + 1) % 4, true)
    belief = np.stack([labels, labels, true, true, true, true])
    scores = np.exp(draw.normal(0, 1, (6, 3000, 4)) + 3.5 * np.eye(4)[belief])
    return scores / scores.sum(axis=2, keepdims=True), true, labels


def test_the_kind_that_made_the_labels_sides_with_them_and_the_others_find_more_without_it() -> None:
    probabilities, true, labels = machine_labelled()
    errors = label_errors(probabilities, labels, kinds=list("aabbcc"))
    left_out = errors.left_out
    assert left_out is not None
    assert left_out.names == ("a", "b", "c")
    assert left_out.most_siding == "a"
    assert left_out.most_changing == "a"
    wrong = true != labels
    without = label_errors(probabilities, labels, kinds=list("aabbcc"), leave_out=("a",))
    np.testing.assert_allclose(without.score, left_out.score[0])
    np.testing.assert_array_equal(without.flagged, left_out.flagged[0])
    assert without.flagged[wrong].mean() > errors.flagged[wrong].mean() + 0.02
    only = label_errors(probabilities, labels, kinds=list("aabbcc"), leave_out=("b", "c"))
    assert only.flagged[wrong].mean() < 0.1
    assert only.left_out is None


def test_the_headline_is_given_with_and_without_the_flagged() -> None:
    probabilities, _, labels = population()
    errors = label_errors(probabilities, labels)
    wrong = (probabilities.argmax(axis=2) != labels).all(axis=0)
    assert errors.all_wrong_flagged == (wrong & errors.flagged).sum()
    assert errors.all_wrong_rate == pytest.approx(wrong.mean())
    assert errors.all_wrong_rate_without == pytest.approx(wrong[~errors.flagged].mean())
    assert errors.all_wrong_rate_without < errors.all_wrong_rate
    np.testing.assert_array_equal(errors.dissent.all(axis=0), wrong)


def test_a_member_without_probabilities_leaves_the_mean_to_the_others() -> None:
    probabilities, _, labels = population()
    partial = probabilities.copy()
    partial[0, :500] = np.nan
    partial[:, 0] = np.nan
    errors = label_errors(partial, labels)
    np.testing.assert_allclose(errors.score[1:500], margin(probabilities[1:].mean(axis=0), labels)[1:500], atol=1e-12)
    assert np.isnan(errors.score[0])
    assert errors.rank[0] == len(labels) - 1
    assert errors.suggested[0] == -1
    assert not errors.flagged[0]
    assert not errors.dissent[0, :500].any()


def test_a_class_without_instances_is_never_suggested_by_the_counts() -> None:
    probabilities, _, labels = population(c=4)
    labels = np.where(labels == 3, 2, labels)
    errors = label_errors(probabilities, labels)
    assert np.isnan(errors.thresholds[3])
    assert not errors.joint[:, 3].any()
    assert not errors.joint[3].any()
    assert errors.reason == ""


def test_labels_of_one_class_and_no_answers_are_undefined_with_a_reason() -> None:
    probabilities, _, labels = population(n=50)
    same = label_errors(probabilities, np.zeros_like(labels))
    assert (same.reason, same.count) == (ONE_CLASS, 0)
    single = label_errors(np.ones((2, 5, 1)), np.zeros(5, np.int64))
    assert single.reason == ONE_CLASS
    assert np.isnan(single.score).all()
    silent = label_errors(np.full_like(probabilities, np.nan), labels, kinds=list("aabb"))
    assert (silent.reason, silent.count) == (NO_ANSWER, 0)
    assert np.isnan(silent.expected_precision)
    assert silent.left_out is None


def test_a_class_keeps_one_instance() -> None:
    mean = np.array([[0.1, 0.9], [0.2, 0.8], [0.1, 0.9], [0.2, 0.8]])
    labels = np.array([0, 0, 1, 1])
    flagged = flag(mean, labels, np.array([[0.0, 2.0], [0.0, 2.0]]))
    np.testing.assert_array_equal(flagged, [True, False, False, False])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, 1, 5]}, "labels run from 0 to 5 but there are 3 classes; expected codes in 0 … 2; drop"),
        ({"labels": [0, -1, 2]}, "labels run from -1 to 2 but there are 3 classes"),
        ({"kinds": ["a"]}, "1 kinds for 2 models; expected one kind per model."),
        ({"kinds": ["a", "b"], "leave_out": ["c"]}, "no model is of the kind 'c'; known: a, b."),
        ({"kinds": ["a", "a"], "leave_out": ["a"]}, "every kind is left out; expected one kind or more that stays"),
    ],
)
def test_what_cannot_be_judged_is_refused(change: dict[str, list[object]], message: str) -> None:
    arguments = {"labels": [0, 1, 2], "kinds": None, "leave_out": ()} | change
    with pytest.raises(InputError) as caught:
        label_errors(
            np.full((2, 3, 3), 1 / 3), np.array(arguments["labels"]), arguments["kinds"], arguments["leave_out"]
        )
    assert str(caught.value).startswith(message)
