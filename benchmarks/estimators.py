"""Does choosing beat voting and stacking? The same learners, six tables, five seeds, log-loss and accuracy.

    OMP_NUM_THREADS=1 python benchmarks/estimators.py --data FOLDER

Prints a table for benchmarks/README.md. FOLDER/tabular holds german.csv.gz, UCI_Credit_Card.csv.gz and heart_*.csv;
without it only the three sets that come with scikit-learn are run. All three methods get the same sixteen learners
behind the same preparation. Voting needs probabilities of everybody, so its support vector machines are calibrated
(Platt, three folds); stacking takes their decision values, as scikit-learn does by itself.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from scipy.stats import t as student
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from polyculture.selection.estimators import DiverseEnsembleClassifier
from polyculture.selection.estimators.learners import classifiers, prepared

Table = tuple[pd.DataFrame, np.ndarray]
TEST = 0.4
HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")


def german(folder: Path) -> Table:
    """1,000 clients, good or bad credit risk."""
    table = pd.read_csv(folder / "german.csv.gz", header=None)
    return table.iloc[:, :-1], table.iloc[:, -1].to_numpy()


def credit(folder: Path) -> Table:
    """6,000 of the 30,000 card holders, default next month or not."""
    table = pd.read_csv(folder / "UCI_Credit_Card.csv.gz").sample(6000, random_state=0)
    inputs = table.iloc[:, 1:-1].astype(dict.fromkeys(("SEX", "EDUCATION", "MARRIAGE"), "category"))
    return inputs, table.iloc[:, -1].to_numpy()


def heart(folder: Path) -> Table:
    """Heart disease or not, four hospitals pooled, with missing values."""
    parts = [pd.read_csv(folder / f"heart_{h}.csv", header=None, na_values="?").assign(hospital=h) for h in HOSPITALS]
    table = pd.concat(parts, ignore_index=True)
    inputs = table.drop(columns=[13]).astype(dict.fromkeys((2, 6, 10, 12, "hospital"), "category"))
    return inputs, (table[13] > 0).astype(int).to_numpy()


def tables(folder: Path | None) -> Iterator[tuple[str, Table]]:
    """Name, inputs and labels of each set."""
    for name, load in (("digits", load_digits), ("breast cancer", load_breast_cancer), ("wine", load_wine)):
        inputs, labels = load(return_X_y=True)
        yield name, (pd.DataFrame(inputs), labels)
    if folder is not None:
        for name, read in (("german credit", german), ("credit default", credit), ("heart", heart)):
            yield name, read(folder / "tabular")


def methods(inputs: pd.DataFrame, seed: int) -> dict[str, Callable[[], Any]]:
    """The three ways to use the same learners."""
    numbers = [pd.api.types.is_numeric_dtype(kind) for kind in inputs.dtypes]
    columns = tuple(np.flatnonzero(~np.array(numbers)).tolist()), tuple(np.flatnonzero(numbers).tolist())
    ready, speaking = [], []
    for name, learner in classifiers():
        learner.set_params(**{k: seed for k in learner.get_params() if k.endswith("random_state")})
        ready.append((name, prepared(learner, *columns)))
        if not hasattr(learner, "predict_proba"):
            learner = CalibratedClassifierCV(learner, cv=3, ensemble=False)
        speaking.append((name, prepared(learner, *columns)))
    final = LogisticRegression(max_iter=5000)
    return {
        "DiverseEnsembleClassifier": lambda: DiverseEnsembleClassifier(random_state=seed),
        "VotingClassifier": lambda: VotingClassifier(speaking, voting="soft"),
        "StackingClassifier": lambda: StackingClassifier(ready, final),
    }


def one(table: Table, seed: int) -> dict[str, tuple[float, float, float, float]]:
    """Log-loss, accuracy, CPU seconds of the fit and of predicting, by method."""
    inputs, labels = table
    inputs = inputs.set_axis([f"x{i}" for i in range(inputs.shape[1])], axis=1)
    split = train_test_split(inputs, labels, test_size=TEST, stratify=labels, random_state=seed)
    train, test, train_labels, test_labels = split
    found = {}
    for name, make in methods(inputs, seed).items():
        start = time.process_time()
        model = make().fit(train, train_labels)
        middle = time.process_time()
        probabilities = model.predict_proba(test)
        end = time.process_time()
        answers = model.classes_[probabilities.argmax(axis=1)]
        loss = log_loss(test_labels, probabilities, labels=model.classes_)
        found[name] = (loss, accuracy_score(test_labels, answers), middle - start, end - middle)
    return found


def limits(differences: np.ndarray) -> str:
    """Mean with a 95 % interval from repeated splits of one set, which overlap (Nadeau and Bengio 2003)."""
    n = len(differences)
    reach = student.ppf(0.975, n - 1) * np.sqrt((1 / n + TEST / (1 - TEST)) * differences.var(ddof=1))
    return f"{differences.mean():+.4f} [{differences.mean() - reach:+.4f}, {differences.mean() + reach:+.4f}]"


HEAD = ("set", "method", "log-loss", "accuracy", "CPU s, fit", "CPU s, predict")
GAINS = ("its log-loss less ours", "our accuracy less its")


def row(*cells: str) -> str:
    """A row of a markdown table."""
    return f"| {' | '.join(cells)} |"


def rows(name: str, runs: list[dict[str, tuple[float, float, float, float]]]) -> Iterator[str]:
    """One row per method: means over the seeds, and differences from ours, paired by seed."""
    ours = np.array([run["DiverseEnsembleClassifier"] for run in runs])
    for method in runs[0]:
        each = np.array([run[method] for run in runs])
        loss, accuracy, fit, predict = each.mean(axis=0)
        gains = (limits(each[:, 0] - ours[:, 0]), limits(ours[:, 1] - each[:, 1]))
        told = ("", "") if method == "DiverseEnsembleClassifier" else gains
        yield row(name, method, f"{loss:.4f}", f"{accuracy:.4f}", f"{fit:.1f}", f"{predict:.2f}", *told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102, 103, 104])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, scikit-learn {sklearn.__version__}"
    print(f"{machine}, seeds {arguments.seeds}\n")
    print(row(*HEAD, *GAINS), row(*["---"] * 8), sep="\n")
    for name, table in tables(arguments.data):
        for line in rows(name, [one(table, seed) for seed in arguments.seeds]):
            print(line, flush=True)


if __name__ == "__main__":
    main()
