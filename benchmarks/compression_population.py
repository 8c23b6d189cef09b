"""What does compressing a set of nets do to the set? Five residual nets, compressed in eight ways, several times.

    python -m benchmarks.compression_population --data digits
    python -m benchmarks.compression_population --data ../shared/data/image/mnist.npz
    python -m benchmarks.compression_population --data digits --short

Prints two tables in Markdown: the nets as they are, and for each chain of steps the change against them, as a mean over
the replicates with a 95 % interval of Student's t; and differences between chains that lead to the same size. A
replicate has a split, starting weights and an order of instances of its own. Nets are `resnet` of depth 8 and width 16;
students have half of the width. Nothing is chosen on the test part. With --short the nets learn for two epochs only,
and their students for five. What has been computed is kept in --out, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from polyculture.compression import CompressionContext, compressed
from polyculture.compression.measuring import measure
from polyculture.compression.one_model import mean_of
from polyculture.dataset import Dataset
from polyculture.measures.effective import effective
from polyculture.models.fitted import Fitted
from polyculture.models.threads import one_thread
from polyculture.preparation.problems import load_problem
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.architectures import find_architecture
from polyculture.training.finetuning import finetune
from polyculture.training.students import fit_student

MODELS = 5
EPOCHS = {"digits": (5, 5, 5), "mnist": (4, 2, 4), "short": (2, 2, 5)}
"""Epochs of training, of fine-tuning (5 is the default of the command) and of students."""
LEVELS = (
    "int8",
    "half",
    "prune-weights=0.7+tune",
    "low-rank=0.5+tune",
    "prune-channels=0.5+tune",
    "prune-channels=0.5+tune-self",
    "prune-channels=0.5+tune-ensemble",
    "prune-channels=0.5+tune+int8",
    "distil-self=0.5",
    "distil-unlike=0.5",
    "distil-ensemble=0.5",
    "narrow",
)
"""Chains of steps; a ``"narrow"`` net has half of the width, too, and learned from the labels alone."""
CONTRASTS = (
    *((f"distil-{teacher}=0.5", "narrow") for teacher in ("self", "unlike", "ensemble")),
    *((f"prune-channels=0.5+tune-{teacher}", "prune-channels=0.5+tune") for teacher in ("self", "ensemble")),
    ("prune-channels=0.5+tune+int8", "prune-channels=0.5+tune"),
)
"""Sets of one size that are compared with one another."""
COLUMNS = (*("accuracy", "of the set", "disagreement", "joint errors", "n_eff", "all wrong", "changed", "size", "ms"),)
SHARES = ("accuracy", "of the set", "disagreement", "all wrong", "changed")


def parts(data: str, replicate: int) -> tuple[Dataset, Dataset]:
    """Training and test instances of a replicate; of MNIST 2,000 and 8,000."""
    if data == "digits":
        split = load_problem("digits", replicate).split
        return split.train, split.test
    with np.load(data) as arrays:
        order = stream(replicate, "MNIST").permutation(len(arrays["x_train"]))[:10_000]
        images, labels = (arrays["x_train"][order] / 255).astype(np.float32), arrays["y_train"][order].astype(np.int64)
    dataset = Dataset(images, labels, tuple("0123456789"), modality="image")
    return dataset.take(np.arange(2_000)), dataset.take(np.arange(2_000, 10_000))


def context(j: int, models: list[Fitted], recipe: Recipe, train: Dataset, epochs: int) -> CompressionContext:
    """What the methods may use for one net; its original, all of them, or the most unlike one teach."""

    wrong = np.stack([model(train.array).argmax(axis=1) != train.labels for model in models]).astype(float)
    alike = [float((wrong[j] * other).mean() - wrong[j].mean() * other.mean()) for other in wrong]
    alike[j] = np.inf
    return CompressionContext(
        train,
        recipe.seed,
        {"self": models[j], "ensemble": mean_of(models), "unlike": models[int(np.argmin(alike))]},
        lambda model, epochs, teacher=None: finetune(model, recipe, train, epochs, recipe.seed, teacher),
        lambda share, teacher: fit_student(longer(recipe, epochs), train, share, teacher, recipe.seed)[1],
    )


def longer(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with so many epochs."""
    return replace(recipe, hyperparameters={**recipe.hyperparameters, "epochs": epochs})


def after(level: str, model: Fitted, one: CompressionContext, recipe: Recipe, epochs: int) -> Fitted:
    """The net after these steps."""
    if level == "narrow":
        narrow = {**recipe.hyperparameters, "width": recipe.hyperparameters["width"] // 2, "epochs": epochs}
        return find_architecture("resnet").fit(replace(recipe, hyperparameters=narrow), one.train)
    return compressed(model, level, one)


def quantities(outputs: np.ndarray, originals: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Of m × n × c probabilities, next to those of the originals."""
    answers = outputs.argmax(axis=2)
    wrong = answers != labels
    rates, n = wrong.mean(axis=1), len(labels)
    pairs = np.triu_indices(len(wrong), 1)
    joint = (wrong.astype(float) @ wrong.T / n)[pairs].sum()
    return {
        "accuracy": 1 - float(rates.mean()),
        "of the set": float((outputs.mean(axis=0).argmax(axis=1) == labels).mean()),
        "disagreement": float(np.mean([(answers[a] != answers[b]).mean() for a, b in zip(*pairs, strict=True)])),
        "joint errors": float(joint / np.outer(rates, rates)[pairs].sum()),
        "n_eff": effective(wrong).n_eff,
        "all wrong": float(wrong.all(axis=0).mean()),
        "changed": float((answers != originals.argmax(axis=2)).mean()),
    }


def replicate(data: str, number: int, folder: Path, short: bool = False) -> dict[str, dict[str, float]]:
    """The quantities of the nets as they are ("none") and after each level."""
    train, test = parts(data, number)
    epochs, tuned, taught = EPOCHS["short" if short else "digits" if data == "digits" else "mnist"]
    settings = {"depth": 8, "width": 16, "epochs": epochs}
    recipes = [
        Recipe("resnet", optimizer="adam", hyperparameters=settings, seed=100 * number + j) for j in range(MODELS)
    ]
    architecture = find_architecture("resnet")
    with one_thread():
        models = [architecture.fit(recipe, train) for recipe in recipes]
        contexts = [context(j, models, recipe, train, taught) for j, recipe in enumerate(recipes)]
        originals = np.stack([model(test.array) for model in models])
        rows = {"none": quantities(originals, originals, test.labels)}
        (folder / f"{number}-none.json").write_text(json.dumps(rows["none"]))
        for level in LEVELS:
            path = folder / f"{number}-{level}.json"
            if not path.is_file():
                smaller = [
                    after(re.sub(r"(tune[a-z-]*)", rf"\1={tuned}", level), model, one, recipe, taught)
                    for model, one, recipe in zip(models, contexts, recipes, strict=True)
                ]
                row = quantities(np.stack([model(test.array) for model in smaller]), originals, test.labels)
                sizes = [measure(a, b, test) for a, b in zip(models, smaller, strict=True)]
                row["size"] = float(np.mean([one.original.bytes / one.compressed.bytes for one in sizes]))
                row["ms"] = float(np.mean([one.original.milliseconds / one.compressed.milliseconds for one in sizes]))
                path.write_text(json.dumps(row))
            rows[level] = json.loads(path.read_text())
            print(number, level, {name: round(value, 4) for name, value in rows[level].items()}, flush=True)
    return rows


def table(replicates: list[dict[str, dict[str, float]]]) -> Iterator[str]:
    """Lines of Markdown."""
    yield f"| chain | {' | '.join(COLUMNS)} |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    for level in ("none", *LEVELS):
        cells = []
        for column in COLUMNS:
            values = np.array([rows[level].get(column, np.nan) for rows in replicates])
            if level != "none" and column not in ("size", "ms", "changed"):
                values = values - np.array([rows["none"][column] for rows in replicates])
            cells.append(cell(values, column, level))
        yield f"| {level} | {' | '.join(cells)} |"
    yield ""
    yield f"| difference | {' | '.join(COLUMNS[:6])} |"
    yield "|---" * 7 + "|"
    for level, other in CONTRASTS:
        gaps = {name: np.array([row[level][name] - row[other][name] for row in replicates]) for name in COLUMNS[:6]}
        yield f"| {level} − {other} | {' | '.join(cell(gap, name, level) for name, gap in gaps.items())} |"


def cell(values: np.ndarray, column: str, level: str) -> str:
    """Mean ± half of the interval; shares in per cent or points, size and speed as factors."""
    if np.isnan(values).any() or (level == "none" and column == "changed"):
        return "–"
    scale = 100 if column in SHARES else 1
    mean = values.mean() * scale
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) * scale
    sign = "+" if level != "none" and column not in ("size", "ms", "changed") else ""
    factor = " ×" if column in ("size", "ms") else ""
    return f"{mean:{sign}.2f} ± {half:.2f}{factor}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, or the file of MNIST")
    parser.add_argument("--replicates", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="nets that have not learned for long")
    parser.add_argument("--out", type=Path, default=None, help="folder of what has been computed")
    options: Any = parser.parse_args()
    folder = options.out or Path(tempfile.mkdtemp(prefix="compression-"))
    folder.mkdir(parents=True, exist_ok=True)
    done = [replicate(options.data, number, folder, options.short) for number in range(options.replicates)]
    print("\n".join(table(done)))


if __name__ == "__main__":
    main()
