"""How good is a net for everybody, and how good for each client? Both are always measured together.

One net can be right for the mean of all clients and useless for each of them, and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from polyculture.dataset import Dataset
from polyculture.errors import InputError

Model = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class FederatedScores:
    """Scores of models on a common test set and on the clients' own data.

    Parameters
    ----------
    mixes : share of each class among the labels of each client, clients × c; without columns for regression.
    test : the common test set; None for none.
    own_tests : a test set of each client; empty to weight the common one by the clients' classes.
    """

    mixes: Float[np.ndarray, "k c"]
    test: Dataset | None = None
    own_tests: tuple[Dataset, ...] = ()

    def common(self, model: Model) -> float:
        """Accuracy on the common test set, or root mean squared error; nan without one."""
        return float("nan") if self.test is None else _score(model, self.test)

    def own(self, model: Model) -> Float[np.ndarray, " k"]:
        """The score of one model on the data of each client; nan where there is nothing to measure it on."""
        if self.own_tests:
            return np.array([_score(model, test) for test in self.own_tests])
        if self.test is None or self.test.task == "regression":
            return np.full(len(self.mixes), np.nan)
        return own_mix_accuracy(_right(model, self.test), _codes(self.test), self.mixes)

    def both(self, model: Model) -> tuple[float, float]:
        """On the common test set, and the mean over the clients' own data; one pass where one is enough."""
        if self.own_tests or self.test is None or self.test.task == "regression":
            return self.common(model), float(self.own(model).mean())
        right = _right(model, self.test)
        return float(right.mean()), float(own_mix_accuracy(right, _codes(self.test), self.mixes).mean())


def own_mix_accuracy(
    right: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"], mixes: Float[np.ndarray, "k c"]
) -> Float[np.ndarray, " k"]:
    """Accuracy on test instances weighted so that classes are as frequent as each client has them.

    Classes without test instances are left out, and the weights of the others enlarged; nan where none is left.

    Parameters
    ----------
    right : 1 where the model is right, 0 where it is wrong.
    labels : class code of each instance.
    mixes : share of each class for each client.

    Examples
    --------
    >>> from polyculture.training.federated import own_mix_accuracy
    >>> own_mix_accuracy(np.array([1.0, 1, 0, 0]), np.array([0, 0, 1, 1]), np.array([[1.0, 0], [0.5, 0.5]]))
    array([1. , 0.5])
    """
    counts = np.bincount(labels, minlength=mixes.shape[1])
    sums = np.bincount(labels, weights=right, minlength=mixes.shape[1])
    tested = counts > 0
    weights = mixes[:, tested]
    total = weights.sum(1)
    scores = weights @ (sums[tested] / counts[tested])
    own: Float[np.ndarray, " k"] = np.divide(scores, total, out=np.full(len(mixes), np.nan), where=total > 0)
    return own


def check_tests(clients: Sequence[Dataset], test: Dataset | None, own_tests: Sequence[Dataset] | None) -> None:
    """Refuse test sets of other classes, or of another number of clients."""
    if own_tests is not None and len(own_tests) != len(clients):
        raise InputError(f"{len(own_tests)} own test sets of {len(clients)} clients", "one for each client")
    for dataset in (*([] if test is None else [test]), *(own_tests or ())):
        if dataset.classes != clients[0].classes or not len(dataset):
            raise InputError(
                f"the test set {dataset.name!r} has {len(dataset)} instances of {len(dataset.classes)} classes",
                f"instances, of the {len(clients[0].classes)} classes of the clients",
            )


def _codes(test: Dataset) -> Int[np.ndarray, " n"]:
    return test.labels[test.labels >= 0]


def _right(model: Model, test: Dataset) -> Float[np.ndarray, " n"]:
    right: Float[np.ndarray, " n"] = np.equal(np.asarray(model(test.array)).argmax(1), _codes(test)).astype(np.float64)
    return right


def _score(model: Model, test: Dataset) -> float:
    if test.task == "regression":
        return float(np.sqrt(np.mean((np.asarray(model(test.array), np.float64)[:, 0] - test.labels) ** 2)))
    return float(_right(model, test).mean())
