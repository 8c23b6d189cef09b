"""The graph of every default learner of an ensemble, and of others that users give, equals scikit-learn."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

import onnxruntime as ort
from sklearn import (
    calibration,
    cluster,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    gaussian_process,
    linear_model,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline

from polyculture.deployment.export.ensemble_graphs import ensemble_graphs, undetermined
from polyculture.errors import InputError
from polyculture.rng import stream
from polyculture.selection import DiverseEnsembleClassifier, DiverseEnsembleRegressor
from polyculture.selection.estimators.crossfitting import scores
from polyculture.selection.estimators.default_learners import classifiers, regressors

Row = tuple[pd.DataFrame, np.ndarray, np.ndarray]


@functools.cache
def table(n: int = 200) -> Row:
    """Numbers and categories, some missing, some rare; three classes; a number."""
    generator = stream(3, "table")
    numbers = generator.normal(size=(n, 3)) * [1, 2, 100]
    kinds = generator.choice(list("abcdefg"), n, p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02])
    pair = generator.choice(["u", "v"], n)
    signal = numbers[:, 0] + (kinds == "a") * 1.5 - (pair == "u") + 0.3 * numbers[:, 1]
    frame = pd.DataFrame(
        {"p": numbers[:, 0], "q": np.round(numbers[:, 1]), "kind": kinds, "r": numbers[:, 2], "s": pair}
    )
    frame.loc[generator.random(n) < 0.1, "p"] = np.nan
    frame.loc[generator.random(n) < 0.1, "kind"] = None
    noisy = signal + generator.normal(size=n) * 0.5
    return frame, np.digitize(noisy, [-0.5, 1.0]), noisy * 20


def quick(learner: Any) -> Any:
    """The learner with fewer trees and rounds."""
    names = learner.get_params()
    trees = {name: 8 for name in names if name.split("__")[-1] == "n_estimators" and isinstance(names[name], int)}
    rounds = {name: 12 for name in names if "hist" in type(learner).__name__.lower() and name == "max_iter"}
    nets = {name: 10 for name in names if "mlp" in name and name.endswith("max_iter")}
    return clone(learner).set_params(**trees, **rounds, **nets)


def codes(graphs: Any, inputs: Any) -> np.ndarray:
    """The view ``columns``: numbers, and positions of categories."""
    frame, values = pd.DataFrame(inputs), []
    for position, column in enumerate(graphs.columns):
        cells = frame.iloc[:, position]
        if column.kind == "category":
            places = {category: place for place, category in enumerate(column.categories)}
            cells = [places.get("missing" if pd.isna(cell) else str(cell), -1) for cell in cells]
        values.append(np.asarray(cells, dtype=np.float64))
    return np.column_stack(values)


def largest_error(learner: Any, inputs: Any, targets: np.ndarray, regression: bool = False) -> float:
    """Of the probabilities, or numbers in standard deviations, of a learner that is the only one of an ensemble."""
    kind = DiverseEnsembleRegressor if regression else DiverseEnsembleClassifier
    half = len(targets) // 2
    train, test = inputs[:half], inputs[half:].copy()
    if isinstance(test, pd.DataFrame):
        test.iloc[:3, 2] = "never seen"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of learners that are fitted badly
        model = kind([("only", learner)], cv=2, floor=-1e9, random_state=0).fit(train, targets[:half])
        graphs = ensemble_graphs(model)
        rows = model._input_format.read(model, test)
        clear = ~undetermined(model, test)
        parts = np.array(
            [scores(fits, rows, 0 if regression else len(graphs.classes)) for fits in model.members_["only"]]
        )
    shares = model._shares["only"]
    expected = np.tensordot(shares, parts, axes=1) if regression else model._pool.opinion(0, parts, shares)
    session = ort.InferenceSession(graphs.members[0].proto.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(None, {"columns": codes(graphs, test)})[0]
    scale = float(np.std(targets)) if regression else 1.0
    return float(np.abs(values - expected)[clear].max(initial=0.0)) / scale


@pytest.mark.parametrize(("name", "learner"), classifiers(), ids=[name for name, _ in classifiers()])
def test_default_classifiers_of_dataframes_equal_their_graphs(name: str, learner: Any) -> None:
    frame, classes, _ = table()
    assert largest_error(quick(learner), frame, classes) < 1e-6
    assert largest_error(quick(learner), frame, (classes > 0).astype(int)) < 1e-6


@pytest.mark.parametrize(("name", "learner"), classifiers(), ids=[name for name, _ in classifiers()])
def test_default_classifiers_of_numbers_equal_their_graphs(name: str, learner: Any) -> None:
    frame, classes, _ = table()
    assert largest_error(quick(learner), frame[["p", "q", "r"]].to_numpy(), classes) < 1e-6


@pytest.mark.parametrize(("name", "learner"), regressors(), ids=[name for name, _ in regressors()])
def test_default_regressors_equal_their_graphs(name: str, learner: Any) -> None:
    frame, _, numbers = table()
    assert largest_error(quick(learner), frame, numbers, regression=True) < 1e-6
    assert largest_error(quick(learner), frame[["p", "q", "r"]].to_numpy(), numbers, regression=True) < 1e-6


@pytest.mark.parametrize(("name", "learner"), classifiers(sparse=True), ids=[n for n, _ in classifiers(sparse=True)])
def test_classifiers_of_counts_equal_their_graphs(name: str, learner: Any) -> None:
    generator = stream(4, "counts")
    counts = generator.poisson(0.5, (200, 6)).astype(float) * [1, 1, 0, 1, 1, 1]
    assert largest_error(quick(learner), counts, counts[:, :3].sum(axis=1).clip(0, 2).astype(int)) < 1e-6


SCALER = preprocessing.StandardScaler()
OTHERS: dict[str, Any] = {
    "AdaBoost": ensemble.AdaBoostClassifier(n_estimators=5),
    "AdaBoost stumps": ensemble.AdaBoostClassifier(tree.DecisionTreeClassifier(max_depth=2), n_estimators=3),
    "bagging": ensemble.BaggingClassifier(n_estimators=3, max_features=0.7),
    "Bernoulli": naive_bayes.BernoulliNB(),
    "calibrated": calibration.CalibratedClassifierCV(svm.SVC(), cv=2),
    "calibrated naive Bayes": calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=2),
    "isotonic": calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), method="isotonic", cv=2),
    "temperature": calibration.CalibratedClassifierCV(linear_model.LogisticRegression(), method="temperature", cv=2),
    "decision tree": tree.DecisionTreeClassifier(max_depth=4),
    "discriminant": discriminant_analysis.LinearDiscriminantAnalysis(),
    "gradient boosting": ensemble.GradientBoostingClassifier(n_estimators=8),
    "linear machine": svm.LinearSVC(),
    "nearest, one": neighbors.KNeighborsClassifier(1),
    "net": make_pipeline(SCALER, neural_network.MLPClassifier((5, 4), activation="tanh", max_iter=20)),
    "pipeline": make_pipeline(
        preprocessing.RobustScaler(),
        preprocessing.PolynomialFeatures(2),
        decomposition.PCA(3, whiten=True),
        linear_model.LogisticRegression(),
    ),
    "selected": make_pipeline(
        preprocessing.MinMaxScaler(),
        feature_selection.SelectKBest(k=2),
        preprocessing.Normalizer(),
        linear_model.LogisticRegression(),
    ),
    "union": make_pipeline(
        FeatureUnion([("scaled", SCALER), ("factors", decomposition.TruncatedSVD(2))]),
        linear_model.LogisticRegression(),
    ),
    "step by skl2onnx": make_pipeline(preprocessing.Binarizer(), naive_bayes.GaussianNB()),
    "ridge": linear_model.RidgeClassifier(),
    "sigmoid kernel": make_pipeline(SCALER, svm.SVC(kernel="sigmoid")),
    "splines, constant": make_pipeline(
        preprocessing.SplineTransformer(4, degree=3, extrapolation="constant"), linear_model.LogisticRegression()
    ),
    "stacking": ensemble.StackingClassifier(
        [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())], cv=2, passthrough=True
    ),
    "stochastic": make_pipeline(SCALER, linear_model.SGDClassifier(loss="log_loss")),
    "stochastic, Huber": make_pipeline(SCALER, linear_model.SGDClassifier(loss="modified_huber")),
    "voting": ensemble.VotingClassifier(
        [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())], voting="soft", weights=[1, 2]
    ),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("classes", [2, 3])
def test_learners_of_users_equal_their_graphs(name: str, classes: int) -> None:
    frame, labels, _ = table()
    assert largest_error(OTHERS[name], frame[["p", "q", "r"]].to_numpy(), labels.clip(0, classes - 1)) < 1e-6


OTHER_REGRESSORS: dict[str, Any] = {
    "bagging": ensemble.BaggingRegressor(n_estimators=3),
    "gradient boosting": ensemble.GradientBoostingRegressor(n_estimators=8, loss="huber"),
    "quantile": ensemble.HistGradientBoostingRegressor(loss="quantile", quantile=0.3, max_iter=10),
    "lasso": linear_model.Lasso(),
    "logarithm": TransformedTargetRegressor(
        linear_model.Ridge(), func=np.arcsinh, inverse_func=np.square, check_inverse=False
    ),
    "machine": make_pipeline(SCALER, svm.NuSVR(kernel="poly")),
    "tree": tree.DecisionTreeRegressor(max_depth=4),
    "counts": TransformedTargetRegressor(
        linear_model.PoissonRegressor(), func=np.square, inverse_func=np.sqrt, check_inverse=False
    ),
    "voting": ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=3))]),
    "stacking": ensemble.StackingRegressor([("a", linear_model.Ridge()), ("b", linear_model.Lasso())], cv=2),
}


@pytest.mark.parametrize("name", OTHER_REGRESSORS)
def test_regressors_of_users_equal_their_graphs(name: str) -> None:
    frame, _, numbers = table()
    rows = frame[["p", "q", "r"]].to_numpy()
    assert largest_error(OTHER_REGRESSORS[name], rows, numbers, regression=True) < 1e-6


def test_boosting_splits_by_categories_as_in_scikit_learn() -> None:
    generator = stream(5, "categories")
    rows = np.column_stack([generator.integers(0, 12, 240), generator.normal(size=240)]).astype(float)
    rows[generator.random(240) < 0.1, 0] = np.nan
    labels = (np.isin(rows[:, 0], [1, 4, 7, 11]) ^ (rows[:, 1] > 1)).astype(int)
    rows[200:210, 0] = 40.0  # a category that no learner has seen
    learner = ensemble.HistGradientBoostingClassifier(categorical_features=[0], max_iter=15, min_samples_leaf=4)
    assert largest_error(learner, rows, labels) < 1e-6


def test_splines_of_columns_with_few_values_equal_scikit_learn() -> None:
    """Knots at quantiles coincide there, and values lie on knots."""
    generator = stream(6, "few values")
    rows = np.column_stack(
        [generator.choice([0.0, 0.0, 0.0, 1.0, 5.0], 160), generator.integers(0, 3, 160), np.full(160, 2.0)]
    ).astype(float)
    learner = dict(classifiers())["logistic splines"]
    assert largest_error(learner, rows, (rows[:, 0] + rows[:, 1] > 1).astype(int)) < 1e-6


TEXT, NUMBERS = ["kind", "s"], ["p", "q", "r"]
ONE_HOT = preprocessing.OneHotEncoder(handle_unknown="ignore")
LINEAR = linear_model.LogisticRegression(max_iter=300)
OWN: dict[str, Any] = {
    "imputed": make_pipeline(
        ColumnTransformer(
            [
                ("text", make_pipeline(SimpleImputer(strategy="most_frequent"), ONE_HOT), TEXT),
                ("numbers", make_pipeline(SimpleImputer(), SCALER), NUMBERS),
            ]
        ),
        LINEAR,
    ),
    "constant": make_pipeline(
        ColumnTransformer(
            [("text", make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), ONE_HOT), TEXT)]
        ),
        LINEAR,
    ),
    "dropped": make_pipeline(
        ColumnTransformer(
            [("text", preprocessing.OneHotEncoder(handle_unknown="ignore", drop="if_binary"), ["kind", "q"])]
        ),
        LINEAR,
    ),
    "ordinal": make_pipeline(
        ColumnTransformer(
            [
                (
                    "text",
                    preprocessing.OrdinalEncoder(
                        handle_unknown="use_encoded_value", unknown_value=-5, encoded_missing_value=-3, min_frequency=10
                    ),
                    TEXT,
                ),
                ("numbers", "passthrough", NUMBERS),
            ]
        ),
        ensemble.HistGradientBoostingClassifier(max_iter=5),
    ),
    "categories": ensemble.HistGradientBoostingClassifier(max_iter=8),
}


@pytest.mark.parametrize("name", OWN)
def test_a_dataframe_that_the_learner_prepares_itself_is_read_alike(name: str) -> None:
    frame, classes, _ = table()
    frame = frame.assign(kind=frame["kind"].where(frame["kind"].notna(), np.nan))
    if name == "categories":
        frame = frame.astype({"kind": "category", "s": "category"})
    train, test = frame[:120], frame[120:].copy()
    if name != "categories":
        test.iloc[:3, 2] = "never seen"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of categories that a fold lacks
        model = DiverseEnsembleClassifier([("own", OWN[name])], cv=2, prepare=False, floor=0.0, random_state=0)
        model.fit(train, classes[:120])
        logs = np.array([scores(fits, test, 3) for fits in model.members_["own"]])
    graphs = ensemble_graphs(model)
    session = ort.InferenceSession(graphs.members[0].proto.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(None, {"columns": codes(graphs, test)})[0]
    expected = model._pool.opinion(0, logs, model._shares["own"])
    assert np.abs(values - expected).max() < 1e-6


REFUSED = {
    "a process": (gaussian_process.GaussianProcessClassifier(), "GaussianProcessClassifier has no graph"),
    "a centroid": (neighbors.NearestCentroid(), "NearestCentroid has no graph"),
    "a function": (
        make_pipeline(preprocessing.FunctionTransformer(np.abs), linear_model.LogisticRegression()),
        "a step with the function",
    ),
    "distances": (
        make_pipeline(cluster.FeatureAgglomeration(2), linear_model.LogisticRegression()),
        "FeatureAgglomeration has no graph",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_learner_without_a_graph_is_refused_by_name(name: str) -> None:
    learner, reason = REFUSED[name]
    frame, classes, _ = table()
    with pytest.raises(InputError) as refusal:
        largest_error(learner, frame[["p", "q", "r"]].fillna(0.0).to_numpy(), classes)
    assert str(refusal.value).startswith("the member 'only' cannot be exported: " + reason)
    assert "\n" not in str(refusal.value)
