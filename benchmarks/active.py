"""Do labels that a committee asks for teach more than labels drawn by chance? Learning curves on MNIST and TREC.

    python -m benchmarks.active                                    # both data sets, all strategies, five seeds
    python -m benchmarks.active --only trec --strategies random margin-of-mean --seeds 0 1
    python -m benchmarks.active --schedule 20 0 20 --seeds 100 101 102

Every seed draws 4,000 training images as the pool (MNIST, grey levels in [0, 1] or standardized pixels), or has all
training questions as the pool (TREC, tested without the questions that are among them), and its own first labels. The
learner is logistic regression. Prints the rows of docs/experiments/active.md. Data are read from ../shared/data or
--data; a set that is not there is left out. Every run is kept in the folder of --out round by round, so that an
interrupted call is resumed.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from polyculture.dataset import Dataset
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.stats import Interval
from polyculture.studies.active import QueryOptions
from polyculture.studies.active.curves import areas, common_sizes, labels_to_reach, over_seeds
from polyculture.studies.active.options import COMPARED, RANDOM
from polyculture.studies.active.simulation import QueryRun, Simulation
from polyculture.training.active import default_committee

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BUDGET = {"mnist": 1000, "mnist-standardized": 1000, "trec": 1160}
POOL, TEST = 4000, 5000
SCHEDULE = {"mnist": (10, 0.0, 20), "mnist-standardized": (10, 0.0, 20), "trec": (40, 0.0, 40)}
"""Size of a batch, its growth as a share of what is labelled, and labels drawn by chance first."""
SETS = ("mnist-standardized", "trec")


def mnist(folder: Path, seed: int) -> tuple[Dataset, Dataset] | None:
    """A pool drawn by the seed, and the test images; None where the file is not there."""
    path = folder / "image" / "mnist.npz"
    if not path.is_file():
        return None
    with np.load(path) as arrays:
        rows = stream(seed, "pool of images").choice(len(arrays["x_train"]), POOL, replace=False)
        parts = [(arrays["x_train"][rows], arrays["y_train"][rows])]
        parts += [(arrays["x_test"][:TEST], arrays["y_test"][:TEST])]
    classes = tuple("0123456789")
    pool, test = (
        Dataset(images.astype(np.float32) / 255, labels.astype(np.int64), classes, name="mnist", modality="image")
        for images, labels in parts
    )
    return pool, test


def mnist_standardized(folder: Path, seed: int) -> tuple[Dataset, Dataset] | None:
    """The same images as tables of pixels, which are standardized for all members."""
    parts = mnist(folder, seed)
    if parts is None:
        return None
    pool, test = (
        Dataset(part.array.reshape(len(part), -1), part.labels, part.classes, name=part.name) for part in parts
    )
    return pool, test


def trec(folder: Path, _seed: int) -> tuple[Dataset, Dataset] | None:
    """All training questions, and the test questions that are not among them; None where the files are not there."""
    paths = [folder / "text" / f"TREC.{part}.all.gz" for part in ("train", "test")]
    if not all(path.is_file() for path in paths):
        return None
    parts = []
    for path in paths:
        with gzip.open(path, "rt", encoding="latin-1") as file:
            parts.append([line.strip().split(maxsplit=1) for line in file if line.strip()])
    questions = {" ".join(text.split()) for _, text in parts[0]}
    parts[1] = [(label, text) for label, text in parts[1] if " ".join(text.split()) not in questions]
    classes = tuple(sorted({label for label, _ in parts[0]}))
    pool, test = (
        Dataset(
            np.array([text for _, text in part], object),
            np.array([classes.index(label) for label, _ in part], np.int64),
            classes,
            name="trec",
            modality="text",
        )
        for part in parts
    )
    return pool, test


MEMBERS: dict[str, dict[str, float]] = {"logistic": {"C": 10.0}, "forest": {"trees": 50}, "extra-trees": {"trees": 50}}
"""Hyperparameters of members that are named; the others have their defaults."""
LOADERS = {"mnist": mnist, "mnist-standardized": mnist_standardized, "trec": trec}


def runs_of(
    name: str,
    strategies: Sequence[str],
    seeds: Sequence[int],
    schedule: tuple[int, float, int],
    paths: tuple[Path, Path],
    members: Sequence[str] = (),
) -> dict[str, list[QueryRun]]:
    """By strategy a run for each seed; empty where the data are not there."""
    data, out = paths
    batch, growth, initial = schedule
    options = QueryOptions(budget=BUDGET[name], batch=batch, growth=growth, initial=initial)
    place = out / "-".join([name, str(batch), f"{growth:g}", str(initial), *members])
    runs: dict[str, list[QueryRun]] = {}
    for seed in seeds:
        parts = LOADERS[name](data, seed)
        if parts is None:
            return {}
        recipes = [Recipe(member, hyperparameters=MEMBERS.get(member, {})) for member in members]
        simulation = Simulation(*parts, tuple(recipes) or default_committee(parts[0].modality), options)
        for strategy in strategies:
            run = simulation.run(strategy, seed, place / f"{strategy}-{seed}.json")
            runs.setdefault(strategy, []).append(run)
            print(f"  {name} {strategy} {seed}: {run.aulc:.4f} {run.values('accuracy')[-1]:.4f}", flush=True)
    return runs


def row(runs: dict[str, list[QueryRun]], strategy: str) -> str:
    """One line of the table."""
    goal = [float(run.values("accuracy")[-1]) for run in runs[RANDOM]]
    last = {
        name: np.array([run.values(name)[-1] for run in runs[strategy]]) for name in ("accuracy", "committee", "n_eff")
    }
    chance = np.array([run.values("committee")[-1] for run in runs[RANDOM]])
    reach = np.array([labels_to_reach(run, least) for run, least in zip(runs[strategy], goal, strict=True)])
    cells = [strategy, _share(over_seeds(areas(runs, strategy)))]
    cells += ["" if strategy == RANDOM else _points(over_seeds(areas(runs, strategy) - areas(runs, RANDOM)))]
    cells += [_share(over_seeds(last["accuracy"])), _share(over_seeds(last["committee"]))]
    cells += ["" if strategy == RANDOM else _points(over_seeds(last["committee"] - chance))]
    cells += [f"{reach.mean():,.0f}" if np.isfinite(reach).all() else "not in every seed"]
    return f"| {' | '.join([*cells, over_seeds(last['n_eff']).format('.2f')])} |"


def curve(runs: dict[str, list[QueryRun]], strategy: str, sizes: Sequence[int]) -> str:
    """Accuracy of the learner at the round nearest to each of these numbers of labels."""
    known = common_sizes(runs[strategy])
    cells = [strategy]
    for size in sizes:
        labels = int(known[np.argmin(np.abs(known - size))])
        values = [run.values("accuracy")[list(run.labels).index(labels)] for run in runs[strategy]]
        cells.append(f"{np.mean(values):.3f}".removeprefix("0"))
    return f"| {' | '.join(cells)} |"


def _share(interval: Interval) -> str:
    return interval.format(".3f").replace("0.", ".")


def _points(interval: Interval) -> str:
    """A difference of shares in points."""
    numbers = (100 * number for number in (interval.estimate, interval.low, interval.high))
    estimate, low, high = (f"{number:+.1f}".replace("-", "−") for number in numbers)
    return f"{estimate} [{low}, {high}]"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=LOADERS, default=SETS)
    parser.add_argument("--strategies", nargs="*", default=COMPARED)
    parser.add_argument("--seeds", nargs="*", type=int, default=range(5))
    parser.add_argument("--schedule", nargs=3, type=float, help="batch, growth and first labels")
    parser.add_argument("--members", nargs="*", default=(), help="of the committee, the learner first")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("active-runs"))
    choices = parser.parse_args()
    for name in choices.only:
        batch, growth, initial = choices.schedule or SCHEDULE[name]
        schedule = (int(batch), growth, int(initial))
        strategies = tuple(dict.fromkeys((RANDOM, *choices.strategies)))
        runs = runs_of(name, strategies, choices.seeds, schedule, (choices.data, choices.out), choices.members)
        if not runs:
            print(f"{name}: not there")
            continue
        print(f"\n{name}, batches of {schedule[0]} or {100 * growth:g} %, {schedule[2]} first\n")
        print("\n".join(row(runs, strategy) for strategy in strategies))
        print("\n".join(curve(runs, strategy, (50, 100, 200, 400, 700, BUDGET[name])) for strategy in strategies))


if __name__ == "__main__":
    main()
