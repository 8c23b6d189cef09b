"""How accurate are federated nets on 10,000 digits, on everyone's mix and on their own, and how alike do they fail?

    python -m benchmarks.federated --data ../shared/data --folder build/federated --seeds 1

Ten clients, classes spread by Dirichlet draws, 30 rounds of 2 passes over the client's data, one hidden layer of 100
units; tested on the 10,000 test images of MNIST. FedAvg, FedProx, FedAdam, SCAFFOLD, four independent runs of FedAvg,
local nets, personalized nets (1 pass), and one net of all data. Rounds are kept in the folder: the same call resumes.
The step of FedAdam was chosen on seeds from 100 on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import polyculture as pc
from polyculture.dataset import Dataset
from polyculture.rng import stream
from polyculture.training import Problem

CLASSES = tuple(map(str, range(10)))
NET = {"width": 100, "depth": 1, "dropout": 0.0, "batch_size": 32, "learning_rate": 0.1, "epochs": 15}
PLAN = pc.FederationPlan(rounds=30, local_epochs=2, personal_epochs=1)
OTHERS = {
    "fedadam": replace(PLAN, algorithm="fedadam", server_rate=0.01),
    "fedprox": replace(PLAN, algorithm="fedprox"),
    "scaffold": replace(PLAN, algorithm="scaffold"),
}
COLUMNS = ("accuracy", "own_mix", "all_wrong", "n_eff", "rho", "vote")


def mnist(data: Path, seed: int) -> Problem:
    """10,000 training images drawn by the seed, and all test images."""
    file = data / "image" / "mnist.npz"
    if not file.is_file():
        raise SystemExit(f"MNIST is not there: {file}; give its folder with --data FOLDER.")
    arrays = np.load(file)
    names = list(arrays)

    def part(kind: str) -> tuple[np.ndarray, np.ndarray]:
        images = next(name for name in names if kind in name and arrays[name].ndim > 1)
        labels = next(name for name in names if kind in name and arrays[name].ndim == 1)
        return arrays[images], arrays[labels]

    def dataset(images: np.ndarray, labels: np.ndarray, name: str) -> Dataset:
        pixels = (images.reshape(len(images), 28, 28) / 255).astype(np.float32)
        return Dataset(pixels, labels.astype(np.int64), CLASSES, name=name, modality="image")

    images, labels = part("train")
    rows = stream(seed, "training images").permutation(len(images))[:10_000]
    train, test = dataset(images[rows], labels[rows], "train"), dataset(*part("test"), "test")
    return Problem("mnist-10k", pc.Split(train, test.take(np.arange(0)), test))


def table_of(options: argparse.Namespace, alpha: float, seed: int) -> pd.DataFrame:
    """The sets of one federation."""
    recipe = pc.Recipe("mlp", optimizer="plain-sgd", hyperparameters=NET, seed=seed)
    choices = pc.FederateOptions(
        10,
        f"dirichlet:{alpha:g}",
        plan=PLAN,
        algorithms=[OTHERS[name] for name in options.algorithms],
        recipe=recipe,
        independent=options.runs,
        seed=seed,
    )
    out = options.folder / f"seed-{seed}-alpha-{alpha:g}"
    result = pc.federate(mnist(options.data, seed), choices, out=out, progress=_progress)
    pc.report(None, out / "page.html", [result.section])
    table: pd.DataFrame = result.section.tables["sets"]
    return table.assign(alpha=alpha, seed=seed)


def _progress(phase: str, finished: int, total: int, message: str) -> None:
    del message
    if finished == total or finished % 10 == 0:
        print(f"  {phase}: {finished} of {total}", flush=True)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with image/mnist.npz")
    parser.add_argument("--folder", type=Path, default=Path("build/federated"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--alphas", type=float, nargs="+", default=[0.1, 0.5])
    parser.add_argument("--algorithms", nargs="*", choices=list(OTHERS), default=list(OTHERS), help="next to FedAvg")
    parser.add_argument("--runs", type=int, default=4, help="independent runs of FedAvg")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    tables = [table_of(options, alpha, seed) for seed in seeds for alpha in options.alphas]
    table = pd.concat(tables)
    print(
        "| α | set | models | everyone's mix | own mix | wrong for all | n_eff | ρ | vote |", "|---" * 9 + "|", sep="\n"
    )
    for (alpha, name), rows in table.groupby(["alpha", "set"], sort=False):
        cells = [f"{alpha:g}", str(name), str(rows["models"].iloc[0])]
        for column in COLUMNS:
            values = rows[column].to_numpy(float)
            digits = 2 if column == "n_eff" else 3
            spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
            cells.append("–" if np.isnan(values).all() else f"{values.mean():.{digits}f}{spread}")
        print(f"| {' | '.join(cells)} |")
    print(f"Seeds {', '.join(map(str, seeds))}; ± is the standard deviation over seeds.")


if __name__ == "__main__":
    main()
