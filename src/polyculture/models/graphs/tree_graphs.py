"""How do trees become graphs? Every node as scikit-learn compares it, in double precision and with missing values.

Random forests round their inputs to single precision before they compare, gradient boosting does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from onnx import numpy_helper

from .graph_builder import INT64, GraphBuilder
from .preprocessing_graphs import Matrix


@dataclass(frozen=True, eq=False)
class TreeNodes:
    """Nodes of a tree, the root first.

    Parameters
    ----------
    feature, threshold : an inner node goes to its first branch where feature ≤ threshold.
    first, second : nodes that the branches lead to; 0 in a leaf.
    missing_first : whether a missing value goes to the first branch.
    leaf : whether it is a leaf.
    values : of each node, one per output; those of inner nodes are not used.
    """

    feature: Int[np.ndarray, " n"]
    threshold: Float[np.ndarray, " n"]
    first: Int[np.ndarray, " n"]
    second: Int[np.ndarray, " n"]
    missing_first: Bool[np.ndarray, " n"]
    leaf: Bool[np.ndarray, " n"]
    values: Float[np.ndarray, "n k"]


def tree_sum(g: GraphBuilder, x: str, trees: Sequence[TreeNodes], targets: Sequence[int], outputs: int) -> str:
    """The sum over trees of the values of the leaves that rows fall into.

    Parameters
    ----------
    targets : for each tree the output that its first value belongs to.
    """
    lengths = [len(tree.leaf) for tree in trees]
    leaf_ids = [np.flatnonzero(tree.leaf) for tree in trees]
    width = trees[0].values.shape[1]
    weights = np.concatenate([tree.values[ids].ravel() for tree, ids in zip(trees, leaf_ids, strict=True)])
    starts = np.concatenate([np.full(len(ids), t) for ids, t in zip(leaf_ids, targets, strict=True)])
    outcome_ids = (starts[:, None] + np.arange(width)).ravel()
    present = (weights != 0) | (np.tile(np.arange(width), len(starts)) == 0)  # every leaf needs a value
    leaf = np.concatenate([tree.leaf for tree in trees])
    total = g.add(
        "TreeEnsembleRegressor",
        x,
        domain="ai.onnx.ml",
        nodes_treeids=np.repeat(np.arange(len(trees)), lengths).tolist(),
        nodes_nodeids=np.concatenate([np.arange(n) for n in lengths]).tolist(),
        nodes_featureids=np.where(leaf, 0, np.concatenate([t.feature for t in trees])).tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_values_as_tensor=numpy_helper.from_array(
            np.where(leaf, 0.0, np.concatenate([t.threshold for t in trees])).astype(np.float64)
        ),
        nodes_truenodeids=np.where(leaf, 0, np.concatenate([t.first for t in trees])).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, np.concatenate([t.second for t in trees])).tolist(),
        nodes_missing_value_tracks_true=np.concatenate([t.missing_first for t in trees]).astype(int).tolist(),
        target_treeids=np.repeat(np.arange(len(trees)), [len(i) * width for i in leaf_ids])[present].tolist(),
        target_nodeids=np.repeat(np.concatenate(leaf_ids), width)[present].tolist(),
        target_ids=outcome_ids[present].tolist(),
        target_weights_as_tensor=numpy_helper.from_array(weights[present].astype(np.float64)),
        n_targets=outputs,
    )
    return g.cast(total)


def forest(g: GraphBuilder, estimator: Any, matrix: Matrix) -> str:
    """Class probabilities, or the predicted number, of a random forest, of extremely randomized trees, or a tree."""
    trees = [tree.tree_ for tree in getattr(estimator, "estimators_", [estimator])]
    nodes = [_nodes(tree, 1 / len(trees), hasattr(estimator, "classes_")) for tree in trees]
    outputs = nodes[0].values.shape[1]
    is_binary = outputs == 2  # one number per leaf is enough
    if is_binary:
        nodes, outputs = [replace(tree, values=tree.values[:, 1:]) for tree in nodes], 1
    x = g.rounded(matrix.value)
    if matrix.ones:  # counts of marks, of which trees read some
        positions = np.unique(np.concatenate([[0], *(tree.feature[~tree.leaf] for tree in nodes)]))
        nodes = [replace(tree, feature=np.searchsorted(positions, tree.feature)) for tree in nodes]
        x = matrix.restricted(g, positions)
    total = tree_sum(g, x, nodes, [0] * len(trees), outputs)
    return g.binary(total) if is_binary else total


def histogram_boosting(g: GraphBuilder, estimator: Any, matrix: Matrix) -> str:
    """Class probabilities, or the predicted number, of gradient boosting with histograms."""
    x, features = _with_categorical_splits(g, estimator, matrix.value)
    trees, targets = [], []
    for stage, predictors in enumerate(estimator._predictors):
        for k, predictor in enumerate(predictors):
            nodes = predictor.nodes
            feature, threshold = nodes["feature_idx"].astype(np.int64), nodes["num_threshold"].copy()
            for position in np.flatnonzero(nodes["is_categorical"] & (nodes["is_leaf"] == 0)):
                feature[position], threshold[position] = features[stage, k, int(position)], 0.5
            trees.append(
                TreeNodes(
                    feature,
                    np.minimum(threshold, np.finfo(float).max),
                    nodes["left"].astype(np.int64),
                    nodes["right"].astype(np.int64),
                    nodes["missing_go_to_left"].astype(bool),
                    nodes["is_leaf"].astype(bool),
                    nodes["value"][:, None],
                )
            )
            targets.append(k)
    raw = np.asarray(estimator._baseline_prediction, float).reshape(1, -1)
    if trees:
        scores = g.add("Add", tree_sum(g, x, trees, targets, raw.shape[1]), raw)
    else:
        scores = g.add("Add", g.add("Mul", g.columns(x, [0]), 0.0), raw)
    return _linked(g, scores, estimator)


def gradient_boosting(g: GraphBuilder, estimator: Any, matrix: Matrix) -> str:
    """Class probabilities, or the predicted number, of gradient boosting; it starts from a constant."""
    start = np.asarray(estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), np.float32)), float)
    rate, outputs = estimator.learning_rate, start.shape[1]
    trees = [_nodes(tree.tree_, rate, False) for stage in estimator.estimators_ for tree in stage]
    targets = list(range(outputs)) * len(estimator.estimators_)
    scores = g.add("Add", tree_sum(g, g.rounded(matrix.value), trees, targets, outputs), start)
    return _linked(g, scores, estimator)


def _linked(g: GraphBuilder, scores: str, estimator: Any) -> str:
    """From raw scores to what the estimator predicts, by the link of its loss."""
    if not hasattr(estimator, "classes_"):
        link = type(estimator._loss.link).__name__
        return g.add("Exp", scores) if link == "LogLink" else scores
    if len(estimator.classes_) > 2:
        return g.add("Softmax", scores, axis=1)
    if type(estimator._loss).__name__ == "ExponentialLoss":
        scores = g.add("Mul", scores, 2.0)
    return g.binary(g.add("Sigmoid", scores))


def _nodes(tree: Any, weight: float, normalized: bool) -> TreeNodes:
    """The nodes of one of scikit-learn's trees, its values times a weight."""
    values = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True) if normalized else tree.value[:, 0, :]
    leaf = tree.children_left < 0
    return TreeNodes(
        tree.feature.astype(np.int64),
        tree.threshold,
        tree.children_left.astype(np.int64),
        tree.children_right.astype(np.int64),
        np.asarray(tree.missing_go_to_left, bool),
        leaf,
        values * weight,
    )


def _with_categorical_splits(g: GraphBuilder, estimator: Any, x: str) -> tuple[str, dict[tuple[int, int, int], int]]:
    """The inputs with a further column for each split by categories, and its position by stage, output and node.

    The column is 0 where the row goes to the first branch, and 1 where to the second.
    """
    positions: dict[tuple[int, int, int], int] = {}
    parts, width = [x], int(estimator._bin_mapper.n_bins_non_missing_.shape[0])
    bits, row_of_feature = estimator._bin_mapper.make_known_categories_bitsets()
    for stage, predictors in enumerate(estimator._predictors):
        for k, predictor in enumerate(predictors):
            for position in np.flatnonzero(predictor.nodes["is_categorical"] & (predictor.nodes["is_leaf"] == 0)):
                node = predictor.nodes[position]
                first = _members(predictor.raw_left_cat_bitsets[node["bitset_idx"]])
                default = 1.0 - node["missing_go_to_left"]  # also of categories that training has not seen
                trained = _members(bits[row_of_feature[node["feature_idx"]]])
                branch = np.where(first, 0.0, np.where(trained, 1.0, default))
                code = g.columns(x, [int(node["feature_idx"])])
                valid = g.add("And", g.add("GreaterOrEqual", code, 0.0), g.add("Less", code, 256.0))
                index = g.cast(g.add("Where", valid, code, 256.0), INT64)
                parts.append(g.add("Gather", np.append(branch, default), index))
                positions[stage, k, int(position)] = width
                width += 1
    return g.joined(parts), positions


def _members(words: np.ndarray) -> Bool[np.ndarray, " 256"]:
    """Which of 256 numbers are in a set of bits."""
    numbers = np.arange(256)
    bits = (words[numbers // 32] >> (numbers % 32).astype(np.uint32)) & 1
    return np.asarray(bits == 1)
