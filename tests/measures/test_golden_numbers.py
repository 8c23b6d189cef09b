"""Numbers of real prediction tables that an independent implementation printed, reproduced to the last digit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.measures.counts import PairCounts, count
from polyculture.measures.effective import effective
from polyculture.measures.pairs import MEASURES
from polyculture.measures.systemic import systemic
from polyculture.stats import n_eff_interval

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "prediction_tables.json").read_text())


def read(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Answers, labels, outcomes."""
    if name.startswith("imagenet"):
        table = pd.read_parquet(folder / f"{name}.parquet").set_index("instance")
        return table.drop(columns="label").to_numpy().T.astype(np.int16), table["label"].to_numpy(), None
    if name.startswith("frugalml"):
        table = pd.read_csv(folder / f"{name}.csv.gz")
        services = [c for c in table if c.startswith("api_")]
        return table[services].to_numpy().T.astype(np.int8), table["label"].to_numpy(), None
    if name.startswith("zeroeval"):
        table = pd.read_parquet(folder / f"{name}.parquet")
        answers, correct = (table.pivot(index="model", columns="instance", values=v) for v in ("answer", "correct"))
        return answers.to_numpy(), None, correct.to_numpy().astype(np.int8)
    raise AssertionError(name)


def pair_numbers(counts: PairCounts) -> dict[str, float]:
    upper = np.triu_indices(len(counts.n), 1)
    numbers = {name: float(np.nanmean(measure(counts)[upper])) for name, measure in MEASURES.items()}
    assert counts.same_wrong is not None
    pooled = counts.same_wrong[upper].sum() / counts.n00[upper].sum()
    return numbers | {"both_wrong_agreement_pooled": float(pooled)}


@pytest.mark.parametrize("name", [n for n in GOLDEN if not n.startswith("cifar")])
def test_real_tables_give_the_numbers_of_the_reference(name: str, shared_data: Path) -> None:
    answers, labels, correct = read(shared_data / "predictions", name)
    wrong = answers != labels if correct is None else correct == 0
    found = effective(wrong)
    interval = n_eff_interval(found.n_models, found.design_effect, found.influence)
    joint = systemic(wrong)
    numbers = pair_numbers(count(answers, labels, correct, int(answers.max()) + 1))
    numbers |= {"all_wrong": joint.rate, "all_wrong_expected": joint.expected_rate, "best": 1 - wrong.mean(1).min()}
    numbers |= {"n_eff": interval.estimate, "n_eff_low": interval.low, "n_eff_high": interval.high, "rho": found.rho}
    numbers |= {"all_wrong_expected_given_class": systemic(wrong, labels).expected_rate}
    numbers |= {"n_eff_given_class": effective(wrong, labels).n_eff}
    shown = {key: f"{numbers[key]:.{len(digits.split('.')[1])}f}" for key, digits in GOLDEN[name].items()}
    assert shown == GOLDEN[name]


def test_thirty_cifar_models_give_the_known_numbers(shared_data: Path) -> None:
    with np.load(shared_data / "predictions" / "cifar10_1_model_predictions.npz") as file:
        answers, labels = file["pred_v6"].astype(np.int8), file["y_v6"].astype(np.int8)
    wrong = answers != labels
    numbers = pair_numbers(count(answers, labels, None, 10))
    numbers |= {"mean_error": wrong.mean(), "best_error": wrong.mean(1).min(), "all_wrong": systemic(wrong).rate}
    golden = GOLDEN["cifar10_1_v6"]
    assert {k: f"{numbers[k]:.{len(digits.split('.')[1])}f}" for k, digits in golden.items()} == golden
