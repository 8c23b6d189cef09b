"""Which few rules do the models follow, approximately? A small tree that imitates one model, or the whole set.

A tree that imitates well describes what the models answer, not how they compute it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError, need
from polyculture.models import tokenizer
from polyculture.models.spectrogram import log_mel
from polyculture.stats import Interval, influence_interval, share_interval

from .perturbation.outputs import outputs_of

MOST_WORDS = 500
"""Words of texts that rules may ask for, the most frequent of the training texts."""


@dataclass(frozen=True, eq=False)
class SurrogateRule:
    """One leaf of a surrogate.

    Parameters
    ----------
    conditions : all of which hold, such as ``"age > 54"``; none if the tree is a single leaf.
    answer : the class, or the number, that the surrogate gives then.
    share : of the held-out instances that the rule is about.
    fidelity : share of these where the models give the same answer; undefined for numbers and where there are none.
    """

    conditions: tuple[str, ...]
    answer: str
    share: float
    fidelity: Interval

    def __str__(self) -> str:
        return f"if {' and '.join(self.conditions)}: {self.answer}" if self.conditions else f"always {self.answer}"


@dataclass(frozen=True, eq=False)
class SurrogateTree:
    """A tree that imitates models.

    Parameters
    ----------
    nodes : one row per node, the root first: ``feature`` (its name; empty in a leaf), ``threshold``, ``first`` and
        ``second`` (the nodes that values up to the threshold and above it lead to; −1 in a leaf), ``answer``, ``share``
        of the training instances, ``depth``.
    rules : one per leaf, the most frequent first.
    fidelity : share of held-out instances with the models' answer (R² for numbers), with its interval.
    constant : the same of the best constant answer, which is 0 for numbers: what a tree must beat.
    accuracy : share of held-out instances with the true answer; undefined for numbers.
    members : fidelity to each of the models.
    """

    nodes: pd.DataFrame
    rules: tuple[SurrogateRule, ...]
    fidelity: Interval
    constant: Interval
    accuracy: Interval
    members: Mapping[str, Interval]


def surrogate_tree(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    train: Dataset,
    held_out: Dataset,
    depth: int = 3,
    features: tuple[str, ...] = (),
    clusters: Shaped[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> SurrogateTree:
    """The tree of this depth that imitates what the models answer on average.

    Parameters
    ----------
    models : one, or the whole set: the answer is the class of the highest mean probability, or the mean number.
    train : the tree is fitted to the models' answers to these inputs; the labels are not used.
    held_out : other instances, on which fidelity is measured.
    depth : of the tree; it has at most 2 ** depth rules.
    features : names of a table's columns.
    clusters : which held-out instances were sampled together, for the intervals.

    Texts are described by which of 500 frequent words they have. Raises InputError for tags.
    """
    need("sklearn")
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if depth < 1 or not models:
        raise InputError(f"a tree of depth {depth} for {len(models)} models", "a depth and models, 1 or more")
    if not len(held_out):
        raise InputError("no held-out instances", "1 or more", "take the test set")
    numeric = train.task == "regression"
    rows, names = describe(train, train, features)
    tests, _ = describe(held_out, train, features)
    answers, _ = _answers(models, train, numeric)
    truth, by_model = _answers(models, held_out, numeric)
    family = DecisionTreeRegressor if numeric else DecisionTreeClassifier
    least = max(2, len(train) // 100)
    estimator = family(max_depth=depth, min_samples_leaf=least, random_state=seed % 2**32).fit(rows, answers)
    guess, tree = estimator.predict(tests), _merged(estimator, train.classes)
    frequent = np.full(len(truth), answers.mean() if numeric else np.bincount(answers).argmax())
    fidelity = _explained if numeric else _same
    binary: np.ndarray = np.isin(rows, (0, 1)).all(axis=0)  # type: ignore[assignment]
    return SurrogateTree(
        nodes=tree.frame(names),
        rules=_rules(tree, names, binary, estimator.apply(tests), guess == truth, bool(train.classes)),
        fidelity=fidelity(guess, truth, clusters),
        constant=fidelity(frequent, truth, clusters),
        accuracy=Interval.undefined("numbers") if numeric else _same(guess, held_out.labels, clusters),
        members={name: fidelity(guess, part, clusters) for name, part in by_model.items()},
    )


def describe(
    dataset: Dataset, train: Dataset, features: tuple[str, ...] = ()
) -> tuple[Float[np.ndarray, "n d"], tuple[str, ...]]:
    """One row of numbers per instance, single precision, and what the numbers are called.

    Parameters
    ----------
    train : whose frequent words are looked for in texts.
    features : names of a table's columns.
    """
    modality = dataset.modality
    if modality == "tags":
        raise InputError("a surrogate of a model of tags", "one answer per input")
    if modality == "text":
        counts = Counter(word for text in train.array for word in {*tokenizer.split(str(text))})
        words = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]
        sets = [{*tokenizer.split(str(text))} for text in dataset.array]
        table = np.array([[word in words_of_text for word in words] for words_of_text in sets], np.float32)
        return table.reshape(len(sets), -1), tuple(f"“{word}”" for word in words)
    numbers = log_mel(dataset.array) if modality == "audio" else np.asarray(dataset.array, np.float32)
    rows = numbers.reshape(len(numbers), -1)
    if features and len(features) != rows.shape[1]:
        raise InputError(f"{len(features)} names for {rows.shape[1]} features", "one for each")
    kinds = {"table": "feature", "image": "pixel", "volume": "voxel", "series": "step", "audio": "bin"}
    places = np.ndindex(numbers.shape[1:])
    return rows, features or tuple(f"{kinds[modality]} {', '.join(map(str, place))}" for place in places)


def _answers(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]], dataset: Dataset, numeric: bool
) -> tuple[Shaped[np.ndarray, " n"], dict[str, Shaped[np.ndarray, " n"]]]:
    """The answer of the set to each instance, and those of its members."""
    outputs = {name: outputs_of(model, dataset.array) for name, model in models.items()}

    def answer(array: Float[np.ndarray, "n c"]) -> Shaped[np.ndarray, " n"]:
        return array[:, 0] if numeric else array.argmax(axis=1)

    return answer(np.mean(list(outputs.values()), axis=0)), {name: answer(array) for name, array in outputs.items()}


def _same(
    guess: Shaped[np.ndarray, " n"], truth: Shaped[np.ndarray, " n"], clusters: Shaped[np.ndarray, " n"] | None
) -> Interval:
    return share_interval(guess == truth, clusters)


def _explained(
    guess: Shaped[np.ndarray, " n"], truth: Shaped[np.ndarray, " n"], clusters: Shaped[np.ndarray, " n"] | None
) -> Interval:
    """R²: 1 less the mean squared error over the variance; limits by influence functions."""
    errors, spread = (truth - guess) ** 2, (truth - truth.mean()) ** 2
    if not spread.any():
        return Interval.undefined("the models give one number to all instances", len(truth))
    ratio = float(errors.mean() / spread.mean())
    return influence_interval(1 - ratio, (ratio * spread - errors) / spread.mean(), clusters)


@dataclass(frozen=True, eq=False)
class _Tree:
    """A fitted tree in which splits between equal answers are undone; nodes are renumbered, the root first.

    Parameters
    ----------
    feature, threshold, first, second, share, depth : of each node; −1 and nan where there is none.
    answers : of each node, in words.
    node_of : the node that each node of the fitted tree has become, or that it lies below.
    """

    feature: Int[np.ndarray, " k"]
    threshold: Float[np.ndarray, " k"]
    first: Int[np.ndarray, " k"]
    second: Int[np.ndarray, " k"]
    share: Float[np.ndarray, " k"]
    depth: Int[np.ndarray, " k"]
    answers: tuple[str, ...]
    node_of: Int[np.ndarray, " fitted"]

    def frame(self, names: tuple[str, ...]) -> pd.DataFrame:
        """`SurrogateTree.nodes`."""
        features = [names[f] if f >= 0 else "" for f in self.feature.tolist()]
        columns = {"feature": features, "threshold": self.threshold, "first": self.first, "second": self.second}
        return pd.DataFrame({**columns, "answer": self.answers, "share": self.share, "depth": self.depth})

    def paths(self, node: int = 0, bounds: Bounds | None = None) -> list[tuple[int, Bounds]]:
        """Every leaf below a node with the bounds of the features on the way; of two bounds the tighter one."""
        bounds = bounds or {}
        if self.first[node] < 0:
            return [(node, bounds)]
        feature, threshold = int(self.feature[node]), float(self.threshold[node])
        low, high = bounds.get(feature, (-np.inf, np.inf))
        leaves = self.paths(int(self.first[node]), bounds | {feature: (low, min(high, threshold))})
        return leaves + self.paths(int(self.second[node]), bounds | {feature: (max(low, threshold), high)})


Bounds = dict[int, tuple[float, float]]
"""From a feature to the limits between which its value lies: above the first, up to the second."""


def _merged(estimator: Any, classes: tuple[str, ...]) -> _Tree:
    """The tree of an estimator without splits that do not change the answer."""
    tree, values = estimator.tree_, estimator.tree_.value[:, 0]
    codes = [int(estimator.classes_[value.argmax()]) if classes else node for node, value in enumerate(values)]
    first, second = (np.array(side, np.int64) for side in (tree.children_left, tree.children_right))
    parents = np.full(tree.node_count, -1)
    for node in range(tree.node_count - 1, -1, -1):  # children come after their parents
        branches = [int(first[node]), int(second[node])]
        if branches[0] < 0:
            continue
        parents[branches] = node
        if (first[branches] < 0).all() and codes[branches[0]] == codes[branches[1]]:
            first[node] = second[node] = -1
    node_of, depth = np.zeros(tree.node_count, np.int64), np.zeros(tree.node_count, np.int64)
    rows = [0]
    for node in range(1, tree.node_count):
        parent = parents[node]
        depth[node] = depth[parent] + 1
        is_reached = first[parent] >= 0 and rows[node_of[parent]] == parent
        node_of[node] = len(rows) if is_reached else node_of[parent]
        rows += [node] if is_reached else []
    inner = first[rows] >= 0
    return _Tree(
        feature=np.where(inner, tree.feature[rows], -1).astype(np.int64),
        threshold=np.where(inner, tree.threshold[rows], np.nan),
        first=np.where(inner, node_of[first[rows]], -1),
        second=np.where(inner, node_of[second[rows]], -1),
        share=tree.n_node_samples[rows] / tree.n_node_samples[0],
        depth=depth[rows],
        answers=tuple(classes[codes[node]] if classes else f"{values[node][0]:.4g}" for node in rows),
        node_of=node_of,
    )


def _rules(
    tree: _Tree,
    names: tuple[str, ...],
    binary: Shaped[np.ndarray, " d"],
    fitted_leaf: Int[np.ndarray, " n"],
    agreement: Shaped[np.ndarray, " n"],
    classes: bool,
) -> tuple[SurrogateRule, ...]:
    """One rule per leaf, with the share of held-out instances it is about and of the same answer among them."""
    rules, leaf = [], tree.node_of[fitted_leaf]
    for node, bounds in tree.paths():
        members = leaf == node
        fidelity = Interval.undefined("no held-out instance" if classes else "numbers")
        if classes and members.any():
            fidelity = share_interval(agreement[members])
        conditions = tuple(_condition(names[f], bool(binary[f]), *limits) for f, limits in bounds.items())
        rules.append(SurrogateRule(conditions, tree.answers[node], float(members.mean()), fidelity))
    return tuple(sorted(rules, key=lambda rule: -rule.share))


def _condition(name: str, binary: bool, low: float, high: float) -> str:
    if binary:
        return name if np.isinf(high) else f"not {name}"
    if np.isinf(low):
        return f"{name} ≤ {high:.4g}"
    return f"{name} > {low:.4g}" if np.isinf(high) else f"{low:.4g} < {name} ≤ {high:.4g}"
