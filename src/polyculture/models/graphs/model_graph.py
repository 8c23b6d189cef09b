"""What is the graph of a model, and what does it read? One form for nets and estimators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from polyculture.models.encoder import Encoder

InputKind = Literal["numbers", "log_mel", "codes", "mark_codes"]
KINDS: dict[str, InputKind] = {"audio": "log_mel", "text": "codes", "tags": "mark_codes"}
"""What a graph reads, by modality; ``"numbers"`` for all others."""


@dataclass(frozen=True, eq=False)
class ModelGraph:
    """The graph of a model.

    Parameters
    ----------
    proto : the `onnx.ModelProto`, of one input and one output; their first axis may have any length.
    kind : what it reads: raw ``"numbers"``, the spectrogram ``"log_mel"``, ``"codes"`` of words or ``"mark_codes"`` of
        tokens.
    shape : of one input.
    dtype : of the input.
    """

    proto: Any
    kind: InputKind
    shape: tuple[int, ...]
    dtype: Literal["float32", "int64"]

    @classmethod
    def of(cls, proto: Any, encoder: Encoder) -> ModelGraph:
        """The graph of a model with this encoder."""
        return cls(proto, KINDS.get(encoder.modality, "numbers"), input_shape(encoder), input_dtype(encoder))


def input_shape(encoder: Encoder) -> tuple[int, ...]:
    """Shape of one input of a graph."""
    if encoder.modality == "audio":
        return tuple(encoder.form.shape[1:])
    return tuple(encoder.form.shape if encoder.modality in ("text", "tags") else encoder.shape)


def input_dtype(encoder: Encoder) -> Literal["float32", "int64"]:
    """Type of the input of a graph."""
    return "int64" if encoder.modality in ("text", "tags") else "float32"
