"""How are personal fields hidden before anything is stored? By a mask, a keyed hash, or by leaving them out."""

from __future__ import annotations

from collections.abc import Mapping

from ..problems.raw_data import RawData

MODES = ("mask", "hash", "drop")


def mask(raw: RawData, fields: Mapping[str, str], *, key: bytes | None = None) -> RawData:
    """The same data with these personal fields masked, hashed or left out; the original is not changed.

    Parameters
    ----------
    raw : what has been read.
    fields : by field what to do with it: ``"mask"`` (a fixed word in its place), ``"hash"`` (equal values stay equal
        and cannot be read), or ``"drop"``. A field is a column of the inputs or of the instances, ``"instance"`` for
        the ids, or one of ``"e-mail"``, ``"phone"``, ``"iban"`` and ``"card"``, which are looked for in all texts.
    key : secret of the hash, up to 64 bytes; by default a new one, so that hashes of two calls cannot be compared.

    Raises InputError for an unknown field or way, and where a mask cannot be applied.
    """
    raise NotImplementedError
