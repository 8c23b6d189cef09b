"""docs/methods/ablation.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest
from scipy.stats import t

from polyculture.studies.ablation.effects import Instances, Replicates, effect_table

LABELS = np.zeros(8, dtype=np.int64)
BASELINE = np.array([[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0], [1, 0, 1, 1, 0, 0, 0, 0]])
CHANGED = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]])


def replicates(wrong):
    wrong = np.asarray(wrong, dtype=float)
    probabilities = np.stack([0.8 - 0.6 * wrong, 0.2 + 0.6 * wrong], axis=2)
    return Replicates(
        probabilities, np.zeros((3, 4), dtype=bool), np.zeros((3, 0)), np.array([1.0, 2.0, 3.0]), np.full(3, 100.0)
    )


def rho(a, b):
    """(AB1): mean product of residuals of different seeds over their mean variance."""
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    cross = np.mean([(a[r] * b[s]).mean() for r in range(3) for s in range(3) if r != s])
    return cross / (((a**2).mean() + (b**2).mean()) / 2)


def test_the_numbers_of_the_page(stated):
    table = effect_table(replicates(BASELINE), {"change": replicates(CHANGED)}, Instances(LABELS))
    rows = table.set_index("measure")
    by_seed = BASELINE.mean(axis=1) - CHANGED.mean(axis=1)
    by_instance = BASELINE.mean(axis=0) - CHANGED.mean(axis=0)
    s_seeds, s_instances = by_seed.std(ddof=1) / np.sqrt(3), by_instance.std(ddof=1) / np.sqrt(8)
    half_width = np.hypot(t.ppf(0.975, 2) * s_seeds, t.ppf(0.975, 7) * s_instances)
    accuracy = rows.loc["accuracy"]
    assert accuracy["change"] == pytest.approx(by_seed.mean())
    assert accuracy["high"] - accuracy["change"] == pytest.approx(half_width)
    at_p = np.hypot(t.ppf(1 - accuracy["p"] / 2, 2) * s_seeds, t.ppf(1 - accuracy["p"] / 2, 7) * s_instances)
    assert at_p == pytest.approx(accuracy["change"])
    pair = (1 + rho(BASELINE, BASELINE)) / (1 + rho(BASELINE, CHANGED))
    assert rows.loc["n_eff_pair", "change"] == pytest.approx(pair)
    stated.agree(
        {
            "effect on accuracy": accuracy["change"],
            "$s_{\\text{seeds}}$": s_seeds,
            "$s_{\\text{instances}}$": s_instances,
            "half-width": half_width,
            "p": accuracy["p"],
            "$\\rho$ of baseline pairs": rho(BASELINE, BASELINE),
            "$\\rho$ of mixed pairs": rho(BASELINE, CHANGED),
            "ratio of $n_{\\mathrm{eff}}$ of a pair": pair,
        }
    )
