"""What does a net read? Inputs of every modality as numbers, by an encoding fitted to the training set."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from polyculture.dataset import Dataset, Modality
from polyculture.errors import FileError

from . import tokenizer
from .spectrogram import log_mel

Kind = Literal["vector", "image", "volume", "series", "words", "tags"]


@dataclass(frozen=True)
class Form:
    """Form of one encoded input.

    Parameters
    ----------
    kind : ``"vector"`` (d), ``"image"`` (channels × h × w), ``"volume"`` (channels × depth × h × w), ``"series"``
        (steps × features), ``"words"`` (steps codes) or ``"tags"`` (steps × marks codes, an output for every step).
    shape : of one input, as above.
    vocabulary : number of codes: one number for words, one per mark for tags. Code 0 is padding.
    """

    kind: Kind
    shape: tuple[int, ...]
    vocabulary: tuple[int, ...] = ()


@dataclass(frozen=True)
class Encoder:
    """From inputs of a dataset to arrays that nets read, and from standardized targets back to numbers.

    Parameters
    ----------
    modality : of the inputs.
    shape : of one input.
    centre, spread : of each feature of a table or series, or of the spectrogram; empty for images.
    vocabulary : for texts the words, for tags the marks of each kind; codes start at 2 (1 is unknown).
    steps : number of words or tokens that are read of each input.
    target : centre and spread of the numbers to be predicted; (0, 1) for classes.
    """

    modality: Modality
    shape: tuple[int, ...]
    centre: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    vocabulary: tuple[tuple[str, ...], ...] = ()
    steps: int = 0
    target: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def of(cls, train: Dataset) -> Encoder:
        """The encoder fitted to this training set."""
        rules: dict[str, Any] = {}
        if train.modality in ("table", "series"):
            features = train.array.reshape(-1, train.array.shape[-1]).astype(np.float64)
            rules = {"centre": _plain(features.mean(axis=0)), "spread": _plain(_spread(features.std(axis=0)))}
        elif train.modality == "audio":
            sound = log_mel(train.array).astype(np.float64)
            rules = {"centre": (float(sound.mean()),), "spread": (float(sound.std()) or 1.0,)}
        elif train.modality == "text":
            rules = {"vocabulary": (tokenizer.vocabulary(train.array),), "steps": tokenizer.usual_length(train.array)}
        elif train.modality == "tags":
            rules = {"vocabulary": tokenizer.mark_vocabularies(train.array), "steps": int(train.array.shape[1])}
        if train.task == "regression":
            rules["target"] = (float(train.labels.mean()), float(train.labels.std()) or 1.0)
        return cls(train.modality, tuple(train.array.shape[1:]), **rules)

    @cached_property
    def form(self) -> Form:
        """Form of an encoded input."""
        if self.modality in ("text", "tags"):
            sizes = tuple(len(words) + 2 for words in self.vocabulary)
            return (
                Form("words", (self.steps,), sizes)
                if self.modality == "text"
                else Form("tags", (self.steps, len(sizes)), sizes)
            )
        blank = self(np.zeros((1, *self.shape), np.float32))
        kinds: dict[str, Kind] = {"table": "vector", "audio": "image"}
        return Form(kinds.get(self.modality, self.modality), tuple(blank.shape[1:]))  # type: ignore[arg-type]

    def __call__(
        self, inputs: Shaped[np.ndarray, "n ..."]
    ) -> Float32[np.ndarray, "n ..."] | Int64[np.ndarray, "n ..."]:
        """Encoded inputs, in the form of `form`."""
        if self.modality == "text":
            return tokenizer.codes(inputs, self._codes[0], self.steps)
        if self.modality == "tags":
            return tokenizer.mark_codes(inputs, self._codes)
        numbers = np.asarray(inputs, np.float32)
        if self.modality == "image":
            scaled = numbers * 2 - 1  # from [0, 1] to [−1, 1], as starting weights expect
            channels_first: np.ndarray = scaled[:, None] if scaled.ndim == 3 else np.moveaxis(scaled, 3, 1)
            return np.ascontiguousarray(channels_first)
        if self.modality == "volume":
            volumes: np.ndarray = (numbers * 2 - 1)[:, None]
            return volumes
        if self.modality == "audio":
            numbers = log_mel(numbers)[:, None]
        centred: np.ndarray = (numbers - np.array(self.centre)) / np.array(self.spread)
        return centred.astype(np.float32)

    @cached_property
    def _codes(self) -> tuple[dict[str, int], ...]:
        return tuple({word: code for code, word in enumerate(words, 2)} for words in self.vocabulary)

    def save(self, folder: Path) -> None:
        """Write ``encoder.json``."""
        (folder / "encoder.json").write_text(json.dumps(asdict(self), ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """What `save` wrote; FileError if it cannot be read."""
        path = folder / "encoder.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            vocabulary = tuple(tuple(part) for part in values.pop("vocabulary"))
            lists = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
            rules: dict[str, Any] = {**lists, "vocabulary": vocabulary}
            return cls(**rules)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileError(
                f"cannot read {path} ({type(error).__name__}: {error})", "what training wrote there"
            ) from error


def _plain(numbers: np.ndarray) -> tuple[float, ...]:
    return tuple(float(x) for x in numbers)


def _spread(deviations: np.ndarray) -> np.ndarray:
    return np.where(deviations > 0, deviations, 1.0)
