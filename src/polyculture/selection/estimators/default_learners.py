"""Which learners are tried by default, and what does each of them need before it can read a table?

The lists go across families first and across hyperparameters of a family after that, and the cheap ones come before
the expensive ones within each round: whatever the time allows, it goes into learners that differ.
"""

from __future__ import annotations

from typing import Any

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


def classifiers(sparse: bool = False) -> Learners:
    """Named classifiers of eight families, then further ones with other hyperparameters.

    Parameters
    ----------
    sparse : whether the inputs are a sparse matrix: then columns are scaled but not centred, and learners that read
        no sparse matrix are not among them.
    """
    scaler = MaxAbsScaler() if sparse else StandardScaler()
    splines = SplineTransformer(n_knots=5, degree=2, knots="quantile", extrapolation="linear")
    learners = [
        ("logistic", make_pipeline(scaler, LogisticRegression(max_iter=1000))),
        ("naive bayes", GaussianNB()),
        ("nearest 10", make_pipeline(scaler, KNeighborsClassifier(10, weights="distance"))),
        ("svm", make_pipeline(scaler, SVC(C=2.0, break_ties=True))),
        ("discriminant", make_pipeline(scaler, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))),
        ("boosting", HistGradientBoostingClassifier(max_leaf_nodes=15, min_samples_leaf=10, early_stopping=False)),
        ("extra trees", ExtraTreesClassifier(200, min_samples_leaf=2)),
        ("neural net", make_pipeline(scaler, MLPClassifier(hidden_layer_sizes=(64,), alpha=0.01, max_iter=100))),
        ("logistic strong", make_pipeline(scaler, LogisticRegression(C=0.02, max_iter=1000))),
        ("logistic splines", make_pipeline(scaler, splines, LogisticRegression(C=0.1, max_iter=1000))),
        ("nearest 40", make_pipeline(scaler, KNeighborsClassifier(40))),
        ("svm soft", make_pipeline(scaler, SVC(C=0.3, break_ties=True))),
        ("quadratic", make_pipeline(scaler, QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.3))),
        ("boosting slow", HistGradientBoostingClassifier(**SMALL_STEPS)),
        ("forest", RandomForestClassifier(200)),
        ("forest shallow", RandomForestClassifier(200, max_depth=5, max_features=0.5)),
    ]
    return [(name, learner) for name, learner in learners if not sparse or reads_sparse(learner)]


def regressors(sparse: bool = False) -> Learners:
    """Named regressors of seven families, then further ones with other hyperparameters; see `classifiers`."""
    scaler = MaxAbsScaler() if sparse else StandardScaler()
    splines = SplineTransformer(n_knots=5, degree=2, knots="quantile", extrapolation="linear")
    net = MLPRegressor(hidden_layer_sizes=(64,), alpha=0.01, max_iter=200)
    learners = [
        ("ridge", make_pipeline(scaler, Ridge())),
        ("nearest 10", make_pipeline(scaler, KNeighborsRegressor(10, weights="distance"))),
        ("svm", _standardized(make_pipeline(scaler, SVR()))),
        ("splines", make_pipeline(scaler, splines, Ridge(10.0))),
        ("boosting", HistGradientBoostingRegressor(max_leaf_nodes=15, min_samples_leaf=10, early_stopping=False)),
        ("extra trees", ExtraTreesRegressor(200, min_samples_leaf=2)),
        ("neural net", _standardized(make_pipeline(scaler, net))),
        ("ridge strong", make_pipeline(scaler, Ridge(100.0))),
        ("nearest 40", make_pipeline(scaler, KNeighborsRegressor(40))),
        ("svm soft", _standardized(make_pipeline(scaler, SVR(C=0.1)))),
        ("boosting slow", HistGradientBoostingRegressor(**SMALL_STEPS)),
        ("forest", RandomForestRegressor(200, min_samples_leaf=2)),
        ("forest shallow", RandomForestRegressor(200, max_depth=5, max_features=0.5)),
    ]
    return [(name, learner) for name, learner in learners if not sparse or reads_sparse(learner)]


def prepared(learner: Any, categorical: tuple[int, ...], numeric: tuple[int, ...]) -> Any:
    """The learner behind a step that makes of the table what it can read.

    Missing numbers become the median, with an indicator column, unless the learner deals with them. Categories
    become numbers for trees and columns of 0 and 1 for others.

    Parameters
    ----------
    categorical, numeric : positions of the columns.
    """
    numbers: Any = "passthrough"
    if not get_tags(learner).input_tags.allow_nan:
        numbers = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    step = numbers
    if categorical:
        step = ColumnTransformer([("categories", _encoder(learner), categorical), ("numbers", numbers, numeric)])
    return clone(learner) if step == "passthrough" else Pipeline([("prepare", step), ("learn", clone(learner))])


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


def _standardized(regressor: Any) -> Any:
    """For learners that expect targets of unit size."""
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


def _encoder(learner: Any) -> Any:
    last = learner.steps[-1][1] if isinstance(learner, Pipeline) else learner
    if isinstance(last, TREES):
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, min_frequency=5, sparse_output=False
    )
