"""How do the steps before a learner become graphs? Scaling, missing values, categories, splines, counts of words.

A table comes in as one matrix, in which a category stands as its position in a list; see `Matrix`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_array

from polyculture.errors import InputError
from polyculture.models.tokenizer import MOST_STEPS

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
    entries : columns in which a row may have other numbers than 0, ascending (n × k, int64); a repeated column stands
        there once, and in place of its copies column 0, which holds zeros. Empty where that is not known. Such a row
        is added up like one of a sparse matrix of float32.
    ones : how many of the columns in `entries` hold 1, in ascending ranges of their own, and all other columns 0; 0
        where that is not so.
    """

    value: str
    width: int
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    entries: str = ""
    ones: int = 0

    def columns(self, g: GraphBuilder, positions: Sequence[int]) -> Matrix:
        """Some columns."""
        if list(positions) == list(range(self.width)):
            return self
        categories = {i: self.categories[p] for i, p in enumerate(positions) if p in self.categories}
        return Matrix(g.columns(self.value, positions), len(positions), categories)

    def restricted(self, g: GraphBuilder, positions: np.ndarray) -> str:
        """Some columns; of a sparse matrix without making the others."""
        if not self.ones:
            return g.columns(self.value, positions.tolist())
        table = np.zeros(self.width, np.int64)
        table[positions] = np.arange(1, len(positions) + 1)
        index = g.add("Gather", table, self.entries)
        shape = g.add("Concat", g.add("Shape", index, start=0, end=1), np.array([len(positions) + 1]), axis=0)
        filled = g.add(
            "ScatterElements", g.add("Expand", 0.0, shape), index, g.add("Expand", 1.0, g.add("Shape", index)), axis=1
        )
        return g.add("Slice", filled, np.array([1]), np.array([len(positions) + 1]), np.array([1]))

    def overlaps(self, g: GraphBuilder, rows: Any) -> str:
        """How many ones each row shares with each row of a sparse matrix of the same kind."""
        codes, total = rows.indices.reshape(-1, self.ones).astype(np.int64), ""
        for position in range(self.ones):  # one after another, so that one matrix is held at a time
            column = g.add("Gather", self.entries, np.array([position]), axis=1)
            equal = g.cast(g.add("Equal", column, codes[None, :, position]), FLOAT)
            total = g.add("Add", total, equal) if total else equal
        return g.cast(total)

    def product(self, g: GraphBuilder, factors: np.ndarray) -> str:
        """The product with another matrix.

        Of sparse rows it is rounded as scipy rounds it, so that values which are equal but for rounding fall on the
        same side of a threshold.
        """
        if not self.entries or factors.dtype != np.float32:
            return g.add("MatMul", self.value, factors)
        weights = g.add("GatherElements", g.cast(self.value, FLOAT), self.entries, axis=1)
        rows = g.add("Gather", g.single(factors), self.entries, axis=0)
        terms = g.add("Mul", rows, g.add("Unsqueeze", weights, np.array([2])))
        sums = g.add("CumSum", terms, np.array(1))
        return g.cast(g.add("Gather", sums, np.array(-1), axis=1))


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
    """Counts of words, weighted by rarity; of texts in single precision, as scikit-learn computes it."""
    number = g.single if x.entries else g.constant
    value = g.cast(x.value, FLOAT) if x.entries else x.value
    if step.sublinear_tf:
        zero, unit = number(np.array(0.0)), number(np.array(1.0))
        present = g.add("Greater", value, zero)
        logs = _logarithms(g, value) if x.entries else g.add("Log", g.add("Where", present, value, unit))
        value = g.add("Where", present, g.add("Add", logs, unit), zero)
    if step.use_idf:
        value = g.add("Mul", value, number(np.asarray(step.idf_)[None]))
    squares = g.cast(g.add("Mul", value, value))
    value = g.cast(value)
    if step.norm == "l2":
        value = _divided(g, value, g.add("Sqrt", g.total(squares)))
    elif step.norm:
        value = _normalized(g, value, step.norm)
    return g.rounded(value) if x.entries else value


def _logarithms(g: GraphBuilder, counts: str) -> str:
    """Logarithms of counts of words as numpy rounds them, looked up."""
    table = np.log(np.maximum(np.arange(MOST_STEPS + 1, dtype=np.float32), 1))
    return g.add("Gather", g.single(table), g.cast(counts, INT64))


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
    """Missing numbers replaced, and columns that tell where numbers were missing; or missing categories replaced."""
    if step.missing_values is not None and step.missing_values == step.missing_values:
        raise InputError(f"an imputer of {step.missing_values!r}", "one that replaces missing cells")
    if len(x.categories) == x.width and not step.add_indicator:
        return _imputed_categories(g, step, x)
    if x.categories:
        raise InputError("an imputer of columns with text and numbers, or that marks missing text", "one for each kind")
    missing = g.add("IsNaN", x.value)
    statistics = np.asarray(step.statistics_, float)
    replaced = g.add("Where", missing, np.nan_to_num(statistics)[None], x.value)
    retained = np.flatnonzero(~np.isnan(statistics) | bool(step.keep_empty_features))
    parts = [replaced if len(retained) == x.width else g.columns(replaced, retained.tolist())]
    if step.indicator_ is not None and len(step.indicator_.features_):
        parts.append(g.cast(g.columns(missing, step.indicator_.features_.tolist())))
    return g.joined(parts)


def _imputed_categories(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Positions of categories, in which that of the missing one is replaced."""
    missing, replacement = np.full((2, x.width), -2.0)
    for position, categories in x.categories.items():
        substitute = category_name(step.statistics_[position])
        if MISSING in categories and substitute in categories:
            missing[position] = categories.index(MISSING)
            replacement[position] = categories.index(substitute)
    return g.add("Where", g.add("Equal", x.value, missing[None]), replacement[None], x.value)


def category_encoder(g: GraphBuilder, step: Any, x: Matrix) -> str:
    """Categories as numbers, or as columns of 0 and 1: what the encoder makes of each, looked up."""
    parts = []
    for position in range(x.width):
        categories = x.categories.get(position)
        trained = list(step.categories_[position])
        if categories is None:
            table = _encoded(step, position, [*range(len(trained)), None])
            index = _position(g, g.columns(x.value, [position]), trained)
        else:
            code_of_name = {category_name(value): code for code, value in enumerate(trained)}
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
        knots = g.cast(g.add("GreaterOrEqual", column, pieces.starts[None, 1:-1]), INT64)
        tail = g.cast(g.add("Greater", column, pieces.starts[None, -1:]), INT64)
        piece = g.reshaped(g.total(g.joined([knots, tail])), [-1])
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
    first, end, last = np.zeros((3, degree + 1, splines))
    end[-1] = spline(highest)
    starts = np.concatenate([[lowest], knots[inner], [highest, highest]])
    if extrapolation == "continue" and len(inner):
        first, last = middle[:, 0], middle[:, -1]
        starts[-1] = knots[inner][-1]
    elif extrapolation == "continue":
        first = last = end
    else:
        first_splines, last_splines = _edges(degree, splines, extrapolation)
        for tail, place, edge in ((first, lowest, first_splines), (last, highest, last_splines)):
            tail[-1, edge] = spline(place)[edge]
            if extrapolation == "linear" and degree:
                tail[-2, edge] = spline(place, nu=1)[edge]
    return Pieces(starts, np.concatenate([first[:, None], middle, end[:, None], last[:, None]], axis=1))


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
    return _divided(g, value, size)


def _divided(g: GraphBuilder, value: str, size: str) -> str:
    """Rows divided by a number each, unless it is 0."""
    return g.add("Div", value, g.add("Where", g.add("Equal", size, 0.0), 1.0, size))


def _position(g: GraphBuilder, column: str, trained: list[Any]) -> str:
    """Position of a number among the numbers that an encoder has seen; their count where it is none of them."""
    numbers = np.array([float(value) for value in trained])
    equal = g.add("Equal", column, np.where(np.isnan(numbers), 0.0, numbers)[None])
    equal = g.add("And", equal, ~np.isnan(numbers)[None])
    if np.isnan(numbers).any():
        equal = g.add("Or", equal, g.add("And", g.add("IsNaN", column), np.isnan(numbers)[None]))
    order = g.cast(g.add("Where", equal, np.arange(len(trained), dtype=float)[None], float(len(trained))))
    return g.cast(g.add("ReduceMin", order, np.array([1]), keepdims=1), INT64)


def _encoded(step: Any, position: int, codes: list[int | None]) -> np.ndarray:
    """What an encoder makes of these categories of a column, a row each; None is a category that it has not seen."""
    categories = step.categories_[position]
    is_text, strict = categories.dtype.kind in "OUS", step.handle_unknown == "error"
    unknown: Any = UNKNOWN if is_text else float(np.nanmax(categories.astype(float), initial=0.0)) + 1.0
    columns = [pd.Series([values[0]] * len(codes), dtype=_kind(values)) for values in step.categories_]
    replacement = categories[0] if strict else unknown
    cells = [replacement if code is None else categories[code] for code in codes]
    columns[position] = pd.Series(cells, dtype=_kind(categories))
    names = getattr(step, "feature_names_in_", range(len(columns)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a category is unknown is intended
        table = step.transform(pd.DataFrame(dict(zip(names, columns, strict=True))))
    table = np.asarray(table.toarray() if hasattr(table, "toarray") else table, float)
    if strict:
        table[[code is None for code in codes]] = np.nan
    start, end = _output_range(step, position)
    return np.asarray(table[:, start:end])


def _kind(categories: np.ndarray) -> Any:
    return object if categories.dtype.kind in "OUS" else categories.dtype


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
