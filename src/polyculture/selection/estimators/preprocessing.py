"""What can be learned from? Arrays, sparse matrices and dataframes, checked and brought into one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from scipy.sparse import csr_array, issparse
from sklearn.utils.validation import validate_data

from polyculture.errors import InputError

DENSE_CELLS = 10_000_000
"""Sparse matrices with fewer cells than this are made dense, so that every learner can read them."""
MISSING = "missing"
"""The category of cells without one."""


@dataclass(frozen=True)
class InputFormat:
    """What the inputs were like when the estimator was fitted, and so have to be like ever after.

    Parameters
    ----------
    categorical : positions of the dataframe's columns that hold categories.
    sparse : whether inputs stay sparse.
    raw : whether dataframes are handed to the learners as they are.
    """

    categorical: tuple[int, ...]
    sparse: bool
    raw: bool

    @classmethod
    def of(cls, estimator: Any, X: Any, prepare: bool) -> tuple[InputFormat, Any]:
        """How to read inputs like these, and these read; the estimator learns the names and number of columns."""
        inputs = _checked(estimator, X, reset=True)
        raw = isinstance(inputs, pd.DataFrame) and not prepare
        categorical: tuple[int, ...] = ()
        if isinstance(inputs, pd.DataFrame) and prepare:
            categorical = tuple(i for i in range(inputs.shape[1]) if not _is_number(inputs.iloc[:, i]))
        sparse = _is_sparse(inputs) and inputs.shape[0] * inputs.shape[1] >= DENSE_CELLS
        input_format = cls(categorical, sparse, raw)
        return input_format, input_format._converted(inputs)

    def read(self, estimator: Any, X: Any) -> Any:
        """Inputs to predict for, in the form that the members were fitted on."""
        inputs = _checked(estimator, X, reset=False)
        if (self.raw or self.categorical) and not isinstance(inputs, pd.DataFrame):
            raise InputError(f"inputs of the type {type(X).__name__}", "a dataframe, as when the estimator was fitted")
        return self._converted(inputs)

    def columns(self, n_features: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Positions of the categorical and of the numeric columns; None where learners prepare their own input."""
        if self.raw or self.sparse:
            return None
        return self.categorical, tuple(i for i in range(n_features) if i not in self.categorical)

    def _converted(self, X: Any) -> Any:
        if self.raw:
            return X
        if isinstance(X, pd.DataFrame):
            columns = {i: self._column(X.iloc[:, i], i) for i in range(X.shape[1])}
            frame = pd.DataFrame(columns, index=pd.RangeIndex(len(X)))
            return frame if self.categorical else frame.to_numpy(dtype=float)
        if self.sparse:
            return csr_array(X)
        return X.toarray() if _is_sparse(X) else X

    def _column(self, column: pd.Series[Any], position: int) -> pd.Series[Any]:
        """Categories as text, numbers as floats with nan where there are none."""
        if position in self.categorical:
            cells = zip(column.to_list(), column.notna(), strict=True)
            return pd.Series([str(value) if present else MISSING for value, present in cells], dtype=object)
        try:
            numbers = column.to_numpy(dtype=float, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"column {column.name!r} holds text", "numbers, as when the estimator was fitted"
            ) from error
        if np.isinf(numbers).any():
            raise InputError(f"column {column.name!r} holds infinity", "finite numbers; nan where one is missing")
        return pd.Series(numbers)


def _checked(estimator: Any, X: Any, reset: bool) -> Any:
    """The inputs, their shape and column names checked as scikit-learn does it."""
    X = X.to_pandas() if hasattr(X, "to_pandas") else X
    fewest = 2 if reset else 1
    if not isinstance(X, pd.DataFrame):
        finite = True if _is_sparse(X) else "allow-nan"
        return validate_data(
            estimator, X, reset=reset, accept_sparse="csr", ensure_all_finite=finite, ensure_min_samples=fewest
        )
    if X.shape[0] < fewest or X.shape[1] < 1:
        shape = f"a table of {X.shape[0]} sample{'' if X.shape[0] == 1 else 's'} and {X.shape[1]} features"
        raise InputError(shape, f"{fewest} samples and 1 feature or more")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return X


def _is_sparse(X: Any) -> bool:
    return bool(issparse(X))


def _is_number(column: pd.Series[Any]) -> bool:
    """Whether a column counts as numeric; refuses dates."""
    if column.dtype.kind in "mM":
        raise InputError(
            f"column {column.name!r} holds dates or times ({column.dtype})",
            "numbers or categories",
            "make numbers of them, such as days since the first",
        )
    return bool(is_numeric_dtype(column) or is_bool_dtype(column))
