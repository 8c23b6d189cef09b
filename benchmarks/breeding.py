"""Does breeding pay? Populations that were bred, drawn at random or changed in one factor, with equal CPU seconds.

    python -m benchmarks.breeding                                     # four data sets, five seeds: seven CPU minutes
    python -m benchmarks.breeding --seeds 100 101 --settings 8-4-6    # for choosing settings

All three ways propose recipes from the same axes, train them one at a time in one thread of this process, and stop at
the same number of CPU seconds. What proposing takes is part of it; predicting the test set is not. Then the same
mixture weights and the same choice of a subset are made on the selection set, and judged on the test set. Prints the
tables of docs/experiments/breeding.md, and keeps the results of every run in the file of --out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyculture.dataset import Dataset, Split
from polyculture.errors import TrainingError
from polyculture.measures.effective import effective
from polyculture.models.threads import one_thread
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.selection import SelectionOptions, select
from polyculture.selection.mixture_weights import SMALLEST, mixture_weights
from polyculture.studies.active.curves import over_seeds
from polyculture.studies.evolution.generations import EvolutionOptions, evolve_recipes
from polyculture.studies.evolution.proposals import Axes, Proposals
from polyculture.training import DataOptions, Problem, evolution_axes, load_problem, possible_recipe, train

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SETTINGS = "6-2-4"
"""First models, models of a later generation, and groups of instances; chosen on the seeds 100 and 101."""
DEAR = ("transformer", "lstm")
"""Architectures that are left out: one of them would take a whole population's seconds."""
MOST = 10_000
"""Models that no way reaches within its seconds."""


def credit(folder: Path, seed: int) -> Problem:
    """1,000 clients of a bank for each part: do they pay back?"""
    return load_problem([folder / "tabular" / "UCI_Credit_Card.csv.gz"], seed, DataOptions(limit=1000, shifts=()))


def german(folder: Path, seed: int) -> Problem:
    """1,000 loans: good or bad?"""
    return load_problem([folder / "tabular" / "german.csv.gz"], seed, DataOptions(shifts=()))


def gas(folder: Path, seed: int) -> Problem:
    """Six gases by sixteen sensors: 800 measurements to learn from, 800 to choose by, 2,000 to be tested on."""
    with np.load(folder / "tabular" / "gas_drift.npz") as arrays:
        inputs, labels = arrays["X"].astype(np.float32), arrays["y"].astype(np.int64)
    labels -= labels.min()
    rows = stream(seed, "gas").permutation(len(labels))
    inputs = (inputs - inputs[rows[:800]].mean(axis=0)) / np.maximum(inputs[rows[:800]].std(axis=0), 1e-6)
    whole = Dataset(inputs, labels, tuple("123456"), name="gas", modality="table")
    parts = np.split(rows[:3600], [800, 1600])
    return Problem("gas", Split(whole.take(parts[0]), whole.take(parts[1]), whole.take(parts[2])))


def digits(folder: Path, seed: int) -> Problem:  # noqa: ARG001
    """Handwritten digits of 8 x 8 pixels, from scikit-learn."""
    return load_problem("digits", seed, DataOptions(shifts=()))


LOADERS: dict[str, Callable[[Path, int], Problem]] = {"digits": digits, "gas": gas, "credit": credit, "german": german}


def affordable_axes(problem: Problem) -> Axes:
    """The axes of `evolve` without dear architectures."""
    axes = evolution_axes(problem)
    return axes | {"architecture": [name for name in axes["architecture"] if name not in DEAR]}


class SpentError(Exception):
    """All CPU seconds are spent."""


@dataclass
class Trainer:
    """Trains recipes one at a time until its CPU seconds are spent.

    Parameters
    ----------
    problem, folder : what is learned, and where models are written.
    seconds : CPU seconds of this process that may be spent.
    rows : by recipe id of each model that was finished in time, its probabilities on the selection and the test set.
    free : CPU seconds that do not count: those of predicting the test set.
    """

    problem: Problem
    folder: Path
    seconds: float
    rows: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    start: float = field(default_factory=time.process_time)
    free: float = 0.0

    def spent(self) -> float:
        """CPU seconds that count."""
        return time.process_time() - self.start - self.free

    def __call__(self, recipes: Sequence[Recipe]) -> Predictions:
        """Predictions on the selection set of those of these models that could be trained; SpentError at the end."""
        for recipe in recipes:
            if recipe.id not in self.rows and recipe.id not in self.failed:
                self.train(recipe)
        names = [recipe.id for recipe in recipes if recipe.id in self.rows]
        return stacked({name: self.rows[name][0] for name in names}, self.problem.split.selection)

    def train(self, recipe: Recipe) -> None:
        """Train one model, unless all seconds are spent; it counts if it was finished in time."""
        if self.spent() > self.seconds:
            raise SpentError
        try:
            population = train([recipe], self.problem, self.folder, workers=1)
        except TrainingError:
            self.failed.add(recipe.id)
            return
        model, split = population[recipe.id], self.problem.split
        with one_thread():
            selection = np.asarray(model(split.selection.array))
            if self.spent() > self.seconds:
                raise SpentError
            before = time.process_time()
            self.rows[recipe.id] = selection, np.asarray(model(split.test.array))
            self.free += time.process_time() - before


def stacked(rows: Mapping[str, np.ndarray], dataset: Dataset) -> Predictions:
    """Predictions of several models of one dataset."""
    probabilities = np.stack(list(rows.values()))
    return Predictions(
        models=pd.DataFrame(index=pd.Index(list(rows))),
        instances=dataset.instances,
        answers=probabilities.argmax(axis=2),
        labels=dataset.labels,
        classes=dataset.classes,
        probabilities=probabilities,
    )


def bred(trainer: Trainer, axes: Axes, seed: int, settings: str) -> None:
    """As `evolve` does, without its stopping rule."""
    first, generation, groups = map(int, settings.split("-"))
    options = EvolutionOptions(MOST, first, generation, groups, worthwhile=-1e9, seed=seed, workers=1)
    evolve_recipes(axes, possible_recipe, trainer, options)


def random(trainer: Trainer, axes: Axes, seed: int, settings: str) -> None:  # noqa: ARG001
    """A level of every axis by chance."""
    proposals = Proposals(axes, possible_recipe, stream(seed, "random recipes"))
    while recipes := proposals.at_random(1):
        trainer.train(recipes[0])


def one_factor(trainer: Trainer, axes: Axes, seed: int, settings: str) -> None:  # noqa: ARG001
    """A net with usual settings, and each change of one factor of it; all in random order, seed after seed."""
    plain = {axis: levels[0] for axis, levels in axes.items()} | {"architecture": "mlp"}
    changes = [(axis, level) for axis, levels in axes.items() if axis != "seed" for level in levels]
    generator, recipes = stream(seed, "one factor"), set()
    for replicate in axes["seed"]:
        for k in generator.permutation(len(changes)):
            recipe = possible_recipe({**plain, "seed": replicate, changes[k][0]: changes[k][1]})
            if recipe not in recipes:
                recipes.add(recipe)
                trainer.train(recipe)


WAYS: dict[str, Callable[[Trainer, Axes, int, str], None]] = {
    "bred": bred,
    "random": random,
    "one factor": one_factor,
}


def scores(trainer: Trainer) -> dict[str, float]:
    """What the models of a way are worth on the test set, after choices on the selection set."""
    split = trainer.problem.split
    selection, test = (
        stacked({name: row[k] for name, row in trainer.rows.items()}, part)
        for k, part in enumerate((split.selection, split.test))
    )
    weights = mixture_weights(truth(selection)).weights
    mixture = np.tensordot(weights, np.asarray(test.probabilities, dtype=float), axes=1)
    portfolio = select(selection, min(5, len(trainer.rows)), certify_on=test, terms=SelectionOptions(folds=0))
    members = [list(test.model_ids).index(name) for name in portfolio.members]
    votes = np.asarray(test.probabilities, dtype=float)[members].mean(axis=0)
    accuracies = 1 - selection.wrong.mean(axis=1)
    return {
        "models": len(trainer.rows),
        "log_loss": float(-np.log(np.maximum(weights @ truth(test), SMALLEST)).mean()),
        "mixture": float((mixture.argmax(axis=1) == test.labels).mean()),
        "five": float((votes.argmax(axis=1) == test.labels).mean()),
        "best": float(1 - test.wrong[int(accuracies.argmax())].mean()),
        "mean": float(1 - test.wrong.mean()),
        "all_wrong": float(test.wrong.all(axis=0).mean()),
        "n_eff": effective(test.wrong).n_eff,
    }


def truth(predictions: Predictions) -> np.ndarray:
    """Probability that each model gives to the true class."""
    labels = np.asarray(predictions.labels)
    rows = np.asarray(predictions.probabilities, dtype=float)[:, np.arange(len(labels)), labels]
    return np.asarray(np.maximum(rows, SMALLEST))


def run(problem: Problem, way: str, seed: int, seconds: float, settings: str) -> dict[str, Any]:
    """One population, and what it is worth."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(problem, Path(folder), seconds)
        with contextlib.suppress(SpentError):
            WAYS[way](trainer, affordable_axes(problem), seed, settings)
        return scores(trainer)


MEASURES: Mapping[str, tuple[str, float, str]] = {
    "log_loss": ("log-loss of the mixture", 1, ".3f"),
    "mixture": ("accuracy of the mixture, points", 100, ".1f"),
    "five": ("accuracy of five that are chosen, points", 100, ".1f"),
    "best": ("accuracy of the best, points", 100, ".1f"),
    "mean": ("mean accuracy, points", 100, ".1f"),
    "all_wrong": ("all fail, points", 100, ".1f"),
    "n_eff": ("n_eff", 1, ".2f"),
    "models": ("models", 1, ".0f"),
}


def tables(results: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> None:
    """A row for each data set and way, and the differences in pairs of the same seed."""
    print(f"\n| data | way | {' | '.join(title for title, _, _ in MEASURES.values())} |")
    print(f"|{'---|' * (len(MEASURES) + 2)}")
    for name, by_way in results.items():
        for way, rows in by_way.items():
            means = [f"{scale * np.mean([r[m] for r in rows]):{form}}" for m, (_, scale, form) in MEASURES.items()]
            print(f"| {name} | {way} | {' | '.join(means)} |")
    print(f"\n| data | bred less | {' | '.join(title for title, _, _ in MEASURES.values())} |")
    print(f"|{'---|' * (len(MEASURES) + 2)}")
    for other in list(WAYS)[1:]:
        gaps = {name: differences(by_way["bred"], by_way[other]) for name, by_way in results.items()}
        gaps["mean of all sets"] = {m: np.mean([gap[m] for gap in gaps.values()], axis=0) for m in MEASURES}
        for name, gap in gaps.items():
            cells = [
                over_seeds(s * gap[m]).format(f"+{form}").replace("-", "−") for m, (_, s, form) in MEASURES.items()
            ]
            print(f"| {name} | {other} | {' | '.join(cells)} |")


def differences(first: Sequence[Mapping[str, float]], second: Sequence[Mapping[str, float]]) -> dict[str, np.ndarray]:
    """By measure the first less the second, seed by seed."""
    return {m: np.array([a[m] - b[m] for a, b in zip(first, second, strict=True)]) for m in MEASURES}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=LOADERS, default=list(LOADERS))
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", nargs="*", type=int, default=range(5))
    parser.add_argument("--seconds", type=float, default=6.0, help="CPU seconds of one population")
    parser.add_argument("--settings", default=SETTINGS, help="first models - models of a generation - groups")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("breeding.json"))
    choices = parser.parse_args()
    known: dict[str, Any] = json.loads(choices.out.read_text()) if choices.out.is_file() else {}
    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    warm = load_problem("iris", 0, DataOptions(shifts=()))
    run(warm, "bred", 0, 4.0, "4-2-2")  # libraries are loaded before the clock starts
    for name in choices.only:
        for seed in choices.seeds:
            problem = LOADERS[name](choices.data, seed)
            for way in choices.ways:
                key = f"{name} {way} {seed} {choices.seconds:g} {choices.settings if way == 'bred' else ''}".strip()
                if key not in known:
                    known[key] = run(problem, way, seed, choices.seconds, choices.settings)
                    choices.out.write_text(json.dumps(known, indent=1))
                results.setdefault(name, {}).setdefault(way, []).append(known[key])
                print(f"  {key}: {known[key]['models']:.0f} models, {known[key]['log_loss']:.4f}", flush=True)
    print(f"\n{time.process_time():.0f} CPU seconds in all, load {os.getloadavg()[0]:.1f}")
    if set(choices.ways) == set(WAYS):
        tables(results)


if __name__ == "__main__":
    main()
