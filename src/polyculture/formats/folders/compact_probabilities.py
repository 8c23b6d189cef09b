"""How are probabilities of many test sets kept small? A Parquet column per model, with as many bits as log-loss needs.

A column has a row per instance and class, the class fastest. Where half precision changes the model's log-loss by no
more than `TOLERANCE` it is of 16 bits; else (probabilities below 6e-8 occur) of 32 bits with the fraction rounded to
those of half precision, which compresses nearly as well and errs by a factor of 1 ± 0.0005 at most.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Float32, Int

from polyculture.errors import FileError, InputError
from polyculture.predictions import Predictions

TOLERANCE = 1e-3
"""Largest change of a model's log-loss."""
_SMALLEST = 1e-12
_DROPPED_BITS = 23 - 10


def write_probabilities(predictions: Predictions, path: Path) -> None:
    """Store the probabilities of predictions that have some."""
    assert predictions.probabilities is not None
    columns = [_compact(np.asarray(p, np.float32), predictions.labels).ravel() for p in predictions.probabilities]
    table = pa.table(columns, names=predictions.model_ids)
    pq.write_table(
        table, path, compression="zstd", compression_level=15, use_dictionary=False, use_byte_stream_split=True
    )


def read_probabilities(path: Path, models: list[str], n: int, c: int) -> Float32[np.ndarray, "m n c"]:
    """The probabilities of these models on n instances and c classes, in single precision.

    Raises FileError where the file is damaged, InputError where it is of other models, instances or classes.
    """
    try:
        file = pq.ParquetFile(path)
        names, rows = file.schema_arrow.names, file.metadata.num_rows
        if names != models or rows != n * c:
            raise InputError(
                f"{path} holds {rows:,} probabilities of {len(names)} models",
                f"{n * c:,} of {len(models)}: a row per instance and class, a column per model of the same names",
            )
        table = file.read()
        arrays = [table.column(name).to_numpy().astype(np.float32).reshape(n, c) for name in names]
    except (OSError, pa.ArrowException) as error:
        raise FileError(f"{path} is no complete Parquet file", "the file that run writes", "run it again") from error
    return np.stack(arrays)


def _compact(
    probabilities: Float32[np.ndarray, "n c"], labels: Int[np.ndarray, " n"] | None
) -> Float[np.ndarray, "n c"]:
    half = probabilities.astype(np.float16)
    if labels is None:
        return half
    rows = np.arange(len(labels))
    losses = [-np.log(np.maximum(p[rows, labels].astype(np.float64), _SMALLEST)) for p in (probabilities, half)]
    if abs(losses[0].mean() - losses[1].mean()) <= TOLERANCE and not np.any((half == 0) & (probabilities > _SMALLEST)):
        return half
    bits = probabilities.view(np.uint32)
    # Round half to even, as conversion to half precision does; a carry runs on into the exponent, which is right.
    bits = bits + np.uint32((1 << (_DROPPED_BITS - 1)) - 1) + ((bits >> _DROPPED_BITS) & 1)
    rounded: Float32[np.ndarray, "n c"] = (bits & np.uint32(0xFFFFFFFF ^ ((1 << _DROPPED_BITS) - 1))).view(np.float32)
    return rounded
