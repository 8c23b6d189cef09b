"""How fast is a population trained, beside a plain loop, scikit-learn and Ensemble-PyTorch?

    python benchmarks/training.py [--repeats 3]
    pip install --no-deps --target peers torchensemble && PYTHONPATH=peers python benchmarks/training.py

Prints rows for benchmarks/README.md. All tools learn the same digits with the same widths, epochs, batch size and Adam.
They take turns within each repetition, and of their ratios the median is given, so that noise of the machine falls on
all. Cold: the first repetition of each tool, before which its worker processes were ended, so that they start and load
their libraries. Warm: all others, in which the workers of one tool are there after another tool's turn.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from polyculture.models.encoder import Encoder
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem, load_problem, train
from polyculture.training.workers.pool import end_pool

MEMBERS, EPOCHS, BATCH, RATE = 32, 20, 32, 0.004
MIXED = {"lenet": 16, "mlp": 8, "selu-mlp": 4, "lstm": 4}
"""Members of the mixed population, half of them convolutional, each with its usual epochs but these."""
MIXED_EPOCHS = {"lenet": 16, "mlp": 20, "selu-mlp": 20, "lstm": 10}


def population(problem: Problem, counts: dict[str, int], epochs: dict[str, int], device: str | None = None) -> None:
    """As polyculture trains it, files and all."""
    recipes = [
        Recipe(name, optimizer="adam", hyperparameters={"epochs": epochs[name]}, seed=seed)
        for name, count in counts.items()
        for seed in range(count)
    ]
    with tempfile.TemporaryDirectory() as folder:
        assert len(train(recipes, problem, Path(folder), device=device)) == len(recipes)


def plain(problem: Problem, counts: dict[str, int], epochs: dict[str, int]) -> None:
    """One net after another in the loop that everybody writes, with as many threads as torch likes."""
    data = problem.split.train
    encoder = Encoder.of(data)
    inputs, labels = torch.from_numpy(encoder(data.array)), torch.from_numpy(data.labels)
    for name, count in counts.items():
        for seed in range(count):
            torch.manual_seed(seed)
            net = ARCHITECTURES[name].build(encoder.form, len(data.classes))  # type: ignore[attr-defined]
            optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
            net.train()
            for _ in range(epochs[name]):
                for rows in torch.randperm(len(labels)).split(BATCH):
                    optimizer.zero_grad()
                    loss = nn.functional.cross_entropy(net(inputs[rows]), labels[rows])
                    loss.backward()
                    optimizer.step()


def scikit_learn(problem: Problem) -> None:
    """MLPClassifier with the same budget, one per core at a time."""
    from joblib import Parallel, delayed

    inputs = problem.split.train.array.reshape(len(problem.split.train), -1)
    jobs = (delayed(_perceptron)(inputs, problem.split.train.labels, seed) for seed in range(MEMBERS))
    assert len(Parallel(n_jobs=-1)(jobs)) == MEMBERS


def _perceptron(inputs: np.ndarray, labels: np.ndarray, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it was told to stop before it converges
        budget = {"max_iter": EPOCHS, "n_iter_no_change": EPOCHS, "tol": 0.0, "batch_size": BATCH}
        net = MLPClassifier((64, 64), alpha=0.0, learning_rate_init=RATE, random_state=seed, **budget)
        return net.fit(inputs, labels)


def ensemble_pytorch(problem: Problem) -> None:
    """VotingClassifier with the same budget; the faster of its two ways here, one process."""
    from torch.utils.data import DataLoader, TensorDataset
    from torchensemble import VotingClassifier

    data = problem.split.train
    encoder = Encoder.of(data)
    batches = TensorDataset(torch.from_numpy(encoder(data.array)), torch.from_numpy(data.labels))
    ensemble = VotingClassifier(
        estimator=_mlp, n_estimators=MEMBERS, estimator_args={"form": encoder.form}, cuda=False, n_jobs=1
    )
    ensemble.set_optimizer("Adam", lr=RATE)
    with contextlib.redirect_stdout(io.StringIO()):
        loader = DataLoader(batches, batch_size=BATCH, shuffle=True)
        ensemble.fit(loader, epochs=EPOCHS, log_interval=10**9, save_model=False)


class _mlp(nn.Module):  # noqa: N801
    """The same net, as Ensemble-PyTorch wants to build it."""

    def __init__(self, form: Any) -> None:
        super().__init__()
        self.net = ARCHITECTURES["mlp"].build(form, 10)  # type: ignore[attr-defined]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.net(inputs)


def seconds(job: Callable[[], None]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def end_workers() -> None:
    """End the workers of this package and those of joblib."""
    from joblib.externals.loky import get_reusable_executor

    end_pool()
    get_reusable_executor().shutdown(wait=True)


def compare(what: str, jobs: dict[str, Callable[[], None]], repeats: int) -> None:
    """Rows of the first job, ours, and of the others with how much slower they are, cold and warm."""
    end_workers()
    cold = {name: seconds(job) for name, job in jobs.items()}
    rounds = [{name: seconds(job) for name, job in jobs.items()} for _ in range(repeats)]
    ours = next(iter(jobs))
    for name in jobs:
        times = [r[name] for r in rounds]
        ratios = [r[name] / r[ours] for r in rounds]
        note = (
            ""
            if name == ours
            else f"{cold[name] / cold[ours]:.1f}× | {statistics.median(ratios):.1f}× ({span(ratios)})"
        )
        warm = f"{statistics.median(times):.2f} ({span(times)})"
        print(f"| {what} | {name} | {cold[name]:.2f} | {warm} | {note or '|'} |", flush=True)


def span(values: list[float]) -> str:
    """The smallest and the largest."""
    return f"{min(values):.1f}–{max(values):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    problem = load_problem("digits")
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}, torch {torch.__version__}\n")
    print("| what | tool | seconds, cold | warm | polyculture is faster by, cold | warm |\n|---|---|---|---|---|---|")
    one, budget = {"mlp": MEMBERS}, {"mlp": EPOCHS}
    peers = {
        "polyculture": lambda: population(problem, one, budget),
        "plain torch loop": lambda: plain(problem, one, budget),
        "scikit-learn `MLPClassifier`, joblib": lambda: scikit_learn(problem),
    }
    if importlib.util.find_spec("torchensemble"):
        peers["Ensemble-PyTorch `VotingClassifier`"] = lambda: ensemble_pytorch(problem)
    compare(f"{MEMBERS} MLPs on digits", peers, repeats)
    mixed = {
        "polyculture": lambda: population(problem, MIXED, MIXED_EPOCHS),
        "plain torch loop": lambda: plain(problem, MIXED, MIXED_EPOCHS),
    }
    compare(f"{sum(MIXED.values())} nets, half of them LeNets, on digits", mixed, repeats)
    if torch.cuda.is_available():
        on_gpu = {
            f"polyculture, {torch.cuda.get_device_name()}": lambda: population(problem, MIXED, MIXED_EPOCHS),
            "polyculture, the same machine's cores": lambda: population(problem, MIXED, MIXED_EPOCHS, "cpu"),
        }
        compare(f"{sum(MIXED.values())} nets on digits", on_gpu, repeats)


if __name__ == "__main__":
    main()
