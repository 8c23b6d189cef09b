"""What is a shift, and how can there be many shifted test sets without the memory for all of them?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from polyculture.dataset import Dataset

SEVERITIES = (1, 2, 3, 4, 5)

Shift = Callable[[Dataset, int, np.random.Generator], Dataset]
"""A test set, a severity of 1 to 5 and a generator → the shifted test set."""
Change = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
"""The same for the inputs array."""


class LazyDatasets(Mapping[str, Dataset]):
    """Test sets by name, each created at every look-up, so that memory holds only those in use."""

    def __init__(self, makers: Mapping[str, Callable[[], Dataset]]) -> None:
        self.makers = dict(makers)

    def __getitem__(self, name: str) -> Dataset:
        return self.makers[name]()

    def __contains__(self, name: object) -> bool:
        return name in self.makers

    def __iter__(self) -> Iterator[str]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)


def input_shift(change: Change, bounds: tuple[float, float] | None = None) -> Shift:
    """The shift that changes inputs only: float32, clipped to the bounds if there are any."""

    def shift(test: Dataset, severity: int, generator: np.random.Generator) -> Dataset:
        inputs = change(test.array, severity, generator)
        if bounds is not None:
            inputs = np.clip(inputs, *bounds)
        return test.with_inputs(inputs.astype(np.float32))

    return shift
