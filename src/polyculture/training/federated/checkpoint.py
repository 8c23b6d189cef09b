"""How does an interrupted federation go on? After every round one file replaces the one before it, in one step."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError
from polyculture.models.fitted import FitCost
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe

from .plan import FederationPlan
from .result import FederatedRound
from .server import ServerState

ROUNDS, FIT = "rounds.safetensors", "fit.json"
Loader = Callable[[Path], FittedNet]


class FederationFolder:
    """The folder of a federation; None keeps nothing.

    Parameters
    ----------
    path : the folder; is created.
    made_for : fingerprint of recipe, plan and data.

    Raises FileError for a folder that cannot be written, InputError for one of another federation.
    """

    def __init__(self, path: Path | None, made_for: str) -> None:
        self.path, self.made_for = path, made_for
        if path is None:
            return
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot write to {path}: {error.strerror}", "a folder that can be written") from error
        for leftover in path.glob(".half-*"):
            shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)

    def read_rounds(self, server: ServerState) -> list[FederatedRound]:
        """The rounds that are done; the server's state becomes that after the last of them."""
        file = None if self.path is None else self.path / ROUNDS
        if file is None or not file.is_file():
            return []
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file, "pt") as tensors:
                metadata = tensors.metadata()
                server_tensors = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
            rounds = [_round(row) for row in json.loads(metadata["history"])]
            made_for = metadata["made_for"]
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise FileError(f"cannot read {file} ({reason})", "what a federation wrote there", "delete it") from error
        if made_for != self.made_for:
            wrong = f"{self.path} was made by another recipe or plan, or for other clients"
            raise InputError(wrong, "a folder of this federation", "name another folder")
        server.restore(server_tensors)
        return rounds

    def write_rounds(self, server: ServerState, history: Sequence[FederatedRound]) -> None:
        """Replace the file by the state after the last round."""
        if self.path is None:
            return
        from safetensors.torch import save_file

        rows = [{name: _plain(value) for name, value in asdict(entry).items()} for entry in history]
        metadata = {"history": json.dumps(rows, allow_nan=False), "made_for": self.made_for}
        half = self.path / f".half-{os.getpid()}-{ROUNDS}"
        try:
            save_file({name: tensor.clone() for name, tensor in server.tensors().items()}, half, metadata)
            half.replace(self.path / ROUNDS)
        except Exception as error:  # the writer has errors of its own for a full disk
            raise FileError(f"cannot write {self.path / ROUNDS}: {error}", "a folder with room to write in") from error

    def stored_net(self, name: str, load: Loader) -> FittedNet | None:
        """The net that `store_net` wrote under this name; None if there is none."""
        folder = None if self.path is None else self.path / name
        if folder is None or not (folder / FIT).is_file():
            return None
        try:
            values = json.loads((folder / FIT).read_text(encoding="utf-8"))
            net = load(folder)
            cost_values: dict[str, Any] = {k: math.nan if v is None else v for k, v in values["cost"].items()}
            return FittedNet(net.net, net.encoder, tuple(values["curve"]), FitCost(**cost_values))
        except Exception as error:  # readers of damaged bytes raise anything
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise FileError(f"cannot read {folder} ({reason})", "what a federation wrote there", "delete it") from error

    def store_net(self, name: str, net: FittedNet) -> None:
        """Write a net in one step."""
        if self.path is None:
            return
        half = Path(tempfile.mkdtemp(prefix=f".half-{name}-", dir=self.path))
        try:
            half.chmod(0o755)
            net.save(half)
            cost = {key: _plain(value) for key, value in asdict(net.cost).items()}
            (half / FIT).write_text(json.dumps({"curve": net.curve, "cost": cost}) + "\n", encoding="utf-8")
            shutil.rmtree(self.path / name, ignore_errors=True)
            half.rename(self.path / name)
        except Exception as error:  # the writer of weights has errors of its own for a full disk
            raise FileError(f"cannot write {self.path / name}: {error}", "a folder with room to write in") from error
        finally:
            shutil.rmtree(half, ignore_errors=True)


def fingerprint(recipe: Recipe, plan: FederationPlan, datasets: Sequence[Dataset]) -> str:
    """A hash of everything that the rounds of a federation depend on; nets have their personalization in their name."""
    rounds = replace(plan, personalization="none", personal_epochs=1).fingerprint()
    digest = hashlib.blake2b(f"{recipe.to_dict()} {rounds}".encode(), digest_size=16)
    for dataset in datasets:
        array = np.asarray(dataset.array)
        digest.update(f"{dataset.name} {array.shape} {dataset.classes}".encode())
        numbers = array.dtype.kind not in "OUT"
        digest.update(np.ascontiguousarray(array).tobytes() if numbers else "\x1f".join(map(str, array.flat)).encode())
        digest.update(np.ascontiguousarray(dataset.labels).tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _round(row: dict[str, Any]) -> FederatedRound:
    values = {name: math.nan if value is None else value for name, value in row.items()}
    return FederatedRound(**values | {name: tuple(row[name]) for name in ("clients", "failures")})
