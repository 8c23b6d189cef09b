"""How does a fitted estimator of scikit-learn become a graph? Step by step, by the name of each class.

Every class in `LEARNERS` and `STEPS` has a graph of its own, equal to scikit-learn in double precision. Others are
left to the converter skl2onnx; whether it is right is seen where probabilities are compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
from onnx import ModelProto

from polyculture.errors import InputError
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.rng import stream

from . import learner_graphs, tree_graphs
from .encoding_graphs import features
from .graph_builder import FLOAT, OPSETS, GraphBuilder, selection
from .preprocessing_graphs import STEPS, Matrix

LARGEST_ERROR = 1e-4
"""Difference of probabilities up to which a converted graph is used."""
LEARNERS: Mapping[str, Callable[[GraphBuilder, Any, Matrix], str]] = {
    "ARDRegression": learner_graphs.linear,
    "BayesianRidge": learner_graphs.linear,
    "DecisionTreeClassifier": tree_graphs.forest,
    "DecisionTreeRegressor": tree_graphs.forest,
    "ElasticNet": learner_graphs.linear,
    "ElasticNetCV": learner_graphs.linear,
    "ExtraTreeClassifier": tree_graphs.forest,
    "ExtraTreeRegressor": tree_graphs.forest,
    "ExtraTreesClassifier": tree_graphs.forest,
    "ExtraTreesRegressor": tree_graphs.forest,
    "GammaRegressor": learner_graphs.generalized,
    "GaussianNB": learner_graphs.naive_bayes,
    "GradientBoostingClassifier": tree_graphs.gradient_boosting,
    "GradientBoostingRegressor": tree_graphs.gradient_boosting,
    "HistGradientBoostingClassifier": tree_graphs.histogram_boosting,
    "HistGradientBoostingRegressor": tree_graphs.histogram_boosting,
    "HuberRegressor": learner_graphs.linear,
    "KNeighborsClassifier": learner_graphs.nearest,
    "KNeighborsRegressor": learner_graphs.nearest,
    "Lars": learner_graphs.linear,
    "Lasso": learner_graphs.linear,
    "LassoCV": learner_graphs.linear,
    "LinearDiscriminantAnalysis": learner_graphs.logistic,
    "LinearRegression": learner_graphs.linear,
    "LinearSVC": learner_graphs.linear,
    "LinearSVR": learner_graphs.linear,
    "LogisticRegression": learner_graphs.logistic,
    "LogisticRegressionCV": learner_graphs.logistic,
    "MLPClassifier": learner_graphs.perceptron,
    "MLPRegressor": learner_graphs.perceptron,
    "MultinomialNB": learner_graphs.multinomial_bayes,
    "NuSVC": learner_graphs.machine,
    "NuSVR": learner_graphs.machine,
    "Perceptron": learner_graphs.linear,
    "PoissonRegressor": learner_graphs.generalized,
    "QuadraticDiscriminantAnalysis": learner_graphs.quadratic,
    "RandomForestClassifier": tree_graphs.forest,
    "RandomForestRegressor": tree_graphs.forest,
    "Ridge": learner_graphs.linear,
    "RidgeCV": learner_graphs.linear,
    "RidgeClassifier": learner_graphs.linear,
    "RidgeClassifierCV": learner_graphs.linear,
    "SGDClassifier": learner_graphs.stochastic,
    "SGDRegressor": learner_graphs.linear,
    "SVC": learner_graphs.machine,
    "SVR": learner_graphs.machine,
    "TweedieRegressor": learner_graphs.generalized,
}
"""Graphs of learners, by the name of the class of scikit-learn."""


def prediction(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """What an estimator predicts: probabilities, else scores of its own classes, or the predicted number (n × 1).

    Two classes without probabilities have one column of scores, as in scikit-learn.
    """
    kind = type(estimator).__name__
    if hasattr(estimator, "steps"):
        for _, step in estimator.steps[:-1]:
            x = transformed(g, step, x)
        return prediction(g, estimator.steps[-1][1], x)
    if kind in WRAPPERS and _is_exact(estimator):
        return WRAPPERS[kind](g, estimator, x)
    if getattr(estimator, "_preprocessor", None) is not None:  # gradient boosting that reads categories
        x = transformed(g, estimator._preprocessor, x)
    if kind in LEARNERS and _is_exact(estimator):
        _check_outputs(estimator)
        return LEARNERS[kind](g, estimator, x)
    return _converted(g, estimator, x)[-1]


def transformed(g: GraphBuilder, step: Any, x: Matrix) -> Matrix:
    """What a step of preprocessing makes of a matrix."""
    if step is None or step == "passthrough":
        return x
    kind = type(step).__name__
    if kind == "ColumnTransformer":
        return _side_by_side(g, step, x)
    if kind == "FeatureUnion":
        parts = [transformed(g, inner, x) for _, inner in step.transformer_list if inner != "drop"]
        return Matrix(g.joined([part.value for part in parts]), sum(part.width for part in parts))
    if hasattr(step, "steps"):
        for _, inner in step.steps:
            x = transformed(g, inner, x)
        return x
    if x.categories and kind not in ("OneHotEncoder", "OrdinalEncoder", "FunctionTransformer", "SimpleImputer"):
        raise InputError(f"the step {kind} that reads text", "a step that makes numbers of it", "put an encoder first")
    if kind == "FunctionTransformer" and step.func is None:
        return x
    if kind == "SimpleImputer" and x.categories:
        return replace(x, value=STEPS[kind](g, step, x))
    value = STEPS[kind](g, step, x) if kind in STEPS else _converted(g, step, x)[0]
    return Matrix(value, _width(step, x), entries=x.entries if kind == "TfidfTransformer" else "")


def class_probabilities(g: GraphBuilder, estimator: Any, x: Matrix, classes: int) -> str:
    """Probabilities of all classes, 0 of those that the estimator has not seen; of numbers the prediction."""
    value = prediction(g, estimator, x)
    if not classes:
        return value
    if not hasattr(estimator, "predict_proba"):
        raise InputError(f"a {type(estimator).__name__} without probabilities", "a learner with probabilities")
    return placed(g, value, estimator.classes_, classes)


def placed(g: GraphBuilder, value: str, positions: np.ndarray, classes: int) -> str:
    """The columns of a matrix at their positions among all classes, 0 at the others."""
    if list(positions) == list(range(classes)):
        return value
    return g.add("MatMul", value, selection(positions, classes))


def _is_exact(estimator: Any) -> bool:
    """Whether the graph of this class holds for the settings of this estimator."""
    kind = type(estimator).__name__
    if kind.startswith("KNeighbors"):
        return learner_graphs.is_euclidean(estimator)
    if kind in ("SVC", "NuSVC"):
        return estimator.kernel in ("rbf", "linear", "poly", "sigmoid") and not hasattr(estimator, "predict_proba")
    if kind == "VotingClassifier":
        return bool(estimator.voting == "soft")
    if kind == "StackingClassifier":
        return set(estimator.stack_method_) == {"predict_proba"}
    if kind in ("BaggingClassifier", "AdaBoostClassifier"):
        return all(hasattr(inner, "predict_proba") for inner in estimator.estimators_)
    if kind in ("SVR", "NuSVR"):
        return estimator.kernel in ("rbf", "linear", "poly", "sigmoid")
    if kind == "QuadraticDiscriminantAnalysis":
        return len(estimator.scalings_) == len(estimator.classes_)
    if kind.startswith("GradientBoosting"):
        return isinstance(estimator.init_, str) or type(estimator.init_).__name__.startswith("Dummy")
    return True


def _check_outputs(estimator: Any) -> None:
    if getattr(estimator, "n_outputs_", 1) > 1 and not type(estimator).__name__.startswith("MLP"):
        raise InputError(f"a {type(estimator).__name__} of {estimator.n_outputs_} targets", "one target")


def _calibrated(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """The mean over folds of calibrated probabilities."""
    parts = [_one_calibrated(g, inner, x) for inner in estimator.calibrated_classifiers_]
    if len(parts) == 1:
        return parts[0]
    return g.add("Div", g.add("Sum", *parts), float(len(parts)))


def _one_calibrated(g: GraphBuilder, calibrated: Any, x: Matrix) -> str:
    scores, classes = prediction(g, calibrated.estimator, x), len(calibrated.classes)
    scored = hasattr(calibrated.estimator, "decision_function")
    if list(calibrated.estimator.classes_) != list(calibrated.classes):
        raise InputError("a calibrated classifier with folds that lack a class", "every class in every fold")
    if scored and hasattr(calibrated.estimator, "predict_proba"):
        scores = _decision(g, calibrated.estimator, x)
    if calibrated.method == "temperature":
        if not scored:
            scores = g.add("Log", g.add("Add", scores, 1e-12))
        elif classes == 2:
            scores = g.joined([g.add("Neg", scores), scores])
        return g.add("Softmax", g.add("Mul", scores, float(calibrated.calibrators[0].beta_)), axis=1)
    if classes == 2 and not scored:
        scores = g.columns(scores, [1])
    columns = [_calibrated_column(g, c, g.columns(scores, [k])) for k, c in enumerate(calibrated.calibrators)]
    if classes == 2:
        return g.binary(columns[0])
    p = g.joined(columns)
    total = g.total(p)
    absent = g.add("Equal", total, 0.0)
    return g.add("Where", absent, 1.0 / classes, g.add("Div", p, g.add("Where", absent, 1.0, total)))


def _calibrated_column(g: GraphBuilder, calibrator: Any, scores: str) -> str:
    """Probability of a class from its scores."""
    if hasattr(calibrator, "X_thresholds_"):
        return learner_graphs.isotonic(g, calibrator, scores)
    slope, shift = float(calibrator.a_), float(calibrator.b_)
    return g.add("Sigmoid", g.add("Neg", g.add("Add", g.add("Mul", scores, slope), shift)))


def _decision(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Scores before they became probabilities, of linear models."""
    if hasattr(estimator, "steps"):
        for _, step in estimator.steps[:-1]:
            x = transformed(g, step, x)
        return _decision(g, estimator.steps[-1][1], x)
    if not hasattr(estimator, "coef_"):
        raise InputError(f"calibration of a {type(estimator).__name__}", "a linear model or a support vector machine")
    return learner_graphs.linear(g, estimator, x)


def _target(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """The prediction of a regressor, back in the units of the target."""
    value = prediction(g, estimator.regressor_, x)
    transformer = estimator.transformer_
    kind = type(transformer).__name__
    if kind == "StandardScaler":
        value = value if transformer.scale_ is None else g.add("Mul", value, transformer.scale_[None])
        return value if transformer.mean_ is None else g.add("Add", value, transformer.mean_[None])
    if kind == "FunctionTransformer" and transformer.inverse_func in (None, np.exp, np.square, np.sqrt):
        operators = {np.exp: "Exp", np.sqrt: "Sqrt"}
        if transformer.inverse_func is None:
            return value
        if transformer.inverse_func is np.square:
            return g.add("Mul", value, value)
        return g.add(operators[transformer.inverse_func], value)
    raise InputError(f"a target transformed by {kind}", "StandardScaler, or the functions exp, square or sqrt")


def _bagged(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """The mean over learners of some columns each."""
    parts = []
    for inner, positions in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        value = prediction(g, inner, x.columns(g, [int(i) for i in positions]))
        classes = len(getattr(estimator, "classes_", ()))
        parts.append(placed(g, value, inner.classes_.astype(np.int64), classes) if classes else value)
    return g.add("Div", g.add("Sum", *parts), float(len(parts)))


def _voted(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """The weighted mean over learners."""
    weights = np.ones(len(estimator.estimators_)) if estimator.weights is None else estimator._weights_not_none
    weights = np.asarray(weights, float) / np.sum(weights)
    parts = zip(weights, estimator.estimators_, strict=True)
    return g.add("Sum", *(g.add("Mul", prediction(g, inner, x), float(weight)) for weight, inner in parts))


def _stacked(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """What a learner makes of the predictions of others."""
    parts, classes = [], len(getattr(estimator, "classes_", ()))
    for inner in estimator.estimators_:
        value = prediction(g, inner, x)
        parts.append(g.columns(value, [1]) if classes == 2 else value)
    width = len(parts) * (classes if classes > 2 else 1)
    if estimator.passthrough:
        parts, width = [*parts, x.value], width + x.width
    return prediction(g, estimator.final_estimator_, Matrix(g.joined(parts), width))


def _adaptive(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Weighted votes of learners, as probabilities (Zhu et al. 2009)."""
    parts, classes = [], len(estimator.classes_)
    weights = estimator.estimator_weights_[: len(estimator.estimators_)]
    for weight, inner in zip(weights / estimator.estimator_weights_.sum(), estimator.estimators_, strict=True):
        value = placed(g, prediction(g, inner, x), np.searchsorted(estimator.classes_, inner.classes_), classes)
        answer = g.add("Gather", np.eye(classes), g.add("ArgMax", value, axis=1, keepdims=0), axis=0)
        parts.append(g.add("Mul", answer, float(weight) * classes / (classes - 1)))
    scores = g.add("Sum", *parts)
    return g.add("Softmax", g.add("Div", scores, float(max(classes - 1, 2 / classes))), axis=1)


def _recipe(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """The prediction of an estimator that was fitted by a recipe: of scikit-learn, or a net."""
    model = estimator.model_
    if x.categories or estimator.modality == "text":
        raise InputError(f"a {type(estimator).__name__} that reads text in an ensemble", "one that reads numbers")
    shape = (x.width,) if estimator.shape is None else tuple(estimator.shape)
    numbers = g.reshaped(g.cast(x.value, FLOAT), [-1, *shape])
    if isinstance(model, FittedEstimator):
        if model.encoder.modality == "audio":
            raise InputError("a recipe of recordings in an ensemble", "a recipe of tables, images, volumes or series")
        rows = features(g, model.encoder, numbers, shape)
        return class_probabilities(g, model.estimator, rows, model.classes)
    value = g.cast(g.inlined(import_module(".net_graphs", __package__).net_graph(model, "x").proto, numbers)[0])
    return g.add("Div", value, g.total(value)) if hasattr(estimator, "classes_") else value


def _side_by_side(g: GraphBuilder, step: Any, x: Matrix) -> Matrix:
    """Transformers of some columns each, their results side by side."""
    parts: list[Matrix] = []
    for name, inner, _ in step.transformers_:
        positions = [int(i) for i in step._transformer_to_input_indices[name]]
        if len(positions) and not (isinstance(inner, str) and inner == "drop"):
            parts.append(transformed(g, inner, x.columns(g, positions)))
    if not parts:
        raise InputError("a ColumnTransformer without columns", "one column or more")
    categories: dict[int, tuple[str, ...]] = {}
    width = 0
    for part in parts:
        categories |= {width + i: names for i, names in part.categories.items()}
        width += part.width
    return Matrix(g.joined([part.value for part in parts]), width, categories)


def _width(step: Any, x: Matrix) -> int:
    """Number of columns that a step makes."""
    kind = type(step).__name__
    scalers = ("FunctionTransformer", "MaxAbsScaler", "MinMaxScaler", "Normalizer", "RobustScaler", "StandardScaler")
    if kind in (*scalers, "TfidfTransformer"):
        return x.width
    return len(step.get_feature_names_out())


def _converted(g: GraphBuilder, estimator: Any, x: Matrix) -> list[str]:
    """Outputs of the graph that skl2onnx makes, which is first compared with the estimator."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    kind = type(estimator).__name__
    if x.categories:
        raise InputError(f"the learner {kind} that reads text", "a learner of numbers", "put an encoder before it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside of the converter
            options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "classes_") else None
            types = [("x", FloatTensorType([None, x.width]))]
            model = convert_sklearn(estimator, initial_types=types, options=options, target_opset=dict(OPSETS))
            difference = _difference(model, estimator, x.width)
    except Exception as error:  # whatever a converter may raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{kind} has no graph ({type(error).__name__}: {reason})", _EXPORTABLE) from error
    if not difference <= LARGEST_ERROR:
        raise InputError(f"the graph of {kind} by skl2onnx is off by {difference:.2g}", _EXPORTABLE)
    return [g.cast(output) for output in g.inlined(model, g.cast(x.value, FLOAT))]


def _difference(model: ModelProto, estimator: Any, width: int) -> float:
    """Largest difference of a converted graph from its estimator on rows drawn at random; 0 where it reads none."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a graph that fails is told about below
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    rows = stream(0, "rows to check a converter").normal(size=(64, width)).astype(np.float32)
    names = ("predict_proba", "decision_function", "predict", "transform")
    name = next(name for name in names if hasattr(estimator, name))
    for candidates in (rows, np.abs(rows)):
        try:
            expected = getattr(estimator, name)(candidates)
        except ValueError:  # such as negative numbers where counts are expected
            continue
        expected = np.asarray(expected.toarray() if hasattr(expected, "toarray") else expected, float)
        output = np.asarray(session.run(None, {"x": candidates})[0 if name in ("predict", "transform") else -1], float)
        size = 1.0 if hasattr(estimator, "classes_") else max(1.0, float(np.abs(expected).max()))
        errors = np.abs(output.reshape(expected.shape) - expected)
        return float(np.where(np.isnan(output).reshape(expected.shape) & np.isnan(expected), 0.0, errors).max()) / size
    return 0.0


_EXPORTABLE = "a learner that is in LEARNERS or WRAPPERS of polyculture.deployment.export, or that skl2onnx converts"
WRAPPERS: Mapping[str, Callable[[GraphBuilder, Any, Matrix], str]] = {
    "AdaBoostClassifier": _adaptive,
    "BaggingClassifier": _bagged,
    "BaggingRegressor": _bagged,
    "CalibratedClassifierCV": _calibrated,
    "RecipeClassifier": _recipe,
    "RecipeRegressor": _recipe,
    "StackingClassifier": _stacked,
    "StackingRegressor": _stacked,
    "TransformedTargetRegressor": _target,
    "VotingClassifier": _voted,
    "VotingRegressor": _voted,
}
"""Graphs of estimators that consist of others, by the name of the class."""
