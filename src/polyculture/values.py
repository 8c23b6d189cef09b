"""What did models predict where the truth is a number? A frozen table of values, checked at the gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.errors import InputError, near
from polyculture.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Values:
    """What models predicted where the truth is a number.

    Parameters
    ----------
    predicted : m × n; nan where there is none.
    targets : n true values.
    models : ids of the rows.
    tolerance : an instance counts as failed where the error is larger; the median model's root mean squared error if
        None.
    noise : known variance of noise in the targets: an error that all models share and are not to blame for.
    factors : one row per model, in the order of `models`: what each is made of; None if that is not known.
    instances : one row per instance, indexed by instance id: groups, clusters; numbered 0 … n − 1 if None.
    """

    predicted: Float[np.ndarray, "m n"]
    targets: Float[np.ndarray, " n"]
    models: tuple[str, ...]
    tolerance: float | None = None
    noise: float = 0.0
    factors: pd.DataFrame | None = None
    instances: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        m, n = len(self.models), len(self.targets)
        if self.predicted.shape != (m, n):
            raise InputError(
                f"predicted values have shape {self.predicted.shape}", f"{(m, n)}, for {m} models and {n} targets"
            )
        if not np.isfinite(self.targets).all():
            raise InputError("a target that is not a finite number", "a true value for every instance")
        for what, table, size in (("model", self.factors, m), ("instance", self.instances, n)):
            if table is not None and len(table) != size:
                raise InputError(f"a table of {len(table)} {what}s", f"one row for each of {size}")
        if self.noise < 0 or (self.tolerance is not None and self.tolerance <= 0):
            raise InputError(f"noise {self.noise} and tolerance {self.tolerance}", "a variance and an error above 0")

    @classmethod
    def of(cls, predicted: Mapping[str, Iterable[float]], targets: Iterable[float], **more: Any) -> Values:
        """From each model's predictions by id."""
        rows = {name: np.asarray(list(row), dtype=np.float64) for name, row in predicted.items()}
        truth = np.asarray(list(targets), dtype=np.float64)
        for name, row in rows.items():
            if len(row) != len(truth):
                raise InputError(f"{name} has {len(row)} values but there are {len(truth)} targets", "one per instance")
        if not rows:
            raise InputError("no models", "two models or more")
        return cls(np.stack(list(rows.values())), truth, tuple(rows), **more)

    def predictions(self) -> Predictions:
        """The same as Predictions."""
        return Predictions(
            self.made_of,
            self.known,
            values=self.predicted,
            targets=self.targets,
            tolerance=self.tolerance,
            noise=self.noise,
        )

    @property
    def known(self) -> pd.DataFrame:
        """What is known of each instance, indexed by its id; only numbered where nothing is."""
        if self.instances is not None:
            return self.instances
        return pd.DataFrame(index=pd.RangeIndex(len(self.targets), name="instance"))

    @property
    def made_of(self) -> pd.DataFrame:
        """What each model is made of, indexed by its id; without columns where that is not known."""
        ids = pd.Index(self.models, name="model", dtype=object)
        return pd.DataFrame(index=ids) if self.factors is None else self.factors.set_axis(ids, axis="index")

    def take_models(self, ids: Sequence[str]) -> Values:
        """The same instances predicted by these models only, in this order."""
        rows = [self._row(model) for model in ids]
        factors = None if self.factors is None else self.factors.iloc[rows]
        return replace(self, predicted=self.predicted[rows], models=tuple(ids), factors=factors)

    def take_instances(self, rows: Int[np.ndarray, " k"]) -> Values:
        """The same models on the instances at these positions, in this order."""
        return replace(
            self, predicted=self.predicted[:, rows], targets=self.targets[rows], instances=self.known.iloc[rows]
        )

    def _row(self, model: str) -> int:
        if model not in self.models:
            raise InputError(f"no model {model!r}", cure=near(model, self.models))
        return self.models.index(model)
