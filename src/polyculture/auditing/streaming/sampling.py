"""Which instances represent a table that does not fit into memory? Those with the smallest hash.

The hash of an instance's name (of its cluster's, where there are clusters) is as good as a random number, and the same
wherever the table is cut and on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt

from polyculture.predictions import Predictions

from ..counting import take

CELLS, FEWEST = 1 << 24, 2000
"""Cells of a sample, approximately; and the smallest number of instances."""


def sample_size(models: int) -> int:
    """Number of instances sampled from a table with this number of models."""
    return max(CELLS // models, FEWEST)


@dataclass(frozen=True, eq=False)
class Sample:
    """The instances with the smallest keys so far, in the order of their keys."""

    predictions: Predictions
    keys: UInt[np.ndarray, " n"]

    @classmethod
    def of(cls, p: Predictions, clusters: str = "") -> Sample:
        """Of some instances; `clusters` names a column whose groups stay together."""
        names = p.instances[clusters] if clusters else p.instances.index
        digests = (hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in names)
        return cls(p, np.frombuffer(b"".join(digests), np.uint64))._smallest()

    def __add__(self, sample: Sample) -> Sample:
        return Sample(
            joined([self.predictions, sample.predictions]), np.concatenate([self.keys, sample.keys])
        )._smallest()

    def _smallest(self) -> Sample:
        rows = np.argsort(self.keys, kind="stable")[: sample_size(self.predictions.shape[0])]
        return Sample(take(self.predictions, rows), self.keys[rows])


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Instances of the same models one after another, without their probabilities."""
    tables: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in parts], axis=-1)
        for name in ("answers", "correct", "labels", "options")
        if getattr(parts[0], name) is not None
    }
    return replace(parts[0], instances=pd.concat([p.instances for p in parts]), probabilities=None, **tables)
