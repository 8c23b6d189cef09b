"""How does a pretrained model read? Texts and tokens by its own tokenizer, images in its own size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError
from polyculture.models.encoder import Encoder, Form

MOST_PIECES = 128
"""Pieces that are read of a text, special tokens included."""
PIECES_PER_TOKEN = 4
"""Pieces that are read of a token to be tagged."""


@dataclass(frozen=True)
class ImageFormat:
    """Input format of an image model: height and width (0 for any), centre and spread of its channels."""

    side: tuple[int, int] = (0, 0)
    centre: tuple[float, ...] = (0.5,)
    spread: tuple[float, ...] = (0.5,)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A pretrained model without its weights.

    Parameters
    ----------
    config : its transformers configuration.
    origin : folder of its files; a folder of the hub's cache is named by the commit.
    weights : folder of the starting weights; None for a model that has been fine-tuned.
    tokenizer : a `tokenizers.Tokenizer`, which splits texts into pieces; None for models of images.
    around : special codes before and after the pieces of every sequence.
    looks : format of the images.
    """

    config: Any
    origin: str
    weights: Path | None = None
    tokenizer: Any = None
    around: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    looks: ImageFormat = ImageFormat()


@dataclass(frozen=True)
class CheckpointForm(Form):
    """Form of an encoded input, and the pretrained model that reads it."""

    checkpoint: Any = None


@dataclass(frozen=True, eq=False, kw_only=True)
class CheckpointEncoder(Encoder):
    """The encoding of a pretrained model: pieces of words by their number + 1, 0 after the end."""

    checkpoint: Checkpoint

    @classmethod
    def of_folder(cls, folder: Path, train: Dataset) -> CheckpointEncoder:
        """The encoder of the model in this folder; InputError for inputs other than text, tags and images."""
        if train.modality not in ("text", "tags", "image"):
            raise InputError(
                f"a model of the hub was given inputs of modality {train.modality!r}", "text, tags or image"
            )
        config = _config(folder)
        if train.modality == "image":
            checkpoint = Checkpoint(config, str(folder), folder, looks=_image_format(folder, config))
        else:
            tokenizer = _tokenizer(folder, words=train.modality == "tags")
            checkpoint = Checkpoint(config, str(folder), folder, tokenizer, _special_codes(tokenizer))
        steps = 0 if train.modality == "image" else int(train.array.shape[-1])
        if train.modality == "text":
            steps = _usual_length(checkpoint, train.array)
            checkpoint.tokenizer.enable_truncation(steps)
        target = (
            (float(train.labels.mean()), float(train.labels.std()) or 1.0) if train.task == "regression" else (0.0, 1.0)
        )
        return cls(train.modality, tuple(train.array.shape[1:]), steps=steps, target=target, checkpoint=checkpoint)

    @cached_property
    def form(self) -> Form:
        """Form of an encoded input."""
        if self.modality == "image":
            height, breadth, *channels = self.shape
            return CheckpointForm("image", (*(channels or [1]), height, breadth), checkpoint=self.checkpoint)
        codes = self.checkpoint.tokenizer.get_vocab_size() + 1
        if self.modality == "text":
            return CheckpointForm("words", (self.steps,), (codes,), checkpoint=self.checkpoint)
        size = PIECES_PER_TOKEN
        return CheckpointForm("tags", (self.steps, size), (codes,) * size, checkpoint=self.checkpoint)

    def __call__(
        self, inputs: Shaped[np.ndarray, "n ..."]
    ) -> Float32[np.ndarray, "n ..."] | Int64[np.ndarray, "n ..."]:
        """Encoded inputs, in the form of `form`."""
        if self.modality == "image":
            return super().__call__(inputs)
        tokenizer = self.checkpoint.tokenizer
        if self.modality == "text":
            read = tokenizer.encode_batch([str(text) for text in inputs])
            return _table([pieces.ids for pieces in read], self.steps)
        tokens, positions = np.unique(inputs, return_inverse=True)
        read = [tokenizer.encode([str(t)], is_pretokenized=True, add_special_tokens=False) for t in tokens]
        table = _table([pieces.ids for pieces in read], PIECES_PER_TOKEN)
        table[tokens == ""] = 0
        return table[positions.reshape(inputs.shape)]

    def save(self, folder: Path) -> None:
        """Write ``encoder.json``, ``config.json`` and for texts ``tokenizer.json``."""
        checkpoint = self.checkpoint
        rules = {
            "modality": self.modality,
            "shape": self.shape,
            "steps": self.steps,
            "target": self.target,
            "origin": checkpoint.origin,
            "around": checkpoint.around,
            "looks": asdict(checkpoint.looks),
        }
        (folder / "encoder.json").write_text(json.dumps(rules, ensure_ascii=False) + "\n", encoding="utf-8")
        checkpoint.config.save_pretrained(folder)
        if checkpoint.tokenizer is not None:
            checkpoint.tokenizer.save(str(folder / "tokenizer.json"))

    @classmethod
    def load(cls, folder: Path) -> CheckpointEncoder:
        """What `save` wrote; FileError if it cannot be read."""
        from tokenizers import Tokenizer

        path = folder / "encoder.json"
        try:
            rules = json.loads(path.read_text(encoding="utf-8"))
            prefix, suffix = rules["around"]
            looks = ImageFormat(**{name: tuple(value) for name, value in rules["looks"].items()})
            reads = rules["modality"] != "image"
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json")) if reads else None
            special = (tuple(prefix), tuple(suffix))
            checkpoint = Checkpoint(_config(folder), rules["origin"], None, tokenizer, special, looks)
            shape, target = tuple(rules["shape"]), tuple(rules["target"])
            return cls(rules["modality"], shape, steps=rules["steps"], target=target, checkpoint=checkpoint)
        except FileError:
            raise
        except Exception as error:  # tokenizers raise bare exceptions
            raise FileError(
                f"cannot read {path} ({type(error).__name__}: {error})", "what training wrote there"
            ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no warnings of transformers inside: a new output layer is intended."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        with quiet():
            return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unreadable(
            folder, "config.json", "the configuration of a model that transformers knows", error
        ) from error


def _tokenizer(folder: Path, *, words: bool) -> Any:
    """The fast tokenizer in the folder; for lists of words with the prefix space of words in a sentence."""
    from transformers import AutoTokenizer

    options = {"add_prefix_space": True} if words else {}
    try:
        with quiet():
            wrapper = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)
        tokenizer = wrapper.backend_tokenizer
    except Exception as error:  # readers of many formats raise anything
        raise _unreadable(folder, "tokenizer.json", "a fast tokenizer", error) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _unreadable(folder: Path, name: str, expected: str, error: Exception) -> FileError:
    reason = str(error).strip().split("\n")[0]
    return FileError(f"cannot read {folder / name} ({type(error).__name__}: {reason})", expected)


def _special_codes(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Special codes before and after the pieces of a sequence, determined from one word."""
    pieces = tokenizer.encode("a")
    content = [place for place, added in enumerate(pieces.special_tokens_mask) if not added] or [len(pieces.ids)]
    return tuple(pieces.ids[: content[0]]), tuple(pieces.ids[content[-1] + 1 :])


def _usual_length(checkpoint: Checkpoint, texts: Shaped[np.ndarray, " n"]) -> int:
    """The 98th percentile of the number of pieces, and no more than the model can read."""
    lengths = [len(pieces.ids) for pieces in checkpoint.tokenizer.encode_batch([str(text) for text in texts])]
    return int(min(np.quantile(lengths, 0.98), MOST_PIECES, most_pieces(checkpoint.config)))


def most_pieces(config: Any) -> int:
    """Number of positions of a model; RoBERTa and its relatives count them from after the padding token."""
    places: int = getattr(config, "max_position_embeddings", None) or 512
    shifted = config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer")
    return places - 2 if shifted else places


def _image_format(folder: Path, config: Any) -> ImageFormat:
    """Size and channels of ``preprocessor_config.json``, else the size in the configuration and half grey."""
    path = folder / "preprocessor_config.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise _unreadable(folder, path.name, "settings of an image processor", error) from error
    size: Any = getattr(config, "image_size", None) or settings.get("crop_size") or settings.get("size") or 0
    if isinstance(size, dict):
        edge = size.get("shortest_edge", 0)
        size = (size.get("height", edge), size.get("width", edge))
    height, breadth = (size, size) if isinstance(size, int) else size
    return ImageFormat(
        (int(height), int(breadth)),
        tuple(settings.get("image_mean") or (0.5,)),
        tuple(settings.get("image_std") or (0.5,)),
    )


def _table(pieces: list[list[int]], steps: int) -> Int64[np.ndarray, "n l"]:
    """Numbers + 1 of the first pieces of each, 0 after them; an empty one gets the first piece."""
    table = np.zeros((len(pieces), steps), np.int64)
    for row, numbers in zip(table, pieces, strict=True):
        first = (numbers or [0])[:steps]
        row[: len(first)] = np.array(first) + 1
    return table
