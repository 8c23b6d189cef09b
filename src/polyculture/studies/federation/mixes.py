"""What is a client's own mix? How often each class, or each client's own instances, would be asked of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.dataset import Dataset
from polyculture.stats import Interval, influence_interval


@dataclass(frozen=True, eq=False)
class OwnMixes:
    """The mix of test instances that each client would meet.

    Parameters
    ----------
    names : of the clients.
    strata : code of each test instance: its class, or the client that it belongs to.
    shares : how often each client meets each stratum; rows sum to 1.
    kind : ``"classes"`` or ``"instances"``: what the strata are.

    Strata without a test instance have a share of 0 and the others of that client are scaled up; a client without any
    has nan throughout.
    """

    names: tuple[str, ...]
    strata: Int[np.ndarray, " n"]
    shares: Float[np.ndarray, "k s"]
    kind: str

    def means(self, values: Float[np.ndarray, "k n"]) -> Float[np.ndarray, " k"]:
        """The mean of each client's values over its own mix; nan where a client meets no test instance.

        Parameters
        ----------
        values : a row per client.
        """
        result: Float[np.ndarray, " k"] = np.nansum(self.shares * self._stratum_means(values), axis=1)
        result[np.isnan(self.shares).any(axis=1)] = np.nan
        return result

    def mean(self, values: Float[np.ndarray, "k n"]) -> Float[np.ndarray, " n"]:
        """What each test instance adds to the mean over clients, times the instances: their mean is that number.

        Deviations from it are the instances' influence with the shares of the strata held fixed.
        """
        clients = ~np.isnan(self.shares).any(axis=1)
        n = len(self.strata)
        sizes = np.bincount(self.strata, minlength=self.shares.shape[1])
        weights = self.shares[clients][:, self.strata] / sizes[self.strata]
        means = self._stratum_means(values)[clients][:, self.strata]
        total = float(self.means(values)[clients].mean()) if clients.any() else np.nan
        deviations: Float[np.ndarray, " n"] = n * (weights * (values[clients] - means)).mean(axis=0)
        return total + deviations

    def interval(
        self, values: Float[np.ndarray, "k n"], clusters: np.ndarray | None = None, level: float = 0.95
    ) -> Interval:
        """The mean over clients of each client's mean over its own mix, with limits over test instances."""
        parts = self.mean(values)
        total = float(parts.mean())
        return influence_interval(total, parts - total, clusters, level)

    def _stratum_means(self, values: Float[np.ndarray, "k n"]) -> Float[np.ndarray, "k s"]:
        """The mean of each client's values in each stratum; 0 in those without instances."""
        s = self.shares.shape[1]
        sizes = np.bincount(self.strata, minlength=s)
        sums = np.array([np.bincount(self.strata, weights=row, minlength=s) for row in values])
        return sums / np.maximum(sizes, 1)


def own_mixes(clients: Sequence[Dataset], names: Sequence[str], test: Dataset, column: str = "") -> OwnMixes:
    """The own mix of every client.

    Parameters
    ----------
    clients : what each learns from.
    test : where models are tested.
    column : of the test instances that names the client that each belongs to; empty, or without any of the clients'
        names in it, for a test set that is reweighted to each client's shares of classes.
    """
    values = test.instances[column].astype(str).to_numpy() if column in test.instances else np.array([], dtype=str)
    place = {name: code for code, name in enumerate(names)}
    if any(value in place for value in values):
        strata = np.array([place.get(value, len(names)) for value in values], np.int64)
        return OwnMixes(tuple(names), strata, _present(np.eye(len(names), len(names) + 1), strata), "instances")
    c = len(test.classes)
    counts = np.array([np.bincount(client.labels, minlength=c) for client in clients], float)
    return OwnMixes(tuple(names), test.labels.astype(np.int64), _present(counts, test.labels), "classes")


def _present(counts: Float[np.ndarray, "k s"], strata: Int[np.ndarray, " n"]) -> Float[np.ndarray, "k s"]:
    """Shares over the strata that have a test instance; nan for clients that have none of them."""
    present: Bool[np.ndarray, " s"] = np.bincount(strata, minlength=counts.shape[1]) > 0
    counts = counts * present
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.where(totals > 0, totals, 1.0), np.nan)


def class_table(clients: Sequence[Dataset], names: Sequence[str]) -> pd.DataFrame:
    """Who learns from what: a row per client and class with its instances and its share of the client's."""
    rows = []
    for name, client in zip(names, clients, strict=True):
        counts = np.bincount(client.labels, minlength=len(client.classes))
        for label, count in zip(client.classes, counts, strict=True):
            rows.append({"client": name, "class": label, "instances": int(count), "share": count / max(len(client), 1)})
    return pd.DataFrame(rows)
