"""Do two tables hold the same instances? Where they have no names, by what is known of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Shaped, UInt64

from .predictions import Predictions


def is_numbered(index: pd.Index[Any]) -> bool:
    """Whether instances have no names: they are called 0, 1, 2, …."""
    return isinstance(index, pd.RangeIndex) or bool((index.astype(str) == np.arange(len(index)).astype(str)).all())


def references(p: Predictions) -> Shaped[np.ndarray, " n"] | None:
    """What the answers are judged by: the number or the class of each instance; None where only outcomes are known."""
    return p.targets if p.labels is None else np.array(p.classes, dtype=object)[p.labels]


def instance_hashes(p: Predictions) -> UInt64[np.ndarray, " n"]:
    """A hash of the reference, answers, outcomes and numbers of each instance, models in the order of their ids."""
    table, classes = {"": references(p)}, np.array([*p.classes, ""], dtype=object)  # MISSING is the last
    for k in np.argsort(p.model_ids, kind="stable"):
        table |= {f"{k} {name}": array[k] for name in ("correct", "values") if (array := getattr(p, name)) is not None}
        table |= {} if p.answers is None else {f"{k} answer": classes[p.answers[k]]}
    frame = pd.DataFrame(dict(enumerate(table.values())))
    return np.asarray(pd.util.hash_pandas_object(frame, index=False).to_numpy())


def same_content(first: Predictions, second: Predictions) -> bool:
    """Whether one table is the other, its instances and models in any order."""
    if sorted(first.model_ids) != sorted(second.model_ids) or first.shape != second.shape or first.task != second.task:
        return False
    return bool((np.sort(instance_hashes(first)) == np.sort(instance_hashes(second))).all())
