"""How is a recipe used from scikit-learn? As an estimator that fits as `train` does, to tables, images or texts."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d, validate_data

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted import Fitted
from polyculture.recipe import Recipe

from .architectures import find_architecture
from .context import TrainingContext
from .data_levels import fit_at_level
from .fit import check

SHAPED = {"image": (2, 3), "volume": (3,), "series": (2,), "audio": (1,), "table": (1,)}
"""Number of dimensions that one input may have, by modality."""

EXAMPLES = 500
"""Rows that an estimator keeps, to compare an exported graph on."""


class _RecipeEstimator(BaseEstimator):  # type: ignore[misc]
    """Everything but the target."""

    def __init__(
        self,
        architecture: Any = "mlp",
        *,
        data: Any = "all",
        objective: Any = None,
        optimizer: Any = None,
        hyperparameters: Any = None,
        pretraining: Any = "none",
        modality: Any = "table",
        shape: Any = None,
        random_state: Any = None,
    ) -> None:
        self.architecture = architecture
        self.data = data
        self.objective = objective
        self.optimizer = optimizer
        self.hyperparameters = hyperparameters
        self.pretraining = pretraining
        self.modality = modality
        self.shape = shape
        self.random_state = random_state

    def _recipe(self, objective: str) -> Recipe:
        """The recipe; by default with this objective and the estimator's own optimizer, or Adam for a net."""
        architecture = find_architecture(self.architecture)
        optimizer = self.optimizer or ("adam" if "adam" in architecture.optimizers else architecture.optimizers[0])
        return Recipe(
            self.architecture,
            self.data,
            self.objective or objective,
            optimizer,
            dict(self.hyperparameters or {}),
            self.pretraining,
            self._seed(),
        )

    def _seed(self) -> int:
        if isinstance(self.random_state, np.random.RandomState):
            return int(self.random_state.randint(2**31 - 1))
        return 0 if self.random_state is None else int(self.random_state)

    def _fitted(self, inputs: np.ndarray, labels: Shaped[np.ndarray, " n"], classes: tuple[str, ...]) -> Fitted:
        recipe = self._recipe("cross-entropy" if classes else "squared")
        dataset = Dataset(inputs, labels, classes, modality=self.modality)
        check([recipe], dataset)
        self._examples = inputs[:: max(1, len(inputs) // EXAMPLES)][:EXAMPLES]
        return fit_at_level(recipe, dataset, TrainingContext(pool=dataset.array)).fitted

    def _read(self, X: Any, reset: bool) -> np.ndarray:
        """Inputs in the shape of a dataset."""
        if self.modality == "text":
            return self._texts(X, reset)
        if self.modality not in SHAPED:
            raise InputError(f"the modality {self.modality!r}", f"'text', {', '.join(map(repr, SHAPED))}")
        rows = validate_data(self, X, reset=reset, dtype=np.float32)
        shape = (self.n_features_in_,) if self.shape is None else tuple(self.shape)
        if math.prod(shape) != self.n_features_in_ or len(shape) not in SHAPED[self.modality]:
            dimensions = " or ".join(map(str, SHAPED[self.modality]))
            raise InputError(
                f"rows of {self.n_features_in_} numbers as {self.modality} of the shape {shape}",
                f"a shape of {dimensions} dimensions whose product is {self.n_features_in_}",
            )
        inputs: np.ndarray = rows.reshape(len(rows), *shape)
        return inputs

    def _texts(self, X: Any, reset: bool) -> np.ndarray:
        texts = np.asarray(X, dtype=object)
        if texts.ndim == 2 and texts.shape[1] == 1:
            texts = texts[:, 0]
        wrong = [text for text in texts.ravel() if not isinstance(text, str)] if texts.ndim == 1 else [texts.shape]
        if wrong:
            raise InputError(f"{wrong[0]!r} among the texts", "one string per row")
        if reset:
            self.n_features_in_ = 1
        return texts

    def export(self, path: Any, X: Any = None, y: Any = None) -> Any:
        """Write a bundle that `polyculture serve` answers from; see `polyculture.export`.

        Parameters
        ----------
        X, y : rows that it was not fitted on, and their targets: the graph is checked on them, and the watch learns
            from them what is usual. Without them the graph is checked on rows of the training set, and there are no
            alarms.
        """
        held_out = None if X is None else (X, y)
        return importlib.import_module("polyculture.deployment").export_bundle(self, path, held_out=held_out)

    def __sklearn_tags__(self) -> Tags:
        """Texts are strings; everything else is numbers without missing values."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = self.modality == "text"
        return tags


class RecipeClassifier(ClassifierMixin, _RecipeEstimator):  # type: ignore[misc]
    """A classifier with any architecture, data level, objective, optimizer and pre-training.

    Parameters
    ----------
    architecture, data, objective, optimizer, hyperparameters, pretraining : as in `Recipe`; objective None for
        cross-entropy, of numbers squared error; optimizer None for the estimator's own, or Adam.
    modality : what a row is: ``"table"``, ``"image"``, ``"volume"``, ``"series"``, ``"audio"`` or ``"text"``.
    shape : of one input, such as ``(28, 28)`` for rows of 784 grey levels; None for the row as it is.
    random_state : the recipe's seed, 0 where None; a RandomState draws one.

    Attributes
    ----------
    classes_ : labels, sorted.
    model_ : the fitted model, from inputs to class probabilities.
    n_features_in_ : numbers in a row; 1 for texts.

    Raises InputError for an unknown recipe, and for a recipe or a shape that does not fit the inputs.
    """

    def fit(self, X: Any, y: Any) -> RecipeClassifier:
        """Fit to n rows of numbers, or n texts (an array, a list or one column of a dataframe), and n labels."""
        inputs, labels = self._read(X, reset=True), _targets(self, X, y)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"y has only 1 class, {str(self.classes_[0])!r}", "two classes or more")
        self.model_ = self._fitted(inputs, codes.astype(np.int64), tuple(map(str, self.classes_)))
        return self

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n c"]:
        """Class probabilities, columns in the order of `classes_`."""
        check_is_fitted(self)
        output = np.asarray(self.model_(self._read(X, reset=False)), dtype=np.float64)
        probabilities: Float[np.ndarray, "n c"] = output / output.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, X: Any) -> Shaped[np.ndarray, " n"]:
        """The most probable class; the first in the order of `classes_` where two are equally probable."""
        codes = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[codes])


class RecipeRegressor(RegressorMixin, _RecipeEstimator):  # type: ignore[misc]
    """A regressor with any architecture; parameters and attributes as those of `RecipeClassifier`, without classes."""

    def fit(self, X: Any, y: Any) -> RecipeRegressor:
        """Fit to n rows of numbers, or n texts, and n numbers."""
        inputs, values = self._read(X, reset=True), _targets(self, X, y).astype(np.float64)
        self.model_ = self._fitted(inputs, values, ())
        return self

    def predict(self, X: Any) -> Float[np.ndarray, " n"]:
        """The predicted numbers."""
        check_is_fitted(self)
        return self.model_.estimate(self._read(X, reset=False))


def _targets(estimator: Any, X: Any, y: Any) -> Shaped[np.ndarray, " n"]:
    """One target per row, or an error as scikit-learn's own estimators have."""
    if y is None:
        raise InputError(f"{type(estimator).__name__} requires y to be passed, but the target y is None")
    targets: Shaped[np.ndarray, " n"] = column_or_1d(y, warn=True)
    check_consistent_length(X, targets)
    assert_all_finite(targets, input_name="y")
    return targets
