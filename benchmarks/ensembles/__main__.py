"""Does choosing beat what else the same CPU seconds buy? Ten sets, five seeds, twelve methods.

    OMP_NUM_THREADS=1 python -m benchmarks.ensembles --data FOLDER --out RESULTS --autogluon PYTHON

FOLDER has the public data in image/, tabular/, text/ and speech/; PYTHON is one with `autogluon.tabular`, without which
its selection, and its own default for tables, are left out. The extra `boosters` brings CatBoost and LightGBM. One file
is kept per set and seed, so that an interrupted run goes on, and several processes may share the work (`--only`).
The table for benchmarks/README.md is printed from the files: `--table`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from polyculture.dataset import Dataset
from polyculture.selection.estimators import DiverseEnsembleClassifier
from polyculture.selection.estimators.crossfitting import TrainingTable, crossfit, scores
from polyculture.selection.estimators.crossfitting import shares as shares_of
from polyculture.selection.estimators.time_budget import TimeBudget

from . import boosters, rivals
from .rivals import Clock, Said
from .sets import Cut, rows, sets
from .telling import table
from .tried import nets, tried

SEEDS = (45, 46, 47, 48, 49)
"""Never looked at while learners and the rule were chosen."""
METHODS = ("deep ensemble", "random forest", "boosting", "voting", "stacking", "CatBoost", "LightGBM, tuned")
"""What gets the seconds besides those that choose from the same opinions."""
FOLDS = 4
"""Of ours and of stacking: with the fit on all rows, both fit everybody once on all rows and four times on three
quarters of them."""
SMALLEST = 1e-6


def judged(said: Said, tests: dict[str, Dataset], seconds: float) -> dict[str, Any]:
    """Log-loss, accuracy, accuracy on the worst shifted test, share that all members fail, members, CPU seconds."""
    accuracy = {}
    for name, test in tests.items():
        accuracy[name] = float((said[name][0].argmax(axis=1) == test.labels).mean())
    probabilities, answers = said["test"]
    labels = tests["test"].labels
    truth = np.maximum(probabilities[np.arange(len(labels)), labels], SMALLEST)
    return {
        "log-loss": float(-np.log(truth).mean()),
        "accuracy": accuracy.pop("test"),
        "worst shift": min(accuracy.values()),
        "all wrong": float((answers != labels).all(axis=0).mean()),
        "members": len(answers),
        "seconds": seconds,
    }


def caruana(python: Path, probabilities: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """Weights of AutoGluon's ensemble selection, and what they took."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "asked.npz"
        np.savez(asked, probabilities=probabilities, labels=labels, seed=seed)
        command = [str(python), str(Path(__file__).parent / "caruana.py"), str(asked)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return np.array(said["weights"]), said["seconds"]


def autogluon(python: Path, develop: Dataset, tests: dict[str, Dataset], seconds: float) -> tuple[Said, float]:
    """AutoGluon's default for tables (seconds on the wall, one core), and the CPU seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        asked, said = Path(folder) / "asked.npz", Path(folder) / "said.npz"
        new = {f"test {name}": rows(test) for name, test in tests.items()}
        classes = len(develop.classes)
        np.savez(asked, X=rows(develop), y=develop.labels, seconds=seconds, classes=classes, **new)
        command = [str(python), str(Path(__file__).parent / "whole_autogluon.py"), str(asked), str(said)]
        subprocess.run(command, check=True, capture_output=True)
        with np.load(said, allow_pickle=False) as found:
            each = {name: (found[f"test {name}"], found[f"members test {name}"]) for name in tests}
            return each, float(found["seconds"])


def best_net(cut: Cut, seed: int, known: dict[Any, float]) -> tuple[str, Any]:
    """The net with the lowest cross-fitted log-loss; finding it is not charged to the deep ensemble."""
    X, y = rows(cut.develop), cut.develop.labels.astype(np.int64)
    found = nets(cut, seed)
    new = [(name, net) for name, net in found if name not in known]
    if new:
        turns = np.arange(len(y)) % 5
        table = TrainingTable(X, y, len(cut.develop.classes), None, turns, None)
        candidates, _ = crossfit(new, table, TimeBudget(), None, None)
        for candidate in candidates:
            truth = softmax(candidate.scores, axis=1)[np.arange(len(y)), y]
            known[candidate.name] = float(-np.log(np.maximum(truth, SMALLEST)).mean())
    return min(found, key=lambda pair: known.get(pair[0], np.inf))


class Remembering(DiverseEnsembleClassifier):
    """The estimator itself; it also keeps those who earned no weight, fitted to all rows, for others to choose from."""

    def _candidates(self, found: Any, learners: Any) -> Any:
        self.everybody_ = found
        return super()._candidates(found, learners)

    def _fit_to_all_rows(self, kept: Any, *others: Any) -> Any:
        fits = super()._fit_to_all_rows(self.tried_, *others)
        self.whole_ = {name: fit.member for name, fit in fits.items()}
        return {candidate.name: fits[candidate.name] for candidate in kept}

    def _weigh(self, candidates: Any, *others: Any) -> None:
        self.tried_ = candidates
        super()._weigh(candidates, *others)


def one(cut: Cut, seed: int, python: Path | None, methods: tuple[str, ...]) -> dict[str, Any]:
    """The methods on one set, cut by one seed; each gets as many CPU seconds as ours took."""
    develop, tests = cut.develop, {"test": cut.test, **cut.shifted}
    X, labels = rows(develop), develop.labels.astype(np.int64)
    learners = tried(cut, seed)
    started = time.process_time()
    ours = Remembering(learners, cv=FOLDS, random_state=seed, prepare=False).fit(X, labels)
    budget = time.process_time() - started
    told = _of_the_same_opinions(ours, tests, seed, python, budget)
    name, net = "", None
    if "deep ensemble" in methods:
        name, net = best_net(cut, seed, dict(ours.candidates_["log_loss"]))
    ways = {
        "deep ensemble": lambda clock: rivals.deep_ensemble(net, develop, tests, clock, seed),
        "random forest": lambda clock: rivals.random_forest(develop, tests, clock, seed),
        "boosting": lambda clock: rivals.boosting(develop, tests, clock, seed),
        "voting": lambda clock: rivals.voting(learners, develop, tests, clock),
        "stacking": lambda clock: rivals.stacking(learners, FOLDS, develop, tests, clock),
        "CatBoost": lambda clock: boosters.catboost(develop, tests, clock, seed),
        "LightGBM, tuned": lambda clock: boosters.lightgbm(develop, tests, clock, seed),
    }
    for method in methods:
        clock = Clock(budget)
        told[method] = judged(ways[method](clock), tests, clock.spent)
    if python is not None and cut.modality == "table":
        said, seconds = autogluon(python, develop, tests, budget)
        told["AutoGluon, tables"] = judged(said, tests, seconds)
    if net is not None:
        told["deep ensemble"]["of"] = name
    return told


def _of_the_same_opinions(
    ours: Remembering, tests: dict[str, Dataset], seed: int, python: Path | None, budget: float
) -> dict[str, Any]:
    """Ours, its best single learner, the mean of all and, with AutoGluon, its selection, of one pool of members."""
    classes = len(next(iter(tests.values())).classes)

    def all_classes(said: Said) -> Said:
        """Codes of the classes that were learned from become those of the set, which may have more."""
        known = np.asarray(ours.classes_, np.int64)
        found = {}
        for name, (probabilities, answers) in said.items():
            complete = np.zeros((len(probabilities), classes))
            complete[:, known] = probabilities
            found[name] = complete, known[answers]
        return found

    opinions = {
        name: [
            np.stack([scores(member, rows(test), len(ours.classes_)) for member in (*c.members, ours.whole_[c.name])])
            for c in ours.everybody_
        ]
        for name, test in tests.items()
    }
    shares = shares_of(FOLDS + 1, True)
    pooled = all_classes({name: _pooled(ours, given, shares) for name, given in opinions.items()})
    told = {"polyculture": judged(pooled, tests, budget)}
    warmth, losses = ours._pool.temperatures, ours.candidates_["log_loss"].to_numpy()
    ways = {
        "best single": (np.arange(len(losses)) == losses.argmin()).astype(float),
        "uniform, all": np.ones(len(losses)),
    }
    seconds = dict.fromkeys(ways, 0.0)
    if python is not None:
        name = "Caruana (AutoGluon)"
        y = ours._training_scores.y.astype(np.int64)
        ways[name], seconds[name] = caruana(python, np.exp(ours._logs()), y, seed)
    for name, weights in ways.items():
        said = all_classes(rivals.weighted(opinions, warmth, shares, weights))
        told[name] = judged(said, tests, budget + seconds[name])
    return told


def _pooled(ours: Remembering, given: list[np.ndarray], shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the ensemble as `predict_proba` makes them, and the answer of each kept learner."""
    pool = ours._pool
    each = np.log(np.maximum([pool.opinion(int(m), given[m], shares) for m in pool.members], np.finfo(float).tiny))
    return pool.combined(each), each.argmax(axis=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the public data")
    parser.add_argument("--out", type=Path, required=True, help="folder of results, one file per set and seed")
    parser.add_argument("--autogluon", type=Path, help="python of an environment with autogluon.tabular")
    parser.add_argument("--only", nargs="+", help="names of sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=METHODS, help="which others are fitted")
    parser.add_argument("--table", action="store_true", help="print the table of what is there")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.table:
        print(table(arguments.out))
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    ready = sets(arguments.data)
    for seed in arguments.seeds:
        for name in arguments.only or ready:
            path = arguments.out / f"{name} {seed}.json"
            if path.exists():
                continue
            told = one(ready[name](seed), seed, arguments.autogluon, tuple(arguments.methods))
            half = path.with_suffix(".half")
            half.write_text(json.dumps(told, indent=1))
            half.replace(path)
            shown = ", ".join(f"{k} {v['log-loss']:.4f} ({v['seconds']:.0f} s)" for k, v in told.items())
            print(f"{name}, seed {seed}: {shown}", flush=True)


if __name__ == "__main__":
    main()
