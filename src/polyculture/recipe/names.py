"""What is a model called among others? By what sets its recipe apart, such as ``knn k=5 · half-a · seed 3``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from polyculture.errors import visible

from .axes import Recipe

SEPARATOR = " · "
"""What stands between the parts of a model's name."""
SHORT_WORDS = {"neighbours": "k", "learning_rate": "lr"}
"""Hyperparameters for which the field has a letter or two."""
_NAMED_AXES = ("data", "objective", "optimizer", "pretraining")
_DEFAULTS = Recipe("any")
_OUTCOME = ":correct"


def readable_names(recipes: Sequence[Recipe], reserved: Collection[str] = ()) -> dict[str, str]:
    """Names of models by recipe id: architecture, then what differs between these recipes, the seed only where needed.

    Hyperparameters are named where models of one architecture differ in them, the levels of the other axes where any
    two models do. What is not named has the usual level: the architecture's own hyperparameters and optimizer, data
    ``all``, objective ``cross-entropy``, no pretraining. Names are unique, and the same in any order of the recipes;
    next to other recipes a model may have another name, never another id.

    Parameters
    ----------
    recipes : of all models that appear together; equal ones count once.
    reserved : names that are used for something else, such as the columns next to the models'.
    """
    unique = {recipe.id: recipe for recipe in recipes}
    names = _without_seeds(list(unique.values()))
    repeated = _repeated(names)
    names = {key: f"{name} · seed {unique[key].seed}" if name in repeated else name for key, name in names.items()}
    repeated = _repeated(names) | set(reserved)
    for key, name in names.items():
        if name in repeated or name.endswith(_OUTCOME):  # that ending is of a column of outcomes
            names[key] = f"{name}{SEPARATOR}{key.rpartition('-')[2]}"
    return {key: key for key in names} if _repeated(names) else names


def _repeated(names: Mapping[str, str]) -> set[str]:
    return {name for name, times in Counter(names.values()).items() if times > 1}


def _without_seeds(recipes: Sequence[Recipe]) -> dict[str, str]:
    """Architecture and levels that differ, by recipe id; models that differ in nothing else have equal names."""
    groups: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        groups.setdefault(recipe.architecture, []).append(recipe)
    varied = {axis for axis in _NAMED_AXES if len(_levels(recipes, axis) - {_DEFAULTS.optimizer}) > 1}
    names = {}
    for architecture, group in groups.items():
        axes = [axis for axis in _NAMED_AXES if axis in varied or len(_levels(group, axis)) > 1]
        texts = _hyperparameter_texts(group)
        for recipe in group:
            settings = [texts[name][value] for name, value in _settings(recipe).items() if name in texts]
            levels = [getattr(recipe, axis) for axis in axes if getattr(recipe, axis) != getattr(_DEFAULTS, axis)]
            parts = map(_line, (" ".join([architecture, *settings]), *levels))
            names[recipe.id] = SEPARATOR.join(part for part in parts if part)
    return names


def _levels(recipes: Sequence[Recipe], axis: str) -> set[str]:
    return {getattr(recipe, axis) for recipe in recipes}


def _settings(recipe: Recipe) -> dict[str, tuple[type, Any]]:
    """Hyperparameters with the type of their value: True is not 1."""
    return {name: (type(value), value) for name, value in recipe.hyperparameters.items()}


def _hyperparameter_texts(group: Sequence[Recipe]) -> dict[str, dict[tuple[type, Any], str]]:
    """``k=5`` by hyperparameter and value, of the hyperparameters in which these models differ."""
    settings = [_settings(recipe) for recipe in group]
    texts = {}
    for name in sorted({name for values in settings for name in values}):
        values = {values.get(name) for values in settings}
        if len(values) > 1:
            levels = [value for value in values if value is not None]
            short = {value: _number(value[1]) for value in levels}
            exact = len(set(short.values())) < len(short)
            word = SHORT_WORDS.get(name, name)
            texts[name] = {value: f"{word}={value[1] if exact else short[value]}" for value in levels}
    return texts


def _number(value: Any) -> str:
    """A value with the digits that one reads at a glance."""
    return f"{value:.3g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _line(text: str) -> str:
    """Text on one line, without control characters and with single spaces."""
    return visible(" ".join(text.split()))
