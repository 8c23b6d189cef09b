"""What is a model made of? Six axes and a seed; and designs, which are lists of recipes that vary the axes."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import tomli_w

from polyculture.errors import FileError, InputError, near

AXES = ("architecture", "data", "objective", "optimizer", "hyperparameters", "pretraining")


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
    """

    architecture: str
    data: str = "all"
    objective: str = "cross-entropy"
    optimizer: str = "own"
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    pretraining: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        for axis in ("architecture", "data", "objective", "optimizer", "pretraining"):
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
        """Name that is the same for the same recipe and different for different ones: architecture and a hash."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return f"{self.architecture}-{hashlib.blake2b(canonical.encode(), digest_size=4).hexdigest()}"

    def factors(self) -> dict[str, Any]:
        """One row of a model table: the level on each axis as text, and the seed."""
        row: dict[str, Any] = {axis: getattr(self, axis) for axis in AXES}
        row["hyperparameters"] = ", ".join(f"{k}={v}" for k, v in self.hyperparameters.items()) or "default"
        return row | {"seed": self.seed}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into JSON and TOML."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe with these values; unknown keys are an error that names the near ones."""
        known = [f.name for f in fields(cls)]
        for key in values:
            if key not in known:
                raise InputError(f"a recipe has no {key!r}", "", near(key, known))
        if "architecture" not in values:
            raise InputError("a recipe without an architecture", f"keys among {', '.join(known)}")
        return cls(**values)


def _plain(name: str, value: Any) -> str | bool | int | float:
    """The value as JSON and TOML know it; whole floats become integers, so that 8 and 8.0 are the same level."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and math.isfinite(plain):
        return int(plain) if plain.is_integer() else plain
    if isinstance(plain, (str, bool, int)):
        return plain
    raise InputError(f"hyperparameter {name!r} is {value!r}", "a finite number, a text or true/false")


def grid(axes: Mapping[str, Sequence[Any]], seeds: Iterable[int] = (0,)) -> list[Recipe]:
    """Every combination of the given levels, once per seed (a full factorial design)."""
    names = list(axes)
    return [
        Recipe.from_dict(dict(zip(names, levels, strict=True)) | {"seed": seed})
        for levels in itertools.product(*axes.values())
        for seed in seeds
    ]


def read_recipes(path: Path) -> list[Recipe]:
    """Recipes from a TOML file with one ``[[recipe]]`` table each."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("recipe", [])
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise FileError(f"cannot read {path}: {reason}", "a TOML file with [[recipe]] tables") from error
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{path} is not TOML: {error}", "a file with [[recipe]] tables") from error
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{path} holds no recipe", "at least one [[recipe]] table")
    return [Recipe.from_dict(table) for table in tables]


def write_recipes(recipes: Iterable[Recipe], path: Path) -> None:
    """The recipes as a TOML file that `read_recipes` reads back."""
    text = tomli_w.dumps({"recipe": [recipe.to_dict() for recipe in recipes]})
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}", "a file that can be written") from error
