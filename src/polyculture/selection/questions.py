"""What does every kind of exam have? Instances, who was asked about them, groups, clusters, shifted companions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Shaped

from polyculture.errors import InputError, near

SMALLEST_GROUP = 10
"""Groups with fewer instances are not judged."""
Same = TypeVar("Same", bound="Questions")


class Questions(ABC):
    """Instances that all candidates were asked about.

    Parameters
    ----------
    shifted : the same candidates on other test sets, by name.
    groups : instance columns whose groups are judged one by one.
    clusters : instance column that says which instances were sampled together.
    """

    shifted: Mapping[str, Any]
    groups: tuple[str, ...]
    clusters: str

    @property
    @abstractmethod
    def instances(self) -> pd.DataFrame:
        """What is known of each instance."""

    @property
    @abstractmethod
    def models(self) -> pd.DataFrame:
        """What is known of each candidate."""

    @abstractmethod
    def take(self: Same, rows: Int[np.ndarray, " k"]) -> Same:
        """These instances only; shifted companions stay whole."""

    @abstractmethod
    def beside(self: Same, shifted: Mapping[str, Any]) -> Same:
        """The same with other shifted companions."""

    @property
    def strata(self) -> Int[np.ndarray, " n"] | None:
        """True class of each instance, where the task has fixed classes."""
        return None

    @property
    def n(self) -> int:
        """Instances."""
        return len(self.instances)

    @property
    def model_ids(self) -> list[str]:
        """Ids of the candidates."""
        return [str(model) for model in self.models.index]

    def check_columns(self) -> None:
        """Refuse groups and clusters that no column tells."""
        columns = self.instances.columns
        for name in (*self.groups, *([self.clusters] if self.clusters else [])):
            if name not in columns:
                raise InputError(f"no instance column {name!r}", cure=near(name, map(str, columns)))

    @cached_property
    def cluster_codes(self) -> Int[np.ndarray, " n"] | None:
        """Cluster of each instance, where a column was named."""
        if not self.clusters:
            return None
        names: Shaped[np.ndarray, " n"] = self.instances[self.clusters].to_numpy().astype(str)
        codes: Int[np.ndarray, " n"] = np.unique(names, return_inverse=True)[1].astype(np.int64)
        return codes

    @cached_property
    def members_of_groups(self) -> Mapping[tuple[str, str], Bool[np.ndarray, " n"]]:
        """Where the instances of each group are, by column and group; groups of fewer than 10 are left out."""
        found: dict[tuple[str, str], Bool[np.ndarray, " n"]] = {}
        for column in self.groups:
            values: pd.Series[str] = self.instances[column].astype(str)
            for group in sorted(values.unique()):
                here = np.asarray(values == group)
                if here.sum() >= SMALLEST_GROUP:
                    found[column, group] = here
        return found
