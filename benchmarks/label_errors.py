"""Does a population find wrong labels that one model does not? Planted errors in MNIST and in digits.

    python -m benchmarks.label_errors --data digits --out digits --seeds 0 1 2
    python -m benchmarks.label_errors --data ../shared/data --out found --seeds 0 1 2
    python -m benchmarks.label_errors --out found   # the tables of what is in the folder

Worlds: 5 % of the labels replaced at random (`flips`), 8 % made by a logistic regression (`machine`: its own second
choice where it is least sure), 10 % within pairs of alike classes (`pairs`); and nets trained on what is left of
`flips` (`cleaning`). Prints one table for each. What was trained is kept in the folder of
--out, so that an interrupted call is resumed; a complete world is not computed again. Nothing was tuned on these seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from polyculture.dataset import Dataset
from polyculture.measures.effective import effective
from polyculture.measures.label_errors import LabelErrors, label_errors
from polyculture.predictions import Predictions
from polyculture.preparation.splits import sampled
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training import ARCHITECTURES
from polyculture.training.out_of_fold import out_of_fold

INSTANCES, FOLDS = 5000, 5
DIGITS = Path("digits")
NET: dict[str, Any] = {"optimizer": "adam", "hyperparameters": {"epochs": 8, "dropout": 0.3}}
ALIKE = tuple(Recipe("lenet", seed=seed, **NET) for seed in range(6))
UNLIKE = (
    *(Recipe(name) for name in ("logistic", "forest", "knn")),
    Recipe("mlp", optimizer="adam"),
    ALIKE[0],
)
PAIRS = {3: 5, 5: 3, 4: 9, 9: 4, 1: 7, 7: 1}
"""Classes that are taken for each other."""
WORLDS = ("flips", "machine", "pairs", "cleaning")
Row = dict[str, float | str]


def images(data: Path, seed: int) -> tuple[Dataset, Dataset]:
    """Training instances drawn by the seed, with their true labels, and the test set."""
    if data == DIGITS:
        return small_images(seed)
    file = np.load(data / "image" / "mnist.npz")
    classes = tuple(map(str, range(10)))
    train, test = (
        Dataset(
            (file[f"x_{part}"] / 255).astype(np.float32),
            file[f"y_{part}"].astype(np.int64),
            classes,
            name="mnist",
            modality="image",
        )
        for part in ("train", "test")
    )
    return train.take(sampled(train.labels, INSTANCES, stream(seed, "images"))), test


def small_images(seed: int) -> tuple[Dataset, Dataset]:
    """1,297 and 500 of the digits of scikit-learn (Alpaydin and Kaynak 1998), drawn by the seed."""
    bunch = load_digits()
    inputs, labels = (bunch.images / 16).astype(np.float32), bunch.target.astype(np.int64)
    whole = Dataset(inputs, labels, tuple(map(str, range(10))), name="digits", modality="image")
    rows = sampled(labels, 1297, stream(seed, "images"))
    return whole.take(rows), whole.take(np.setdiff1d(np.arange(len(whole)), rows))


def random_flips(train: Dataset, seed: int, share: float = 0.05) -> np.ndarray:
    """Labels of which this share is another class, each as likely."""
    draw, labels = stream(seed, "flips"), train.labels.copy()
    rows = draw.permutation(len(labels))[: round(share * len(labels))]
    labels[rows] = (labels[rows] + draw.integers(1, 10, len(rows))) % 10
    return labels


def machine_made(train: Dataset, data: Path, seed: int, share: float = 0.08) -> np.ndarray:
    """Labels of which this share is what a logistic regression takes for most probable but for the truth.

    It learned from other images and mislabels those on which the truth leads least, or does not lead.
    """
    other = images(data, seed)[1] if data == DIGITS else images(data, seed + 10_000)[0]
    model = LogisticRegression(C=0.1, max_iter=200).fit(other.array.reshape(len(other), -1), other.labels)
    belief = model.predict_proba(train.array.reshape(len(train), -1))
    rows, labels = np.arange(len(train)), train.labels.copy()
    truth = belief[rows, train.labels]
    belief[rows, train.labels] = -1
    hard = np.argsort(truth - belief.max(axis=1))[: round(share * len(labels))]
    labels[hard] = belief[hard].argmax(axis=1)
    return labels


def confused_pairs(train: Dataset, seed: int, share: float = 0.10) -> np.ndarray:
    """Labels of which this share is the partner of the true class."""
    labels = train.labels.copy()
    candidates = stream(seed, "pairs").permutation(np.flatnonzero(np.isin(labels, list(PAIRS))))
    rows = candidates[: round(share * len(labels))]
    labels[rows] = [PAIRS[label] for label in labels[rows]]
    return labels


def judged(name: str, score: np.ndarray, flagged: np.ndarray, wrong: np.ndarray) -> Row:
    """How well a finder does: a low score is suspicious."""
    first = np.argsort(score, kind="stable")[: int(wrong.sum())]
    return {
        "finder": name,
        "AP": float(average_precision_score(wrong, -score)),
        "P at k": float(wrong[first].mean()),
        "P": float(wrong[flagged].mean()) if flagged.any() else float("nan"),
        "R": float(flagged[wrong].mean()),
        "flagged": float(flagged.sum()),
    }


def of_cleanlab(name: str, probabilities: np.ndarray, labels: np.ndarray, wrong: np.ndarray) -> list[Row]:
    """What cleanlab finds with these probabilities, by its default rule and by both of its rules."""
    score = get_label_quality_scores(labels, probabilities, method="normalized_margin")
    rules = {"default": "prune_by_noise_rate", "both": "both"}
    return [
        judged(
            f"cleanlab {word}, {name}", score, find_label_issues(labels, probabilities, filter_by=rule, n_jobs=1), wrong
        )
        for word, rule in rules.items()
    ]


def of_population(name: str, errors: LabelErrors, wrong: np.ndarray) -> Row:
    """What the mean of a population finds, with the precision that it expects."""
    return judged(name, errors.score, errors.flagged, wrong) | {"P expected": errors.expected_precision}


def rows_of_finders(predictions: Predictions, names: list[str], wrong: np.ndarray, mean: str) -> list[Row]:
    """Single members with cleanlab, the best of them by AP, and the mean of all."""
    assert predictions.probabilities is not None
    assert predictions.labels is not None
    tables, labels = predictions.probabilities.astype(np.float64), predictions.labels
    tables /= tables.sum(axis=2, keepdims=True)
    rows = [row for name, table in zip(names, tables, strict=True) for row in of_cleanlab(name, table, labels, wrong)]
    rows += of_cleanlab(mean, tables.mean(axis=0), labels, wrong)
    return [*rows, of_population(f"population: {mean}", label_errors(tables, labels, names), wrong)]


def found(recipes: tuple[Recipe, ...], train: Dataset, labels: np.ndarray, folder: Path) -> Predictions:
    """Out-of-fold predictions of the recipes for these labels."""
    return out_of_fold(recipes, replace(train, labels=labels), folder, folds=FOLDS, workers=1)


def flips(data: Path, seed: int, folder: Path) -> dict[str, Any]:
    """Six alike nets and two simpler models, beside cleanlab on each."""
    train, _ = images(data, seed)
    labels = random_flips(train, seed)
    wrong = labels != train.labels
    predictions = found((*ALIKE, *UNLIKE[:2]), train, labels, folder)
    names = [f"net {k}" for k in range(6)] + ["logistic", "forest"]
    alike, others = (
        predictions.take_models(predictions.model_ids[:6]),
        predictions.take_models(predictions.model_ids[6:]),
    )
    rows = rows_of_finders(others, names[6:], wrong, "logistic and forest")
    rows += rows_of_finders(alike, names[:6], wrong, "six nets")
    errors = label_errors(alike.probabilities, labels)  # type: ignore[arg-type]
    headline = {
        "flagged that all fail": errors.all_wrong_flagged,
        "all wrong": errors.all_wrong_rate,
        "without the flagged": errors.all_wrong_rate_without,
        "by true labels": float((alike.answers != train.labels).all(axis=0).mean()),
    }
    return {"rows": rows, "headline": headline}


def unlike(train: Dataset, labels: np.ndarray, folder: Path) -> dict[str, Any]:
    """Five unlike members, the mean without each, and which of them sides with the labels."""
    wrong = labels != train.labels
    predictions = found(UNLIKE, train, labels, folder)
    names = [recipe.architecture for recipe in UNLIKE]
    rows = rows_of_finders(predictions, names, wrong, "five unlike")
    errors = label_errors(predictions.probabilities, labels, names)  # type: ignore[arg-type]
    assert errors.left_out is not None
    sides = dict(zip(names, errors.left_out.sides_with_labels.tolist(), strict=True))
    for name in names:
        rest = label_errors(predictions.probabilities, labels, names, leave_out=(name,))  # type: ignore[arg-type]
        rows.append(of_population(f"population without {name}", rest, wrong))
    return {"rows": rows, "sides with labels": sides, "most changing": errors.left_out.most_changing}


def cleaning(data: Path, seed: int, folder: Path) -> dict[str, Any]:
    """Three nets trained on flipped, cleaned, relabelled and true labels, on the test set."""
    train, test = images(data, seed)
    labels = random_flips(train, seed)
    errors = label_errors(found(ALIKE, train, labels, folder).probabilities, labels)  # type: ignore[arg-type]
    noisy = replace(train, labels=labels)
    sets = {
        "as they are": noisy,
        "flagged dropped": noisy.take(np.flatnonzero(~errors.flagged)),
        "flagged relabelled": replace(train, labels=np.where(errors.flagged, errors.suggested, labels)),
        "true labels": train,
    }
    rows = []
    for name, dataset in sets.items():
        models = [ARCHITECTURES["lenet"].fit(recipe, dataset) for recipe in ALIKE[:3]]
        wrong = np.array([model(test.array).argmax(axis=1) for model in models]) != test.labels
        numbers = effective(wrong, test.labels)
        rows.append({"labels": name, "accuracy": float(1 - wrong.mean()), "all wrong": float(wrong.all(axis=0).mean())})
        rows[-1]["n_eff of 3"] = float(numbers.n_eff)
    return {"rows": rows}


def world(name: str, data: Path, seed: int, folder: Path) -> dict[str, Any]:
    """The results of one world, computed or read."""
    path = folder / f"seed-{seed}" / f"{name}.json"
    if path.is_file():
        return json.loads(path.read_text("utf-8"))  # type: ignore[no-any-return]
    start, models = time.process_time(), path.parent / ("flips" if name == "cleaning" else name)
    if name == "flips":
        result = flips(data, seed, models)
    elif name == "cleaning":
        result = cleaning(data, seed, models)
    else:
        train, _ = images(data, seed)
        labels = machine_made(train, data, seed) if name == "machine" else confused_pairs(train, seed)
        result = unlike(train, labels, models)
    result["seconds"] = time.process_time() - start
    half = path.with_suffix(f".{os.getpid()}.half")
    half.write_text(json.dumps(result, indent=1), encoding="utf-8")
    half.replace(path)
    return result


def table(results: list[dict[str, Any]]) -> str:
    """Means over the seeds, with the smallest and largest in brackets where there are several."""
    key, *columns = results[0]["rows"][0] | results[0]["rows"][-1]
    lines = [f"| {key} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for k, row in enumerate(results[0]["rows"]):
        cells = []
        for column in columns:
            values = [result["rows"][k].get(column, float("nan")) for result in results]
            places = 0 if column == "flagged" else 4 if key == "labels" else 3
            extent = f" [{min(values):.{places}f}, {max(values):.{places}f}]" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.{places}f}{extent}" if np.isfinite(values).all() else "–")
        lines.append(f"| {row[key]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Compute what is missing of the worlds asked for, and print the tables of all seeds in the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="digits, or a folder with image/mnist.npz")
    parser.add_argument("--out", type=Path, default=Path("label-errors"), help="folder of what has been computed")
    parser.add_argument("--seeds", type=int, nargs="*", default=[])
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=WORLDS)
    options = parser.parse_args()
    for name in options.worlds:
        for seed in options.seeds:
            world(name, options.data, seed, options.out)
            print(f"seed {seed}, {name}: done", flush=True)
    for name in options.worlds:
        seeds = [seed for seed in range(100) if (options.out / f"seed-{seed}" / f"{name}.json").is_file()]
        results = [world(name, options.data, seed, options.out) for seed in options.seeds or seeds]
        if results:
            print(f"\n{name}, seeds {options.seeds or seeds}\n\n{table(results)}")
            for result in results:
                print({key: value for key, value in result.items() if key != "rows"})


if __name__ == "__main__":
    main()
