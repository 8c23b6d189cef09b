"""What is a model made of? Six axes, a seed, and what was done to make it smaller."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from polyculture.errors import InputError, near

AXES = ("architecture", "data", "objective", "optimizer", "hyperparameters", "pretraining")
"""The six axes of a recipe, in the order of its columns."""


@dataclass(frozen=True)
class Recipe:
    """How to make one model: a level on each of the six axes, and a seed.

    Parameters
    ----------
    architecture : name of a builder in ``polyculture.training.ARCHITECTURES``.
    data : which part or version of the training set is used, such as ``"all"``, ``"half-a"``, ``"bootstrap"``.
    objective : the loss.
    optimizer : name of the optimizer; ``"own"`` for learners that bring their own.
    hyperparameters : whatever departs from the architecture's defaults; empty for the defaults.
    pretraining : what the weights start from.
    seed : of everything random in the making of this model.
    compression : what was done to make the fitted model smaller or faster, such as ``"int8"``; see
        `polyculture.compress`.

    Raises InputError for a level that is not a name, a seed that is not a whole number of 0 or more, and
    hyperparameters that JSON cannot hold. Whether a level exists is checked by `train`.

    Examples
    --------
    >>> recipe = pc.Recipe("mlp", optimizer="sgd", hyperparameters={"width": 32}, seed=1)
    >>> recipe.optimizer, recipe.data, dict(recipe.hyperparameters)
    ('sgd', 'all', {'width': 32})
    """

    architecture: str
    data: str = "all"
    objective: str = "cross-entropy"
    optimizer: str = "own"
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    pretraining: str = "none"
    seed: int = 0
    compression: str = "none"

    def __post_init__(self) -> None:
        for axis in ("architecture", "data", "objective", "optimizer", "pretraining", "compression"):
            level = getattr(self, axis)
            if not isinstance(level, str) or not level:
                raise InputError(f"{axis} is {level!r}", "a name")
        if type(self.seed) is not int or self.seed < 0:
            raise InputError(f"seed is {self.seed!r}", "a whole number, 0 or more")
        if not isinstance(self.hyperparameters, Mapping):
            raise InputError(f"hyperparameters are {self.hyperparameters!r}", "names with values")
        values = {name: _plain(name, value) for name, value in sorted(self.hyperparameters.items())}
        object.__setattr__(self, "hyperparameters", values)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def id(self) -> str:
        """Name that is the same for the same recipe and different for different ones: architecture and a hash.

        It can be the name of a folder: what could not (slashes and the like) is a dash, and 48 letters are kept.
        """
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        short = re.sub(r"[^\w.+-]+", "-", self.architecture)[-48:].strip("-.")
        return f"{short}-{hashlib.blake2b(canonical.encode(), digest_size=4).hexdigest()}"

    def factors(self) -> dict[str, Any]:
        """One row of a model table: the level on each axis as text, the seed, and the compression if there is any."""
        row: dict[str, Any] = {axis: getattr(self, axis) for axis in AXES}
        row["hyperparameters"] = ", ".join(f"{k}={v}" for k, v in self.hyperparameters.items()) or "default"
        return row | {"seed": self.seed} | ({} if self.compression == "none" else {"compression": self.compression})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into JSON and TOML; the compression if there is any, so that other ids stay."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if (name, value) != ("compression", "none")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe with these values; unknown keys are an error that names the near ones."""
        names = [f.name for f in fields(cls)]
        for key in values:
            if key not in names:
                raise InputError(f"a recipe has no {key!r}", "", near(key, names))
        if "architecture" not in values:
            raise InputError("a recipe without an architecture", f"keys among {', '.join(names)}")
        return cls(**values)


def _plain(name: str, value: Any) -> str | bool | int | float:
    """The value as JSON and TOML know it; whole floats become integers, so that 8 and 8.0 are the same level."""
    scalar = value.item() if hasattr(value, "item") else value
    if isinstance(scalar, float) and math.isfinite(scalar):
        return int(scalar) if scalar.is_integer() else scalar
    if isinstance(scalar, (str, bool, int)):
        return scalar
    raise InputError(f"hyperparameter {name!r} is {value!r}", "a finite number, a text or true/false")
