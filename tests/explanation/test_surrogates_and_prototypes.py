"""Surrogate trees and nearest training instances: known rules are found, and fidelity is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.explanation.layers import nearest_instances, prototypes
from polyculture.models.encoder import Encoder
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.rng import stream

pytest.importorskip("sklearn")

from polyculture.explanation.surrogates import SurrogateTree, surrogate_tree


def table(rows: int, seed: int = 0) -> Dataset:
    rng = stream(seed, "surrogate")
    inputs = np.stack([rng.uniform(20, 80, rows), rng.integers(0, 2, rows), rng.normal(size=rows)], axis=1)
    return Dataset(inputs, np.zeros(rows, int), ("well", "ill"))


def rule_model(inputs: np.ndarray) -> np.ndarray:
    """Ill if over 50 and a smoker."""
    p = np.where((inputs[:, 0] > 50) & (inputs[:, 1] == 1), 0.9, 0.1)
    return np.stack([1 - p, p], axis=1)


def contrary(inputs: np.ndarray) -> np.ndarray:
    return rule_model(inputs)[:, ::-1]


NAMES = ("age", "smoker", "noise")


def test_the_rule_of_a_model_is_found_and_named() -> None:
    tree = surrogate_tree({"rule": rule_model}, table(400), table(300, 1), 2, NAMES)
    texts = [str(rule) for rule in tree.rules]
    ill = next(text for text in texts if text.endswith("ill"))
    assert ill.startswith(("if age > 5", "if smoker and age > "))
    assert "smoker" in ill
    assert "noise" not in " ".join(texts)
    assert tree.fidelity.estimate > 0.98
    assert tree.fidelity.low < tree.fidelity.estimate <= tree.fidelity.high
    assert tree.constant.estimate == pytest.approx((rule_model(table(300, 1).array)[:, 1] < 0.5).mean())
    assert sum(rule.share for rule in tree.rules) == pytest.approx(1)


def follow(tree: SurrogateTree, row: dict[str, float]) -> str:
    """The answer of the drawn nodes to one instance, as a reader of the page would find it."""
    node = 0
    while tree.nodes.loc[node, "feature"]:
        branch = "first" if row[tree.nodes.loc[node, "feature"]] <= tree.nodes.loc[node, "threshold"] else "second"
        node = int(tree.nodes.loc[node, branch])
    return str(tree.nodes.loc[node, "answer"])


def test_fidelity_is_the_share_of_held_out_answers_that_the_drawn_tree_gives() -> None:
    def crooked(inputs: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-(inputs[:, 0] / 10 - 5 + 2 * inputs[:, 1] + 3 * inputs[:, 2])))
        return np.stack([1 - p, p], axis=1)

    held_out = table(200, 1)
    tree = surrogate_tree({"crooked": crooked}, table(400), held_out, 3, NAMES)
    rows = [dict(zip(NAMES, row, strict=True)) for row in held_out.array.astype(np.float32)]
    answers = np.array([follow(tree, row) for row in rows])
    truth = np.array(["well", "ill"])[crooked(held_out.array).argmax(axis=1)]
    assert tree.fidelity.estimate == pytest.approx((answers == truth).mean())
    assert tree.members["crooked"].estimate == tree.fidelity.estimate
    weighted = sum(rule.share * rule.fidelity.estimate for rule in tree.rules if rule.fidelity.defined)
    assert weighted == pytest.approx(tree.fidelity.estimate)


def test_splits_that_do_not_change_the_answer_are_undone() -> None:
    """A tree of depth 6 for a rule of two conditions has three leaves, of which two answer well."""
    tree = surrogate_tree({"rule": rule_model}, table(2000), table(300, 1), 6, NAMES)
    leaves = tree.nodes[tree.nodes["feature"] == ""]
    assert len(tree.rules) == len(leaves) <= 4
    for row in tree.nodes[tree.nodes["feature"] != ""].itertuples():
        children = tree.nodes.loc[[row.first, row.second]]
        if (children["feature"] == "").all():
            assert children["answer"].nunique() == 2
        assert (children["depth"] == row.depth + 1).all()
        assert children["share"].sum() == pytest.approx(row.share)


def test_the_surrogate_of_a_set_follows_its_mean() -> None:
    models = {"a": rule_model, "b": lambda x: rule_model(x) ** 2, "c": contrary}
    tree = surrogate_tree(models, table(400), table(300, 1), 2, NAMES)
    assert tree.members["a"].estimate > 0.98
    assert tree.members["c"].estimate < 0.02


def test_numbers_have_an_explained_share() -> None:
    train, held_out = (Dataset(table(rows, rows).array, np.zeros(rows), ()) for rows in (400, 300))
    step = lambda inputs: np.where(inputs[:, :1] > 50, 3.0, 1.0)  # noqa: E731
    tree = surrogate_tree({"step": step}, train, held_out, 1, NAMES)
    assert tree.fidelity.estimate > 0.95
    assert tree.constant.estimate <= 0
    assert {rule.answer for rule in tree.rules} == {"1", "3"}
    assert not tree.accuracy.defined
    constant = surrogate_tree({"one": lambda x: np.ones((len(x), 1))}, train, held_out, 1)
    assert str(constant.fidelity) == "undefined (the models give one number to all instances)"
    assert str(constant.rules[0]) == "always 1"


def test_words_make_rules_for_texts() -> None:
    rng = stream(3, "texts")
    words = np.array(["awful", "fine", "film", "plot", "the"])
    texts = np.array([" ".join(rng.choice(words, 6)) for _ in range(200)], object)
    dataset = Dataset(texts, np.zeros(200, int), ("good", "bad"), modality="text")

    def model(inputs: np.ndarray) -> np.ndarray:
        return np.array([[0.0, 1.0] if "awful" in text else [1.0, 0.0] for text in inputs])

    tree = surrogate_tree({"m": model}, dataset.take(np.arange(100)), dataset.take(np.arange(100, 200)), 1)
    assert {str(rule) for rule in tree.rules} == {"if “awful”: bad", "if not “awful”: good"}
    assert tree.fidelity.estimate == 1


def test_rules_of_images_name_pixels() -> None:
    images = stream(4, "images").random((100, 4, 4))
    dataset = Dataset(images, np.zeros(100, int), ("off", "on"), modality="image")

    def model(inputs: np.ndarray) -> np.ndarray:
        p = (inputs[:, 2, 1] > 0.5).astype(float)
        return np.stack([1 - p, p], axis=1)

    tree = surrogate_tree({"m": model}, dataset, dataset, 1)
    assert tree.nodes.loc[0, "feature"] == "pixel 2, 1"


def test_trees_that_cannot_be_fitted_are_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="a tree of depth 0 for 1 models; expected a depth and models, 1 or more"):
        surrogate_tree({"a": rule_model}, table(20), table(20), 0)
    with pytest.raises(InputError, match="2 names for 3 features; expected one for each"):
        surrogate_tree({"a": rule_model}, table(20), table(20), 2, ("age", "smoker"))
    with pytest.raises(InputError, match="no held-out instances; expected 1 or more; take the test set"):
        surrogate_tree({"a": rule_model}, table(20), table(20).take(np.arange(0)), 2)


# --------------------------------------------------------------------------- prototypes


def test_an_instance_of_the_training_set_is_its_own_prototype() -> None:
    rows = stream(5, "rows").normal(size=(50, 4)) + 1e6
    result = nearest_instances(rows[:7], rows, 2)
    assert result.rows[:, 0].tolist() == list(range(7))
    np.testing.assert_allclose(result.distances[:, 0], 0, atol=1e-5)


def test_nearest_instances_are_those_of_scikit_learn() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    X, Y = stream(6, "x").normal(size=(20, 5)), stream(6, "y").normal(size=(90, 5))
    for metric in ("euclidean", "cosine"):
        distances, rows = (
            neighbors.NearestNeighbors(n_neighbors=4, metric=metric, algorithm="brute").fit(Y).kneighbors(X)
        )
        result = nearest_instances(X, Y, 4, metric)
        assert np.array_equal(result.rows, rows)
        np.testing.assert_allclose(result.distances, distances, atol=1e-9)


def test_prototypes_can_be_limited_to_the_answered_class() -> None:
    Y, labels = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 0, 1])
    result = nearest_instances(np.array([[0.1], [0.1]]), Y, 2, labels=(np.array([1, 0]), labels))
    assert result.rows.tolist() == [[1, 3], [0, 2]]
    assert result.agreement(labels, np.array([1, 1])) == 0.5


def test_prototypes_are_near_in_what_the_model_reads() -> None:
    rows = stream(7, "read").normal(size=(40, 3)).astype(np.float32) * [1, 100, 1]
    train = Dataset(rows, np.arange(40) % 2, ("a", "b"))
    encoder = Encoder.of(train)
    estimator = pytest.importorskip("sklearn.linear_model").LogisticRegression().fit(encoder(rows), train.labels)
    result = prototypes(FittedEstimator(estimator, encoder, 2), rows[:5], rows, 3)
    truth = nearest_instances(encoder(rows[:5]), encoder(rows), 3)
    assert np.array_equal(result.rows, truth.rows)
    plain = prototypes(lambda x: x[:, :2], rows[:5], rows, 3)
    assert np.array_equal(plain.rows, nearest_instances(rows[:5], rows, 3).rows)
    outputs = prototypes(lambda x: x[:, :1].astype(float), rows[:5], rows, 1, "outputs")
    assert outputs.rows[:, 0].tolist() == list(range(5))
    with pytest.raises(InputError, match="inputs that are words have no distances"):
        prototypes(lambda x: np.ones((len(x), 1)), np.array(["a"], object), np.array(["a"], object), 1)


def test_more_prototypes_than_instances_are_refused() -> None:
    with pytest.raises(InputError, match="4 nearest of 3 references; expected a number from 1 to 3"):
        nearest_instances(np.zeros((1, 2)), np.zeros((3, 2)), 4)
    with pytest.raises(InputError, match="instances of 2 and references of 3 features"):
        nearest_instances(np.zeros((1, 2)), np.zeros((3, 3)), 1)
    with pytest.raises(InputError, match="no metric 'l1'; expected euclidean or cosine"):
        nearest_instances(np.zeros((1, 2)), np.zeros((3, 2)), 1, "l1")
