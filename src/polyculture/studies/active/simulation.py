"""What would a strategy have learned from the same number of labels? One run over labels that are held back.

A run is a file that grows by a round at a time, so that whatever ends the process, the same call goes on after the last
round, to the same numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError
from polyculture.measures.effective import effective
from polyculture.models.encoder import Encoder
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.active import Committee, fit_committee
from polyculture.training.active.batches import first_rows
from polyculture.training.active.committee import can_calibrate
from polyculture.training.active.strategies import Strategy, find_strategy

from .options import QueryOptions

CHECKPOINTS = 8
"""Rounds at which the committee is tested, about evenly spaced on the scale of logarithms."""


@dataclass(frozen=True, eq=False)
class QueryRun:
    """One strategy, one seed: which instances were bought, and how good the learner was after each round.

    Parameters
    ----------
    strategy : its name.
    seed : of the repetition.
    rows : positions in the pool, in the order in which they were bought.
    rounds : for each round ``labels``, ``accuracy`` of the learner, and at checkpoints ``committee`` (accuracy of the
        mean of the members) and ``n_eff`` (effective number of members, null where infinite or undefined).
    by_chance : rounds that were drawn by chance although the strategy is another, since nothing could be calibrated.
    """

    strategy: str
    seed: int
    rows: tuple[int, ...] = ()
    rounds: tuple[Mapping[str, Any], ...] = ()
    by_chance: int = 0

    @property
    def labels(self) -> Int[np.ndarray, " r"]:
        """Number of labels after each round."""
        return np.array([entry["labels"] for entry in self.rounds], np.int64)

    def values(self, name: str) -> Float[np.ndarray, " r"]:
        """One number of every round, nan where it was not measured."""
        entries = [entry.get(name) for entry in self.rounds]
        return np.array([np.nan if value is None else value for value in entries], np.float64)

    @property
    def aulc(self) -> float:
        """Area under the learning curve of the learner: mean accuracy over the labels bought, by the trapezoid rule."""
        return area(self.labels, self.values("accuracy"))

    def write(self, path: Path, settings: str) -> None:
        """Replace the file of the run in one step."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"settings": settings, **vars(self)}
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path, settings: str) -> QueryRun | None:
        """The run as far as it came; None where it has not begun.

        Raises InputError for a file made with other data or options, FileError for a damaged one.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            other = content.pop("settings") != settings
            run = cls(**content | {name: tuple(content[name]) for name in ("rows", "rounds")})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileError(f"cannot read {path}: {error}", "a run of a simulation", "delete it") from error
        if other:
            raise InputError(
                f"{path} was made with other data or options", "the same", "name another folder with --out"
            )
        return run


def area(labels: Int[np.ndarray, " r"], accuracies: Float[np.ndarray, " r"]) -> float:
    """Mean of the curve over its labels, by the trapezoid rule; the value itself where there is one round."""
    if len(labels) < 2:
        return float(accuracies[0]) if len(labels) else float("nan")
    return float(np.trapezoid(accuracies, labels) / (labels[-1] - labels[0]))


@dataclass(frozen=True, eq=False)
class Simulation:
    """Held-back labels, and what is tested on.

    Parameters
    ----------
    pool : instances whose labels are bought.
    test : on which the learner is tested.
    recipes : of the committee, the learner first.
    options : budget, batch, ….
    encoder : how inputs are read, fitted to all of the pool, as it needs no labels.
    """

    pool: Dataset
    test: Dataset
    recipes: tuple[Recipe, ...]
    options: QueryOptions
    encoder: Encoder = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoder", Encoder.of(self.pool))

    @property
    def settings(self) -> str:
        """Hash of everything that the numbers depend on."""
        o = self.options
        chosen = (
            o.by_chance(self.pool.modality),
            o.budget,
            o.batch,
            o.growth,
            o.first(len(self.pool.classes)),
            o.candidates,
            o.seed,
        )
        digest = hashlib.blake2b(repr((chosen, [recipe.id for recipe in self.recipes])).encode(), digest_size=8)
        for part in (self.pool, self.test):
            array = part.array
            digest.update("\0".join(map(str, array)).encode() if array.dtype.kind in "OU" else array.tobytes())
            digest.update(np.ascontiguousarray(part.labels, "<i8").tobytes())
        return digest.hexdigest()

    def run(
        self,
        strategy: str,
        seed: int,
        path: Path | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> QueryRun:
        """Buy labels round by round until the budget or the pool is spent.

        Parameters
        ----------
        strategy : its name.
        seed : of the repetition; the first labels depend on it alone, so that strategies are compared in pairs.
        path : file of the run, which is gone on with; None for no file.
        progress : called with labels bought, budget and the accuracy after each round.
        """
        settings = self.settings if path else ""
        run = (QueryRun.read(path, settings) if path else None) or QueryRun(strategy, seed)
        committee: Committee | None = None
        while len(run.rows) < min(self.options.budget, len(self.pool)):
            run, committee = self._round(run, committee)
            if path:
                run.write(path, settings)
            if progress:
                progress(len(run.rows), self.options.budget, f"{strategy} {seed}: {run.rounds[-1]['accuracy']:.3f}")
        return run

    def _round(self, run: QueryRun, committee: Committee | None) -> tuple[QueryRun, Committee]:
        """The run with one more batch, and the committee fitted to all that it has bought.

        `committee` is the one of the round before; None where it is to be fitted again.
        """
        o, strategy, by_chance = self.options, find_strategy(run.strategy), run.by_chance
        bought = np.array(run.rows, np.int64)
        if not run.rows:
            rows = first_rows(self.pool.labels, o.first(len(self.pool.classes)), stream(o.seed, "first", run.seed))
        else:
            committee = committee or self._committee(strategy, bought, run.seed)
            can_choose = not strategy.calibrated or can_calibrate(self.pool.labels[bought])
            by_chance += not can_choose
            unlabelled = np.setdiff1d(np.arange(len(self.pool)), bought)
            generator = stream(o.seed, "query", run.strategy, run.seed, len(bought))
            asked = self.pool.array[unlabelled]
            size = min(o.next_size(len(bought)), len(unlabelled))
            chance = o.by_chance(self.pool.modality)
            positions = strategy.choose(committee if can_choose else None, asked, size, generator, o.candidates, chance)
            rows = unlabelled[positions]
        bought = np.concatenate([bought, rows])
        committee = self._committee(strategy, bought, run.seed)
        order = tuple(map(int, bought))
        return QueryRun(run.strategy, run.seed, order, (*run.rounds, self._tested(committee, len(order))), by_chance), (
            committee
        )

    def _committee(self, strategy: Strategy, rows: Int[np.ndarray, " k"], seed: int) -> Committee:
        """Fitted to these rows: all members where the strategy asks them or they are to be tested, else the learner."""
        everyone = strategy.committee or len(rows) in self._checkpoints
        labelled = self.pool.take(rows)
        calibrated = strategy.calibrated and can_calibrate(labelled.labels)
        recipes = self.recipes if everyone else self.recipes[:1]
        return fit_committee(recipes, labelled, encoder=self.encoder, calibrated=calibrated, seed=seed)

    def _tested(self, committee: Committee, labels: int) -> dict[str, Any]:
        """Accuracy of the learner; at checkpoints of the committee, and its effective number, too."""
        everyone = labels in self._checkpoints
        committee = committee if everyone else committee.learner
        probabilities = committee(self.test.array)
        right = probabilities.argmax(axis=-1) == self.test.labels
        entry: dict[str, Any] = {"labels": labels, "accuracy": float(right[0].mean())}
        if everyone:
            answers = probabilities.mean(axis=0).argmax(axis=-1)
            number = effective(~right, self.test.labels.astype(np.int64)).n_eff
            entry |= {"committee": float((answers == self.test.labels).mean())}
            entry |= {"n_eff": number if np.isfinite(number) else None}
        return entry

    @cached_property
    def _checkpoints(self) -> set[int]:
        """Numbers of labels at which the committee is tested: the same for every strategy."""
        sizes, budget = [min(self.options.first(len(self.pool.classes)), len(self.pool))], len(self.pool)
        while (size := self.options.next_size(sizes[-1])) and sizes[-1] < budget:
            sizes.append(min(sizes[-1] + size, budget))
        targets = np.geomspace(sizes[0], sizes[-1], CHECKPOINTS)
        return {min(sizes, key=lambda size: abs(size - target)) for target in targets}
