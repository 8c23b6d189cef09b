"""How do the steps before a learner become graphs? Scaling, missing values, categories, splines, counts of words.

A table comes in as one matrix, in which a category stands as its position in a list; see `Matrix`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils import check_array

from polyculture.errors import InputError

from .graph_builder import FLOAT, INT64, GraphBuilder

MISSING = "missing"
"""The category of cells without one."""
UNKNOWN = "\0unknown"


@dataclass(frozen=True)
class Matrix:
    """Values between two steps.

    Parameters
    ----------
    value : name of the float64 matrix in the graph.
    width : number of its columns.
    categories : names of the categories of those columns that hold positions in such a list; −1 is none of them.
    entries : where each row has a 1 in the same number of columns and 0 in all others: names of int64 vectors with
        the column of the first 1 of each row, of the second, and so on, from left to right.
    """

    value: str
    width: int
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    entries: tuple[str, ...] = ()

    def columns(self, g: GraphBuilder, positions: Sequence[int]) -> Matrix:
        """Some columns."""
        if list(positions) == list(range(self.width)):
            return self
        categories = {i: self.categories[p] for i, p in enumerate(positions) if p in self.categories}
        return Matrix(g.columns(self.value, positions), len(positions), categories)

    def product(self, g: GraphBuilder, factors: np.ndarray) -> str:
        """The product with another matrix.

        Ones are added up in the order and precision of a sparse matrix of float32, so that sums which are equal but
        for rounding fall on the same side of a threshold.
        """
        if not self.entries:
            return g.add("MatMul", self.value, factors)
        table = g.constant(factors)
        if factors.dtype == np.float32:
            table = g.cast(table, FLOAT)
        total = g.add("Gather", table, self.entries[0], axis=0)
        for entry in self.entries[1:]:
            total = g.add("Add", total, g.add("Gather", table, entry, axis=0))
        return g.cast(total)


def category_name(value: Any) -> str:
    """How a category is called: its text, or "missing"."""
    return MISSING if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def standard_scaler(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Centred and divided by the standard deviation."""
    value = x.value if step.mean_ is None else g.add("Sub", x.value, step.mean_[None])
    return value if step.scale_ is None else g.add("Div", value, step.scale_[None])


def max_abs_scaler(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Divided by the largest absolute value."""
    value = g.add("Div", x.value, step.scale_[None])
    return g.add("Clip", value, -1.0, 1.0) if getattr(step, "clip", False) else value


def min_max_scaler(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Between a lowest and a highest value."""
    value = g.add("Add", g.add("Mul", x.value, step.scale_[None]), step.min_[None])
    return g.add("Clip", value, *map(float, step.feature_range)) if step.clip else value


def robust_scaler(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Centred at the median and divided by the distance of quantiles."""
    value = g.add("Sub", x.value, step.center_[None]) if step.with_centering else x.value
    return g.add("Div", value, step.scale_[None]) if step.with_scaling else value


def normalizer(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Rows of norm 1."""
    return _normalized(g, x.value, step.norm)


def tfidf(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Counts of words, weighted by rarity."""
    value = x.value
    if step.sublinear_tf:
        present = g.add("Greater", value, 0.0)
        value = g.add("Where", present, g.add("Add", g.add("Log", g.add("Where", present, value, 1.0)), 1.0), 0.0)
    if step.use_idf:
        value = g.add("Mul", value, np.asarray(step.idf_, float)[None])
    return _normalized(g, value, step.norm) if step.norm else value


def truncated_svd(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Projected to factors."""
    return x.product(g, step.components_.T)


def pca(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Projected to principal components."""
    components = step.components_ / np.sqrt(step.explained_variance_)[:, None] if step.whiten else step.components_
    return g.add("MatMul", g.add("Sub", x.value, step.mean_[None]), components.T)


def polynomial_features(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Products of powers of the columns."""
    columns = [_product(g, powers, x) for powers in step.powers_]
    return g.joined(columns)


def selected_features(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Some columns."""
    return g.columns(x.value, np.flatnonzero(step.get_support()).tolist())


def identity(g: GraphBuilder, step: Any, x: Matrix) -> str:  # noqa: ARG001
    """The same values; a function of the user's is refused."""
    function = getattr(step, "func", None)
    if function is not None and getattr(function, "func", None) is not check_array:
        raise InputError(f"a step with the function {function!r}", "steps of scikit-learn that are no functions")
    return x.value


def simple_imputer(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Missing numbers replaced, and columns that tell where numbers were missing."""
    if x.categories or not (isinstance(step.missing_values, float) and math.isnan(step.missing_values)):
        wrong = f"an imputer of {'categories' if x.categories else repr(step.missing_values)}"
        raise InputError(wrong, "one that replaces nan in columns of numbers")
    missing = g.add("IsNaN", x.value)
    statistics = np.asarray(step.statistics_, float)
    replaced = g.add("Where", missing, np.nan_to_num(statistics)[None], x.value)
    retained = np.flatnonzero(~np.isnan(statistics) | bool(step.keep_empty_features))
    parts = [replaced if len(retained) == x.width else g.columns(replaced, retained.tolist())]
    if step.indicator_ is not None and len(step.indicator_.features_):
        parts.append(g.cast(g.columns(missing, step.indicator_.features_.tolist())))
    return g.joined(parts)


def category_encoder(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Categories as numbers, or as columns of 0 and 1: what the encoder makes of each, looked up."""
    parts = []
    for position in range(x.width):
        categories = x.categories.get(position)
        seen = list(step.categories_[position])
        if categories is None:
            table = _encoded(step, position, [*range(len(seen)), None])
            index = _position(g, g.columns(x.value, [position]), seen)
        else:
            code_of_name = {category_name(value): code for code, value in enumerate(seen)}
            table = _encoded(step, position, [*(code_of_name.get(name) for name in categories), None])
            code = g.columns(x.value, [position])
            size = float(len(categories))
            valid = g.add("And", g.add("GreaterOrEqual", code, 0.0), g.add("Less", code, size))
            index = g.cast(g.add("Where", valid, code, size), INT64)
        if table.shape[1]:
            parts.append(g.add("Gather", table, g.reshaped(index, [-1]), axis=0))
    return g.joined(parts)


def spline_transformer(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """B-splines of each column, as polynomials between knots."""
    if step.extrapolation not in ("linear", "constant", "continue") or getattr(step, "handle_missing", "") == "zeros":
        wrong = f"splines with the extrapolation {step.extrapolation!r}, missing values {step.handle_missing!r}"
        raise InputError(wrong, "'linear', 'constant' or 'continue', and 'error'")
    parts = []
    for position, spline in enumerate(step.bsplines_):
        column = g.columns(x.value, [position])
        pieces = _pieces(spline, step.extrapolation)
        before = g.cast(g.add("GreaterOrEqual", column, pieces.starts[None, 1:-1]), INT64)
        above = g.cast(g.add("Greater", column, pieces.starts[None, -1:]), INT64)
        piece = g.reshaped(g.total(g.joined([before, above])), [-1])
        distance = g.add("Sub", column, g.add("Gather", pieces.starts[:, None], piece, axis=0))
        value = g.add("Gather", pieces.coefficients[0], piece, axis=0)
        for coefficients in pieces.coefficients[1:]:  # the scheme of Horner
            value = g.add("Add", g.add("Mul", value, distance), g.add("Gather", coefficients, piece, axis=0))
        width = spline.c.shape[1]
        parts.append(value if step.include_bias else g.columns(value, list(range(width - 1))))
    return g.joined(parts)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Splines as polynomials: below all knots, from knot to knot, at the last knot, and above it.

    Parameters
    ----------
    starts : number that is subtracted before a polynomial is evaluated.
    coefficients : power × piece × spline, the highest power first.
    """

    starts: np.ndarray
    coefficients: np.ndarray


def _pieces(spline: Any, extrapolation: str) -> Pieces:
    """The polynomials, with the value at the last knot by itself: where knots coincide it is no limit of a piece."""
    degree, splines = spline.k, spline.c.shape[1]
    knots = spline.t[degree : len(spline.t) - degree]
    inner = np.flatnonzero(np.diff(knots) > 0)
    taylor = [spline(knots[inner], nu=power) / math.factorial(power) for power in range(degree, -1, -1)]
    middle = np.stack(taylor)
    lowest, highest = knots[0], knots[-1]
    below, end, above = np.zeros((3, degree + 1, splines))
    end[-1] = spline(highest)
    starts = np.concatenate([[lowest], knots[inner], [highest, highest]])
    if extrapolation == "continue":
        below, above = (middle[:, 0], middle[:, -1]) if len(inner) else (below, end)
        starts[-1] = knots[inner][-1] if len(inner) else highest
        return Pieces(starts, np.concatenate([below[:, None], middle, end[:, None], above[:, None]], axis=1))
    for tail, place, used in (
        (below, lowest, _edges(degree, splines, extrapolation)[0]),
        (above, highest, _edges(degree, splines, extrapolation)[1]),
    ):
        tail[-1, used] = spline(place)[used]
        if extrapolation == "linear" and degree:
            tail[-2, used] = spline(place, nu=1)[used]
    return Pieces(starts, np.concatenate([below[:, None], middle, end[:, None], above[:, None]], axis=1))


def _edges(degree: int, splines: int, extrapolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Which splines scikit-learn continues below and above the knots."""
    reach = degree + 1 if extrapolation == "linear" and degree <= 1 else degree
    order = np.arange(splines)
    return order < reach, order >= splines - reach


def _product(g: GraphBuilder, powers: np.ndarray, x: Matrix) -> str:
    """One product of powers of columns; 1 without factors."""
    factors = [g.columns(x.value, [int(i)]) for i in np.repeat(np.arange(x.width), powers)]
    if not factors:
        first = g.columns(x.value, [0])
        return g.add("Add", g.add("Sub", first, first), 1.0)
    value = factors[0]
    for factor in factors[1:]:
        value = g.add("Mul", value, factor)
    return value


def _normalized(g: GraphBuilder, value: str, norm: str) -> str:
    """Rows divided by their norm; rows of zeros as they are."""
    if norm == "l2":
        size = g.add("Sqrt", g.total(g.add("Mul", value, value)))
    elif norm == "l1":
        size = g.total(g.add("Abs", value))
    else:
        size = g.add("ReduceMax", g.add("Abs", value), np.array([1]), keepdims=1)
    return g.add("Div", value, g.add("Where", g.add("Equal", size, 0.0), 1.0, size))


def _position(g: GraphBuilder, column: str, seen: list[Any]) -> str:
    """Position of a number among the numbers that an encoder has seen; their count where it is none of them."""
    numbers = np.array([float(value) for value in seen])
    equal = g.add("Equal", column, np.where(np.isnan(numbers), 0.0, numbers)[None])
    equal = g.add("And", equal, ~np.isnan(numbers)[None])
    if np.isnan(numbers).any():
        equal = g.add("Or", equal, g.add("And", g.add("IsNaN", column), np.isnan(numbers)[None]))
    order = g.cast(g.add("Where", equal, np.arange(len(seen), dtype=float)[None], float(len(seen))))
    return g.cast(g.add("ReduceMin", order, np.array([1]), keepdims=1), INT64)


def _encoded(step: Any, position: int, codes: list[int | None]) -> np.ndarray:
    """What an encoder makes of these categories of a column, a row each; None is a category that it has not seen."""
    import pandas as pd

    columns: list[Any] = [[seen[0]] * len(codes) for seen in step.categories_]
    seen = step.categories_[position]
    is_text = seen.dtype.kind in "OUS"
    unknown: Any = UNKNOWN if is_text else float(np.nanmax(seen.astype(float), initial=0.0)) + 1.0
    rows = [unknown if code is None else seen[code] for code in codes]
    columns[position] = rows if step.handle_unknown != "error" else [seen[0] if c is None else seen[c] for c in codes]
    names = getattr(step, "feature_names_in_", range(len(columns)))
    frame = pd.DataFrame(
        dict(
            zip(
                names,
                (pd.Series(c, dtype=_kind(s)) for c, s in zip(columns, step.categories_, strict=True)),
                strict=True,
            )
        )
    )
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a category is unknown is intended
        table = step.transform(frame)
    table = np.asarray(table.toarray() if hasattr(table, "toarray") else table, float)
    if step.handle_unknown == "error":
        table[[code is None for code in codes]] = np.nan
    start, end = _output_range(step, position)
    return table[:, start:end]


def _kind(seen: np.ndarray) -> Any:
    return object if seen.dtype.kind in "OUS" else seen.dtype


def _output_range(step: Any, position: int) -> tuple[int, int]:
    """Columns that an encoder makes of one column."""
    if not hasattr(step, "_n_features_outs"):
        return position, position + 1
    ends = np.cumsum([0, *step._n_features_outs])
    return int(ends[position]), int(ends[position + 1])


STEPS: Mapping[str, Callable[[GraphBuilder, Any, Matrix], str]] = {
    "FunctionTransformer": identity,
    "GenericUnivariateSelect": selected_features,
    "MaxAbsScaler": max_abs_scaler,
    "MinMaxScaler": min_max_scaler,
    "Normalizer": normalizer,
    "OneHotEncoder": category_encoder,
    "OrdinalEncoder": category_encoder,
    "PCA": pca,
    "PolynomialFeatures": polynomial_features,
    "RobustScaler": robust_scaler,
    "SelectFromModel": selected_features,
    "SelectKBest": selected_features,
    "SelectPercentile": selected_features,
    "SimpleImputer": simple_imputer,
    "SplineTransformer": spline_transformer,
    "StandardScaler": standard_scaler,
    "TfidfTransformer": tfidf,
    "TruncatedSVD": truncated_svd,
    "VarianceThreshold": selected_features,
}
"""Graphs of steps, by the name of the class of scikit-learn."""
