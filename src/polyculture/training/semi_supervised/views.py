"""How are inputs changed weakly and strongly? By the transforms of the data axis, several in a row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polyculture.dataset import Dataset, Modality
from polyculture.preparation.transforms import find_transform

View = Callable[[Dataset, np.random.Generator], np.ndarray]
"""Dataset → its inputs, changed."""

WEAK: dict[Modality, tuple[str, ...]] = {
    "image": ("shift:0.1",),
    "table": ("jitter:0.05",),
    "series": ("jitter:0.05",),
    "audio": ("gain:6",),
}
"""Levels of the data axis that leave an input easy to recognize, by modality."""
STRONG: dict[Modality, tuple[str, ...]] = {
    "image": ("rotate:25", "scale:0.2", "shift:0.15", "erase:0.15"),
    "table": ("jitter:0.1", "mask:0.3"),
    "series": ("jitter:0.1", "scaling:0.2", "window-warp:0.2"),
    "audio": ("gain:6", "specaugment:0.3"),
}
"""Levels that make it hard, by modality; one after the other."""


def weak(dataset: Dataset, generator: np.random.Generator) -> np.ndarray:
    """The inputs, changed weakly."""
    return _in_a_row(dataset, generator, WEAK[dataset.modality])


def strong(dataset: Dataset, generator: np.random.Generator) -> np.ndarray:
    """The inputs, changed strongly."""
    return _in_a_row(dataset, generator, STRONG[dataset.modality])


def _in_a_row(dataset: Dataset, generator: np.random.Generator, levels: tuple[str, ...]) -> np.ndarray:
    inputs = dataset.array
    for level in levels:
        view = find_transform(level).view
        assert view is not None
        changed = Dataset(inputs, dataset.labels, dataset.classes, modality=dataset.modality)
        inputs, _ = view(changed, generator)
    return inputs
