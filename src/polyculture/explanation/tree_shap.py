"""How much does each feature move a forest's answer? Shapley values of trees, exact and without sampling, by shap.

Forests are explained in probabilities and boosted trees in logits, because those are what their trees add up to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError, need
from polyculture.models.estimator_function import EstimatorFunction
from polyculture.models.features import features
from polyculture.models.fitted_estimator import FittedEstimator

from .features import feature_shape
from .kinds import BOOSTED, FORESTS
from .options import ExplainOptions


def tree_shap(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    inputs: Shaped[np.ndarray, "n ..."],
    targets: Int[np.ndarray, "m n"],
    background: Dataset,
    options: ExplainOptions,
) -> Float32[np.ndarray, "m n d"]:
    """Shapley values of the features, as shap's TreeExplainer gives them.

    Parameters as in `METHODS`. For the baseline ``"mean"`` an absent feature follows the training rows down the trees
    (path-dependent; Lundberg et al. 2020) and values add up to the answer less the mean answer to these rows; zeros
    and arrays are set in its place (interventional), and values add up to the answer less that to the baseline.

    Raises InputError for a model that is no forest and no boosted trees, for texts and tags (the trees look at words
    that a text does not have), and for a scale in which the trees of a model do not add up.
    """
    if background.modality in ("text", "tags"):
        raise InputError(
            f"tree-shap of {background.modality}", "tables, images, volumes, series or audio", "choose occlusion"
        )
    shape = feature_shape(background.modality, inputs)
    attributions = np.zeros((len(models), len(inputs), math.prod(shape)), np.float32)
    for row, target, (name, model) in zip(attributions, targets, models.items(), strict=True):
        check_trees(name, model, options.scale)
        by_class = class_shap(model, inputs, _baseline(background, options))  # type: ignore[arg-type]
        target_values = by_class[np.arange(len(inputs)), :, target if by_class.shape[2] > 1 else 0]
        # Flat rows of images have their channels last; they are summed.
        row[:] = target_values.reshape(len(inputs), math.prod(shape), -1).sum(axis=2)
    return attributions


def check_trees(name: str, model: Any, scale: str) -> None:
    """Refuse, with InputError, a model that tree-shap cannot explain in this scale."""
    family = (
        type(model.estimator).__name__
        if isinstance(model, (FittedEstimator, EstimatorFunction))
        else type(model).__name__
    )
    if family not in (*FORESTS, *BOOSTED):
        raise InputError(f"tree-shap of {name!r}, a {family}", "a forest or boosted trees", "choose occlusion for it")
    tree_scale = "logit" if family in BOOSTED else "probability"
    if model.classes and scale != tree_scale:
        cure = f"choose the scale {tree_scale}, or occlusion for models of several kinds"
        raise InputError(f"tree-shap of {name!r}, a {family}, in the scale {scale}", tree_scale, cure)


def class_shap(
    model: FittedEstimator | EstimatorFunction,
    inputs: Shaped[np.ndarray, "n ..."],
    baseline: Shaped[np.ndarray, ...] | None = None,
) -> Float[np.ndarray, "n d c"]:
    """Shapley values of the features of every class, or of the predicted number.

    Parameters
    ----------
    baseline : one input that stands in for absent features; None for the training rows.

    Of forests in probabilities; of boosted trees in logits: a class's score less the mean score of the others.
    """
    need("shap", extra="trees")
    import shap

    estimator, rows = model.estimator, _rows(model, inputs)
    reference = None if baseline is None else _rows(model, baseline[None])
    parts = [
        np.asarray(shap.TreeExplainer(trees, reference).shap_values(rows, check_additivity=False))
        for trees in _ensembles(estimator)
    ]
    values = np.stack(parts, axis=2) if parts[0].ndim == 2 else parts[0]
    if not model.classes:
        return values
    if type(estimator).__name__ in BOOSTED:
        values = _logits(values)
    by_class = np.zeros((*values.shape[:2], model.classes))
    columns = model.columns if isinstance(model, EstimatorFunction) else estimator.classes_
    by_class[:, :, columns] = values  # a class that is absent from the training set has a constant score
    return by_class


def _rows(model: FittedEstimator | EstimatorFunction, inputs: Shaped[np.ndarray, "n ..."]) -> Any:
    """Flat rows as the estimator reads them."""
    return model.rows(inputs) if isinstance(model, EstimatorFunction) else features(model.encoder, inputs)


def _logits(scores: Float[np.ndarray, "n d k"]) -> Float[np.ndarray, "n d c"]:
    """From the scores that boosted trees add up to logits, which are a linear function of them."""
    if scores.shape[2] == 1:  # of the second class
        return np.concatenate([-scores, scores], axis=2)
    classes = scores.shape[2]
    logits: np.ndarray = (scores - scores.mean(axis=2, keepdims=True)) * classes / (classes - 1)
    return logits


def _ensembles(estimator: Any) -> list[Any]:
    """What shap reads: the estimator, or the trees of each class where it does not read the estimator itself."""
    if type(estimator).__name__ != "GradientBoostingClassifier" or len(estimator.classes_) == 2:
        return [estimator]
    # shap reads gradient boosting of two classes only; the trees of one class are a regression.
    starts = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), np.float32))[0]
    return [
        {
            "trees": [_tree(tree.tree_, estimator.learning_rate) for tree in estimator.estimators_[:, place]],
            "base_offset": float(start),
            "tree_output": "raw_value",
            "input_dtype": np.float32,
            "internal_dtype": np.float64,
        }
        for place, start in enumerate(starts)
    ]


def _tree(tree: Any, rate: float) -> dict[str, Any]:
    return {
        "children_left": tree.children_left,
        "children_right": tree.children_right,
        "children_default": tree.children_left,
        "features": tree.feature,
        "thresholds": tree.threshold,
        "values": tree.value.reshape(len(tree.value), 1) * rate,
        "node_sample_weight": tree.weighted_n_node_samples,
    }


def _baseline(background: Dataset, options: ExplainOptions) -> Shaped[np.ndarray, ...] | None:
    """The input in place of absent features; None for the training rows."""
    shape = background.array.shape[1:]
    if isinstance(options.baseline, str):
        return None if options.baseline == "mean" else np.zeros(shape, np.float32)
    baseline = np.asarray(options.baseline)
    if baseline.shape != shape:
        raise InputError(f"a baseline of shape {baseline.shape}", f"{shape}, the shape of one input")
    return baseline.astype(np.float32)
