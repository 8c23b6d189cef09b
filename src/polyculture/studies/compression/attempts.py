"""Which compressed models are there already? Each is made once, and stored in one step with what was measured of it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polyculture.compression import level_of, read_level
from polyculture.compression.compress import compressed
from polyculture.compression.levels import JOIN
from polyculture.compression.measuring import Measurement, measure
from polyculture.compression.one_model import LEVEL, distil_into_one
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
        requested = replace(self.recipes[name], compression=self._full(name, level))
        if requested.id not in self._loaded:
            if requested.id not in self._records:
                self._make(name, level, requested.id)
            self._loaded[requested.id] = self._load(name, level, requested)
        return self._loaded[requested.id]

    def student(self, name: str) -> Attempt:
        """A net like this one that all models teach, fitted now where it is not stored."""
        requested = replace(self.recipes[name], compression=LEVEL)
        trainer = self.teaching.trainer(name, self.recipes[name])

        def fit() -> tuple[Recipe, Fitted]:
            from polyculture.training.students import fit_student

            teacher = self.teaching.ensemble
            return distil_into_one(trainer.recipe, trainer.train, teacher, fit_student, trainer.seed)

        if requested.id not in self._records:
            self._store(requested.id, requested, fit)
        return self._load(name, LEVEL, requested)

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

    def _full(self, name: str, level: str) -> str:
        """The level of the compressed model: of an original that is compressed itself, its steps come first."""
        compression = self.recipes[name].compression
        return level if compression == "none" else JOIN.join((compression, level))

    def _make(self, name: str, level: str, key: str) -> None:
        """Make the model from its longest prefix that is stored, and store it."""
        steps = read_level(level)
        model, recipe, length = self._prefix(name, level)
        trainer = self.teaching.trainer(name, recipe)

        def make() -> tuple[Recipe, Fitted]:
            result = compressed(model, level_of(steps[length:]), self.teaching.context(name, trainer))
            return replace(trainer.recipe, compression=self._full(name, level)), result

        self._store(key, replace(recipe, compression=self._full(name, level)), make)

    def _store(self, key: str, recipe: Recipe, make: Callable[[], tuple[Recipe, Fitted]]) -> None:
        """Write what is made, or why it cannot be, in one step."""
        start = time.perf_counter()
        result: Fitted | Exception
        try:
            with one_thread():
                recipe, result = make()
        except MissingExtraError:
            raise  # which a later call may have
        except PolycultureError as error:
            result = error
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
            key = replace(self.recipes[name], compression=self._full(name, start)).id
            if key in self._records and not self._records[key]["failed"]:
                attempt = self.get(name, start)
                assert attempt.model is not None
                return attempt.model, attempt.recipe, length
        return self.originals.models[name], self.recipes[name], 0

    def _load(self, name: str, level: str, requested: Recipe) -> Attempt:
        record, folder = self._records[requested.id], self.folder / requested.id
        recipe, reason = Recipe.from_dict(record["recipe"]), record["failed"]
        if reason:
            return Attempt(name, level, recipe, None, reason, folder)
        population = load_population(self.folder, self.originals.problem, [requested])
        model: Any = population[requested.id]
        return Attempt(name, level, recipe, model, "", folder)


def check_level(name: str, recipe: Recipe, level: str) -> str:
    """Why a chain cannot follow what was done to a model already; empty where it can."""
    try:
        read_level(level if recipe.compression == "none" else JOIN.join((recipe.compression, level)))
    except InputError as error:
        return f"{name} is compressed already: {error}"
    return ""
