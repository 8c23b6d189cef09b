"""How does a result draw itself? As a Vega-Lite specification, by the name of the figure."""

from __future__ import annotations

import importlib
from typing import Any

from polyculture.errors import InputError, near, visible


class Figure(dict[str, Any]):
    """A Vega-Lite 6 specification: a plain dict that notebooks draw."""

    def __repr__(self) -> str:
        return f"Figure: {visible(self['description'])} (a Vega-Lite specification; notebooks draw it)"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """For front ends that draw Vega-Lite 6; those that know only Vega-Lite 5 draw the same specification."""
        types = ("application/vnd.vegalite.v6+json", "application/vnd.vegalite.v5+json")
        return {"text/plain": repr(self)} | {mimetype: dict(self) for mimetype in types}


def plot(result: Any, name: str) -> Figure:
    """The figure of that name, or the first of the section of that name; without a name the first of all.

    Raises InputError for a name that the result does not have.
    """
    # A result knows by name who draws it: the drawing room is a floor above, where static imports must not go.
    figures = importlib.import_module("polyculture.reporting").figures_of(result)
    keys = [name] if name in figures else [key for key in figures if not name or key.startswith(f"{name}_")]
    if not keys:
        raise InputError(f"no figure {name!r}" if name else "no figure", "", near(name, figures))
    return Figure(figures[keys[0]])
