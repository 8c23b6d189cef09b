"""What is a learner of scikit-learn here? A builder of estimators over flat features; kept in skops, never pickled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.dataset import Dataset, Modality, Task
from polyculture.errors import FileError, InputError
from polyculture.models.encoder import Encoder
from polyculture.preparation.transforms import with_augmented_copy
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed, stream

from ..context import FitCost, TrainingContext
from ..engine.process import one_thread
from .architecture import Architecture, Fitted, options
from .features import features

TRUSTED = (
    "scipy.sparse._csr.csr_array",
    "scipy.sparse._csr.csr_matrix",
    "sklearn._loss.link.LogLink",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types that a weights file may hold besides those that skops trusts by itself."""
WORD_FACTORS = 64
"""Numbers that words are condensed into for learners that cannot read sparse counts."""
OWN_OBJECTIVES = ("cross-entropy", "squared")


@dataclass(frozen=True)
class Classical(Architecture):
    """A scikit-learn learner: functions from a seed and hyperparameters to unfitted estimators.

    Parameters
    ----------
    build : of the classifier; its keyword-only parameters are the hyperparameters. None for learners of numbers only.
    regressor : the same for the learner of numbers; None for learners of classes only.
    reads_counts : whether it can read sparse counts of words; if not they are condensed first.
    """

    build: Callable[..., Any] | None
    regressor: Callable[..., Any] | None = None
    reads_counts: bool = True
    packages: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "skops")

    def settable(self, recipe: Recipe) -> Mapping[str, Any]:  # noqa: ARG002
        """The builder's keyword-only parameters."""
        return options(self.build or self.regressor)  # type: ignore[arg-type]

    @property
    def optimizers(self) -> tuple[str, ...]:
        """Its own only."""
        return ("own",)

    def check(self, recipe: Recipe) -> None:
        """Also refuse what only nets can be told."""
        super().check(recipe)
        if recipe.objective not in OWN_OBJECTIVES or recipe.pretraining != "none":
            wrong = f"{recipe.architecture!r} with the objective {recipe.objective!r}"
            raise InputError(f"{wrong} and the pre-training {recipe.pretraining!r}", "its own objective, 'none'")

    def suits(self, recipe: Recipe, train: Dataset) -> None:
        """Refuse numbers where it learns classes only, and the other way round."""
        if self._builder(train.task) is None:
            raise InputError(f"{recipe.architecture!r} for {train.task}", "a learner that can", "such as 'forest'")

    def fit(self, recipe: Recipe, train: Dataset, setting: TrainingContext = TrainingContext()) -> Fitted:
        """Learn from flat features; where the data axis has a view, from the training set and one copy so seen."""
        self.suits(recipe, train)
        if setting.view is not None:
            train = with_augmented_copy(train, setting.view, stream(recipe.seed, "view"))
        encoder = Encoder.of(train)
        build = self._builder(train.task)
        assert build is not None
        seed = derived_seed(recipe.seed, "fit") % 2**32
        rows = features(encoder, train.array)
        estimator = self._reading(train.modality, build(seed, **self.settings(recipe)), seed, rows.shape[1])
        labels = train.labels[train.labels >= 0] if train.task == "tagging" else train.labels
        with one_thread():
            estimator.fit(rows, labels)
        return FittedEstimator(estimator, encoder, len(train.classes))

    def load(self, recipe: Recipe, train: Dataset, folder: Path) -> Fitted:  # noqa: ARG002
        """The estimator in ``weights.skops``; FileError if it holds a type that is not on the list of trusted ones."""
        import skops.io

        path = folder / "weights.skops"
        strange = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
        if strange:
            raise FileError(
                f"{path} holds the type {strange[0]}", "nothing but learners of scikit-learn", "do not use this file"
            )
        return FittedEstimator(skops.io.load(path, trusted=list(TRUSTED)), Encoder.load(folder), len(train.classes))

    def _builder(self, task: Task) -> Callable[..., Any] | None:
        return self.regressor if task == "regression" else self.build

    def _reading(self, modality: Modality, learner: Any, seed: int, columns: int) -> Any:
        """The estimator; words are weighed by how rare they are, and condensed for learners that need few numbers."""
        if modality not in ("text", "tags"):
            return learner
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.pipeline import make_pipeline

        weighed = [TfidfTransformer(sublinear_tf=True)] if modality == "text" else []
        condensed = [] if self.reads_counts else [TruncatedSVD(min(WORD_FACTORS, columns - 1), random_state=seed)]
        return make_pipeline(*weighed, *condensed, learner)


@dataclass(frozen=True, eq=False)
class FittedEstimator(Fitted):
    """A fitted scikit-learn learner that answers for all classes, also those absent from its training set."""

    estimator: Any
    encoder: Encoder
    classes: int
    curve: tuple[float, ...] = ()
    effort: FitCost = FitCost()

    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "k c"]:
        """Class probabilities, 0 for classes that it never saw; for regression the predicted numbers."""
        rows = features(self.encoder, inputs)
        if not self.classes:
            return np.asarray(self.estimator.predict(rows), np.float32)[:, None]
        probabilities = np.zeros((rows.shape[0], self.classes), np.float32)
        probabilities[:, self.estimator.classes_] = self.estimator.predict_proba(rows)
        return probabilities

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """How many numbers the fit determined: coefficients, support vectors, training rows or tree nodes."""
        return _size(self.estimator)

    def save(self, folder: Path) -> None:
        """Write ``weights.skops`` and ``encoder.json``."""
        import skops.io

        skops.io.dump(self.estimator, folder / "weights.skops")
        self.encoder.save(folder)


def _size(estimator: Any) -> int:
    """Numbers in a fitted estimator, found by the attributes that each family keeps them in."""
    if hasattr(estimator, "steps"):
        return sum(_size(step) for _, step in estimator.steps)
    if hasattr(estimator, "regressor_"):
        return _size(estimator.regressor_)
    if hasattr(estimator, "calibrated_classifiers_"):
        return sum(_size(c.estimator) + len(c.calibrators) for c in estimator.calibrated_classifiers_)
    if hasattr(estimator, "estimators_"):
        return sum(tree.tree_.node_count for tree in estimator.estimators_)
    if hasattr(estimator, "_predictors"):
        return sum(len(tree.nodes) for trees in estimator._predictors for tree in trees)
    fitted = next(names for names in KEPT_IN if hasattr(estimator, names[0]))
    return sum(_numbers(getattr(estimator, name)) for name in fitted if hasattr(estimator, name))


KEPT_IN = (
    ("support_vectors_", "dual_coef_", "intercept_"),
    ("coef_", "intercept_"),
    ("theta_", "var_"),
    ("_fit_X",),
    ("components_",),
    ("idf_",),
)
"""Attributes that hold what a fit determined, by family of learners."""


def _numbers(array: Any) -> int:
    return int(array.nnz if hasattr(array, "nnz") else np.size(array))
