"""How is a model of the Hugging Face hub fine-tuned? By its name: ``hf:NAME``, ``hf:NAME@REVISION`` or ``hf:FOLDER``.

The output layer is replaced where it does not fit the classes, and the model is trained by the loop of all nets. What
is stored on disk (weights, configuration, tokenizer) does not need the hub.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError, need
from polyculture.models.encoder import Encoder
from polyculture.recipe import Recipe

from ...schedule import Schedule
from ..net import Net

PREFIX = "hf:"
WEIGHTS = ("model.safetensors", "model-*.safetensors")
FILES = (
    *(*WEIGHTS, "model.safetensors.index.json", "config.json", "preprocessor_config.json"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "spiece.model"),
)
"""Files that are fetched: never code, never pickled weights."""


@dataclass(frozen=True)
class HubArchitecture(Net):
    """A net whose starting weights and encoder come from a pretrained model."""

    packages: ClassVar[tuple[str, ...]] = ("torch", "safetensors", "transformers", "tokenizers")

    def check(self, recipe: Recipe) -> None:
        """Also require the packages of the ``text`` extra."""
        need("transformers", "tokenizers", extra="text")
        super().check(recipe)


def from_hub(architecture: str) -> HubArchitecture:
    """The architecture of a name that begins with ``hf:``; nothing is fetched before it is fitted.

    Raises InputError for an empty name and for a folder with a revision.
    """
    name, _, revision = architecture.removeprefix(PREFIX).partition("@")
    if not name:
        raise InputError(f"no architecture {architecture!r}", f"{PREFIX}NAME, {PREFIX}NAME@REVISION or {PREFIX}FOLDER")
    if revision and Path(name).expanduser().is_dir():
        raise InputError(f"{name} is a folder but {revision!r} a revision", "a folder or a revision")
    return HubArchitecture(
        "hub.modules.finetuned", Schedule(epochs=3, learning_rate=5e-5, batch_size=16), HubModel(name, revision)
    )


@dataclass(frozen=True)
class HubModel:
    """Source of a pretrained model.

    Parameters
    ----------
    name : of a model on the hub, such as ``google-bert/bert-base-uncased``, or a folder.
    revision : branch, tag or commit on the hub; empty for the main branch.
    """

    name: str
    revision: str = ""

    def of(self, train: Dataset) -> Encoder:
        """The encoder of this model for a training set; fetches its files unless they are cached."""
        from .encoding import CheckpointEncoder

        return CheckpointEncoder.of_folder(self.folder(), train)

    def load(self, folder: Path) -> Encoder:
        """What `CheckpointEncoder.save` wrote."""
        from .encoding import CheckpointEncoder

        return CheckpointEncoder.load(folder)

    def folder(self) -> Path:
        """Folder of its files, or of the hub's cache, to which missing files are fetched.

        Raises FileError if they cannot be fetched, or if there are no weights in safetensors among them.
        """
        local = Path(self.name).expanduser()
        folder = local if local.is_dir() else self._cached() or self._fetched()
        if not _has_weights(folder):
            raise FileError(f"{self.name} has no model.safetensors", "weights in safetensors; others are never opened")
        return folder

    def _cached(self) -> Path | None:
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            folder = self._snapshot(local_files_only=True)
        except LocalEntryNotFoundError:
            return None
        except ValueError:  # not a valid name; the hub's error tells why
            return None
        return folder if _has_weights(folder) else None

    def _fetched(self) -> Path:
        try:
            return self._snapshot(local_files_only=False)
        except Exception as error:  # the client of the hub raises anything
            reason = str(error).strip().split("\n")[0].rstrip(".:")
            raise FileError(
                f"cannot fetch {self.name!r} from the hub ({type(error).__name__}: {reason})",
                "the name of a model that can be reached, or a folder",
                f"with a network, run once: hf download {self.name}; or give its folder: {PREFIX}FOLDER",
            ) from error

    def _snapshot(self, local_files_only: bool) -> Path:
        from huggingface_hub import snapshot_download

        revision = self.revision or None
        return Path(
            snapshot_download(self.name, revision=revision, allow_patterns=FILES, local_files_only=local_files_only)
        )


def _has_weights(folder: Path) -> bool:
    return any(path for pattern in WEIGHTS for path in folder.glob(pattern))
