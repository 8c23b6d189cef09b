"""The committee: temperatures that make members as sure as they are right, and refusals in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.encoder import Encoder
from polyculture.recipe import Recipe
from polyculture.rng import stream

pytest.importorskip("torch")
from polyculture.training.active import STRATEGIES, default_chance, default_committee, find_strategy, fit_committee
from polyculture.training.active.committee import temperature, tempered


def blobs(n: int = 90, classes: int = 3, seed: int = 0) -> Dataset:
    """Clusters that overlap a little."""
    generator = stream(seed, "blobs")
    labels = np.arange(n) % classes
    inputs = generator.normal(size=(n, 4)) + 2 * np.eye(4)[labels]
    return Dataset(inputs.astype(np.float32), labels.astype(np.int64), tuple("abcd"[:classes]))


def test_the_temperature_of_sharpened_probabilities_is_the_sharpening() -> None:
    """Labels are drawn from softmax(z); the model says softmax(4 z), so that its temperature is 4."""
    generator = stream(0, "temperature")
    logits = generator.normal(size=(20_000, 3))
    truth = softmax(logits, axis=1)
    labels = (generator.random((20_000, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    assert temperature(softmax(4 * logits, axis=1), labels) == pytest.approx(4, rel=0.08)
    np.testing.assert_allclose(tempered(softmax(4 * logits[:50], axis=1), 4.0), truth[:50], atol=0.02)


def test_a_committee_gives_probabilities_of_members_also_for_classes_it_has_not_seen() -> None:
    data = blobs()
    two = data.take(np.flatnonzero(data.labels < 2))
    committee = fit_committee([Recipe("logistic"), Recipe("knn")], two)
    p = committee(data.array)
    assert p.shape == (2, 90, 3)
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-5)
    assert (p[:, :, 2] == 0).all()
    assert list(committee.learner.members) == [Recipe("logistic").id]


def test_naive_bayes_is_less_sure_after_calibration() -> None:
    """Copies of one feature make naive Bayes sure of itself; its temperature is above 1."""
    data = blobs(300)
    copies = Dataset(np.repeat(data.array, 8, axis=1), data.labels, data.classes)
    committee = fit_committee([Recipe("naive-bayes"), Recipe("logistic")], copies, calibrated=True)
    assert committee.temperatures[0] > 2
    assert 0.3 < committee.temperatures[1] < 3


def test_too_few_labels_to_calibrate_by_are_refused() -> None:
    with pytest.raises(InputError) as error:
        fit_committee([Recipe("logistic")], blobs(20), calibrated=True)
    assert str(error.value) == (
        "20 labels to calibrate the members of a committee by; expected 34 or more, of two classes; label more, or "
        "query by 'margin-of-mean', which needs no calibration."
    )


def test_labels_of_one_class_are_refused() -> None:
    data = blobs()
    with pytest.raises(InputError, match="30 labelled instances of one class; expected labels of two classes or more"):
        fit_committee([Recipe("logistic")], data.take(np.flatnonzero(data.labels == 0)))


def test_a_member_that_cannot_be_fitted_is_named() -> None:
    with pytest.raises(InputError, match=r"the member svm-.* cannot be fitted to 4 labelled instances"):
        fit_committee([Recipe("svm")], blobs(4))


def test_inputs_are_read_by_the_encoder_of_the_pool() -> None:
    data = blobs()
    pool = Dataset(10 * data.array, data.labels, data.classes)
    committee = fit_committee([Recipe("logistic")], data, encoder=Encoder.of(pool))
    member = next(iter(committee.members.values()))
    assert member.encoder.spread == Encoder.of(pool).spread


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_chooses_different_instances_and_the_same_by_the_same_seed(name: str) -> None:
    data = blobs()
    committee = fit_committee(default_committee("table"), data.take(np.arange(40)), calibrated=name == "kl")
    inputs = data.array[40:]
    picks = STRATEGIES[name].choose(committee, inputs, 12, stream(3))
    assert len(set(picks.tolist())) == 12
    assert picks.tolist() == STRATEGIES[name].choose(committee, inputs, 12, stream(3)).tolist()
    assert len(STRATEGIES[name].choose(committee, inputs, 500, stream(3))) == 50


def test_margin_of_the_mean_asks_where_two_sure_members_contradict() -> None:
    class Fake:
        def __init__(self, output: np.ndarray) -> None:
            self.output = output

        def __call__(self, inputs: np.ndarray) -> np.ndarray:
            return self.output[: len(inputs)]

    from polyculture.training.active import Committee

    a = np.array([[0.99, 0.01], [0.6, 0.4], [0.99, 0.01]])
    b = np.array([[0.01, 0.99], [0.6, 0.4], [0.99, 0.01]])
    committee = Committee({"a": Fake(a), "b": Fake(b)}, np.ones(2))
    inputs = np.zeros((3, 1))
    assert find_strategy("margin-of-mean").choose(committee, inputs, 1, stream(0)).tolist() == [0]
    assert find_strategy("margin").choose(committee, inputs, 1, stream(0)).tolist() == [1]


def test_an_unknown_strategy_is_answered_with_the_near_one() -> None:
    with pytest.raises(InputError, match="no query strategy 'margn'; did you mean 'margin'"):
        find_strategy("margn")


TEXTS = np.array([f"{word} {other} thing" for word in ("good", "bad") for other in "abcdefgh"], object)


def test_multinomial_naive_bayes_reads_words_and_nothing_else() -> None:
    texts = Dataset(TEXTS, np.repeat([0, 1], 8), ("good", "bad"), modality="text")
    committee = fit_committee([Recipe("multinomial-naive-bayes")], texts)
    assert committee(TEXTS)[0].argmax(axis=1).tolist() == texts.labels.tolist()
    with pytest.raises(InputError, match="'multinomial-naive-bayes' for table; expected an architecture that reads it"):
        fit_committee([Recipe("multinomial-naive-bayes")], blobs())


@pytest.mark.parametrize(("chance", "n_chosen"), [(0.0, 10), (0.3, 7), (0.5, 5)])
def test_a_share_of_a_batch_is_drawn_by_chance(chance: float, n_chosen: int) -> None:
    data = blobs(300)
    committee = fit_committee([Recipe("logistic"), Recipe("knn")], data.take(np.arange(30)))
    strategy = find_strategy("margin-of-mean")
    chosen = strategy.choose(committee, data.array, 10, stream(0)).tolist()
    batches = [strategy.choose(committee, data.array, 10, stream(seed), 1, chance).tolist() for seed in (1, 2)]
    assert all(len(set(batch)) == 10 for batch in batches)
    assert [set(batch[:n_chosen]) <= set(chosen) for batch in batches] == [True, True]
    assert (set(batches[0]) == set(batches[1])) == (chance == 0)
    assert default_chance("text") == 0.5
    assert default_chance("image") == 0
