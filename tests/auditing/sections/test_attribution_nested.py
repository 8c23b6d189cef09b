"""Runs within pre-trainings within architectures: is each step found, and no model advised that cannot exist?"""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest

from polyculture.auditing.sections.attribution import attribute
from polyculture.measures.attribution.covariance_split import by_level, identifiability, nesting
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe, describe
from polyculture.results import Section
from polyculture.rng import stream

FAMILY = pd.DataFrame(
    [
        (f"net{a}", f"net{a}-corpus{p}", f"run{a}{p}{r}")
        for a, p, r, _ in product(range(4), range(3), range(2), range(2))
    ],
    columns=["architecture", "pretraining", "run"],
)
STEPS = ["architecture", "pretraining", "run"]


def nested(shares: dict[str, float], seed: int = 0, n: int = 2000, factors: pd.DataFrame = FAMILY) -> Predictions:
    """Errors of which a part is common, a part that of each level of each factor, and the rest the model's own."""
    rng = stream(seed, "nested")
    latent = np.sqrt(0.15) * rng.standard_normal(n) + np.zeros((len(factors), n))
    for name, share in shares.items():
        codes = pd.factorize(factors[name])[0]
        latent += np.sqrt(share) * rng.standard_normal((codes.max() + 1, n))[codes]
    latent += np.sqrt(0.85 - sum(shares.values())) * rng.standard_normal(latent.shape)
    models = factors.set_axis(pd.Index([f"m{i}" for i in range(len(factors))], name="model", dtype=object))
    correct = (latent > -0.6745).astype(np.int8)
    return Predictions(models, pd.DataFrame(index=pd.RangeIndex(n, name="instance")), correct=correct)


@pytest.fixture(scope="module")
def section() -> Section:
    return attribute(nested({"architecture": 0.1, "pretraining": 0.0, "run": 0.3}), permutations=999)


def test_factors_within_factors_are_recognised() -> None:
    factors = [by_level(pd.factorize(FAMILY[name])[0]) for name in STEPS]
    assert nesting(factors).tolist() == [[False] * 3, [True, False, False], [True, True, False]]
    gate = identifiability(factors)
    assert gate.chains == ((0, 1, 2),)
    assert gate.estimable.all()


def test_two_branches_are_two_ladders() -> None:
    factors = [by_level(pd.factorize(FAMILY[name])[0]) for name in STEPS]
    crossed = by_level(np.tile([0, 1], 24))
    assert identifiability([*factors, crossed]).chains == ((0, 1, 2),)
    halves = by_level(2 * factors[0].levels + np.tile([0, 0, 1, 1], 12))
    assert set(identifiability([factors[0], factors[1], halves]).chains) == {(0, 1), (0, 2)}


def test_a_ladder_sums_to_rho_and_to_the_means_of_pairs(section: Section) -> None:
    ladder = section.frame("ladder")
    assert list(ladder["factor"]) == ["common to all models", *STEPS]
    assert set(ladder["ladder"]) == {"run within pretraining within architecture"}
    assert ladder["contribution"].sum() == pytest.approx(section.numbers["rho"].estimate, abs=1e-12)
    assert ladder["share"].sum() == pytest.approx(1, abs=1e-12)
    assert ladder["pairs"].sum() == pytest.approx(1, abs=1e-12)
    assert (ladder["similarity"] * ladder["pairs"]).sum() == pytest.approx(section.numbers["rho"].estimate, abs=1e-12)
    wrong = nested({"architecture": 0.1, "pretraining": 0.0, "run": 0.3}).wrong
    covariance = np.cov(wrong)
    same = {name: FAMILY[name].to_numpy()[:, None] == FAMILY[name].to_numpy() for name in STEPS}
    only = same["pretraining"] & ~same["run"]
    expected = covariance[only].mean() / np.diag(covariance).mean()
    assert ladder.set_index("factor").loc["pretraining", "similarity"] == pytest.approx(expected, abs=1e-12)


def test_the_rungs_that_matter_are_found_and_the_others_are_not(section: Section) -> None:
    ladder = section.frame("ladder").set_index("factor")
    assert ladder.loc["run", "q"] < 0.05
    assert ladder.loc["architecture", "q"] < 0.05
    assert ladder.loc["pretraining", "p"] > 0.05
    assert ladder.loc["architecture", "method"] == "conditional permutation of 12 units"
    assert ladder.loc["pretraining", "method"] == "conditional permutation of 24 units"
    assert ladder.loc["run", "method"] == "conditional permutation"
    assert (ladder["models_low"] <= ladder["low"]).all()
    assert (ladder["models_high"] >= ladder["high"]).all()
    assert "On the ladder run within pretraining within architecture, sharing adds, from coarse to fine:" in (
        section.sentence
    )


@pytest.mark.slow
def test_a_coarse_factor_without_a_part_is_claimed_no_more_than_the_level_says() -> None:
    """Runs that are nearly copies are few independent units: a test on single models would claim an architecture."""
    few = FAMILY.iloc[:24]
    p = [
        attribute(nested({"run": 0.6}, seed, 600, few), STEPS[::2], permutations=199).frame("tests").set_index("factor")
        for seed in range(60)
    ]
    claims = sum(table.loc["architecture", "p"] <= 0.05 for table in p)
    assert all(table.loc["run", "p"] <= 0.05 for table in p)
    assert claims <= 8  # P(more than 8 of 60 at .05) = .003


def test_a_note_names_the_limit_that_applied() -> None:
    rng = stream(3, "gates")
    for seed in range(10):
        columns = {f"f{k}": [f"l{v}" for v in rng.integers(0, 3 + k, 16)] for k in range(4)}
        columns["g"] = [value if i % 7 else "x" for i, value in enumerate(columns["f0"])]
        section = attribute(nested({}, seed, 60, pd.DataFrame(columns)), permutations=19)
        for note in section.frame("shares")["note"].astype(str):
            for value, limit in re.findall(r"variance inflation.*? ([\d.]+|inf), above ([\d.]+)", note):
                assert float(value) >= float(limit)
            for pairs, limit in re.findall(r"only (\d+) pairs share .*?, fewer than (\d+)", note):
                assert int(pairs) < int(limit)


def test_no_model_is_advised_that_cannot_exist() -> None:
    settings = {"knn": ["k=1", "k=5"], "svm": ["C=0.05", "C=1"], "logistic": ["C=0.05", "C=1"]}
    recipes = [
        Recipe(name, hyperparameters=dict([setting.split("=")]), seed=seed)
        for name, texts in settings.items()
        for setting in texts
        for seed in (0, 1, 2)
    ]
    notes = " ".join(describe(recipes).frame()["note"])
    columns = pd.DataFrame([r.factors() for r in recipes])
    columns["C"] = columns["hyperparameters"].str.extract(r"C=(.*)")[0]
    notes += " ".join(attribute(nested({}, 0, 200, columns), permutations=19).frame("confounding")["note"])
    notes += " ".join(attribute(nested({}, 0, 200, columns), permutations=19).frame("shares")["note"].astype(str))
    for advice in re.findall(r"add a model with [^;]*", notes):
        assert not ("knn" in advice and re.search(r"C[= ]|C 0.05", advice)), advice
        assert not (re.search("svm|logistic", advice) and "k=" in advice), advice
        assert "unknown" not in advice
