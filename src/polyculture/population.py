"""A set of models: each a callable from inputs to class probabilities, with what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from polyculture.errors import InputError, near, visible

Model = Callable[[np.ndarray], np.ndarray]
"""Inputs (n × anything) → probabilities (n × c)."""


@dataclass(frozen=True, eq=False)
class Population:
    """Models by id, and a table of what each is made of.

    Parameters
    ----------
    models : any callables that map inputs (n × anything) to class probabilities (n × c).
    classes : what each probability column stands for.
    factors : one row per model, indexed by model id: axis levels, seed, cost.
    failed : models that could not be trained, by id, with the reason; they are not in `models`.

    Raises InputError where `factors` lacks a row for a model.

    Examples
    --------
    >>> def always(label):
    ...     return lambda inputs: np.tile(np.eye(2)[label], (len(inputs), 1))
    >>> population = pc.Population({"cats": always(0), "dogs": always(1)}, ("cat", "dog"))
    >>> population["dogs"](np.zeros((1, 2)))
    array([[0., 1.]])
    """

    models: Mapping[str, Model]
    classes: tuple[str, ...]
    factors: pd.DataFrame = field(default_factory=pd.DataFrame)
    failed: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.factors.empty and len(self.factors) != len(self.models):
            object.__setattr__(self, "factors", pd.DataFrame(index=pd.Index(list(self.models), name="model")))
        missing = [m for m in self.models if m not in self.factors.index]
        if missing:
            raise InputError(f"no row in factors for the models {missing[:5]}", "one row per model id")
        object.__setattr__(self, "factors", self.factors.loc[list(self.models)])

    def __repr__(self) -> str:
        """Size, factors and failures, then the first models."""
        factors = (
            f"; factors {visible(', '.join(map(str, self.factors.columns[:10])))}" if len(self.factors.columns) else ""
        )
        failures = f"; {len(self.failed):,} could not be trained" if self.failed else ""
        rows = [f"  {visible(str(model))[:90]}" for model in list(self.models)[:5]]
        rows += [f"  … {len(self) - 5:,} more models"] if len(self) > 5 else []
        return "\n".join([f"Population: {len(self):,} models, {len(self.classes):,} classes{factors}{failures}", *rows])

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[str]:
        return iter(self.models)

    def __getitem__(self, model: str) -> Model:
        try:
            return self.models[model]
        except KeyError:
            raise InputError(f"no model {model!r} in this population", "", near(model, self.models)) from None
