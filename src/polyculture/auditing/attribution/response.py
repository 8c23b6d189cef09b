"""Which similarity is split? The error covariance, a measure of pairs, or a matrix that the user gives."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import FileError, InputError, near
from polyculture.measures.attribution.covariance_split import CovarianceSplit, split
from polyculture.measures.counts import total
from polyculture.measures.pairs import MEASURES
from polyculture.measures.similarity.probabilities import capa_of, probability_sums
from polyculture.predictions import Predictions
from polyculture.recipe import Ingredient

from ..counting import count_table
from .fit import Sampling, SimilaritySplit

Given = str | pd.DataFrame | np.ndarray
"""A similarity by name, or as a matrix: with the models' names, or in their order."""
BLOCKS = 40
"""Blocks of instances that are left out in turn, for limits of what has no influence function."""
COVARIANCE, PROBABILITIES = "covariance", "capa of probabilities"
DISTANCES = ("disagreement",)
NAMES = (COVARIANCE, *(n for n in MEASURES if n not in (COVARIANCE, *DISTANCES)), PROBABILITIES)
"""Similarities by name: those of pairs of models, of which more is more alike."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """A similarity of every two models, and the same without each block of instances.

    Parameters
    ----------
    name : in words.
    matrix : nan where undefined.
    leave_outs : without each block in turn; None for a matrix that was given.
    instances : behind it.
    """

    name: str
    matrix: Float[np.ndarray, "m m"]
    leave_outs: Float[np.ndarray, "g m m"] | None = None
    instances: int = 0

    @property
    def defined(self) -> Bool[np.ndarray, " m"]:
        """Models with a number for some pair."""
        mask: Bool[np.ndarray, " m"] = np.isfinite(_off_diagonal(self.matrix)).any(axis=0)
        return mask

    def take(self, models: Bool[np.ndarray, " m"]) -> Similarity:
        """Of these models only."""
        rows = np.ix_(models, models)
        leave_outs = None if self.leave_outs is None else self.leave_outs[:, models][:, :, models]
        return Similarity(self.name, self.matrix[rows], leave_outs, self.instances)

    def split(self, factors: list[Ingredient], level: float) -> SimilaritySplit:
        """SimilaritySplit among these factors, with limits by leaving out one block at a time."""
        shared = [i.factor for i in factors]
        parts = split(self.matrix, shared, 1.0)
        if self.leave_outs is None:
            sampling = Sampling(np.zeros(0, dtype=bool), None, level, reason="a given matrix has no instances")
            return SimilaritySplit(self.matrix, parts, np.zeros((len(parts.coefficients), 0)), sampling)
        sampling = Sampling(np.ones(len(self.leave_outs), dtype=bool), None, level, self.instances)
        return SimilaritySplit(self.matrix, parts, self._influence(parts), sampling)

    def _influence(self, parts: CovarianceSplit) -> Float[np.ndarray, "k g"]:
        """What each block adds to each coefficient: the pseudo-values of the jackknife, less the estimate."""
        assert self.leave_outs is not None
        # Pairs that a block alone defines stay as they are without it.
        changed = np.where(np.isfinite(self.leave_outs), self.leave_outs, self.matrix) - self.matrix
        change = np.einsum("kab,gab->kg", parts.weights, np.nan_to_num(changed)) / 2
        influence: Float[np.ndarray, "k g"] = -(len(self.leave_outs) - 1) * change
        return influence


def similarity_of(
    predictions: Predictions, similarity: Given | Similarity, clusters: Int[np.ndarray, " n"] | None
) -> Similarity:
    """The similarity of that name with its blocks, or the matrix that was given, in the order of the models.

    A `Similarity`, such as that of the models' reasons, is taken as it is.

    Raises InputError for an unknown name, a distance, a measure that the predictions do not determine, and a matrix
    that is not symmetric or lacks a model.
    """
    if isinstance(similarity, Similarity):
        return similarity
    if isinstance(similarity, np.ndarray):
        m = predictions.shape[0]
        if similarity.shape != (m, m):
            raise InputError(f"a similarity of shape {similarity.shape}", f"{m} × {m}, in the order of the models")
        similarity = pd.DataFrame(similarity, predictions.model_ids, predictions.model_ids)
    if isinstance(similarity, pd.DataFrame):
        return Similarity("given similarity", _checked(similarity, predictions.model_ids))
    if similarity in DISTANCES:
        raise InputError(f"{similarity} is a distance", "a similarity, larger where models are more alike, such as phi")
    if similarity not in NAMES:
        raise InputError(f"no similarity {similarity!r}", f"one of {', '.join(NAMES)}", near(similarity, NAMES))
    if similarity == PROBABILITIES and (predictions.probabilities is None or predictions.labels is None):
        raise InputError(f"{similarity} of answers", "probabilities with labels", "use capa, which takes answers")
    n = predictions.shape[1]
    if n < 2:
        raise InputError(f"{n} instances", "two or more")
    codes = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    blocks = codes % BLOCKS
    parts = [predictions.take_instances(np.flatnonzero(blocks == g)) for g in np.unique(blocks)]
    matrix, leave_outs = _of_probabilities(parts) if similarity == PROBABILITIES else _of_counts(parts, similarity)
    if not np.isfinite(_off_diagonal(matrix)).any():
        raise InputError(f"{similarity} is undefined for every pair", "answers on which two models are wrong together")
    return Similarity(similarity.replace("_", " "), matrix, leave_outs, n)


def _of_counts(parts: list[Predictions], name: str) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "g m m"]]:
    """A measure of all parts, and of all but each."""
    measure = MEASURES[name]
    tables = [count_table(p, p.has_fixed_classes).counts for p in parts]
    return measure(total(tables)), np.stack([measure(table) for table in _without_each(tables)])


def _without_each(parts: list[Any]) -> list[Any]:
    """The sum of all parts but each in turn, by adding only: what is 0 in the others stays exactly 0."""
    heads, tails = list(accumulate(parts, add)), list(accumulate(parts[::-1], add))[::-1]
    inner = [heads[g - 1] + tails[g + 1] for g in range(1, len(parts) - 1)]
    return [tails[1], *inner, heads[-2]] if len(parts) > 1 else []


def _of_probabilities(parts: list[Predictions]) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "g m m"]]:
    """CAPA of the probabilities of all parts, and of all but each."""
    sums = [
        probability_sums(p.probabilities, p.labels.astype(np.int64), p.options, p.observed)
        for p in parts
        if p.probabilities is not None and p.labels is not None
    ]
    return capa_of(sums), np.stack([capa_of(part) for part in _without_each(sums)])


def similarity_named(name: str) -> str | pd.DataFrame:
    """The similarity of that name, or the matrix in the file of that name."""
    return read_similarity(Path(name)) if name.endswith(".csv") or Path(name).is_file() else name


def read_similarity(path: Path) -> pd.DataFrame:
    """A square table of similarities with the models' names in its first column and as headings.

    Raises FileError for a file that is none.
    """
    try:
        return pd.read_csv(path, index_col=0)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error).splitlines()[0]
        raise FileError(f"{path} is no table: {reason}", "a CSV with a row and a column per model") from error


def _off_diagonal(matrix: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    return np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)


def _checked(table: pd.DataFrame, models: list[str]) -> Float[np.ndarray, "m m"]:
    """The matrix in the order of the models; all that is wrong with it is an InputError."""
    rows, columns = [str(name) for name in table.index], [str(name) for name in table.columns]
    for names, axis in ((rows, "row"), (columns, "column")):
        absent = [m for m in models if m not in names]
        if absent:
            raise InputError(
                f"the similarity has no {axis} {absent[0]!r}", "a row and a column per model", near(absent[0], names)
            )
        if len(set(names)) < len(names):
            raise InputError(f"the similarity has two {axis}s of one name", "one per model")
    cells = table.set_axis(rows).set_axis(columns, axis=1).loc[models, models]
    try:
        matrix: Float[np.ndarray, "m m"] = cells.to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(
            "the similarity holds what is no number", "numbers, larger where models are more alike"
        ) from error
    if np.isinf(matrix).any():
        raise InputError("the similarity holds an infinity", "finite numbers; leave cells empty where unknown")
    uneven = (np.isnan(matrix) != np.isnan(matrix.T)) | (np.abs(matrix - matrix.T) > 1e-9)
    if uneven.any():
        a, b = (int(k) for k in np.argwhere(uneven)[0])
        raise InputError(
            f"{models[a]!r} to {models[b]!r} has the similarity {matrix[a, b]:g}, and the other way {matrix[b, a]:g}",
            "a symmetric matrix",
        )
    off_diagonal = _off_diagonal(matrix)
    if np.isfinite(off_diagonal).any() and (np.diag(matrix) < np.nanmin(off_diagonal)).all():
        raise InputError(
            "every model is less alike to itself than any two models are",
            "a similarity, larger where models are more alike",
            "give 1 − distance if these are distances",
        )
    if not np.isfinite(matrix[np.triu_indices(len(matrix), 1)]).any():
        raise InputError("the similarity is empty", "a number for some pair of models")
    return matrix
