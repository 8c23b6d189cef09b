"""How does a fitted scikit-learn estimator predict? From flat features; saved by skops, never pickled."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.errors import FileError

from .encoder import Encoder
from .features import features
from .fitted import FitCost, Fitted

TRUSTED = (
    "scipy.sparse._csr.csr_array",
    "scipy.sparse._csr.csr_matrix",
    "sklearn._loss.link.LogLink",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types that a weights file may hold in addition to those that skops trusts."""


@dataclass(frozen=True, eq=False)
class FittedEstimator(Fitted):
    """A fitted scikit-learn estimator that predicts all classes, also those absent from its training set."""

    estimator: Any
    encoder: Encoder
    classes: int
    curve: tuple[float, ...] = ()
    cost: FitCost = field(default_factory=FitCost)

    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "k c"]:
        """Class probabilities, 0 for classes absent from its training set; for regression the predicted numbers."""
        rows = features(self.encoder, inputs)
        if not self.classes:
            return np.asarray(self.estimator.predict(rows), np.float32)[:, None]
        probabilities = np.zeros((rows.shape[0], self.classes), np.float32)
        probabilities[:, self.estimator.classes_] = self.estimator.predict_proba(rows)
        return probabilities

    def estimate(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, " n"]:
        """Predicted numbers, computed in double precision so that they do not depend on the other rows."""
        return np.asarray(self.estimator.predict(features(self.encoder, inputs).astype(np.float64)), np.float64)

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """Numbers that the fit determined: coefficients, support vectors, training rows or tree nodes."""
        return _size(self.estimator)

    def save(self, folder: Path) -> None:
        """Write ``weights.skops`` and ``encoder.json``."""
        import skops.io

        skops.io.dump(self.estimator, folder / "weights.skops")
        self.encoder.save(folder)

    @classmethod
    def load(cls, folder: Path, classes: int) -> FittedEstimator:
        """What `save` wrote; FileError if it holds a type that is not on the list of trusted ones."""
        import skops.io

        path = folder / "weights.skops"
        untrusted = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
        if untrusted:
            raise FileError(
                f"{path} holds the type {untrusted[0]}", "only scikit-learn estimators", "do not use this file"
            )
        return cls(skops.io.load(path, trusted=list(TRUSTED)), Encoder.load(folder), classes)


def _size(estimator: Any) -> int:
    """Numbers in a fitted estimator, from the attributes that each family keeps them in."""
    if hasattr(estimator, "steps"):
        return sum(_size(step) for _, step in estimator.steps)
    if hasattr(estimator, "transformers_"):  # columns that a step selects
        return sum(len(columns) for _, step, columns in estimator.transformers_ if step != "drop")
    if hasattr(estimator, "regressor_"):
        return _size(estimator.regressor_)
    if hasattr(estimator, "calibrated_classifiers_"):
        return sum(_size(c.estimator) + len(c.calibrators) for c in estimator.calibrated_classifiers_)
    if hasattr(estimator, "estimators_"):
        return sum(tree.tree_.node_count for tree in np.ravel(estimator.estimators_))
    if hasattr(estimator, "tree_"):
        return int(estimator.tree_.node_count)
    if hasattr(estimator, "_predictors"):
        return sum(len(tree.nodes) for trees in estimator._predictors for tree in trees)
    names = next(names for names in FITTED_ATTRIBUTES if hasattr(estimator, names[0]))
    return sum(_numbers(getattr(estimator, name)) for name in names if hasattr(estimator, name))


FITTED_ATTRIBUTES = (
    ("support_vectors_", "dual_coef_", "intercept_"),
    ("coef_", "intercept_"),
    ("theta_", "var_"),
    ("feature_log_prob_", "class_log_prior_"),
    ("_fit_X",),
    ("components_",),
    ("idf_",),
)
"""Attributes that hold what a fit determined, by family of estimators."""


def _numbers(array: Any) -> int:
    return int(array.nnz if hasattr(array, "nnz") else np.size(array))
