"""Which log-likelihoods do lines of lm-evaluation-harness give the choices? Many lines are parsed at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json
from jaxtyping import Float, Int

from .sample_lines import MEMBERS

_ANSWERS = "filtered_resps"


@dataclass(frozen=True, eq=False)
class Choices:
    """Log-likelihoods and scores of many lines.

    Parameters
    ----------
    logs : the log-likelihoods of all lines, those of the first line first; finite.
    sizes : how many each line has.
    scores : 0 or 1.
    """

    logs: Float[np.ndarray, " _"]
    sizes: Int[np.ndarray, " k"]
    scores: Float[np.ndarray, " k"]

    def logs_of(self, rows: Int[np.ndarray, " r"], size: int) -> Float[np.ndarray, "r size"]:
        """The first so many log-likelihoods of some lines."""
        starts = np.cumsum(self.sizes) - self.sizes
        logs: np.ndarray = self.logs[starts[rows][:, np.newaxis] + np.arange(size)]
        return logs


def parsed_choices(answers: Sequence[bytes], scores: Sequence[bytes], metric: str) -> Choices | None:
    """What parts of lines hold (see `line_parts`).

    None unless every line has two or more log-likelihoods as texts, all finite, a score of 0 or 1, and nothing that
    belongs to the document: then each line must be read by itself.
    """
    schema, verdicts = pa.schema([(_ANSWERS, pa.list_(pa.list_(pa.string())))]), pa.field(metric, pa.float64())
    try:
        if not any(scores):
            table = _parsed(answers, schema.append(verdicts))
            outcomes = table
        else:
            table, outcomes = _parsed(answers, schema), _parsed(scores, pa.schema([verdicts]))
            names = [set(part.column_names) for part in (table, outcomes) if part is not None]
            if {_ANSWERS, metric} & set.intersection(*names):  # the last one counts
                return None
        if table is None or outcomes is None or not MEMBERS.isdisjoint([*table.column_names, *outcomes.column_names]):
            return None
        return _choices(table.column(_ANSWERS).combine_chunks(), outcomes.column(metric).combine_chunks())
    except pa.ArrowException:
        return None


def _parsed(parts: Sequence[bytes], schema: pa.Schema) -> pa.Table | None:
    """A row per object, each without its first brace; None where the parser may be less strict than that of Python."""
    text = b"{" + b"\n{".join(parts)
    if not text.isascii():  # it does not check what it ignores
        return None
    table = pa_json.read_json(
        pa.BufferReader(text),
        pa_json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer"),
    )
    return table if len(table) == len(parts) else None


def _choices(answers: pa.ListArray, scores: pa.DoubleArray) -> Choices | None:
    pairs = answers.flatten()
    if answers.null_count or pairs.null_count or scores.null_count:
        return None
    sizes, verdicts = answers.value_lengths().to_numpy(), scores.to_numpy()
    if (
        not ((verdicts == 0) | (verdicts == 1)).all()
        or sizes.min() < 2
        or (pairs.value_lengths().to_numpy() != 2).any()
    ):
        return None
    texts = pairs.flatten().take(pa.array(np.arange(0, 2 * len(pairs), 2)))
    if texts.null_count:
        return None
    logs = texts.cast(pa.float64()).to_numpy()
    return Choices(logs, sizes, verdicts) if np.isfinite(logs).all() else None
