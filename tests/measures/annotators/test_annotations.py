"""What is refused at the gate of annotations, dependence and tempering; agreement against an independent package."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.errors import InputError
from polyculture.measures.annotators import (
    Annotations,
    correlation_of,
    effective_workers,
    sureness,
    tempering,
    vote_share,
)
from polyculture.measures.panels import krippendorff_alpha

TABLE = np.array([[0, 1, 1, 0], [0, 1, 0, -1], [1, 1, -1, 0]])


def of(worker, item, label, sizes=(2, 2, 2)) -> Annotations:
    return Annotations(np.array(worker), np.array(item), np.array(label), *sizes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Annotations.of_table(np.full((2, 3), -1), 2), "annotations without a single label; expected"),
        (lambda: of([0, 1], [0, 2], [0, 1]), "item codes of annotations run from 0 to 2; expected 0 … 1"),
        (lambda: of([0, 1], [0, 0], [0, -1]), "label codes of annotations run from -1 to 0; expected 0 … 1"),
        (lambda: of([0, 1], [0, 0], [0, 0], (2, 1, 1)), "annotations of one class; expected two classes or more"),
        (lambda: of([1, 1], [0, 1], [0, 1]), "all 2 labels are of one worker; expected labels of two workers or more"),
        (lambda: of([0, 1, 0], [0, 1, 0], [0, 1, 1]), "worker 0 labelled item 0 2 times; expected one label per"),
        (lambda: of([0, 1], [0, 1], [0, 1]), "no item has labels of two workers; expected items that several"),
        (lambda: correlation_of(0.5, 4), "0.5 effective workers of 4; expected a number from 1 to 4"),
        (lambda: effective_workers(Annotations.of_table(TABLE, 2), np.full(4, -1)), "no item has a truth; expected"),
        (lambda: vote_share(Annotations.of_table(TABLE, 2)).tempered(2.0), "a likelihood to the power of 2; expected"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused_in_one_sentence(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value).startswith(message)


def test_counts_and_tables_are_those_of_the_answers():
    annotations = Annotations.of_table(TABLE, 2)
    assert annotations.labels_per_item.tolist() == [3, 3, 2, 2]
    assert annotations.labels_per_worker.tolist() == [4, 3, 3]
    assert annotations.counts.tolist() == [[2, 1], [0, 3], [1, 1], [2, 0]]
    np.testing.assert_array_equal(annotations.table()[0], TABLE)


def test_alpha_is_that_of_the_package_krippendorff():
    package = pytest.importorskip("krippendorff", reason="krippendorff is not installed")
    answers = np.random.default_rng(0).integers(-1, 3, (6, 40))
    expected = package.alpha(np.where(answers < 0, np.nan, answers), level_of_measurement="nominal")
    assert krippendorff_alpha(Annotations.of_table(answers, 3).counts.astype(float)).value == pytest.approx(expected)
    assert np.isnan(krippendorff_alpha(Annotations.of_table(np.zeros((2, 3), int), 2).counts.astype(float)).value)


def test_the_power_is_n_eff_over_the_number_of_labels_and_never_above_one():
    rho = correlation_of(2.5, 10)
    np.testing.assert_allclose(tempering(rho, np.array([10, 1, 0])), [0.25, 1, 1])
    np.testing.assert_allclose(tempering(-0.1, np.array([10])), 1)
    assert np.isnan(tempering(np.nan, np.array([10]))).all()


def test_effective_workers_ignores_items_without_truth_and_workers_without_labels():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 400)
    answers = np.where(rng.random((6, 400)) < 0.8, truth, 1 - truth)
    answers[5] = -1
    partly = np.where(np.arange(400) < 200, truth, -1)
    estimate = effective_workers(Annotations.of_table(answers, 2), partly)
    assert estimate.n_models == 5
    assert estimate.n_eff == pytest.approx(5, rel=0.25)


def test_sureness_without_truth_is_undefined():
    s = sureness(vote_share(Annotations.of_table(TABLE, 2)), np.full(4, -1))
    assert all(np.isnan([s.accuracy, s.claimed, s.log_loss, s.ece, s.sure_share, s.sure_wrong]))
