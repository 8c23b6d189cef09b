"""How large and how fast is a compressed model next to its original? Kept next to the model, as clocks differ."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from polyculture.dataset import Dataset
from polyculture.errors import FileError
from polyculture.models.fitted import Fitted


@dataclass(frozen=True)
class Cost:
    """What a model costs.

    Parameters
    ----------
    bytes : of its graph.
    milliseconds, milliseconds_32 : of an answer to one input, and to 32; median, one thread.
    flops : multiplications and additions of one input.
    """

    bytes: float
    milliseconds: float
    milliseconds_32: float
    flops: float


@dataclass(frozen=True)
class Measurement:
    """What the original and the compressed model cost, measured in turns."""

    original: Cost
    compressed: Cost

    @property
    def factors(self) -> Mapping[str, float]:
        """How many times smaller and faster, by the name of the target."""
        before, after = self.original, self.compressed
        pairs = {"smaller": (before.bytes, after.bytes), "faster": (before.milliseconds, after.milliseconds)}
        pairs |= {"fewer flops": (before.flops, after.flops)}
        return {name: old / new if new > 0 else 1.0 for name, (old, new) in pairs.items()}

    def write(self, file: Path) -> None:
        """Store it in one step."""
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        temporary.replace(file)

    @classmethod
    def read(cls, file: Path) -> Measurement:
        """What `write` stored; FileError for anything else."""
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            return cls(Cost(**values["original"]), Cost(**values["compressed"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileError(f"cannot read {file}", "what compress wrote there", "delete it") from error


def measure(original: Fitted, compressed: Fitted, dataset: Dataset) -> Measurement:
    """Both models measured in turns on inputs of this dataset."""
    raise NotImplementedError
