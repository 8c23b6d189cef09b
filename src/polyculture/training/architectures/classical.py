"""The classical learners: scikit-learn estimators over flattened inputs, kept in skops files and never pickled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from polyculture import rng
from polyculture.dataset import Dataset
from polyculture.errors import FileError
from polyculture.recipe import Recipe

from ..process import one_thread
from .architecture import Architecture, Fitted, Shape, options

TRUSTED = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types that a weights file may hold besides those that skops trusts by itself."""


def logistic(seed: int, *, C: float = 1.0) -> Any:
    """Multinomial logistic regression; `C` is the inverse of the L2 penalty."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, max_iter=1000, random_state=seed)


def knn(seed: int, *, neighbours: int = 3, weights: str = "uniform") -> Any:  # noqa: ARG001
    """Nearest neighbours in Euclidean distance; `weights` is ``"uniform"`` or ``"distance"``."""
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(neighbours, weights=weights)


def svm(seed: int, *, C: float = 5.0, kernel: str = "rbf") -> Any:  # noqa: ARG001
    """Support vector machine, its scores turned into probabilities by a temperature fitted over three folds."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    machine = SVC(C=C, kernel=kernel, break_ties=True)  # so that its answer is the class of the highest score
    return CalibratedClassifierCV(machine, method="temperature", cv=3, ensemble=False)


def forest(seed: int, *, trees: int = 100, depth: int = 16) -> Any:
    """Random forest (Breiman 2001)."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(trees, max_depth=depth, random_state=seed)


def boosting(seed: int, *, rounds: int = 40, learning_rate: float = 0.2, leaves: int = 8) -> Any:
    """Histogram gradient boosting; each split looks at a random 30 % of the features, so the seed matters."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=rounds,
        learning_rate=learning_rate,
        max_leaf_nodes=leaves,
        min_samples_leaf=5,
        max_features=0.3,
        random_state=seed,
    )


@dataclass(frozen=True)
class Classical(Architecture):
    """A scikit-learn classifier: a function from a seed and hyperparameters to an unfitted estimator."""

    build: Callable[..., Any]
    packages: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "skops")

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """The builder's keyword-only parameters."""
        return options(self.build)

    @property
    def optimizers(self) -> tuple[str, ...]:
        """Its own only."""
        return ("own",)

    def fit(self, recipe: Recipe, train: Dataset) -> Fitted:
        """Learn from flattened inputs."""
        seed = rng.derived_seed(recipe.seed, "fit") % 2**32
        estimator = self.build(seed, **self.settings(recipe))
        with one_thread():
            estimator.fit(_flat(train.inputs), train.labels)
        return FittedEstimator(estimator, len(train.classes))

    def load(self, recipe: Recipe, shape: Shape, classes: int, folder: Path) -> Fitted:  # noqa: ARG002
        """The estimator in ``weights.skops``; FileError if it holds a type that is not on the list of trusted ones."""
        import skops.io

        path = folder / "weights.skops"
        strange = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
        if strange:
            raise FileError(
                f"{path} holds the type {strange[0]}", "nothing but learners of scikit-learn", "do not use this file"
            )
        return FittedEstimator(skops.io.load(path, trusted=list(TRUSTED)), classes)


@dataclass(frozen=True, eq=False)
class FittedEstimator(Fitted):
    """A fitted scikit-learn classifier that answers for all classes, also those absent from its training set."""

    estimator: Any
    classes: int
    curve: tuple[float, ...] = ()

    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n c"]:
        """Class probabilities; 0 for classes that it never saw."""
        probabilities = np.zeros((len(inputs), self.classes), np.float32)
        probabilities[:, self.estimator.classes_] = self.estimator.predict_proba(_flat(inputs))
        return probabilities

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """How many numbers the fit determined: coefficients, support vectors, training rows or tree nodes."""
        return _size(self.estimator)

    def save(self, folder: Path) -> None:
        """Write ``weights.skops``."""
        import skops.io

        skops.io.dump(self.estimator, folder / "weights.skops")


def _flat(inputs: np.ndarray) -> np.ndarray:
    return inputs.reshape(len(inputs), -1)


def _size(estimator: Any) -> int:
    """Numbers in a fitted estimator, found by the attributes that each family keeps them in."""
    if hasattr(estimator, "calibrated_classifiers_"):
        return sum(_size(c.estimator) + len(c.calibrators) for c in estimator.calibrated_classifiers_)
    if hasattr(estimator, "estimators_"):
        return sum(tree.tree_.node_count for tree in estimator.estimators_)
    if hasattr(estimator, "_predictors"):
        return sum(len(tree.nodes) for trees in estimator._predictors for tree in trees)
    arrays = ("coef_", "intercept_") if "coef_" in vars(estimator) else ("support_vectors_", "dual_coef_", "_fit_X")
    return sum(np.size(getattr(estimator, name)) for name in arrays if hasattr(estimator, name))
