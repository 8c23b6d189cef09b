"""Which learners are tried by default, and what does each of them need before it can read a table?

The lists go across families first and across hyperparameters of a family after that, and the cheap ones come before
the expensive ones within each round: whatever the time allows, it goes into learners that differ.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, OrdinalEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

Learners = list[tuple[str, Any]]

TREES = (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
"""Learners that split on order and so read the categories of a column as numbers."""
BOOSTINGS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
"""Learners that split categories as such."""
MOST_NATIVE = 250
"""Categories of one column that these tell apart; the rarer ones share the last one."""
MOST_CATEGORIES = 50
"""Columns of 0 and 1 that one categorical column becomes; the rarer categories share the last one."""
SMALL_STEPS = {
    "max_iter": 200,
    "learning_rate": 0.03,
    "max_leaf_nodes": 6,
    "max_features": 0.3,
    "early_stopping": False,
}
"""Small trees, small steps, and a random part of the features for each split."""
CATBOOST = {"iterations": 200, "depth": 4, "thread_count": 1, "verbose": False, "allow_writing_files": False}
"""Fewer and smaller trees than its own settings, which take seconds of a few hundred rows."""
BOOSTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "lightgbm": ("LGBM", {"n_estimators": 200, "learning_rate": 0.05, "num_leaves": 15, "n_jobs": 1, "verbose": -1}),
    "xgboost": ("XGB", {"n_estimators": 200, "learning_rate": 0.05, "max_depth": 4, "n_jobs": 1}),
    "catboost": ("CatBoost", CATBOOST),
}
"""By library how its estimators are called, and their settings."""
MANY_ROWS = 5_000
"""With more rows boostings grow for as long as held-out rows get better, and nets may have two layers."""
LARGE = {"max_iter": 500, "max_leaf_nodes": 63, "early_stopping": True}
"""A boosting of many rows: larger trees, as many as held-out rows allow."""
LARGE_SLOW = {**LARGE, "max_iter": 1000, "learning_rate": 0.05, "max_leaf_nodes": 31, "max_features": 0.3}
KIN = {"Boosting": "boosting", "LGBM": "boosting", "XGB": "boosting", "CatBoost": "boosting"} | {
    "Forest": "forest",
    "ExtraTrees": "forest",
}
"""By a part of the name of a class its kin."""
SECONDS = ("logistic strong", "ridge strong", "nearest 40", "svm soft", "forest shallow")
"""Learners of a family that has another one, which of many rows learns as well."""
DEEP = {"hidden_layer_sizes": (128, 64), "alpha": 0.001, "max_iter": 100, "early_stopping": True, "n_iter_no_change": 5}
"""A net of two layers that stops when held-out rows get no better."""


def classifiers(sparse: bool = False, rows: int = 0) -> Learners:
    """Named classifiers of eight families, then further ones with other hyperparameters.

    Parameters
    ----------
    sparse : whether the inputs are a sparse matrix: then columns are scaled but not centred, and learners that read
        no sparse matrix are not among them.
    rows : how many there are to learn from: boostings and nets of many rows are larger, and stop by held-out rows.
    """
    large = rows > MANY_ROWS
    boosting = LARGE if large else {"max_leaf_nodes": 15, "min_samples_leaf": 10, "early_stopping": False}
    scaler = MaxAbsScaler() if sparse else StandardScaler()
    splines = SplineTransformer(n_knots=5, degree=2, knots="quantile", extrapolation="linear")
    learners = [
        ("logistic", make_pipeline(scaler, LogisticRegression(max_iter=1000))),
        ("naive bayes", GaussianNB()),
        ("nearest 10", make_pipeline(scaler, KNeighborsClassifier(10, weights="distance"))),
        ("svm", make_pipeline(scaler, SVC(C=2.0, break_ties=True))),
        ("discriminant", make_pipeline(scaler, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))),
        ("boosting", HistGradientBoostingClassifier(**boosting)),
        ("extra trees", ExtraTreesClassifier(200, min_samples_leaf=2)),
        ("neural net", make_pipeline(scaler, MLPClassifier(hidden_layer_sizes=(64,), alpha=0.01, max_iter=100))),
        ("logistic strong", make_pipeline(scaler, LogisticRegression(C=0.02, max_iter=1000))),
        ("logistic splines", make_pipeline(scaler, splines, LogisticRegression(C=0.1, max_iter=1000))),
        ("nearest 40", make_pipeline(scaler, KNeighborsClassifier(40))),
        ("svm soft", make_pipeline(scaler, SVC(C=0.3, break_ties=True))),
        ("quadratic", make_pipeline(scaler, QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.3))),
        ("boosting slow", HistGradientBoostingClassifier(**(LARGE_SLOW if large else SMALL_STEPS))),
        ("forest", RandomForestClassifier(200)),
        ("forest shallow", RandomForestClassifier(200, max_depth=5, max_features=0.5)),
        *[("neural net deep", make_pipeline(scaler, MLPClassifier(**DEEP)))] * large,
        *installed_boosters(regression=False),
    ]
    return _able(learners, sparse, rows)


def regressors(sparse: bool = False, rows: int = 0) -> Learners:
    """Named regressors of seven families, then further ones with other hyperparameters; see `classifiers`."""
    large = rows > MANY_ROWS
    boosting = LARGE if large else {"max_leaf_nodes": 15, "min_samples_leaf": 10, "early_stopping": False}
    scaler = MaxAbsScaler() if sparse else StandardScaler()
    splines = SplineTransformer(n_knots=5, degree=2, knots="quantile", extrapolation="linear")
    net = MLPRegressor(hidden_layer_sizes=(64,), alpha=0.01, max_iter=200)
    learners = [
        ("ridge", make_pipeline(scaler, Ridge())),
        ("nearest 10", make_pipeline(scaler, KNeighborsRegressor(10, weights="distance"))),
        ("svm", _standardized(make_pipeline(scaler, SVR()))),
        ("splines", make_pipeline(scaler, splines, Ridge(10.0))),
        ("boosting", HistGradientBoostingRegressor(**boosting)),
        ("extra trees", ExtraTreesRegressor(200, min_samples_leaf=2)),
        ("neural net", _standardized(make_pipeline(scaler, net))),
        ("ridge strong", make_pipeline(scaler, Ridge(100.0))),
        ("nearest 40", make_pipeline(scaler, KNeighborsRegressor(40))),
        ("svm soft", _standardized(make_pipeline(scaler, SVR(C=0.1)))),
        ("boosting slow", HistGradientBoostingRegressor(**(LARGE_SLOW if large else SMALL_STEPS))),
        ("forest", RandomForestRegressor(200, min_samples_leaf=2)),
        ("forest shallow", RandomForestRegressor(200, max_depth=5, max_features=0.5)),
        *[("neural net deep", _standardized(make_pipeline(scaler, MLPRegressor(**DEEP))))] * large,
        *installed_boosters(regression=True),
    ]
    return _able(learners, sparse, rows)


def installed_boosters(regression: bool) -> Learners:
    """Boostings of other libraries, of those that are installed: LightGBM, XGBoost and CatBoost."""
    suffix, found = "Regressor" if regression else "Classifier", []
    for library, (prefix, settings) in BOOSTERS.items():
        if importlib.util.find_spec(library) is not None:
            found.append((library, getattr(importlib.import_module(library), prefix + suffix)(**settings)))
    return found


def _able(learners: Learners, sparse: bool, rows: int) -> Learners:
    """Those that read such a matrix; of many rows not those that are dear and like another, of few no wide circles."""
    without: tuple[str, ...] = SECONDS if rows > MANY_ROWS else ()
    if rows:
        without += tuple(f"nearest {k}" for k in (10, 40) if rows < 2.5 * k)
    learners = [pair for pair in learners if pair[0] not in without]
    return [(name, learner) for name, learner in learners if not sparse or reads_sparse(learner)]


def prepared(
    learner: Any, categorical: tuple[int, ...], numeric: tuple[int, ...], empty: frozenset[int] = frozenset()
) -> Any:
    """The learner behind a step that makes of the table what it can read.

    Missing numbers become the median, with an indicator column, unless the learner deals with them. Categories
    become numbers for trees, categories of its own for a boosting with histograms, and columns of 0 and 1 for others.

    Parameters
    ----------
    categorical, numeric : positions of the columns.
    empty : positions of numeric columns without a number in any row to learn from, which the learner does not see:
        what they hold later means nothing to it.
    """
    numbers: Any = "passthrough"
    if not get_tags(learner).input_tags.allow_nan:
        numbers = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    copy, step = clone(learner), numbers
    if categorical and isinstance(copy, BOOSTINGS) and copy.categorical_features in (None, "from_dtype"):
        copy.set_params(categorical_features=list(range(len(categorical))))  # the step puts them first
    if categorical or (empty and len(empty) < len(numeric)):
        filled = tuple(i for i in numeric if i not in empty)
        step = ColumnTransformer(
            [("categories", _encoder(learner), categorical), ("numbers", numbers, filled)][not categorical :]
        )
    return copy if step == "passthrough" else Pipeline([("prepare", step), ("learn", copy)])


def weight_argument(learner: Any) -> str:
    """Name of the argument of `fit` that takes sample weights; empty where the learner takes none."""
    if isinstance(learner, Pipeline):
        name, last = learner.steps[-1]
        inner = weight_argument(last)
        return f"{name}__{inner}" if inner else ""
    if isinstance(learner, TransformedTargetRegressor):
        return weight_argument(learner.regressor)
    return "sample_weight" if has_fit_parameter(learner, "sample_weight") else ""


def reads_sparse(learner: Any) -> bool:
    """Whether the learner reads sparse matrices."""
    if isinstance(learner, TransformedTargetRegressor):
        return reads_sparse(learner.regressor)
    return bool(get_tags(learner).input_tags.sparse)


def family(learner: Any) -> str:
    """Name of the class of the last step."""
    if isinstance(learner, Pipeline):
        return family(learner.steps[-1][1])
    if isinstance(learner, TransformedTargetRegressor):
        return family(learner.regressor)
    return type(learner).__name__


def kin(learner: Any) -> str:
    """Learners of the same kin make much the same mistakes: all boostings, all forests, else those of one class."""
    name = family(learner).removesuffix("Classifier").removesuffix("Regressor")
    return next((kind for word, kind in KIN.items() if word in name), name)


def _standardized(regressor: Any) -> Any:
    """For learners that expect targets of unit size."""
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


def _encoder(learner: Any) -> Any:
    last = learner.steps[-1][1] if isinstance(learner, Pipeline) else learner
    if isinstance(last, BOOSTINGS):
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=MOST_NATIVE)
    if isinstance(last, TREES) or type(last).__module__.partition(".")[0] in BOOSTERS:
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, min_frequency=5, sparse_output=False
    )
