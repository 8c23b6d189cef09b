"""How do learners remember less? Fewer stored instances of nearest neighbours, fewer support vectors."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from polyculture.errors import InputError
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.threads import one_thread
from polyculture.rng import derived_seed, stream

from ..context import CompressionContext
from .learners import estimator_of, fitted, learner_of, rows_of, with_learner

ROUNDS = 20
"""Of k-means."""
SPANNED = 1e-9
"""Share of a squared length that counts as none."""
MACHINES = ("SVC", "NuSVC", "SVR", "NuSVR")
KERNELS = ("rbf", "linear", "poly", "sigmoid")


def fewer_prototypes(model: Fitted, share: float, context: CompressionContext) -> Fitted:
    """Nearest neighbours among fewer instances, or a support vector machine without a share of its vectors.

    Nearest neighbours: the instances of a class become the centres of as many clusters as are left of them (Hastie,
    Tibshirani and Friedman 2009, section 13.2.1); numbers are averaged over a cluster. Of sparse counts, whose means
    would not be sparse, a random part of each class stays.

    Support vectors: of each class those stay that are farthest, in the kernel's space, from the span of those before
    (the pivots of Fine and Scheinberg 2001), and their coefficients become those with which the scores of all support
    vectors are as near as possible to what they were. A calibration around it is fitted again, over folds of the
    training set in which machines are reduced alike.

    Raises InputError for a learner that stores neither.
    """
    estimator = estimator_of(model, "fewer-prototypes")
    learner = learner_of(estimator.estimator)
    kind = type(learner).__name__
    if kind in MACHINES and learner.kernel in KERNELS:
        return _fewer_vectors(estimator, share, context) if share else model
    if not kind.startswith("KNeighbors"):
        raise InputError(
            f"fewer-prototypes of a {kind}", "nearest neighbours or a support vector machine", "use fewer-features"
        )
    if not share:
        return model
    instances, outcomes = prototypes(learner, share, context.seed)
    from sklearn.base import clone

    return with_learner(estimator, fitted(clone(learner), instances, outcomes))


def prototypes(learner: Any, share: float, seed: int) -> tuple[Any, Shaped[np.ndarray, " k"]]:
    """Fewer instances than nearest neighbours store, and their labels or numbers.

    As many are left as neighbours are asked for, and one or more of each class.
    """
    rows, codes = learner._fit_X, np.asarray(learner._y).ravel()
    classes = getattr(learner, "classes_", None)
    groups = [np.arange(len(codes))] if classes is None else [np.flatnonzero(codes == k) for k in range(len(classes))]
    total = max(round((1 - share) * len(codes)), learner.n_neighbors, len(groups))
    counts = apportioned(total, np.array([len(group) for group in groups]))
    if hasattr(rows, "tocsr"):
        rng = stream(seed, "prototypes")
        selection = [np.sort(rng.choice(g, count, replace=False)) for g, count in zip(groups, counts, strict=True)]
        places = np.concatenate(selection)
        return rows[places], codes[places] if classes is None else classes[codes[places]]
    parts, outcomes = [], []
    for position, (group, count) in enumerate(zip(groups, counts, strict=True)):
        centres, owner = _centres(rows[group], int(count), derived_seed(seed, "prototypes", position) % 2**32)
        order = np.arange(count) % len(centres)  # where there are fewer different rows
        parts.append(centres[order])
        mean = np.bincount(owner, codes[group], len(centres)) / np.bincount(owner, minlength=len(centres))
        outcomes.append(mean[order] if classes is None else np.full(count, classes[position]))
    return np.concatenate(parts).astype(rows.dtype), np.concatenate(outcomes)


def apportioned(total: int, sizes: Int[np.ndarray, " g"]) -> Int[np.ndarray, " g"]:
    """A total in proportion to the sizes: whole numbers from 1 to each size, the largest remainders rounded up."""
    quotas = total * sizes / sizes.sum()
    counts: Int[np.ndarray, " g"] = np.clip(np.floor(quotas), 1, sizes).astype(np.int64)
    while counts.sum() != total:
        step = 1 if counts.sum() < total else -1
        candidates = counts < sizes if step > 0 else counts > 1
        counts[np.argmax(np.where(candidates, step * (quotas - counts), -np.inf))] += step
    return counts


def _centres(rows: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, Int[np.ndarray, " n"]]:
    """Centres of as many clusters, or of fewer where rows are equal; and the cluster of each row."""
    from sklearn.cluster import KMeans

    distinct, owner = np.unique(rows, axis=0, return_inverse=True)
    owner = owner.ravel().astype(np.int64)
    if count >= len(distinct):
        return distinct, owner
    with one_thread():
        clusters = KMeans(count, n_init=1, max_iter=ROUNDS, random_state=seed)
        clusters.fit(distinct, sample_weight=np.bincount(owner))
    centres: np.ndarray = clusters.cluster_centers_
    return centres, clusters.labels_[owner].astype(np.int64)


def _fewer_vectors(model: FittedEstimator, share: float, context: CompressionContext) -> FittedEstimator:
    """The machine with fewer vectors, and where it is calibrated the calibration fitted again."""
    from sklearn.base import clone

    machine = learner_of(model.estimator)
    groups = max(1, len(getattr(machine, "classes_", ())))
    count = max(groups, round((1 - share) * machine.support_vectors_.shape[0]))
    rows, labels = rows_of(model, context)
    if not _is_calibrated(model.estimator):
        return replace(model, estimator=_around(model.estimator, reduced(machine, count)))
    kind, length = type(machine), min(rows.shape[0], machine.shape_fit_[0])  # that of a fold where folds are averaged

    class ReducedMachine(kind):  # type: ignore[misc,valid-type]
        """The machine, reduced after every fit; of a part of the rows to a part of the vectors."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            super().fit(X, y, sample_weight)
            size = max(groups, round(count * X.shape[0] / length))
            self.__dict__.update(reduced(self, min(size, self.support_vectors_.shape[0])).__dict__)
            return self

    estimator = clone(model.estimator)
    _innermost(estimator, ReducedMachine(**machine.get_params()))
    fitted(estimator, rows, labels)
    _innermost(estimator, kind(**machine.get_params()))
    for calibrated in _calibration(estimator).calibrated_classifiers_:
        calibrated.estimator.__class__ = kind
    return replace(model, estimator=estimator)


def reduced(machine: Any, count: int) -> Any:
    """A support vector machine with this number of vectors, as near as possible to the original."""
    vectors, sparse = machine.support_vectors_, hasattr(machine.support_vectors_, "tocsr")
    coefficients = machine._dual_coef_.toarray() if sparse else machine._dual_coef_
    classes = len(getattr(machine, "classes_", ()))
    owner = np.repeat(np.arange(classes), machine.n_support_) if classes else np.zeros(vectors.shape[0], np.int64)
    kernel = _kernel(machine, vectors)
    groups = [np.flatnonzero(owner == k) for k in np.unique(owner)]
    counts = apportioned(count, np.array([len(group) for group in groups]))
    parts = [g[_pivots(kernel[np.ix_(g, g)], int(n))] for g, n in zip(groups, counts, strict=True)]
    selection = np.sort(np.concatenate(parts))
    smaller = copy.copy(machine)
    smaller.support_vectors_ = vectors[selection] if sparse else np.ascontiguousarray(vectors[selection])
    smaller.support_ = machine.support_[selection]
    sizes = np.bincount(owner[selection], minlength=max(1, classes)).astype(np.int32)
    smaller._n_support = sizes if classes else np.array([len(selection), 0], np.int32)
    weights = _nearest(kernel, coefficients, owner, selection)
    smaller._dual_coef_ = _as_sparse(weights, machine._dual_coef_) if sparse else weights
    smaller.dual_coef_ = -smaller._dual_coef_ if classes == 2 else smaller._dual_coef_
    return smaller


def _pivots(kernel: Float[np.ndarray, "v v"], count: int) -> Int[np.ndarray, " k"]:
    """Positions of vectors, each the farthest from the span of those before it: pivots of the Cholesky factors."""
    remainder = np.diag(kernel).copy()
    factors = np.zeros((count, len(kernel)))
    selection: list[int] = []
    for step in range(count):
        candidates = remainder.copy()
        candidates[selection] = -np.inf
        pivot = int(candidates.argmax())
        if remainder[pivot] > SPANNED * kernel[0, 0]:  # else all are in the span
            row = kernel[pivot] - factors[:step, pivot] @ factors[:step]
            factors[step] = row / np.sqrt(remainder[pivot])
            remainder = np.maximum(remainder - factors[step] ** 2, 0.0)
        selection.append(pivot)
    return np.array(selection)


def _nearest(
    kernel: Float[np.ndarray, "v v"],
    coefficients: Float[np.ndarray, "r v"],
    owner: Int[np.ndarray, " v"],
    selection: Int[np.ndarray, " k"],
) -> Float[np.ndarray, "r k"]:
    """Coefficients of the selection vectors, by least squares of the scores of all support vectors.

    Row b − 1 of a class a < b, and row a of the class b, are the function that decides between a and b.
    """
    weights = np.zeros((len(coefficients), len(selection)))
    classes = len(coefficients) + 1 if owner.any() else 1
    for a, b in itertools.combinations(range(classes), 2) if classes > 1 else [(0, 0)]:
        rows = np.where(owner == a, max(b - 1, 0), a)
        members, places = np.flatnonzero(np.isin(owner, [a, b])), np.flatnonzero(np.isin(owner[selection], [a, b]))
        vectors = selection[places]
        scores = kernel[np.ix_(members, members)] @ coefficients[rows[members], members]
        weights[rows[vectors], places] = np.linalg.lstsq(kernel[np.ix_(members, vectors)], scores, rcond=1e-6)[0]
    return weights


def _kernel(machine: Any, vectors: Any) -> Float[np.ndarray, "v v"]:
    """The kernel between all support vectors."""
    from sklearn.metrics import pairwise

    gamma, shift = float(machine._gamma), float(machine.coef0)
    if machine.kernel == "rbf":
        return np.asarray(pairwise.rbf_kernel(vectors, gamma=gamma), float)
    if machine.kernel == "poly":
        return np.asarray(pairwise.polynomial_kernel(vectors, None, machine.degree, gamma, shift), float)
    if machine.kernel == "sigmoid":
        return np.asarray(pairwise.sigmoid_kernel(vectors, None, gamma, shift), float)
    product = vectors @ vectors.T
    return np.asarray(product.toarray() if hasattr(product, "toarray") else product, float)


def _as_sparse(weights: Float[np.ndarray, "r k"], pattern: Any) -> Any:
    """All weights as a sparse matrix of the kind of another, zeros too: the library reads them by position."""
    functions, vectors = weights.shape
    ends = np.arange(functions + 1, dtype=np.int32) * vectors
    columns = np.tile(np.arange(vectors, dtype=np.int32), functions)
    return type(pattern)((weights.ravel(), columns, ends), shape=weights.shape)


def _calibration(estimator: Any) -> Any:
    """The calibration in an estimator."""
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator


def _is_calibrated(estimator: Any) -> bool:
    return hasattr(_calibration(estimator), "calibrated_classifiers_")


def _innermost(estimator: Any, machine: Any) -> None:
    """Put an unfitted machine into a calibration."""
    _calibration(estimator).estimator = machine


def _around(estimator: Any, machine: Any) -> Any:
    """Shallow copies of a pipeline or a scaled target around another fitted machine."""
    outer = copy.copy(estimator)
    if hasattr(estimator, "steps"):
        outer.steps = [*estimator.steps[:-1], (estimator.steps[-1][0], _around(estimator.steps[-1][1], machine))]
    elif hasattr(estimator, "regressor_"):
        outer.regressor_ = _around(estimator.regressor_, machine)
    else:
        return machine
    return outer
