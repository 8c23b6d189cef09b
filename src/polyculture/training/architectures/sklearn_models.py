"""Which scikit-learn estimators are there? Builders, from a seed and hyperparameters to an unfitted estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from polyculture.dataset import Dataset, Modality, Task
from polyculture.errors import InputError
from polyculture.models.encoder import Encoder
from polyculture.models.features import features
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.threads import one_thread
from polyculture.preparation.transforms import with_augmented_copy
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed, stream

from ..context import TrainingContext
from ..hyperparameters import options
from .architecture import Architecture

WORD_FACTORS = 64
"""Dimensions that word counts are projected to for estimators that cannot read sparse counts."""
OWN_OBJECTIVES = ("cross-entropy", "squared")


@dataclass(frozen=True)
class SklearnModel(Architecture):
    """A scikit-learn architecture: functions from a seed and hyperparameters to unfitted estimators.

    Parameters
    ----------
    build : of the classifier; its keyword-only parameters are the hyperparameters. None for regression only.
    regressor : of the regressor; None for classification only.
    reads_counts : whether it can read sparse counts of words; if not they are projected first.
    reads_words_only : whether it reads nothing but counts of words.
    """

    build: Callable[..., Any] | None
    regressor: Callable[..., Any] | None = None
    reads_counts: bool = True
    reads_words_only: bool = False
    packages: ClassVar[tuple[str, ...]] = ("scikit-learn", "scipy", "skops")

    def settable(self, recipe: Recipe) -> Mapping[str, Any]:  # noqa: ARG002
        """The builder's keyword-only parameters."""
        return options(self.build or self.regressor)  # type: ignore[arg-type]

    @property
    def optimizers(self) -> tuple[str, ...]:
        """The estimator's own."""
        return ("own",)

    def check(self, recipe: Recipe) -> None:
        """Also refuse objectives and pre-training, which only nets have."""
        super().check(recipe)
        if recipe.objective not in OWN_OBJECTIVES or recipe.pretraining != "none":
            wrong = f"{recipe.architecture!r} with the objective {recipe.objective!r}"
            raise InputError(f"{wrong} and the pre-training {recipe.pretraining!r}", "its own objective, 'none'")

    def suits(self, recipe: Recipe, train: Dataset) -> None:
        """Refuse regression where it only classifies, the other way round, and all but words where it counts them."""
        if self._builder(train.task) is None:
            raise InputError(
                f"{recipe.architecture!r} for {train.task}", "an architecture for this task", "such as 'forest'"
            )
        if self.reads_words_only and train.modality not in ("text", "tags"):
            raise InputError(
                f"{recipe.architecture!r} for {train.modality}",
                "an architecture that reads it",
                "such as 'naive-bayes'",
            )

    def fit(self, recipe: Recipe, train: Dataset, context: TrainingContext = TrainingContext()) -> Fitted:
        """Fit to flat features; where the data axis has a view, to the training set and one transformed copy."""
        self.suits(recipe, train)
        if context.view is not None:
            train = with_augmented_copy(train, context.view, stream(recipe.seed, "view"))
        encoder = context.encoder or Encoder.of(train)
        build = self._builder(train.task)
        assert build is not None
        seed = derived_seed(recipe.seed, "fit") % 2**32
        rows = features(encoder, train.array)
        learner = build(seed, **self.settings(recipe))
        if getattr(learner, "n_neighbors", 0) > rows.shape[0]:
            learner.set_params(n_neighbors=rows.shape[0])
        estimator = self._pipeline(train.modality, learner, seed, rows.shape[1])
        labels = train.labels[train.labels >= 0] if train.task == "tagging" else train.labels
        with one_thread():
            estimator.fit(rows, labels)
        return FittedEstimator(estimator, encoder, len(train.classes))

    def load(self, recipe: Recipe, train: Dataset, folder: Path) -> Fitted:  # noqa: ARG002
        """The estimator in ``weights.skops``; FileError if it holds a type that is not on the list of trusted ones."""
        return FittedEstimator.load(folder, len(train.classes))

    def _builder(self, task: Task) -> Callable[..., Any] | None:
        return self.regressor if task == "regression" else self.build

    def _pipeline(self, modality: Modality, estimator: Any, seed: int, columns: int) -> Any:
        """The estimator; words are weighted by rarity, and projected for estimators that cannot read sparse counts."""
        if modality not in ("text", "tags"):
            return estimator
        steps = [_sklearn("feature_extraction.text.TfidfTransformer", sublinear_tf=True)] if modality == "text" else []
        if not self.reads_counts:
            factors = min(WORD_FACTORS, columns - 1)
            steps.append(_sklearn("decomposition.TruncatedSVD", factors, random_state=seed))
        return _sklearn("pipeline.make_pipeline", *steps, estimator)


def logistic(seed: int, *, C: float = 1.0) -> Any:
    """Multinomial logistic regression; `C` is the inverse of the L2 penalty."""
    return _sklearn("linear_model.LogisticRegression", C=C, max_iter=1000, random_state=seed)


def ridge(seed: int, *, C: float = 1.0) -> Any:  # noqa: ARG001
    """Linear regression with an L2 penalty (Hoerl and Kennard 1970); `C` is its inverse."""
    return _sklearn("linear_model.Ridge", alpha=1 / C)


def naive_bayes(seed: int, *, smoothing: float = 1e-3) -> Any:  # noqa: ARG001
    """Gaussian naive Bayes; `smoothing` is the share of the largest variance that is added to all."""
    return _sklearn("naive_bayes.GaussianNB", var_smoothing=smoothing)


def multinomial_naive_bayes(seed: int, *, smoothing: float = 0.1) -> Any:  # noqa: ARG001
    """Multinomial naive Bayes of words; `smoothing` is added to the count of every word in every class."""
    return _sklearn("naive_bayes.MultinomialNB", alpha=smoothing)


def knn(seed: int, *, neighbours: int = 3, weights: str = "uniform") -> Any:  # noqa: ARG001
    """Nearest neighbours in Euclidean distance, all if there are fewer; `weights`: ``"uniform"`` or ``"distance"``."""
    return _sklearn("neighbors.KNeighborsClassifier", neighbours, weights=weights, algorithm="brute")


def knn_regressor(seed: int, *, neighbours: int = 3, weights: str = "uniform") -> Any:  # noqa: ARG001
    """The mean of the nearest neighbours."""
    return _sklearn("neighbors.KNeighborsRegressor", neighbours, weights=weights, algorithm="brute")


def svm(seed: int, *, C: float = 5.0, kernel: str = "rbf") -> Any:  # noqa: ARG001
    """Support vector machine, its scores turned into probabilities by a temperature fitted over three folds."""
    # Ties are broken so that its answer is the class of the highest score.
    machine = _sklearn("svm.SVC", C=C, kernel=kernel, break_ties=True)
    return _sklearn("calibration.CalibratedClassifierCV", machine, method="temperature", cv=3, ensemble=False)


def svm_regressor(seed: int, *, C: float = 5.0, kernel: str = "rbf") -> Any:  # noqa: ARG001
    """Support vector regression; targets are standardized, since its margin is a number of their scale."""
    return _sklearn(
        "compose.TransformedTargetRegressor",
        _sklearn("svm.SVR", C=C, kernel=kernel),
        transformer=_sklearn("preprocessing.StandardScaler"),
    )


def forest(seed: int, *, trees: int = 100, depth: int = 16) -> Any:
    """Random forest (Breiman 2001)."""
    return _sklearn("ensemble.RandomForestClassifier", trees, max_depth=depth, random_state=seed)


def forest_regressor(seed: int, *, trees: int = 100, depth: int = 16) -> Any:
    """Random forest of regression trees, each split among a third of the features."""
    return _sklearn("ensemble.RandomForestRegressor", trees, max_depth=depth, max_features=1 / 3, random_state=seed)


def extra_trees(seed: int, *, trees: int = 100, depth: int = 24) -> Any:
    """Extremely randomized trees (Geurts et al. 2006): split points are drawn by chance."""
    return _sklearn("ensemble.ExtraTreesClassifier", trees, max_depth=depth, random_state=seed)


def extra_trees_regressor(seed: int, *, trees: int = 100, depth: int = 24) -> Any:
    """Extremely randomized regression trees."""
    return _sklearn("ensemble.ExtraTreesRegressor", trees, max_depth=depth, random_state=seed)


def boosting(seed: int, *, rounds: int = 40, learning_rate: float = 0.2, leaves: int = 8) -> Any:
    """Histogram gradient boosting; each split looks at a random 30 % of the features, so the seed matters."""
    return _sklearn("ensemble.HistGradientBoostingClassifier", **_boosting(seed, rounds, learning_rate, leaves))


def boosting_regressor(seed: int, *, rounds: int = 40, learning_rate: float = 0.2, leaves: int = 8) -> Any:
    """Histogram gradient boosting of squared error."""
    return _sklearn("ensemble.HistGradientBoostingRegressor", **_boosting(seed, rounds, learning_rate, leaves))


def _sklearn(path: str, *arguments: Any, **settings: Any) -> Any:
    """The estimator of this path in scikit-learn, which is imported on first use."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(f"sklearn.{module}"), name)(*arguments, **settings)


def _boosting(seed: int, rounds: int, learning_rate: float, leaves: int) -> dict[str, Any]:
    return {
        "max_iter": rounds,
        "learning_rate": learning_rate,
        "max_leaf_nodes": leaves,
        "min_samples_leaf": 5,
        "max_features": 0.3,
        "random_state": seed,
    }
