"""Sections made by hand, with the columns that the rooms below give them, so that the report is tested alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polyculture.results import Audit, NullModel, Section
from polyculture.rng import stream
from polyculture.stats import Interval


def make_sections(audit: Audit, classes: int = 10, groups: int = 12) -> tuple[Section, ...]:
    """Every section of an audit of these models; only the shape of the tables matters here."""
    names = list(audit.pairwise.models)
    random = stream(0, "chapters", len(names))
    told = (_beyond, _together, _groups, _queue, _multiplicity, _generalization, _calibration, _classes)
    sizes = {"classes": classes, "groups": groups}
    sections = [make(names, random, sizes) for make in told]
    return (*sections, *_ensembles_attribution_scaling(random), _portfolio(names), _breeding(), _levers())


def _some(estimate: float, half: float = 0.1, **more: Any) -> Interval:
    return Interval(estimate, estimate - half, estimate + half, n=540, **({"method": "jackknife"} | more))


def _pairs_of(names: list[str]) -> tuple[np.ndarray, np.ndarray, dict[str, list[str]]]:
    a, b = np.triu_indices(len(names), 1)
    return a, b, {"model_a": [names[k] for k in a], "model_b": [names[k] for k in b]}


def _beyond(names: list[str], random: np.random.Generator, sizes: dict[str, int]) -> Section:
    a, b, pairs = _pairs_of(names)
    family = np.array([name.split("/")[0] for name in names])
    z = random.normal(0, 1.2, len(a)) + np.where(family[a] == family[b], 6.0, -0.6)
    q = np.clip(2 * np.exp(-np.maximum(z, 0)), 1e-8, 1)
    table = pd.DataFrame(pairs | {"excess": z / 500, "z": 1.4 * z, "z_scaled": z, "p": q / 3, "q": q})
    table = table.sort_values("p", kind="stable", ignore_index=True)
    sentence = "32 of 630 pairs are more alike than shared difficulty explains."
    numbers = {"n_struct": _some(11.2, 0.4, reason="descriptive: the interval is not reliable")}
    return Section(
        "pair_excess", "Which models are alike beyond shared difficulty?", sentence, numbers, {"pairs": table}
    )


def _together(names: list[str], random: np.random.Generator, sizes: dict[str, int]) -> Section:
    k = np.arange(1, len(names) + 1)
    rate = 0.16 * k**-1.1
    kish = 500 * np.exp(-k / 5)
    shown = (kish >= 20) | (k == len(names))
    half = 0.1 + 0.02 * k
    table = {
        "k": k,
        "observed": rate,
        "low": np.where(shown, rate * np.exp(-half), np.nan),
        "high": rate * np.exp(half),
    }
    table |= {"expected": 0.16 ** k.astype(float), "kish_n": kish, "shown": shown}
    numbers = {
        "n_sys": _some(2.9),
        "ceiling": _some(0.985, 0.006),
        "common_shock_rate": _some(0.021, 0.004),
        "systemic_index": Interval.undefined("no instance is failed by every model"),
    }
    sentence = "ν* = 2.1 % [1.7, 2.5]: a label-error rate of that size would explain all of it."
    title = "How many of them fail at once?"
    return Section("joint_failures", title, sentence, numbers, {"fail_at_k": pd.DataFrame(table)})


def _groups(names: list[str], random: np.random.Generator, sizes: dict[str, int]) -> Section:
    count = sizes["groups"]
    rate = random.beta(2, 30, count)
    table = pd.DataFrame(
        {"column": ["writer"] * (count - 2) + ["pen"] * 2, "group": [f"group {k}" for k in range(count)]}
    )
    table = table.assign(n=random.integers(30, 200, count), all_wrong=rate, low=rate * 0.6, high=rate * 1.6)
    table = table.assign(difference=rate - rate.mean(), difference_low=-0.02, difference_high=0.05)
    table = table.assign(p=random.uniform(0, 1, count), q=np.where(rate > 0.1, 0.01, 0.7), accuracy=1 - 3 * rate)
    return Section("groups", "Whom do all of them fail?", "Two groups stand out.", {}, {"groups": table})


def _queue(names: list[str], random: np.random.Generator, sizes: dict[str, int]) -> Section:
    kinds = random.choice(["consensus", "format only", "no answer", "genuine"], 45, p=[0.3, 0.1, 0.15, 0.45])
    table = pd.DataFrame({"instance": [f"i{k}" for k in range(45)], "label": "3", "answer": "5", "share": 0.9})
    table = table.assign(wrong=len(names), models=len(names), kind=kinds, why="9 of 10 models say 5")
    headline = pd.DataFrame({"when": ["as it is", "without suspect labels", "without any of them"]})
    headline = headline.assign(n_eff=[2.25, 2.6, 3.1], low=[1.9, 2.2, 2.7], high=[2.7, 3.1, 3.6])
    headline = headline.assign(all_wrong=[0.063, 0.044, 0.0], instances=[719, 705, 674])
    sentence = "45 instances are failed by all; 14 of them look like wrong labels."
    return Section("review_queue", "Whose fault are they?", sentence, {}, {"queue": table, "headline": headline})


def _multiplicity(names: list[str], random: np.random.Generator, sizes: dict[str, int]) -> Section:
    levels = np.linspace(0.5, 1, 11)
    a, _, pairs = _pairs_of(names)
    kappa = random.uniform(0.1, 0.9, len(a))
    tables = {
        "consistency": pd.DataFrame({"self_consistency": levels, "instances": (10 * np.exp(6 * levels)).astype(int)}),
        "positions": pd.DataFrame(
            pairs
            | {
                "group": np.where(a % 9 == 0, "runs of one model", "different models"),
                "kappa": kappa,
                "position": kappa * 1.2,
            }
        ),
    }
    numbers = {name: _some(0.2) for name in ("ambiguity", "discrepancy", "self_consistency", "rashomon_capacity")}
    return Section("multiplicity", "Does it matter which one is picked?", "For one in five it does.", numbers, tables)


def _generalization(names: list[str], random: np.random.Generator, sizes: dict[str, int]) -> Section:
    splits = ["train", *(f"{kind} {s}" for kind in ("noise", "rotation", "occlusion") for s in (1, 3))]
    rows = [
        {
            "model": name,
            "split": split,
            "n": 540,
            "accuracy": 0.95 - gap,
            "gap": gap,
            "low": gap - 0.02,
            "high": gap + 0.02,
        }
        for k, split in enumerate(splits)
        for name in names
        for gap in [0.06 * (k - 1) + random.normal(0, 0.02)]
    ]
    a, _, pairs = _pairs_of(names)
    here = random.uniform(0.85, 0.99, len(a))
    error = np.linspace(0.02, 0.4, len(splits))
    estimates = {"split": splits, "labelled_error": error, "disagreement_error": error * 0.7, "corrected": error * 0.95}
    tables = {
        "gaps": pd.DataFrame(rows),
        "line": pd.DataFrame(pairs | {"agreement_here": here, "agreement_there": here**3}),
        "estimates": pd.DataFrame(estimates | {"aline_error": [math.nan, *(error[1:] * 1.05)]}),
    }
    numbers = {"agreement_line_r2": _some(0.97, 0.01), "disagreement_estimate": Interval(0.04, method="GDE")}
    sentence = "The mean accuracy falls by up to 30 points."
    return Section("generalization", "Does it hold on other data?", sentence, numbers, tables)


def _calibration(names: list[str], random: np.random.Generator, sizes: dict[str, int]) -> Section:
    everyone = ["(vote)", *names]
    ece = random.uniform(0.01, 0.1, len(everyone))
    models = pd.DataFrame({"model": everyone, "ece": ece, "low": ece * 0.8, "high": ece * 1.3, "brier": ece * 2})
    models = models.assign(reliability=ece / 5, resolution=0.7, uncertainty=0.9, log_loss=0.1 + ece)
    confidence = np.linspace(0.15, 0.98, 10)
    curves = [
        pd.DataFrame({"model": name, "confidence": confidence, "accuracy": np.clip(confidence**power, 0, 1), "n": 54})
        for name, power in zip(everyone, [0.9, *random.uniform(0.6, 1.8, len(names))], strict=True)
    ]
    numbers = {"ece_vote": _some(0.031, 0.008), "brier_vote": _some(0.05, 0.01)}
    tables = {"models": models, "reliability": pd.concat(curves, ignore_index=True)}
    return Section(
        "calibration", "Are they as sure as they are right?", "Their mean is underconfident.", numbers, tables
    )


def _classes(names: list[str], random: np.random.Generator, sizes: dict[str, int]) -> Section:
    k = sizes["classes"]
    confusion, roc, auc = [], [], []
    curve = np.linspace(0, 1, 101)
    for name in ["(all)", *names]:
        matrix = random.poisson(0.4, (k, k)) + 50 * np.eye(k, dtype=int)
        confusion += [
            {
                "model": name,
                "label": str(i),
                "answer": str(j),
                "n": int(matrix[i, j]),
                "share": matrix[i, j] / matrix[i].sum(),
            }
            for i, j in zip(*np.nonzero(matrix), strict=True)
        ]
    for name in names:
        for one in range(min(k, 10)):
            power = random.uniform(0.02, 0.2)
            roc.append(pd.DataFrame({"model": name, "class": str(one), "fpr": curve, "tpr": curve**power}))
            auc.append({"model": name, "class": str(one), "auc": 1 / (1 + power), "low": 0.9, "high": 1.0})
    tables = {"confusion": pd.DataFrame(confusion), "roc": pd.concat(roc, ignore_index=True), "auc": pd.DataFrame(auc)}
    return Section("classes", "Which classes do they take for which?", "8 is most often read as 1.", {}, tables)


def _ensembles_attribution_scaling(random: np.random.Generator) -> list[Section]:
    estimates = {"mean_error": 0.062, "good_diversity": 0.041, "bad_diversity": 0.006, "majority_error": 0.027}
    estimates |= {
        "net": 0.035,
        "mean_log_loss": 0.21,
        "ambiguity": 0.08,
        "ensemble_log_loss": 0.13,
        "mean_brier": 0.1,
        "brier_variance": 0.047,
    }
    estimates |= {"ensemble_brier": 0.053}
    ensembles = Section(
        "ensembles", "Does a vote help?", "It halves the error.", {k: _some(v, 0.004) for k, v in estimates.items()}
    )
    share = np.array([0.55, 0.31, 0.09, 0.03])
    shares = pd.DataFrame({"factor": ["common to all models", "architecture", "data", "optimizer"], "share": share})
    shares = shares.assign(kind=["common", "factor", "factor", "factor"], contribution=share * 0.4, low=share * 0.3)
    shares = shares.assign(high=share * 0.5, share_low=share - 0.03, share_high=share + 0.03, note="")
    confounding = pd.DataFrame(
        {"first": ["architecture", "architecture", "data"], "second": ["data", "optimizer", "optimizer"]}
    )
    confounding = confounding.assign(cramers_v=[0.1, 0.62, 0.05], note="")
    attribution = Section(
        "attribution",
        "Why are they alike?",
        "31 % goes with sharing architecture.",
        {"rho": _some(0.43, 0.03), "architecture": _some(0.31, 0.03)},
        {"shares": shares, "confounding": confounding},
    )
    scale = np.array([1e6, 3e6, 1e7, 3e7, 1e8, 3e8])
    metric = 0.2 + 0.1 * np.log10(scale / 1e6)
    points = pd.DataFrame({"scale": scale, "metric": metric, "low": metric - 0.03, "high": metric + 0.03})
    fine = np.geomspace(1e6, 3e8, 40)
    fit = 0.2 + 0.1 * np.log10(fine / 1e6)
    curve = pd.DataFrame({"scale": fine, "fit": fit, "low": fit - 0.02, "high": fit + 0.02, "family": "logarithmic"})
    scaling = Section(
        "scaling",
        "Do they become more alike as they grow?",
        "κ rises with scale.",
        {"slope": _some(0.1, 0.02), "break": _some(2e7, 1e7)},
        {"points": points, "curve": curve, "accuracy points": points.assign(metric=1 - metric)},
    )
    population = Section("population", "And other models of this kind?", "ρ = 0.41.", {"rho_population": _some(0.41)})
    unknown = Section(
        "later_idea",
        "A question of tomorrow?",
        "Yes.",
        {"new_number": _some(1234.5)},
        {"rows": pd.DataFrame({"a": [1]})},
    )
    idle = Section("recourse", "Can anybody appeal?", "", reason="the table names no people")
    return [ensembles, attribution, scaling, population, unknown, idle]


@pytest.fixture(scope="session")
def whole(digits: Audit) -> Audit:
    """36 models with every section, none of which leads, and a ladder of four rungs."""
    external = NullModel("N2", "the share of people who err on the instance", _some(5.1), _some(0.17), 9.0, 0.0)
    pattern = NullModel("N3", "any difficulty of the instances", _some(11.2), Interval.undefined("no level"))
    facts = {**digits.facts, "answers": []}
    null_models = (*digits.null_models, external, pattern)
    return replace(digits, null_models=null_models, sections=make_sections(digits), facts=facts)


@pytest.fixture(scope="session")
def large(crowd: Audit) -> Audit:
    """130 models, 60 classes, 100 groups, every section: more than any figure can show."""
    facts = {**crowd.facts, "answers": []}
    return replace(crowd, sections=make_sections(crowd, classes=60, groups=100), facts=facts)


def _portfolio(names: list[str]) -> Section:
    """Three of the models kept."""
    kept = names[:3]
    members = pd.DataFrame({"member": kept, "weight": [0.5, 0.3, 0.2], "alone": [0.2, 0.25, 0.3]})
    members = members.assign(leave_one_out=[0.05, 0.01, -0.01], low=[0.02, -0.01, -0.03], high=[0.08, 0.03, 0.01])
    gains = pd.DataFrame({"loss": ["log_loss", "error"], "rival": ["best single model", "all of them"]})
    gains = gains.assign(gain=[0.03, 0.01], low=[0.01, -0.01], high=[0.05, 0.03])
    front = pd.DataFrame({"size": [1, 2, 3], "members": [" + ".join(kept[: k + 1]) for k in range(3)]})
    front = front.assign(quality=[0.2, 0.15, 0.14], keeps_bounds=True, certified=[0.21, 0.16, 0.15])
    front = front.assign(n_eff=[1.0, 1.6, 1.9], cost=[1.0, 2.0, 3.0], efficient=[True, False, True])
    front = front.assign(chosen=[False, False, True])
    candidates = pd.DataFrame({"model": names, "error": 0.1, "log_loss": 0.3, "weight": 0.0, "kept": False})
    tables = {"members": members.assign(shapley=[0.4, 0.2, 0.1]), "gains": gains, "front": front}
    numbers = {"error": _some(0.05, 0.01), "worst_group": Interval.undefined("no group was named")}
    sentence = "Keep 3 of them."
    title = "Which few should be kept, and what are they worth?"
    return Section("portfolio", title, sentence, numbers, tables | {"candidates": candidates})


def _breeding() -> Section:
    """Three generations; the first has nothing to be compared with."""
    history = pd.DataFrame({"generation": [0, 1, 2], "models": [16, 24, 32], "loss": [0.3, 0.25, 0.24]})
    history = history.assign(gain=[math.nan, 0.05, 0.01], low=[math.nan, 0.02, -0.01], high=[math.nan, 0.08, 0.03])
    elites = pd.DataFrame({"fails": [0, 1], "covers": [1, 0], "model": ["a", "b"], "loss": [0.3, 0.4]})
    tables = {"history": history.assign(elites=[0, 4, 4], advised=[0, 4, 4]), "elites": elites}
    return Section("evolution", "What did each generation gain?", "32 models were bred.", {}, tables)


def _levers() -> Section:
    """Two levers and seven numbers, some of which could not be had for one lever; a cost has no test."""
    rows = [
        ("dropout", "shifted_accuracy", 1e-5, -1e-5, 3e-5, 0.5),
        ("dropout", "gap", -0.02, -0.04, -0.01, 0.01),
        ("dropout", "log_loss", 2e-5, -1e-5, 4e-5, 0.7),
        ("dropout", "ece", 0.0, -0.01, 0.01, 0.9),
        ("dropout", "accuracy", 0.01, 0.002, 0.018, 0.03),
        ("sam", "accuracy", 0.02, -0.01, 0.05, 0.4),
        ("dropout", "n_eff_pair", 1.2, 1.1, 1.3, 0.001),
        ("sam", "n_eff_pair", math.nan, math.nan, math.nan, math.nan),
        ("dropout", "operations", 1.0, 1.0, 1.0, math.nan),
        ("sam", "operations", 2.0, 2.0, 2.0, math.nan),
    ]
    effects = pd.DataFrame(rows, columns=["lever", "measure", "change", "low", "high", "q"]).assign(way="a → b")
    standings = pd.DataFrame({"lever": ["plain", "dropout"], "accuracy": [0.9, 0.91], "n_eff": [1.5, 1.6]})
    tables = {
        "effects": effects,
        "standings": standings,
        "skipped": pd.DataFrame({"lever": ["huber"], "reason": ["does not fit"]}),
    }
    return Section("ablation", "What does each lever change, and at what price?", "2 levers were pulled.", {}, tables)
