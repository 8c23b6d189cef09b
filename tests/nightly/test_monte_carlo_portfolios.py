"""Portfolios and panels chosen on some instances of known worlds and tested on thousands of others.

Expected values are those of an independent implementation on other draws of the same worlds; the tolerance is about
three standard errors of the difference of two such means.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from polyculture.predictions import Predictions
from polyculture.selection import Goal, SelectionOptions, mixture_weights, select
from polyculture.selection.combination import Combination
from polyculture.selection.evaluation import EvaluationSet
from polyculture.selection.plan import SelectionPlan, choose

pytestmark = pytest.mark.nightly

CLASSES, MODELS, FAMILIES = 5, 24, 6
IDS = [f"m{i}" for i in range(MODELS)]


def world(
    rng: np.random.Generator, n: int, family: np.ndarray, skill: np.ndarray, noise: tuple[float, float]
) -> EvaluationSet:
    """Softmax models whose scores share noise with everybody, with their family, and with nobody."""
    labels = rng.integers(0, CLASSES, n)
    signal, everybody = np.eye(CLASSES)[labels], 0.5 * rng.normal(size=(n, CLASSES))
    shared = noise[0] * rng.normal(size=(FAMILIES, n, CLASSES))
    probabilities = np.empty((MODELS, n, CLASSES))
    for m in range(MODELS):
        scores = skill[m] * signal + everybody + shared[family[m]] + noise[1] * rng.normal(size=(n, CLASSES))
        e = np.exp(1.5 * (scores - scores.max(axis=1, keepdims=True)))
        probabilities[m] = np.clip(e / e.sum(axis=1, keepdims=True), 1e-4, 1)
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    return EvaluationSet(
        Predictions(
            models=pd.DataFrame(index=IDS),
            instances=pd.DataFrame(index=range(n)),
            answers=probabilities.argmax(axis=2),
            labels=labels,
            classes=tuple("abcde"),
            probabilities=probabilities,
        )
    )


def planned(k: int | None, goal: str, method: str) -> Callable[[EvaluationSet], Combination]:
    def made(exam: EvaluationSet) -> Combination:
        rule = "mixture" if method == "mixture" else "mean"
        return choose(
            SelectionPlan.settle(exam, k, Goal({goal: 1.0}, floor=None), rule, method, False), exam
        ).combination

    return made


def equal(rows: np.ndarray) -> Combination:
    return Combination("mean", rows, np.full(len(rows), 1 / len(rows)))


METHODS: dict[str, Callable[[EvaluationSet], Combination]] = {
    "best single": lambda exam: equal(np.argsort(-np.log(exam.truth).mean(axis=1))[:1]),
    "top 5": lambda exam: equal(np.argsort(-np.log(exam.truth).mean(axis=1))[:5]),
    "uniform": lambda exam: equal(np.arange(MODELS)),
    "greedy 5": planned(5, "log_loss", "greedy"),
    "exact 3": planned(3, "log_loss", "exact"),
    "mixture": planned(None, "log_loss", "mixture"),
    "prior 5": lambda exam: Combination("mixture", np.arange(MODELS), mixture_weights(exam.truth, prior=5.0).weights),
    "co-failure 5": planned(5, "co_failure", "co_failure"),
}
PORTFOLIOS = {
    (1.0, 0.5, 200): {
        "best single": (0.908, 0.034),
        "top 5": (0.775, 0.014),
        "uniform": (0.875, 0.002),
        "greedy 5": (0.743, 0.020),
        "exact 3": (0.740, 0.020),
        "mixture": (0.723, 0.024),
        "prior 5": (0.845, 0.006),
        "co-failure 5": (0.749, 0.020),
    },
    (1.0, 0.5, 1000): {
        "best single": (0.888, 0.005),
        "top 5": (0.785, 0.001),
        "uniform": (0.870, -0.005),
        "greedy 5": (0.732, -0.002),
        "exact 3": (0.732, -0.002),
        "mixture": (0.712, -0.000),
        "prior 5": (0.774, -0.002),
        "co-failure 5": (0.735, -0.003),
    },
    (0.3, 1.1, 200): {
        "best single": (0.936, 0.052),
        "top 5": (0.715, 0.016),
        "uniform": (0.826, -0.003),
        "greedy 5": (0.718, 0.024),
        "exact 3": (0.728, 0.028),
        "mixture": (0.703, 0.026),
        "prior 5": (0.800, 0.001),
        "co-failure 5": (0.725, 0.024),
    },
}


@pytest.mark.parametrize("setting", PORTFOLIOS, ids=lambda s: f"{s[0]}-{s[1]}-{s[2]}")
def test_log_loss_and_optimism_of_portfolios(setting: tuple[float, float, int]) -> None:
    rng = np.random.default_rng(1010)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    for _ in range(30):
        family = rng.choice(FAMILIES, MODELS, p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05])
        skill = rng.normal(1.3, 0.25, MODELS) + 0.2 * (family == 0)
        seen = world(rng, setting[2], family, skill, setting[:2])
        unseen = world(rng, 4000, family, skill, setting[:2])
        for name, method in METHODS.items():
            blend = method(seen)
            here, there = (float(blend.losses(exam, "log_loss").mean()) for exam in (seen, unseen))
            found[name].append((there, there - here))
    means = {name: np.mean(rows, axis=0) for name, rows in found.items()}
    for name, (loss, optimism) in PORTFOLIOS[setting].items():
        print(f"{name:14s} log-loss {means[name][0]:.3f} ({loss:.3f}) optimism {means[name][1]:+.3f} ({optimism:+.3f})")
        assert means[name][0] == pytest.approx(loss, abs=0.05), name
        assert means[name][1] == pytest.approx(optimism, abs=0.8 / setting[2] ** 0.5), name
        gain, known = means["uniform"][0] - means[name][0], PORTFOLIOS[setting]["uniform"][0] - loss
        assert gain == pytest.approx(known, abs=0.04), name
    assert means["mixture"][0] < min(means[name][0] for name in ("best single", "top 5", "uniform", "prior 5"))


JUDGES = 15
PANELS = {
    (150, 3): (0.0883, 0.0824, 0.0788, 0.0364),
    (150, 5): (0.0741, 0.0730, 0.0695, 0.0422),
    (600, 3): (0.0806, 0.0775, 0.0731, 0.0142),
    (600, 5): (0.0665, 0.0624, 0.0598, 0.0135),
}


def judges(rng: np.random.Generator, n: int, error: np.ndarray) -> EvaluationSet:
    """Judges that share .15 of the latent variance of a threshold model, and half within a family of three."""
    family = rng.standard_normal((5, n))[np.repeat(np.arange(5), 3)]
    latent = np.sqrt(0.5) * family + np.sqrt(0.15) * rng.standard_normal(n)
    latent = latent + np.sqrt(0.35) * rng.standard_normal((JUDGES, n))
    wrong = latent < stats.norm.ppf(error)[:, None]
    return EvaluationSet(Predictions.from_correct({f"j{i}": ~row for i, row in enumerate(wrong)}))


@pytest.mark.parametrize(("n", "k"), PANELS)
def test_majority_error_of_panels(n: int, k: int) -> None:
    rng = np.random.default_rng(1020)
    rows = []
    for _ in range(60):
        error = np.clip(rng.normal(0.2, 0.04, JUDGES) - 0.03 * (np.arange(JUDGES) < 3), 0.05, 0.45)
        seen, unseen = judges(rng, n, error), judges(rng, 20_000, error)
        top = Combination("vote", np.argsort(seen.errors)[:k], np.full(k, 1 / k))
        plans = [
            SelectionPlan.settle(seen, k, Goal({goal: 1.0}, floor=None), "vote", method, False)
            for goal, method in (("error", "exact"), ("co_failure", "co_failure"))
        ]
        direct, covering = (choose(plan, seen).combination for plan in plans)
        errors = [float(blend.outcome(unseen).wrong.mean()) for blend in (top, direct, covering)]
        rows.append([*errors, errors[1] - float(direct.outcome(seen).wrong.mean())])
    means = np.mean(rows, axis=0)
    print(f"n {n} k {k}: top, direct, co-failure, optimism of direct {means.round(4)} expected {PANELS[n, k]}")
    assert means == pytest.approx(PANELS[n, k], abs=0.01)
    assert means[2] < min(means[:2])
    assert means[1] < means[0] + 0.002


def test_the_certificate_covers_what_it_certifies() -> None:
    """The gain over the best single model on 300 instances holds the gain on 40,000, in 19 of 20 worlds."""
    rng = np.random.default_rng(1030)
    hits = []
    for seed in range(200):
        error = np.clip(rng.normal(0.2, 0.04, JUDGES), 0.05, 0.45)
        table, truth = judges(rng, 600, error).predictions, judges(rng, 40_000, error)
        portfolio = select(table, 3, terms=SelectionOptions(folds=0, seed=seed))
        rows = np.array([int(m[1:]) for m in portfolio.members])
        best = int(portfolio.certificate.best[1:])
        vote = Combination("vote", rows, np.full(3, 1 / 3)).outcome(truth).wrong.mean()
        gain = portfolio.certificate.gains["error"]["best"]
        hits.append(gain.low <= truth.errors[best] - vote <= gain.high)
    print(f"coverage {np.mean(hits):.3f}")
    assert 0.91 <= np.mean(hits) <= 0.985
