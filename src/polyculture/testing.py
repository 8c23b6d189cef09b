"""What must every measure keep, and on what can it be tried? Tiny populations with a known answer, and the laws.

from polyculture.testing import check_measure
check_measure(my_measure)          # raises AssertionError naming the law that is broken
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from polyculture.measures.counts import PairCounts, count
from polyculture.predictions import Predictions
from polyculture.rng import stream

Measure = Callable[[PairCounts], Float[np.ndarray, "m m"]]


def copying_errors(
    sizes: Sequence[int], instances: int, error_rate: float = 0.2, copying: float = 1.0, seed: int = 0
) -> Bool[np.ndarray, "m n"]:
    """Errors of clusters of models: two of one cluster have κ = `copying`, two of different clusters are independent.

    Every member errs with its cluster with probability √copying and on its own otherwise, at `error_rate` either way.

    Parameters
    ----------
    sizes : models in each cluster.
    """
    rng = stream(seed, "copying errors")
    rows = []
    for size in sizes:
        cluster = rng.random(instances) < error_rate
        for _ in range(size):
            individual = rng.random(instances) < error_rate
            rows.append(np.where(rng.random(instances) < np.sqrt(copying), cluster, individual))
    return np.array(rows, dtype=bool)


def tiny_predictions(
    sizes: Sequence[int] = (2, 1, 1), instances: int = 400, classes: int = 3, copying: float = 1.0, seed: int = 0
) -> Predictions:
    """Predictions of `copying_errors` models: labels are drawn evenly, wrong answers are the next class."""
    wrong = copying_errors(sizes, instances, copying=copying, seed=seed)
    labels = stream(seed, "labels").integers(0, classes, instances)
    answers = np.where(wrong, (labels + 1) % classes, labels)
    return Predictions.from_answers({f"model-{i}": row for i, row in enumerate(answers)}, labels)


def check_measure(measure: Measure, seed: int = 0) -> None:
    """Hold a pair measure to the laws that every built-in one keeps; AssertionError names the broken one.

    A measure is a function from `PairCounts` to an m × m matrix. Laws: it is float and m × m; symmetric; follows its
    models when they are reordered; does not depend on the order of the instances, on what the classes are called, nor
    on how the instances were cut into chunks; a copy of a model stands to others as the model does; it warns nowhere,
    and infinities do not occur, not even for perfect models and pairs without common instances.
    """
    rng = stream(seed, "laws")
    answers, labels = _answers(rng)
    m, n = answers.shape
    value = measure(_counts(answers, labels))
    assert value.shape == (m, m), f"shape: {m} models give {value.shape}, expected {(m, m)}"
    assert value.dtype.kind == "f", f"dtype: {value.dtype}, expected floats (undefined is nan)"
    _same("symmetry", value, value.T)
    models, instances, names = rng.permutation(m), rng.permutation(n), rng.permutation(4)
    _same("order of models", value[np.ix_(models, models)], measure(_counts(answers[models], labels)))
    _same("order of instances", value, measure(_counts(answers[:, instances], labels[instances])))
    renamed = np.where(answers < 0, answers, names[answers])
    _same("names of classes", value, measure(_counts(renamed, names[labels])))
    cut = n // 3
    merged = _counts(answers[:, :cut], labels[:cut]) + _counts(answers[:, cut:], labels[cut:])
    _same("chunks", value, measure(merged))
    duplicated = measure(_counts(np.vstack([answers, answers[:1]]), labels))
    _same("copies", duplicated[0, 1:m], duplicated[m, 1:m])
    assert not np.isinf(value).any(), "infinities: undefined is nan"


def _answers(rng: np.random.Generator) -> tuple[Int[np.ndarray, "m n"], Int[np.ndarray, " n"]]:
    """Seven models, among them a perfect one, one that is always wrong, and two that share no instance."""
    labels = rng.integers(0, 4, 330)
    wrong = rng.random((7, 330)) < np.array([0.1, 0.3, 0.5, 0.0, 1.0, 0.2, 0.4])[:, None]
    answers = np.where(wrong, (labels + rng.integers(1, 4, (7, 330))) % 4, labels)
    answers[5, ::2] = -1
    answers[6, 1::2] = -1
    return answers, labels


def _counts(answers: Int[np.ndarray, "m n"], labels: Int[np.ndarray, " n"]) -> PairCounts:
    return count(answers, labels, None, 4)


def _same(law: str, a: Float[np.ndarray, "*shape"], b: Float[np.ndarray, "*shape"]) -> None:
    assert np.allclose(a, b, rtol=0, atol=1e-12, equal_nan=True), f"{law}: {a} and {b} differ"
