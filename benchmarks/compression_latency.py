"""What do 8 bits, half precision and shared weights make of small and of larger nets? Size, latency and answers.

    OMP_NUM_THREADS=1 python benchmarks/compression_latency.py [--epochs 15] [--seconds 3] [--levels int8 half …]

Prints rows for benchmarks/README.md: five nets of the house, trained on digits, against the ONNX graphs of the same
nets in single precision. Both are run in turns by onnxruntime in one thread; medians. The last column is what the gate
says that asks int8 for three times smaller, twice as fast, at most 1 % of answers changed and .5 points of accuracy
lost; its defaults for the others.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

import onnxruntime

import polyculture as pc
from polyculture.compression import CompressionContext, compress
from polyculture.compression.gate import Budget, gate
from polyculture.compression.measuring import measure
from polyculture.predictions import PredictionSets
from polyculture.stats.interval import percent

NETS = {
    "MLP": ("mlp", {}),
    "LeNet": ("lenet", {}),
    "ResNet-8, width 16": ("resnet", {"depth": 8, "width": 16}),
    "ResNet-8, width 32": ("resnet", {"depth": 8, "width": 32}),
    "ResNet-8, width 64": ("resnet", {"depth": 8, "width": 64}),
}
LEVELS = ("int8", "half", "cluster-weights=0.75", "cluster-weights=0.875")
ASKED = Budget(smaller=3.0, faster=2.0, churn=0.01, accuracy=0.005)
HEADER = (
    *("net", "parameters", "compressed by", "kB", "smaller", "ms at 1", "faster", "ms at 32", "faster"),
    *("changed", "accuracy", "the gate"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15, help="of training each net")
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring each net at each batch")
    parser.add_argument("--levels", nargs="+", default=LEVELS, help="what is done to the nets")
    options = parser.parse_args()
    problem = pc.load_problem("digits")
    recipes = {
        name: pc.Recipe(net, optimizer="adam", hyperparameters={"epochs": options.epochs} | settings)
        for name, (net, settings) in NETS.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        population = pc.train(list(recipes.values()), problem, Path(folder), workers=1)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, {platform.machine()}, load {load:.1f}, onnxruntime {onnxruntime.__version__}\n")
    print(row(HEADER), row(["---"] * len(HEADER)), sep="\n")
    for level in options.levels:
        for line in rows(level, population, problem, recipes, options.seconds):
            print(row(line), flush=True)


def rows(
    level: str, population: pc.Population, problem: pc.Problem, recipes: dict[str, pc.Recipe], seconds: float
) -> list[list[str]]:
    """A line for each net at a level."""
    context = CompressionContext(problem.split.train)
    compressed = compress(population, level, lambda _: context)
    sets = [PredictionSets(pc.predict(models, problem.split.test)) for models in (population, compressed)]
    models = population.models
    measurements = {
        name: measure(models[name], compressed.models[name], problem.split.test, seconds) for name in models
    }
    result = gate(*sets, measurements, ASKED if level == "int8" else Budget())
    lines = []
    for name, verdict in zip(recipes, result.verdicts, strict=True):
        cost, accuracy = measurements[verdict.model], verdict.changes["accuracy"]
        lines.append(
            [
                name,
                f"{models[verdict.model].parameters:,}",
                level,
                f"{cost.original.bytes / 1000:,.0f} → {cost.compressed.bytes / 1000:,.0f}",
                f"{cost.factors['smaller']:.2f}×",
                f"{cost.original.milliseconds:.3f} → {cost.compressed.milliseconds:.3f}",
                f"{cost.speed}×",
                f"{cost.original.milliseconds_32:.2f} → {cost.compressed.milliseconds_32:.2f}",
                f"{cost.speed_32}×",
                percent(verdict.churn.estimate),
                f"{percent(accuracy.original.estimate)} → {percent(accuracy.compressed.estimate)}",
                "kept" if verdict.accepted else f"refused: {verdict.reason}",
            ]
        )
    return lines


def row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
