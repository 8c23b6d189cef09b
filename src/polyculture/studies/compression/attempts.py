"""Which compressed models are there already? Each is made once, and stored in one step with what was measured of it."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polyculture.compression import level_of, read_level
from polyculture.compression.compress import compressed
from polyculture.compression.levels import JOIN
from polyculture.compression.measuring import Measurement, measure
from polyculture.errors import InputError, MissingExtraError, PolycultureError
from polyculture.models.fitted import Fitted
from polyculture.models.store import open_folder, read_records, write_model
from polyculture.models.threads import one_thread
from polyculture.recipe import Recipe
from polyculture.training import load_population
from polyculture.training.architectures import find_architecture
from polyculture.training.engine.jobs import model_record

from .teaching import Teaching

ATTEMPTS, MEASURED = "attempts", "measured.json"


@dataclass(frozen=True, eq=False)
class Attempt:
    """A compressed model.

    Parameters
    ----------
    name : of the original.
    level : what was done to it.
    recipe : of the compressed model.
    model : the compressed model; None where the method refused.
    reason : why it refused.
    folder : where it is stored.
    """

    name: str
    level: str
    recipe: Recipe
    model: Fitted | None
    reason: str
    folder: Path


class Attempts:
    """Compressed models by original and level, kept in a folder.

    Parameters
    ----------
    folder : one subfolder per compressed model, named by its recipe's id.
    teaching : of the originals.
    """

    def __init__(self, folder: Path, teaching: Teaching) -> None:
        self.folder, self.teaching, self._loaded = folder, teaching, dict[str, Attempt]()
        self.originals = teaching.originals
        problem = self.originals.problem
        self.made_for = {"name": problem.name, "fingerprint": problem.fingerprint}
        self.recipes = self.originals.recipes
        open_folder(folder)
        self._records = read_records(folder, self.made_for)

    def get(self, name: str, level: str) -> Attempt:
        """The model after these steps, made now where it is not stored."""
        key = self._key(name, level)
        if key not in self._loaded:
            if key not in self._records:
                self._make(name, level, key)
            self._loaded[key] = self._load(name, level, key)
        return self._loaded[key]

    def measured(self, attempt: Attempt) -> Measurement:
        """Size and speed of the compressed model next to its original, measured once."""
        assert attempt.model is not None
        return self._measured(attempt.folder / MEASURED, attempt.name, attempt.model)

    def measured_original(self, name: str) -> Measurement:
        """Size and speed of an original."""
        return self._measured(self.folder / f"{self.recipes[name].id}.json", name, self.originals.models[name])

    def _measured(self, file: Path, name: str, model: Fitted) -> Measurement:
        if file.is_file():
            return Measurement.read(file)
        measurement = measure(self.originals.models[name], model, self.originals.problem.split.test)
        measurement.write(file)
        return measurement

    def _key(self, name: str, level: str) -> str:
        return replace(self.recipes[name], compression=self._full(name, level)).id

    def _full(self, name: str, level: str) -> str:
        """The level of the compressed model: of an original that is compressed itself, its steps come first."""
        compression = self.recipes[name].compression
        return level if compression == "none" else JOIN.join((compression, level))

    def _make(self, name: str, level: str, key: str) -> None:
        """Make the model from its longest prefix that is stored, and store it."""
        start = time.perf_counter()
        steps = read_level(level)
        model, recipe, length = self._prefix(name, level)
        trainer = self.teaching.trainer(name, recipe)
        result: Fitted | Exception
        try:
            with one_thread():
                result = compressed(model, level_of(steps[length:]), self.teaching.context(name, trainer))
        except MissingExtraError:
            raise  # which a later call may have
        except PolycultureError as error:
            result = error
        recipe = replace(trainer.recipe, compression=self._full(name, level))
        record = model_record(recipe, find_architecture(recipe.architecture), result, self.made_for)
        cost = {
            "seconds": round(time.perf_counter() - start, 4),
            "fitted": "compressed",
            "device": "cpu",
            "host": platform.node(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_model(self.folder, key, record, cost, result if isinstance(result, Fitted) else None)
        self._records[key] = record

    def _prefix(self, name: str, level: str) -> tuple[Fitted, Recipe, int]:
        """The stored model after the most of these steps, its recipe, and how many; the original after none."""
        steps = read_level(level)
        for length in range(len(steps) - 1, 0, -1):
            start = level_of(steps[:length])
            key = self._key(name, start)
            if key in self._records and not self._records[key]["failed"]:
                attempt = self.get(name, start)
                assert attempt.model is not None
                return attempt.model, attempt.recipe, length
        return self.originals.models[name], self.recipes[name], 0

    def _load(self, name: str, level: str, key: str) -> Attempt:
        record = self._records[key]
        recipe, reason = Recipe.from_dict(record["recipe"]), record["failed"]
        if reason:
            return Attempt(name, level, recipe, None, reason, self.folder / key)
        requested = replace(self.recipes[name], compression=self._full(name, level))
        population = load_population(self.folder, self.originals.problem, [requested])
        model: Any = population[key]
        return Attempt(name, level, recipe, model, "", self.folder / key)


def check_level(name: str, recipe: Recipe, level: str) -> str:
    """Why a chain cannot follow what was done to a model already; empty where it can."""
    try:
        read_level(level if recipe.compression == "none" else JOIN.join((recipe.compression, level)))
    except InputError as error:
        return f"{name} is compressed already: {error}"
    return ""
