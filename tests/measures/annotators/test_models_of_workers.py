"""Consensus of workers: independent implementations, laws, and the published accuracies of real crowds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.measures.annotators import (
    METHODS,
    Annotations,
    dawid_skene,
    effective_workers,
    glad,
    mace,
    one_coin,
    sureness,
    tempering,
    vote_share,
)
from polyculture.measures.annotators.consensus import Consensus


def drawn(seed: int, workers: int = 12, items: int = 200, classes: int = 3, missing: float = 0.4):
    """Labels of independent workers of unlike ability, with gaps; and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    ability = rng.uniform(0.4, 0.95, workers)
    right = rng.random((workers, items)) < ability[:, None]
    wrong = (truth + rng.integers(1, classes, (workers, items))) % classes
    answers = np.where(right, truth, wrong)
    answers[rng.random(answers.shape) < missing] = -1
    answers[0, :5] = truth[:5]
    return Annotations.of_table(answers, classes), truth


def by_crowd_kit(name: str, options: dict[str, object], annotations: Annotations) -> np.ndarray:
    """Posteriors by crowd-kit, of names in the order of appearance: its MACE mixes up workers and labels otherwise."""
    aggregation = pytest.importorskip("crowdkit.aggregation", reason="crowdkit is not installed")
    (worker, _), (label, labels) = pd.factorize(annotations.worker), pd.factorize(annotations.label)
    item, items = pd.factorize(annotations.item)
    table = getattr(aggregation, name)(**options).fit_predict_proba(
        pd.DataFrame({"task": item, "worker": worker, "label": label})
    )
    posterior = np.full((annotations.items, annotations.classes), np.nan)
    posterior[np.ix_(items[table.index], labels[table.columns])] = table.to_numpy()
    return posterior


def read(path: Path) -> tuple[Annotations, np.ndarray]:
    table = pd.read_csv(path)
    (worker, workers), (item, items) = pd.factorize(table["worker"]), pd.factorize(table["item"])
    truth = np.full(len(items), -1)
    truth[item] = table["gold"] - table["label"].min()
    label = (table["label"] - table["label"].min()).to_numpy()
    return Annotations(worker, item, label, len(workers), len(items), int(label.max()) + 1), truth


def by_fifteen_lines(answers: np.ndarray, classes: int, rounds: int) -> np.ndarray:
    """Dawid and Skene with arrays of m × n × c, for every worker and item at once."""
    given = np.eye(classes)[answers] * (answers >= 0)[..., None]
    posterior = given.sum(axis=0) / given.sum(axis=(0, 2))[:, None]
    for _ in range(rounds):
        prior = posterior.mean(axis=0)
        confusion = np.maximum(np.einsum("nk,mnl->mkl", posterior, given), 1e-10)
        confusion /= confusion.sum(axis=2, keepdims=True)
        logs = np.log(prior) + np.einsum("mnl,mkl->nk", given, np.log(confusion))
        posterior = np.exp(logs - logs.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
    return posterior


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dawid_skene_is_what_fifteen_lines_of_numpy_give(seed):
    annotations, _ = drawn(seed)
    answers, observed = annotations.table()
    rows = observed.any(axis=0)
    expected = by_fifteen_lines(answers[:, rows], 3, 30)
    np.testing.assert_allclose(dawid_skene(annotations, 30, 0.0).posterior[rows], expected, atol=1e-9)


@pytest.mark.filterwarnings("ignore")  # crowd-kit uses what pandas will remove
@pytest.mark.parametrize(
    ("combine", "name", "options", "allowed"),
    [
        (dawid_skene, "DawidSkene", {"n_iter": 200, "tol": 1e-12}, 1e-4),
        (one_coin, "OneCoinDawidSkene", {"n_iter": 200, "tol": 1e-12}, 1e-4),
        (glad, "GLAD", {"n_iter": 30}, 0.06),
        (mace, "MACE", {"n_restarts": 1, "n_iter": 100}, 0.02),
    ],
)
def test_posteriors_are_those_of_crowd_kit(combine, name, options, allowed):
    annotations, _ = drawn(3, items=80)
    expected = by_crowd_kit(name, options, annotations)
    rows = annotations.labels_per_item > 0
    np.testing.assert_allclose(combine(annotations).posterior[rows], expected[rows], atol=allowed)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bluebirds", {"vote": 0.759, "dawid-skene": 0.898, "one-coin": 0.583, "glad": 0.722}),
        ("snow_rte", {"vote": 0.897, "dawid-skene": 0.9275, "one-coin": 0.925, "glad": 0.926, "mace": 0.926}),
        ("snow_temp", {"vote": 0.936, "dawid-skene": 0.942, "one-coin": 0.939, "glad": 0.940, "mace": 0.944}),
    ],
)
def test_published_accuracies_of_real_crowds_are_reproduced(shared_data, name, expected):
    annotations, truth = read(shared_data / "crowd" / f"{name}.csv.gz")
    for method, accuracy in expected.items():
        assert METHODS[method](annotations).accuracy(truth) == pytest.approx(accuracy, abs=0.003), method


@pytest.mark.filterwarnings("ignore")
def test_mace_of_the_bluebirds_is_that_of_crowd_kit(shared_data):
    annotations, truth = read(shared_data / "crowd" / "bluebirds.csv.gz")
    expected = by_crowd_kit("MACE", {"n_restarts": 1}, annotations)
    combined = mace(annotations)
    np.testing.assert_array_equal(combined.answer, expected.argmax(axis=1))
    assert combined.accuracy(truth) == pytest.approx(0.861, abs=0.001)


@pytest.mark.parametrize("name", METHODS)
def test_posteriors_sum_to_one_and_say_nothing_of_the_order_of_labels_and_workers(name):
    annotations, truth = drawn(5)
    combined = METHODS[name](annotations)
    np.testing.assert_allclose(combined.posterior.sum(axis=1), 1)
    order = np.random.default_rng(0).permutation(len(annotations.label))
    workers = np.random.default_rng(1).permutation(annotations.workers)
    shuffled = Annotations(
        workers[annotations.worker[order]], annotations.item[order], annotations.label[order], 12, 200, 3
    )
    again = METHODS[name](shuffled)
    np.testing.assert_allclose(again.posterior, combined.posterior, atol=1e-3)
    np.testing.assert_allclose(again.quality[workers], combined.quality, atol=1e-3)
    assert combined.accuracy(truth) > 0.8
    assert METHODS[name](annotations).posterior.tobytes() == combined.posterior.tobytes()


@pytest.mark.parametrize("name", ["dawid-skene", "one-coin", "mace", "glad"])
def test_estimated_qualities_are_near_the_true_ones(name):
    annotations, truth = drawn(6, workers=15, items=1500, missing=0.2)
    right = annotations.mean_of_workers((truth[annotations.item] == annotations.label).astype(float))
    np.testing.assert_allclose(METHODS[name](annotations).quality, right, atol=0.07)


@pytest.mark.parametrize("name", ["dawid-skene", "one-coin"])
def test_the_likelihood_never_falls_and_is_that_of_the_labels(name):
    annotations, _ = drawn(7)
    values = [METHODS[name](annotations, rounds, 0.0).log_likelihood for rounds in (1, 2, 4, 8, 16, 32)]
    assert np.all(np.diff(values) >= -1e-8)


def test_one_coin_gives_classes_that_nobody_chose_their_prior():
    annotations, _ = drawn(8, classes=3)
    wider = Annotations(annotations.worker, annotations.item, annotations.label, 12, 200, 50)
    combined = one_coin(wider)
    assert combined.posterior.shape == (200, 50)
    np.testing.assert_allclose(combined.posterior.sum(axis=1), 1)
    assert combined.prior[3:].max() < 1e-6
    assert (combined.answer == one_coin(annotations).answer).mean() >= 0.98


def test_the_vote_share_counts_and_ties_count_half():
    answers = np.array([[0, 1, 0, -1], [0, 0, 1, -1], [1, -1, -1, -1]])
    combined = vote_share(Annotations.of_table(answers, 2))
    np.testing.assert_allclose(combined.posterior, [[2 / 3, 1 / 3], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    assert combined.tied.tolist() == [False, True, True, False]
    assert combined.answer.tolist() == [0, 0, 0, -1]
    np.testing.assert_allclose(combined.credit(np.array([0, 1, -1, 0])), [1, 0.5, np.nan, np.nan])
    assert combined.accuracy(np.array([0, 1, 1, 1])) == pytest.approx(2 / 3)
    # Of the others: item 0 is tied for two workers and lost for the third; each is alone against one on 1 and 2.
    np.testing.assert_allclose(combined.quality, [0.5 / 3, 0.5 / 3, 0])


def test_tempering_counts_copies_of_a_worker_as_one():
    annotations, truth = drawn(9, workers=1 + 4, items=300, missing=0.0)
    answers, _ = annotations.table()
    copies = Annotations.of_table(np.repeat(answers[:1], 9, axis=0), 3)
    estimate = effective_workers(copies, truth)
    assert estimate.n_eff == pytest.approx(1)
    power = tempering(estimate.rho, copies.labels_per_item)
    np.testing.assert_allclose(power, 1 / 9)
    rate = (answers[0] == truth).mean()
    prior = np.full(3, 1 / 3)
    evidence = 9 * np.log(np.where(np.arange(3) == answers[0][:, None], rate, (1 - rate) / 2))
    combined = Consensus("one coin", np.full((300, 3), 1 / 3), np.full(300, 9), np.full(9, rate), prior, evidence)
    np.testing.assert_allclose(combined.tempered(power).confidence, max(rate, (1 - rate) / 2))


def test_dependent_workers_make_every_model_of_workers_too_sure():
    rng = np.random.default_rng(10)
    truth = rng.integers(0, 4, 800)
    common = np.where(rng.random(800) < 0.7, truth, (truth + 1) % 4)
    answers = np.where(rng.random((20, 800)) < 0.9, common, rng.integers(0, 4, (20, 800)))
    annotations = Annotations.of_table(answers, 4)
    power = tempering(effective_workers(annotations, truth).rho, annotations.labels_per_item)
    for combine in (dawid_skene, one_coin):
        plain = sureness(combine(annotations), truth)
        cooler = sureness(combine(annotations).tempered(power), truth)
        assert plain.sure_share > 0.95
        assert plain.sure_wrong == pytest.approx(0.3, abs=0.05)
        assert cooler.ece < plain.ece
        assert cooler.log_loss < plain.log_loss
