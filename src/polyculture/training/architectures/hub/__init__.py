"""How does a pretrained model of the Hugging Face hub become a learner? By its name: ``hf:NAME``, ``hf:NAME@REVISION``.

A folder may stand for the name. The answering layer is made anew where it does not fit the classes, then all is
fine-tuned by the loop of all nets. What is kept on disk (weights, configuration, tokenizer) needs no hub any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError, need
from polyculture.models.encoder import Form
from polyculture.recipe import Recipe

from ...schedule import Schedule
from ..net import Net

if TYPE_CHECKING:
    from .encoding import CheckpointEncoder

PREFIX = "hf:"
WEIGHTS = ("model.safetensors", "model-*.safetensors")
FILES = (
    *(*WEIGHTS, "model.safetensors.index.json", "config.json", "preprocessor_config.json"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "spiece.model"),
)
"""What is fetched: never code, and never weights that would have to be unpickled."""


@dataclass(frozen=True)
class HubArchitecture(Net):
    """A net whose starting weights, and whose way of reading, come from a pretrained model."""

    packages: ClassVar[tuple[str, ...]] = ("torch", "safetensors", "transformers", "tokenizers")

    def check(self, recipe: Recipe) -> None:
        """Also refuse to go on without the packages of the ``text`` extra."""
        need("transformers", "tokenizers", extra="text")
        super().check(recipe)


def from_hub(architecture: str) -> HubArchitecture:
    """The learner of a name that begins with ``hf:``; nothing is fetched before it is fitted.

    Raises InputError for an empty name and for a folder with a revision.
    """
    name, _, revision = architecture.removeprefix(PREFIX).partition("@")
    if not name:
        raise InputError(f"no architecture {architecture!r}", f"{PREFIX}NAME, {PREFIX}NAME@REVISION or {PREFIX}FOLDER")
    if revision and Path(name).expanduser().is_dir():
        raise InputError(f"{name} is a folder but {revision!r} a revision", "a folder or a revision")
    return HubArchitecture(_finetuned, Schedule(epochs=3, learning_rate=5e-5, batch_size=16), HubModel(name, revision))


def _finetuned(form: Form, outputs: int) -> Any:
    from .modules import finetuned

    return finetuned(form, outputs)


@dataclass(frozen=True)
class HubModel:
    """Where a pretrained model comes from.

    Parameters
    ----------
    name : of a model on the hub, such as ``google-bert/bert-base-uncased``, or a folder.
    revision : branch, tag or commit on the hub; empty for the main branch.
    """

    name: str
    revision: str = ""

    def of(self, train: Dataset) -> CheckpointEncoder:
        """How this model reads such inputs; fetches its files unless they are there."""
        from .encoding import CheckpointEncoder

        return CheckpointEncoder.reading(self.folder(), train)

    def load(self, folder: Path) -> CheckpointEncoder:
        """What `CheckpointEncoder.save` wrote."""
        from .encoding import CheckpointEncoder

        return CheckpointEncoder.load(folder)

    def folder(self) -> Path:
        """Where its files are: the folder itself, or the hub's cache, to which they are fetched if they are not there.

        Raises FileError if they cannot be had, or if there are no weights in safetensors among them.
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
        except ValueError:  # not a name that the hub could know; asking it says why
            return None
        return folder if _has_weights(folder) else None

    def _fetched(self) -> Path:
        try:
            return self._snapshot(local_files_only=False)
        except Exception as error:  # whatever the client of the hub may raise
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
