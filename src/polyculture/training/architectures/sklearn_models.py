"""Which learners without layers are there? Builders of scikit-learn estimators: a seed and hyperparameters to one."""

from __future__ import annotations

from typing import Any


def logistic(seed: int, *, C: float = 1.0) -> Any:
    """Multinomial logistic regression; `C` is the inverse of the L2 penalty."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, max_iter=1000, random_state=seed)


def ridge(seed: int, *, C: float = 1.0) -> Any:  # noqa: ARG001
    """Linear regression with an L2 penalty (Hoerl and Kennard 1970); `C` is its inverse."""
    from sklearn.linear_model import Ridge

    return Ridge(alpha=1 / C)


def naive_bayes(seed: int, *, smoothing: float = 1e-3) -> Any:  # noqa: ARG001
    """Gaussian naive Bayes; `smoothing` is the share of the largest variance that is added to all."""
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB(var_smoothing=smoothing)


def knn(seed: int, *, neighbours: int = 3, weights: str = "uniform") -> Any:  # noqa: ARG001
    """Nearest neighbours in Euclidean distance; `weights` is ``"uniform"`` or ``"distance"``."""
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(neighbours, weights=weights, algorithm="brute")


def knn_regressor(seed: int, *, neighbours: int = 3, weights: str = "uniform") -> Any:  # noqa: ARG001
    """The mean of the nearest neighbours."""
    from sklearn.neighbors import KNeighborsRegressor

    return KNeighborsRegressor(neighbours, weights=weights, algorithm="brute")


def svm(seed: int, *, C: float = 5.0, kernel: str = "rbf") -> Any:  # noqa: ARG001
    """Support vector machine, its scores turned into probabilities by a temperature fitted over three folds."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    machine = SVC(C=C, kernel=kernel, break_ties=True)  # so that its answer is the class of the highest score
    return CalibratedClassifierCV(machine, method="temperature", cv=3, ensemble=False)


def svm_regressor(seed: int, *, C: float = 5.0, kernel: str = "rbf") -> Any:  # noqa: ARG001
    """Support vector regression; targets are standardized, since its margin is a number of their scale."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    return TransformedTargetRegressor(SVR(C=C, kernel=kernel), transformer=StandardScaler())


def forest(seed: int, *, trees: int = 100, depth: int = 16) -> Any:
    """Random forest (Breiman 2001)."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(trees, max_depth=depth, random_state=seed)


def forest_regressor(seed: int, *, trees: int = 100, depth: int = 16) -> Any:
    """Random forest of regression trees, each split among a third of the features."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(trees, max_depth=depth, max_features=1 / 3, random_state=seed)


def extra_trees(seed: int, *, trees: int = 100, depth: int = 24) -> Any:
    """Extremely randomized trees (Geurts et al. 2006): split points are drawn by chance."""
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(trees, max_depth=depth, random_state=seed)


def extra_trees_regressor(seed: int, *, trees: int = 100, depth: int = 24) -> Any:
    """Extremely randomized regression trees."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(trees, max_depth=depth, random_state=seed)


def boosting(seed: int, *, rounds: int = 40, learning_rate: float = 0.2, leaves: int = 8) -> Any:
    """Histogram gradient boosting; each split looks at a random 30 % of the features, so the seed matters."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(**_boosting(seed, rounds, learning_rate, leaves))


def boosting_regressor(seed: int, *, rounds: int = 40, learning_rate: float = 0.2, leaves: int = 8) -> Any:
    """Histogram gradient boosting of squared error."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(**_boosting(seed, rounds, learning_rate, leaves))


def _boosting(seed: int, rounds: int, learning_rate: float, leaves: int) -> dict[str, Any]:
    return {
        "max_iter": rounds,
        "learning_rate": learning_rate,
        "max_leaf_nodes": leaves,
        "min_samples_leaf": 5,
        "max_features": 0.3,
        "random_state": seed,
    }
