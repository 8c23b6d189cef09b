"""What does a teacher change? Nets of half the width, taught by themselves, by a set or by the most unlike member.

    python benchmarks/compression_distillation.py mlp

Five nets on digits, five times with other seeds. Every variant has the same recipe, schedule and cost of training but
for the teacher; "plain" has none. Prints the tables of docs/experiments/distillation.md: means over the
replicates, and differences from plain, paired by replicate, with 95 % t-intervals.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from polyculture.compression.changes import joint_error_ratio
from polyculture.compression.one_model import mean_of
from polyculture.dataset import Dataset
from polyculture.measures.effective import effective
from polyculture.models.fitted import Fitted
from polyculture.preparation.problems import Problem
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed
from polyculture.training import ARCHITECTURES, load_problem
from polyculture.training.students import fit_student, student_recipe

REPLICATES, MEMBERS, SHARE = 5, 5, 0.5
MEASURES = {
    "accuracy of a member, %": 2,
    "log-loss of a member": 3,
    "accuracy of the set, %": 2,
    "log-loss of the set": 3,
    "disagreement, %": 2,
    "joint errors ÷ independence": 2,
    "n_eff": 2,
    "all wrong, %": 2,
}
"""Decimal places."""


def recipe(name: str, replicate: int, member: int) -> Recipe:
    """One member; a ResNet is one of 8 layers and 8 channels that is trained for five epochs."""
    settings = {"depth": 8, "width": 8, "epochs": 5} if name == "resnet" else {}
    return Recipe(name, optimizer="adam", hyperparameters=settings, seed=100 * replicate + member)


def most_unlike(models: list[Fitted], selection: Dataset) -> list[int]:
    """For each model the other one whose errors go least with its own."""
    wrong = np.array([model(selection.array).argmax(axis=1) != selection.labels for model in models], float)
    correlation = np.corrcoef(wrong)
    np.fill_diagonal(correlation, np.inf)
    return [int(row.argmin()) for row in correlation]


def sets(problem: Problem, name: str, replicate: int) -> dict[str, list[Fitted]]:
    """The originals and every set of students."""
    train = problem.split.train
    recipes = [recipe(name, replicate, member) for member in range(MEMBERS)]
    originals = [ARCHITECTURES[name].fit(r, train) for r in recipes]
    unlike, ensemble = most_unlike(originals, problem.split.selection), mean_of(originals)

    def taught(teacher_of: Callable[[int], Callable[[np.ndarray], np.ndarray]]) -> list[Fitted]:
        def student(i: int) -> Fitted:
            return fit_student(recipes[i], train, SHARE, teacher_of(i), derived_seed(recipes[i].seed, "student"))[1]

        return [student(i) for i in range(MEMBERS)]

    return {
        "originals": originals,
        "plain": [ARCHITECTURES[name].fit(student_recipe(r, SHARE), train) for r in recipes],
        "self": taught(lambda i: originals[i]),
        "ensemble": taught(lambda _: ensemble),
        "unlike": taught(lambda i: originals[unlike[i]]),
    }


def numbers(models: list[Fitted], test: Dataset) -> list[float]:
    """The measures of a set."""
    p = np.array([model(test.array) for model in models], float)
    answers, rows = p.argmax(axis=2), np.arange(len(test))
    wrong, together = answers != test.labels, p.mean(axis=0)
    pairs = [(a, b) for a in range(len(models)) for b in range(a)]

    def log_loss(q: np.ndarray) -> float:
        return float(-np.log(np.clip(q[..., rows, test.labels], 1e-12, 1)).mean())

    return [
        100 * float(1 - wrong.mean()),
        log_loss(p),
        100 * float((together.argmax(axis=1) == test.labels).mean()),
        log_loss(together),
        100 * float(np.mean([(answers[a] != answers[b]).mean() for a, b in pairs])),
        float(joint_error_ratio(wrong).ratio),
        float(effective(wrong, test.labels).n_eff),
        100 * float(wrong.all(axis=0).mean()),
    ]


def main() -> None:
    """Print both tables."""
    problem, start = load_problem("digits"), time.perf_counter()
    results: dict[str, list[list[float]]] = {}
    sizes = {}
    for replicate in range(REPLICATES):
        for name, models in sets(problem, sys.argv[1], replicate).items():
            results.setdefault(name, []).append(numbers(models, problem.split.test))
            sizes[name] = models[0].parameters, models[0].cost.flops
        print(f"replicate {replicate}: {time.perf_counter() - start:.0f} s", flush=True)
    print("| set | parameters | " + " | ".join(MEASURES) + " |\n|" + "---|" * (len(MEASURES) + 2))
    places = list(MEASURES.values())
    for name, rows in results.items():
        cells = [f"{x:.{k}f}" for x, k in zip(np.mean(rows, axis=0), places, strict=True)]
        print(f"| {name} | {sizes[name][0]:,} | " + " | ".join(cells) + " |")
    print(f"\ntraining FLOPs of one net: { {name: f'{flops:.3g}' for name, (_, flops) in sizes.items()} }\n")
    for name in ("self", "ensemble", "unlike"):
        gaps = np.array(results[name]) - np.array(results["plain"])
        middle = gaps.mean(axis=0)
        margin = stats.t.ppf(0.975, REPLICATES - 1) * gaps.std(axis=0, ddof=1) / np.sqrt(REPLICATES)
        cells = [f"{m:+.{k}f} [{m - d:+.{k}f}, {m + d:+.{k}f}]" for m, d, k in zip(middle, margin, places, strict=True)]
        print(f"| {name} − plain | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
