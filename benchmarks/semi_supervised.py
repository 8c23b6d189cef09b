"""What do 100 labels and 10,000 images without give? Accuracy by method, and how alike co-training makes models.

    python -m benchmarks.semi_supervised methods 0 1 2 3 4                 # every method on five draws of the labels
    python -m benchmarks.semi_supervised methods 0 --only fixmatch         # a part of it
    python -m benchmarks.semi_supervised population 0 1 2                  # who teaches whom, four unlike members

Prints the tables of docs/experiments/semi-supervised.md. MNIST is read from the file of --data (arrays x_train,
y_train, x_test, y_test); the first 10,000 training images are used and all test images. Numbers 0 … name
draws of the labels; settings are chosen on draws from 100 on. Every finished cell is a file in the folder of --out, so
that an interrupted call is resumed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.dataset import Dataset
from polyculture.measures.effective import effective
from polyculture.recipe import Recipe
from polyculture.training.context import TrainingContext
from polyculture.training.data_levels import fit_at_level, fit_plainly
from polyculture.training.semi_supervised import ROUNDS, SURE, balanced_choice
from polyculture.training.semi_supervised.choices import confident
from polyculture.training.semi_supervised.labelled import LabelledPool, fit_small
from polyculture.training.semi_supervised.rounds import teach

FILE = Path(__file__).resolve().parents[2] / "shared" / "data" / "image" / "mnist.npz"
INSTANCES = 10_000
MEMBERS = (
    Recipe("lenet", optimizer="adam"),
    Recipe("mlp", optimizer="adam"),
    Recipe("forest"),
    Recipe("logistic"),
)
"""The population: four unlike members."""
METHODS = {
    "lenet, labels": ("lenet", "labels"),
    "lenet, pseudo-label": ("lenet", "pseudo-label"),
    "lenet, self-training": ("lenet", "self-training"),
    "lenet, co-training": ("lenet", "co-training"),
    "lenet, mean-teacher": ("lenet", "mean-teacher"),
    "lenet, fixmatch": ("lenet", "fixmatch"),
    "mlp, labels": ("mlp", "labels"),
    "mlp, pseudo-label": ("mlp", "pseudo-label"),
    "mlp, pseudo-label without guard": ("mlp", ""),
    "mlp, fixmatch": ("mlp", "fixmatch"),
}
"""Architecture and level by row; without a level the rounds are made without the guard."""
Cell = dict[str, Any]


def data(path: Path) -> tuple[Dataset, Dataset]:
    """Training and test set."""
    with np.load(path) as file:
        images = {part: file[f"x_{part}"].astype(np.float32) / 255 for part in ("train", "test")}
        labels = {part: file[f"y_{part}"].astype(np.int64) for part in ("train", "test")}
    names = tuple("0123456789")
    train = Dataset(images["train"][:INSTANCES], labels["train"][:INSTANCES], names, name="mnist", modality="image")
    return train, Dataset(images["test"], labels["test"], names, name="mnist", modality="image")


def method(name: str, draw: int, labels: int, train: Dataset, test: Dataset) -> Cell:
    """Accuracy of one method on one draw, and what its rounds did."""
    architecture, level = METHODS[name]
    recipe = Recipe(architecture, data=f"{level or 'labels'}:{labels}:{draw}", optimizer="adam")
    if level:
        learned = fit_at_level(recipe, train, TrainingContext())
        return {"accuracy": accuracy(learned.fitted, test), "history": list(learned.history)}
    split = LabelledPool.of({"labels": labels, "draw": draw}, train, 0)
    turns = teach([recipe], split, lambda p, _: confident(p, SURE), ROUNDS, TrainingContext(), fit_small(fit_plainly))
    by_round = [accuracy(turn.models[0], test) for turn in turns]
    return {"accuracy": by_round[-1], "history": by_round}


def accuracy(model: Callable[[np.ndarray], np.ndarray], test: Dataset) -> float:
    """Share of the test set that is right."""
    return float((model(test.array).argmax(axis=1) == test.labels).mean())


def population(teachers: str, draw: int, labels: int, train: Dataset, test: Dataset) -> Cell:
    """Four unlike members after each round: accuracy of each and of the vote, how often all fail, effective number."""
    split = LabelledPool.of({"labels": labels, "draw": draw}, train, 0)
    choose = balanced_choice(split.labelled)
    rounds = []
    for turn in teach(MEMBERS, split, choose, ROUNDS, TrainingContext(), fit_small(fit_plainly), teachers):  # type: ignore[arg-type]
        probabilities = np.stack([np.asarray(model(test.array)) for model in turn.models])
        wrong = probabilities.argmax(axis=2) != test.labels
        number = effective(wrong, test.labels)
        rounds.append(
            {
                "accuracies": (1 - wrong.mean(axis=1)).tolist(),
                "mean": float(1 - wrong.mean()),
                "vote": float((probabilities.mean(axis=0).argmax(axis=1) == test.labels).mean()),
                "all_fail": float(wrong.all(axis=0).mean()),
                "n_eff": number.n_eff,
                "rho": number.rho,
            }
        )
    return {"rounds": rounds}


def cell(path: Path, compute: Callable[[], Cell]) -> Cell:
    """What is in the file, or what is computed and written there."""
    if not path.is_file():
        start = time.process_time()
        numbers = compute()
        numbers["cpu_seconds"] = round(time.process_time() - start, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half")
        half.write_text(json.dumps(numbers), encoding="utf-8")
        half.replace(path)
    stored: Cell = json.loads(path.read_text(encoding="utf-8"))
    return stored


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    deviation = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{deviation}"


def print_methods(options: argparse.Namespace, train: Dataset, test: Dataset) -> None:
    """A row for each method."""
    print("| method | draws | accuracy, mean ± sd | each draw | cpu seconds |\n|---|---|---|---|---|")
    for name in METHODS:
        if options.only and not any(word in name for word in options.only):
            continue
        cells = [
            cell(
                options.out / f"{name.replace(', ', '-').replace(' ', '-')}-{options.labels}-{draw}.json",
                partial(method, name, draw, options.labels, train, test),
            )
            for draw in options.draws
        ]
        accuracies = [numbers["accuracy"] for numbers in cells]
        seconds = np.mean([numbers["cpu_seconds"] for numbers in cells])
        cell_texts = " ".join(f"{value:.3f}" for value in accuracies)
        print(f"| {name} | {len(cells)} | {spread(accuracies)} | {cell_texts} | {seconds:.0f} |", flush=True)


def print_population(options: argparse.Namespace, train: Dataset, test: Dataset) -> None:
    """A row for the start, and for each way to teach."""
    print("| taught by | draws | mean | vote | all fail | effective models of 4 | rho |\n|---|---|---|---|---|---|---|")
    cells = {
        teachers: [
            cell(
                options.out / f"population-{teachers}-{options.labels}-{draw}.json",
                partial(population, teachers, draw, options.labels, train, test),
            )
            for draw in options.draws
        ]
        for teachers in ("themselves", "others")
    }
    for name, teachers, number in (("labels only", "themselves", 0), *((t, t, -1) for t in cells)):
        turns = [numbers["rounds"][number] for numbers in cells[teachers]]
        columns = [spread([turn[key] for turn in turns]) for key in ("mean", "vote", "all_fail", "n_eff", "rho")]
        print(f"| {name} | {len(turns)} | {' | '.join(columns)} |", flush=True)


def main() -> None:
    """Compute what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=["methods", "population"])
    parser.add_argument("draws", type=int, nargs="+")
    parser.add_argument("--data", type=Path, default=FILE)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=[], help="words that the rows must hold one of")
    parser.add_argument("--out", type=Path, default=Path("build/semi-supervised"))
    options = parser.parse_args()
    if not options.data.is_file():
        parser.error(f"there is no file {options.data}; give the file of MNIST as --data")
    train, test = data(options.data)
    (print_methods if options.experiment == "methods" else print_population)(options, train, test)


if __name__ == "__main__":
    main()
