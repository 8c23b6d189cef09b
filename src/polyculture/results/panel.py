"""From what do the numbers of every subset of the models follow? Sums over the instances, made once."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

LARGEST = 200
"""Most models of an audit that carries these sums."""

NO_ANSWER = 255
"""Code of a missing answer."""


@dataclass(frozen=True, eq=False)
class PanelSums:
    """What n_eff and the vote of any set of models follow from, next to the counts of `Pairwise`; in its order.

    Parameters
    ----------
    covariances : by null model (``"N1"``; ``"N0"`` only where instances are weighted, as it follows from the counts
        elsewhere) the m × m error covariances, on the diagonal the variances; nan for pairs without two instances.
    wrong : where a model is wrong; None in tables that are too large for a page.
    observed : where that is known; None where it is known everywhere.
    answers : codes of the answers, equal within an instance where the answers are; 255 where there is none. None where
        only right and wrong are known.
    """

    covariances: Mapping[str, Float[np.ndarray, "m m"]]
    wrong: Bool[np.ndarray, "m n"] | None = None
    observed: Bool[np.ndarray, "m n"] | None = None
    answers: UInt8[np.ndarray, "m n"] | None = None

    def __repr__(self) -> str:
        votes = "votes not kept" if self.wrong is None else f"votes on {self.wrong.shape[1]:,} instances"
        return f"PanelSums: {', '.join([*self.covariances, votes])}"

    def to_stored(self) -> dict[str, Any]:
        """For JSON: tables as `packed`, of covariances the upper half."""
        covariances = {
            name: {"models": len(table), "packed": packed(upper_half(table))}
            for name, table in self.covariances.items()
        }
        tables = {name: getattr(self, name) for name in ("wrong", "observed", "answers")}
        votes = {
            name: None if table is None else {"models": len(table), "cells": table.size, "packed": packed(table)}
            for name, table in tables.items()
        }
        return {"covariances": covariances, **votes}

    @classmethod
    def from_stored(cls, value: Mapping[str, Any], _: Any) -> PanelSums:
        """The sums that `to_stored` wrote."""
        return cls(
            {name: _square(table) for name, table in value["covariances"].items()},
            wrong=None if value["wrong"] is None else _mask(value["wrong"]),
            observed=None if value["observed"] is None else _mask(value["observed"]),
            answers=None if value["answers"] is None else _codes(value["answers"]),
        )


def upper_half(table: Shaped[np.ndarray, "m m"]) -> Shaped[np.ndarray, " k"]:
    """The cells on and above the diagonal, row by row."""
    return table[np.triu_indices(len(table))]


def packed(table: Shaped[np.ndarray, "*any"]) -> str:
    """Base64 of zlib of the cells row by row: all first bytes, all second bytes, … of little-endian numbers.

    Masks take a bit per cell, the first in the lowest bit of a byte.
    """
    if table.dtype == bool:
        content = np.packbits(table, axis=None, bitorder="little").tobytes()
    else:
        cells = np.ascontiguousarray(table, table.dtype.newbyteorder("<")).reshape(-1, 1)
        content = cells.view(np.uint8).T.tobytes()
    return base64.b64encode(zlib.compress(content)).decode()


def _content(value: Mapping[str, Any]) -> UInt8[np.ndarray, " k"]:
    return np.frombuffer(zlib.decompress(base64.b64decode(value["packed"])), np.uint8)


def _square(value: Mapping[str, Any]) -> Float[np.ndarray, "m m"]:
    cells = _content(value).reshape(8, -1).T.copy().view("<f8").ravel()
    table = np.zeros((value["models"], value["models"]))
    table[np.triu_indices(len(table))] = cells
    table.T[np.triu_indices(len(table))] = cells
    return table


def _mask(value: Mapping[str, Any]) -> Bool[np.ndarray, "m n"]:
    bits = np.unpackbits(_content(value), count=value["cells"], bitorder="little")
    mask: Bool[np.ndarray, "m n"] = bits.astype(bool).reshape(value["models"], -1)
    return mask


def _codes(value: Mapping[str, Any]) -> UInt8[np.ndarray, "m n"]:
    return _content(value).reshape(value["models"], -1)
