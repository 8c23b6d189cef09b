"""What do the figures and the page look like? One palette for light and dark, safe for colour-blind eyes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

INK, MUTED, GRID, PAPER = "#1c2127", "#59636e", "#dfe3e8", "#fefefe"
BLUE, ORANGE, GREY, BAND = "#1f6fb2", "#c4540a", "#8a949e", "#c3dbef"
BLANK = "#eceef1"


def _ramp(*anchors: str, steps: int = 20) -> tuple[str, ...]:
    """Colours at equal steps, evenly from the first anchor to the last and straight from each to the next."""
    levels = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in anchors], dtype=float)
    positions = np.linspace(0, len(anchors) - 1, steps)
    mixed = np.stack([np.interp(positions, np.arange(len(anchors)), levels[:, k]) for k in range(3)], axis=1)
    return tuple("#{:02x}{:02x}{:02x}".format(*(round(level) for level in colour)) for colour in mixed)


SEQUENTIAL = _ramp("#f0f5fa", "#d8e6f3", "#b3d0e8", "#83b5da", "#4f94c8", "#2874b2", "#125895", "#0a3a6b")
"""Low to high; lightness falls evenly, so it also reads in print without colour."""

DIVERGING = _ramp("#8f3b04", "#c2661c", "#e39a55", "#f4cfa6", "#f3f3f2", "#c3d9ec", "#7fb1d9", "#3c84bd", "#0f4f8c")
"""Below, at and above zero."""

_PLAIN = {
    "ink": (INK, "#e6e9ed"),
    "muted": (MUTED, "#a3adb8"),
    "grid": (GRID, "#323a43"),
    "paper": (PAPER, "#15191e"),
    "blue": (BLUE, "#6bb1ee"),
    "orange": (ORANGE, "#ff9a57"),
    "grey": (GREY, "#7d8894"),
    "band": (BAND, "#25435d"),
    "blank": (BLANK, "#262c33"),
}
_DARK_SEQUENTIAL = _ramp("#1a2430", "#1c3145", "#1e4363", "#235a85", "#3079ae", "#5299cf", "#88bde8", "#cfe6fb")
_DARK_DIVERGING = _ramp(
    "#ffc48f", "#e0924c", "#a8652b", "#5f4029", "#2b3036", "#254761", "#33709f", "#5da3d9", "#b5daf8"
)
_THEMES = {
    **_PLAIN,
    **{f"seq-{k}": pair for k, pair in enumerate(zip(SEQUENTIAL, _DARK_SEQUENTIAL, strict=True))},
    **{f"div-{k}": pair for k, pair in enumerate(zip(DIVERGING, _DARK_DIVERGING, strict=True))},
}
_NAMES = {light: name for name, (light, _) in _THEMES.items()}

CONFIG: dict[str, Any] = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "domainColor": GRID,
        "gridColor": GRID,
        "tickColor": GRID,
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelPadding": 4,
        "labelSeparation": 4,
    },
    "locale": {
        "number": {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["$", ""], "percent": "\u00a0%"}
    },
    "header": {"labelColor": INK, "labelFontSize": 12, "labelFontWeight": 600, "titleColor": MUTED},
    "legend": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "symbolStrokeWidth": 2,
    },
    "title": {"color": INK, "anchor": "start", "fontSize": 14, "offset": 12},
    "text": {"color": INK, "fontSize": 11.5},
}


def themed(spec: Any) -> Any:
    """The specification with every palette colour replaced by its CSS variable, so that the page's theme draws it."""
    if isinstance(spec, dict):
        return {key: themed(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [themed(value) for value in spec]
    return f"var(--{_NAMES[spec]})" if isinstance(spec, str) and spec in _NAMES else spec


def css_variables(theme: Literal["light", "dark"]) -> str:
    """CSS declarations of the palette for one theme."""
    return "".join(f"--{name}:{light if theme == 'light' else dark};" for name, (light, dark) in _THEMES.items())
