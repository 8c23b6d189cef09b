"""How do trees become fewer, shallower or smaller? Forests, extremely randomized trees, boosted trees, single trees."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from polyculture.errors import InputError
from polyculture.models.fitted import Fitted
from polyculture.rng import stream

from ..context import CompressionContext
from .learners import estimator_of, fitted_again, learner_of, preprocessed, with_learner

MOST_ROWS = 2000
"""Training rows on which trees are compared; more are sampled."""


def fewer_trees(model: Fitted, share: float, context: CompressionContext) -> Fitted:
    """A forest without a share of its trees; of boosting without the last rounds.

    Trees that were fitted to bootstrap samples are taken one after another, each time the one with which the squared
    error of the probabilities is lowest on the training rows that a tree was not fitted to (Martínez-Muñoz,
    Hernández-Lobato and Suárez 2009). Where every tree was fitted to all rows, such as extremely randomized trees,
    rows do not tell trees apart: then the first ones stay, which are a forest of that size.

    Raises InputError for a learner that does not consist of trees.
    """
    estimator = estimator_of(model, "fewer-trees")
    learner = learner_of(estimator.estimator)
    if not share:
        return model
    if hasattr(learner, "_predictors"):
        return with_learner(estimator, _fewer_rounds(learner, _remaining(len(learner._predictors), share)))
    if type(learner).__name__.startswith("GradientBoosting"):
        return with_learner(estimator, _fewer_stages(learner, _remaining(len(learner.estimators_), share)))
    trees = _trees(learner, "fewer-trees", ensemble=True)
    count = _remaining(len(trees), share)
    order: Sequence[int] = range(count)
    if getattr(learner, "bootstrap", False):
        rows, labels = preprocessed(estimator, context)
        if learner._n_samples == rows.shape[0]:  # not fitted to a transformed copy as well
            order = sorted(ordered(learner, rows, labels, context.seed)[:count])
    return with_learner(estimator, _with_trees(learner, [trees[i] for i in order], n_estimators=count))


def shallower_trees(model: Fitted, share: float, context: CompressionContext) -> Fitted:
    """Trees fitted again with less depth and fewer leaves, so that about a share of the nodes is gone.

    The most leaves are what that share leaves of the mean number of leaves; the most depth is the least at which the
    present trees have as many nodes. Leaves are then split in the order of what that gains (Shi 2007).

    Raises InputError for a learner that does not consist of trees, and for trees of one or two leaves.
    """
    estimator = estimator_of(model, "shallower-trees")
    depths = _leaf_and_node_depths(learner_of(estimator.estimator))
    if not share:
        return model
    nodes = (1 - share) * len(depths.nodes)
    leaves = max(2, round((nodes / depths.trees + 1) / 2))
    if leaves >= depths.leaves / depths.trees:
        cure = "use fewer-trees" if depths.trees > 1 else ""
        raise InputError(f"trees of {depths.leaves / depths.trees:.3g} leaves each", "more than 2 leaves", cure)
    cumulative = np.searchsorted(np.sort(depths.nodes), np.arange(depths.nodes.max() + 1), side="right")
    depth = int(np.argmax(cumulative >= nodes)) or 1
    return fitted_again(estimator, {"max_depth": depth, "max_leaf_nodes": leaves}, context)


def prune_trees(model: Fitted, share: float, context: CompressionContext) -> Fitted:  # noqa: ARG001
    """A tree or a forest pruned by cost and complexity, so that about a share of all nodes is gone.

    A branch is cut where it lowers the impurity of the training rows by less than α per leaf; α is the same for all
    trees (Breiman et al. 1984, chapter 3).

    Raises InputError for other learners, boosting included, whose trees do not predict classes or numbers themselves.
    """
    estimator = estimator_of(model, "prune-trees")
    learner = learner_of(estimator.estimator)
    trees = _trees(learner, "prune-trees")
    if not share:
        return model
    linked = LinkedTrees([tree.tree_ for tree in trees])
    alpha = linked.complexity((1 - share) * len(linked.first))
    pruned = [copy.copy(tree) for tree in trees]
    for tree in pruned:
        tree.ccp_alpha = alpha
        tree._prune_tree()
    if not hasattr(learner, "estimators_"):
        return with_learner(estimator, pruned[0])
    return with_learner(estimator, _with_trees(learner, pruned, ccp_alpha=alpha))


def ordered(forest: Any, rows: Any, labels: Shaped[np.ndarray, " n"], seed: int) -> list[int]:
    """Positions of the trees: each lowers the error on rows that trees before it and itself were not fitted to most."""
    sample_rows = np.arange(rows.shape[0])
    if len(sample_rows) > MOST_ROWS:
        sample_rows = np.sort(stream(seed, "rows to compare trees on").choice(sample_rows, MOST_ROWS, replace=False))
    estimates, truth = _estimates(forest, rows[sample_rows], labels[sample_rows])
    absent = np.stack([~np.isin(sample_rows, sample) for sample in forest.estimators_samples_])
    weighted = estimates * absent[:, :, None]
    total, count = truth.mean(axis=0) * np.ones_like(truth), np.ones(len(sample_rows))  # one vote for the mean
    order: list[int] = []
    pending = list(range(len(estimates)))
    while pending:
        means = (total + weighted[pending]) / (count + absent[pending])[:, :, None]
        errors = ((means - truth) ** 2).sum(axis=(1, 2))
        best = pending.pop(int(errors.argmin()))
        order.append(best)
        total, count = total + weighted[best], count + absent[best]
    return order


def _estimates(
    forest: Any, rows: Any, labels: Shaped[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "t n c"], Float[np.ndarray, "n c"]]:
    """What each tree predicts, and the truth: probabilities, or one number."""
    if not hasattr(forest, "classes_"):
        return np.stack([tree.predict(rows)[:, None] for tree in forest.estimators_]), labels[:, None].astype(float)
    truth = (labels[:, None] == forest.classes_).astype(float)
    return np.stack([tree.predict_proba(rows) for tree in forest.estimators_]), truth


@dataclass(frozen=True, eq=False)
class LinkedTrees:
    """Fitted trees, one after another in arrays of nodes.

    Parameters
    ----------
    trees : of scikit-learn, as `tree_` of an estimator.
    """

    trees: Sequence[Any]

    @cached_property
    def starts(self) -> Int[np.ndarray, " t"]:
        """Position of each root."""
        return np.cumsum([0, *(tree.node_count for tree in self.trees)])[:-1].astype(np.int64)

    @cached_property
    def first(self) -> Int[np.ndarray, " n"]:
        """Node of the first branch; −1 for leaves."""
        return self._children("children_left")

    @cached_property
    def second(self) -> Int[np.ndarray, " n"]:
        """Node of the second branch; −1 for leaves."""
        return self._children("children_right")

    @cached_property
    def impurity(self) -> Float[np.ndarray, " n"]:
        """Impurity of each node times its share of the rows of its tree."""
        parts = [t.impurity * t.weighted_n_node_samples / t.weighted_n_node_samples[0] for t in self.trees]
        return np.concatenate(parts)

    @cached_property
    def levels(self) -> list[Int[np.ndarray, " k"]]:
        """Inner nodes at each depth."""
        levels, nodes = [], self.starts
        while len(inner := nodes[self.first[nodes] >= 0]):
            levels.append(inner)
            nodes = np.concatenate([self.first[inner], self.second[inner]])
        return levels

    def _children(self, name: str) -> Int[np.ndarray, " n"]:
        parts = [getattr(tree, name) for tree in self.trees]
        linked = [np.where(part < 0, -1, part + start) for part, start in zip(parts, self.starts, strict=True)]
        return np.concatenate(linked).astype(np.int64)

    def count(self, alpha: float) -> int:
        """Nodes that are left at a complexity, which is the price of a leaf."""
        cost = self.impurity + alpha
        cut: Bool[np.ndarray, " n"] = np.zeros(len(cost), bool)
        for inner in reversed(self.levels):
            branches = cost[self.first[inner]] + cost[self.second[inner]]
            cut[inner] = cost[inner] <= branches
            cost[inner] = np.minimum(cost[inner], branches)
        nodes, total = self.starts, len(self.starts)
        while len(inner := nodes[(self.first[nodes] >= 0) & ~cut[nodes]]):
            nodes = np.concatenate([self.first[inner], self.second[inner]])
            total += len(nodes)
        return total

    def complexity(self, nodes: float) -> float:
        """The complexity at which the number of nodes that are left is nearest to this one, but less than all."""
        low, high = 1e-15 * float(self.impurity.max()), 2 * float(self.impurity.max())
        for _ in range(60):
            middle = float(np.sqrt(low * high))
            low, high = (middle, high) if self.count(middle) > nodes else (low, middle)
        low, high = low * (1 - 1e-6), high * (1 + 1e-6)
        upper, lower = self.count(low), self.count(high)
        return low if upper - nodes < nodes - lower and upper < len(self.first) else high


def _remaining(count: int, share: float) -> int:
    """How many of these are left; at least one."""
    return max(1, round((1 - share) * count))


def _trees(learner: Any, method: str, ensemble: bool = False) -> list[Any]:
    """The fitted trees of a forest, or a single one; InputError for what has none that predict themselves."""
    members = getattr(learner, "estimators_", [] if ensemble else [learner])
    if isinstance(members, list) and members and all(hasattr(tree, "tree_") for tree in members):
        return members
    boosted = hasattr(learner, "_predictors") or isinstance(members, np.ndarray)
    cure = "use fewer-trees or shallower-trees" if boosted else ""
    raise InputError(f"{method} of a {type(learner).__name__}", "a forest" if ensemble else "a forest or a tree", cure)


def _with_trees(forest: Any, trees: list[Any], **settings: Any) -> Any:
    smaller = copy.copy(forest)
    smaller.estimators_ = trees
    for name, value in settings.items():
        setattr(smaller, name, value)
    return smaller


def _fewer_rounds(boosting: Any, rounds: int) -> Any:
    smaller = copy.copy(boosting)
    smaller._predictors, smaller.max_iter = boosting._predictors[:rounds], rounds
    for name in ("train_score_", "validation_score_"):  # the first is before the first round
        setattr(smaller, name, getattr(boosting, name)[: rounds + 1])
    return smaller


def _fewer_stages(boosting: Any, stages: int) -> Any:
    smaller = copy.copy(boosting)
    smaller.estimators_, smaller.n_estimators, smaller.n_estimators_ = boosting.estimators_[:stages], stages, stages
    smaller.train_score_ = boosting.train_score_[:stages]
    return smaller


@dataclass(frozen=True, eq=False)
class Depths:
    """Depth of every node of all trees, how many of them are leaves, and how many trees there are."""

    nodes: Int[np.ndarray, " n"]
    leaves: int
    trees: int


def _leaf_and_node_depths(learner: Any) -> Depths:
    if hasattr(learner, "_predictors"):
        nodes = [tree.nodes for stage in learner._predictors for tree in stage]
        depths = np.concatenate([part["depth"] for part in nodes]).astype(np.int64)
        return Depths(depths, int(sum(part["is_leaf"].sum() for part in nodes)), len(nodes))
    if isinstance(getattr(learner, "estimators_", None), np.ndarray):
        trees = list(learner.estimators_.ravel())
    else:
        trees = _trees(learner, "shallower-trees")
    linked = LinkedTrees([tree.tree_ for tree in trees])
    depths = np.zeros(len(linked.first), np.int64)
    for level, inner in enumerate(linked.levels, 1):
        depths[linked.first[inner]] = depths[linked.second[inner]] = level
    return Depths(depths, int((linked.first < 0).sum()), len(trees))
