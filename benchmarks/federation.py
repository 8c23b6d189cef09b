"""Federation gains accuracy and multiplies those whom nobody gets right: two experiments and their picture.

    python -m benchmarks.federation heart --data ../shared/data    # four hospitals, 20 splits
    python -m benchmarks.federation sweep                          # digits: how unlike clients are × local work
    python -m benchmarks.federation picture                        # docs/assets/federation.svg of both

Prints the tables of docs/experiments/federation.md. Every split and every cell is kept in the folder of --folder as one
line of JSON, so that an interrupted call is resumed. Settings were chosen on seeds from 100 on, which are not reported.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

import polyculture as pc
from polyculture.dataset import Dataset
from polyculture.rng import stream
from polyculture.stats import Interval
from polyculture.studies.federation.members import MemberSet
from polyculture.studies.federation.mixes import OwnMixes, own_mixes

HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")
LOGISTIC = {"depth": 0, "batch_size": 10_000, "epochs": 200, "schedule": "constant", "learning_rate": 0.1}
"""Logistic regression by full-batch gradient descent."""
NET = {"width": 64, "depth": 1, "dropout": 0.0, "epochs": 40, "learning_rate": 0.1, "schedule": "constant"}
PASSES = 40
"""Of every client of the sweep, however they are divided into rounds."""
LOCAL, FEDERATED, PERSONALIZED = "local only", "federated", "personalized"
OUTSIDER, POOLED = "one stays outside", "all data pooled"
COLUMNS = {"auc": "AUC, own hospital", "own": "accuracy, own mix", "accuracy": "accuracy, everyone's mix"}
COLUMNS |= {"all_wrong": "wrong for all, %", "n_eff": "n_eff"}
Row = dict[str, Any]


def hospitals(data: Path) -> Dataset:
    """All patients with the hospital that each belongs to; the 13 columns as they are, missing values as 0."""
    files = [data / "tabular" / f"heart_{name}.csv" for name in HOSPITALS]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise SystemExit(f"The heart data are not there: {missing[0]}; give their folder with --data FOLDER.")
    tables = [pd.read_csv(file, header=None, na_values="?").fillna(0.0) for file in files]
    table = pd.concat(tables, ignore_index=True)
    names = np.repeat(HOSPITALS, [len(part) for part in tables])
    instances = pd.DataFrame({"hospital": names}, index=pd.RangeIndex(len(table), name="instance"))
    labels = (table.iloc[:, -1].to_numpy() > 0).astype(np.int64)
    return Dataset(table.iloc[:, :-1].to_numpy(np.float32), labels, ("healthy", "ill"), instances, "heart")


def halves(patients: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Half of the healthy and half of the ill of every hospital to learn from, the others to be tested."""
    generator = stream(seed, "halves")
    groups = patients.instances["hospital"].to_numpy() + patients.labels.astype(str)
    train: list[int] = []
    for group in np.unique(groups):
        rows = generator.permutation(np.flatnonzero(groups == group))
        train += rows[: len(rows) // 2 + int(len(rows) % 2 and generator.random() < 0.5)].tolist()
    mask = np.isin(np.arange(len(patients)), train)
    return patients.take(np.flatnonzero(mask)), patients.take(np.flatnonzero(~mask))


def heart_split(patients: Dataset, seed: int) -> list[Row]:
    """Every set of models on one split."""
    train, test = halves(patients, seed)
    clients = pc.partition_clients(train, how="column:hospital", fewest=1)
    names = [client.name for client in clients]
    mixes = own_mixes(clients, names, test, "hospital")
    recipe = pc.Recipe("mlp", optimizer="plain-sgd", hyperparameters=LOGISTIC, seed=seed)
    plan = pc.FederationPlan(rounds=40, local_epochs=5, personal_epochs=15)
    result = pc.federate_clients(recipe, clients, plan)
    sets = {LOCAL: result.local, FEDERATED: (result.global_model,), PERSONALIZED: result.personalized}
    sets[POOLED] = (pc.training.ARCHITECTURES["mlp"].fit(recipe, train),)
    rows = [row_of(name, models, test, mixes, {"seed": seed}) for name, models in sets.items()]
    outside = []
    for position in range(len(clients)):  # three hospitals federate, the fourth has its own model only
        others = [client for place, client in enumerate(clients) if place != position]
        three = pc.federate_clients(recipe, others, replace(plan, personalization="none"), local=False)
        models = [result.local[place] if place == position else three.global_model for place in range(len(clients))]
        row = row_of(OUTSIDER, models, test, mixes, {"seed": seed})
        pair = row_of(OUTSIDER, (three.global_model, result.local[position]), test, mixes, {})
        outside.append(row | {"n_eff": pair["n_eff"]})
    means = pd.DataFrame(outside).drop(columns="set").mean().to_dict()
    return [*rows, {"set": OUTSIDER} | means]


def row_of(name: str, models: Sequence[Any], test: Dataset, mixes: OwnMixes, keys: Row) -> Row:
    """The numbers of one set of models."""
    probabilities = np.stack([model(test.array) for model in models])
    members = MemberSet(name, probabilities, test.labels, mixes, len(models) == len(mixes.names))
    numbers = members.numbers()
    row: Row = keys | {"set": name, "models": len(models)}
    if mixes.kind == "instances":
        row["auc"] = _own_auc(probabilities[:, :, -1], test.labels, mixes)
    row |= {"own": numbers["own_mix"].estimate, "accuracy": numbers["accuracy"].estimate}
    return row | {"all_wrong": 100 * numbers["all_wrong"].estimate, "n_eff": numbers["n_eff"].estimate}


def _own_auc(scores: np.ndarray, labels: np.ndarray, mixes: OwnMixes) -> float:
    """Mean over hospitals of the AUC that its model has among its own patients."""
    from sklearn.metrics import roc_auc_score

    areas = []
    for place in range(len(mixes.names)):
        own = mixes.strata == place
        areas.append(roc_auc_score(labels[own], scores[place % len(scores)][own]))
    return float(np.mean(areas))


def sweep_cell(alpha: float, epochs: int, seed: int) -> list[Row]:
    """Every set of models of one partition of digits and one amount of local work."""
    split = pc.load_problem("digits", seed, pc.DataOptions(shifts=())).split
    clients = pc.partition_clients(split.train, 10, f"dirichlet:{alpha:g}", seed=seed, fewest=5)
    mixes = own_mixes(clients, [client.name for client in clients], split.test)
    recipe = pc.Recipe("mlp", optimizer="plain-sgd", hyperparameters=NET, seed=seed)
    plan = pc.FederationPlan(rounds=PASSES // epochs, local_epochs=epochs, personal_epochs=5)
    result = pc.federate_clients(recipe, clients, plan)
    sets = {LOCAL: result.local, FEDERATED: (result.global_model,), PERSONALIZED: result.personalized}
    keys = {"alpha": alpha, "epochs": epochs, "seed": seed}
    return [row_of(name, models, split.test, mixes, keys) for name, models in sets.items()]


def stored(
    file: Path, keys: Iterable[tuple[Any, ...]], names: Sequence[str], make: Callable[..., list[Row]]
) -> pd.DataFrame:
    """The rows of all keys; those in the file are not made again, and new ones are added to it as they are made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    rows = [json.loads(line) for line in lines if line.endswith("]")]
    table = {tuple(part[0][name] for name in names): part for part in rows}
    keys = list(keys)
    for key in keys:
        if key not in table:
            table[key] = make(*key)
            with file.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps([_plain(row) for row in table[key]]) + "\n")
    return pd.DataFrame([row for key in keys for row in table[key]])


def _plain(row: Row) -> Row:
    values = {name: value.item() if hasattr(value, "item") else value for name, value in row.items()}
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def over_seeds(values: np.ndarray, repeated_halves: bool) -> Interval:
    """The mean over seeds with t limits; over splits in halves the variance is that of Nadeau and Bengio (2003).

    Splits of the same patients overlap: the variance of a mean over J of them is (1/J + tested/trained) times that of
    one split, not 1/J times.
    """
    values = values[~np.isnan(values)]
    count = len(values)
    if count < 2:
        return Interval.undefined("one model" if count == 0 else "one seed")
    factor = 1 / count + (1.0 if repeated_halves else 0.0)
    reach = float(stdtrit(count - 1, 0.975)) * math.sqrt(factor * float(values.var(ddof=1)))
    mean = float(values.mean())
    return Interval(mean, mean - reach, mean + reach, n=count)


def summary(table: pd.DataFrame, by: Sequence[str], repeated_halves: bool) -> list[str]:
    """A row per set with intervals, and the paired difference to the local models in whom all fail."""
    names = [name for name in COLUMNS if name in table]
    heading = [*by, "models", *(COLUMNS[name] for name in names), f"{COLUMNS['all_wrong']}: more than local"]
    lines = [f"| {' | '.join(heading)} |", "|---" * len(heading) + "|"]
    for key, rows in table.groupby(list(by), sort=False):
        values = [over_seeds(rows[name].to_numpy(float), repeated_halves) for name in names]
        cells = [*map(str, key if isinstance(key, tuple) else (key,)), f"{rows['models'].iloc[0]:.0f}"]
        cells += [_cell(value, name) for value, name in zip(values, names, strict=True)]
        gap = rows["all_wrong"].to_numpy(float) - _local(table, rows)["all_wrong"].to_numpy(float)
        cells.append("" if rows["set"].iloc[0] == LOCAL else _cell(over_seeds(gap, repeated_halves), "all_wrong"))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _local(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The local models of the same seeds and the same cell, in the order of the rows."""
    keys = [name for name in ("alpha", "epochs", "seed") if name in table]
    local = table[table["set"] == LOCAL].set_index(keys)
    return local.loc[[tuple(row) if len(keys) > 1 else row[0] for row in rows[keys].to_numpy().tolist()]]


def _cell(value: Interval, name: str) -> str:
    if not value.defined:
        return "–"
    form = ".1f" if name == "all_wrong" else ".2f" if name == "n_eff" else ".3f"
    return value.format(form).replace("-", "−")


def heart(options: argparse.Namespace) -> pd.DataFrame:
    """The table of the four hospitals."""
    patients = hospitals(options.data)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    make = lambda seed: heart_split(patients, seed)  # noqa: E731
    return stored(options.folder / "heart.jsonl", [(seed,) for seed in seeds], ["seed"], make)


def sweep(options: argparse.Namespace) -> pd.DataFrame:
    """The table of the sweep."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    cells = [(alpha, epochs, seed) for seed in seeds for alpha in options.alphas for epochs in options.epochs]
    table = stored(options.folder / "sweep.jsonl", cells, ["alpha", "epochs", "seed"], sweep_cell)
    return table.sort_values(["alpha", "epochs"], kind="stable")


def picture(options: argparse.Namespace) -> None:
    """Draw what both experiments stored."""
    from .federation_picture import draw

    tables = []
    for name in ("heart.jsonl", "sweep.jsonl"):
        file = options.folder / name
        if not file.is_file():
            raise SystemExit(f"{file} is not there; run {file.stem} first, with the same --folder.")
        lines = file.read_text(encoding="utf-8").splitlines()
        rows = pd.DataFrame([row for line in lines for row in json.loads(line)])
        keys = [key for key in ("alpha", "epochs", "seed", "set") if key in rows]
        tables.append(rows.drop_duplicates(keys, keep="last"))
    draw(tables[0], tables[1], options.picture)
    print(f"wrote {options.picture}")


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["heart", "sweep", "picture"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with tabular/heart_*.csv")
    parser.add_argument("--folder", type=Path, default=Path("build/federation"))
    parser.add_argument("--seeds", type=int, help="default: 20 splits of heart, 5 seeds of the sweep")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--alphas", type=float, nargs="+", default=[0.1, 1.0, 100.0])
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--picture", type=Path, default=Path("docs/assets/federation.svg"))
    options = parser.parse_args()
    options.seeds = options.seeds or {"heart": 20, "sweep": 5}.get(options.what, 0)
    if options.what == "picture":
        picture(options)
        return
    halves_overlap = options.what == "heart"
    table = heart(options) if halves_overlap else sweep(options)
    by = ["set"] if halves_overlap else ["alpha", "epochs", "set"]
    print(*summary(table, by, halves_overlap), sep="\n")


if __name__ == "__main__":
    main()
