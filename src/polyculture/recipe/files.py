"""Recipes as files: TOML with one ``[[recipe]]`` table each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tomli_w

from polyculture.errors import FileError, InputError

from .axes import Recipe
from .designs import grid


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
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}", "a file that can be written") from error


def read_axes(path: Path) -> dict[str, list[Any]]:
    """The levels of each axis, from the ``[axes]`` table of a TOML file."""
    axes = _read_toml(path).get("axes")
    if not isinstance(axes, dict) or not axes or not all(isinstance(levels, list) for levels in axes.values()):
        raise InputError(f"{path} has no [axes] table of lists", 'lines such as architecture = ["mlp", "lenet"]')
    return axes


def read_design(path: Path) -> list[Recipe]:
    """The recipes of a TOML file: its ``[[recipe]]`` tables, or every combination of its ``[axes]``."""
    return read_recipes(path) if "recipe" in _read_toml(path) else grid(read_axes(path))


def _read_toml(path: Path) -> dict[str, Any]:
    expected = "a TOML file with an [axes] table or [[recipe]] tables"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", expected) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not TOML: {error}", expected) from error
