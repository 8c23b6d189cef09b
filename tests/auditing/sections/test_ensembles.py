"""Ensembles: decompositions are exact; and a population of models is spoken of only when asked for and large enough."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.null_models import headline_null_model
from polyculture.auditing.sections.ensembles import ensembles
from polyculture.auditing.sections.population import population
from polyculture.measures.votes import vote
from polyculture.predictions import Predictions
from polyculture.results import Section
from polyculture.testing import tiny_predictions


def section(predictions: Predictions, **options: object) -> Section:
    return ensembles(AuditContext.gather(predictions, AuditOptions(**options)))


def soft(models: int, seed: int, n: int = 60) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    q = rng.dirichlet(np.ones(3), (models, n))
    q[:, np.arange(n), labels] += 0.6
    q /= q.sum(axis=2, keepdims=True)
    return Predictions.from_answers({f"m{i}": p.argmax(axis=1) for i, p in enumerate(q)}, labels, probabilities=q)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_the_loss_of_the_ensemble_is_the_mean_loss_less_diversity(models: int, seed: int) -> None:
    p = soft(models, seed)
    found = {name: number.estimate for name, number in section(p).numbers.items()}
    q, onehot, at = p.probabilities, np.eye(3)[p.labels], np.arange(60)
    geometric = np.exp(np.log(q).mean(axis=0))
    geometric /= geometric.sum(axis=1, keepdims=True)
    arithmetic = q.mean(axis=0)
    decision = vote(p.wrong, p.answers).loss
    assert found["majority_error"] == pytest.approx(decision.mean())
    assert found["majority_error"] == pytest.approx(found["mean_error"] - found["net"])
    assert found["net"] == pytest.approx(found["good_diversity"] - found["bad_diversity"])
    assert found["ensemble_log_loss"] == pytest.approx(-np.log(geometric[at, p.labels]).mean())
    assert found["ensemble_log_loss"] == pytest.approx(found["mean_log_loss"] - found["ambiguity"])
    assert found["ensemble_brier"] == pytest.approx(((arithmetic - onehot) ** 2).sum(axis=1).mean())
    assert found["ensemble_brier"] == pytest.approx(found["mean_brier"] - found["brier_variance"])
    assert min(found["ambiguity"], found["brier_variance"]) >= 0


def test_copies_gain_nothing() -> None:
    found = section(tiny_predictions((5,), instances=300)).numbers
    assert found["net"].estimate == 0
    assert found["majority_error"].estimate == found["mean_error"].estimate


def test_only_instances_that_all_answered_are_voted_on() -> None:
    columns = {"a": [1, 0, 0, None], "b": [1, 1, 0, 0], "c": [1, 1, 0, 0]}
    found = section(Predictions.from_correct(columns)).numbers
    assert found["majority_error"].estimate == pytest.approx(1 / 3)
    assert found["mean_error"].estimate == pytest.approx((1 / 3 + 1) / 3)
    assert found["net"].n == 3


def test_repeated_instances_in_clusters_prove_no_more() -> None:
    p = tiny_predictions((1, 1, 1), instances=300)
    at = np.repeat(np.arange(300), 4)
    four = Predictions(p.models, pd.DataFrame({"c": at}), p.answers[:, at], p.labels[at], classes=p.classes)
    aware, single = section(four, clusters="c").numbers["net"], section(p).numbers["net"]
    assert (aware.low, aware.high) == pytest.approx((single.low, single.high))


def asked(predictions: Predictions) -> Section:
    return population(AuditContext.gather(predictions, AuditOptions(population=True)))


def test_a_population_is_spoken_of_only_if_asked_for() -> None:
    found = population(AuditContext.gather(tiny_predictions((12,), copying=0.3), AuditOptions()))
    assert found.reason == "not asked for: the numbers speak of these models, not of others like them"


def test_ten_models_are_needed_for_limits() -> None:
    nine, ten = (asked(tiny_predictions((k,), instances=500, copying=0.3)).numbers["rho_population"] for k in (9, 10))
    assert nine.reason == "9 models are too few to speak of a population; 10 are needed"
    assert math.isnan(nine.low)
    assert math.isfinite(nine.estimate)
    assert ten.low < 0.3 < ten.high
    assert ten.method == "influence function + jackknife of 10 models"


def test_two_models_are_no_sample() -> None:
    assert asked(tiny_predictions((2,))).reason == "fewer than three informative models"


def test_models_that_vary_in_no_class_are_no_sample() -> None:
    labels = [0, *[1] * 9]
    answers = {f"m{i}": [1, *[None] * 6, 1, None, None] for i in range(3)}
    predictions = Predictions.from_answers(answers, labels, fixed_classes=True)
    assert asked(predictions).reason == "no model is both right and wrong within any stratum"


def test_models_as_a_sample_are_less_certain_than_these_models() -> None:
    """Some are copies and some are not: which ones were drawn matters."""
    p = tiny_predictions((4, 4, 1, 1, 1, 1), instances=1500)
    evidence = AuditContext.gather(p, AuditOptions(population=True))
    wide = population(evidence).numbers["rho_population"]
    narrow = headline_null_model(evidence).rho
    assert wide.estimate == pytest.approx(narrow.estimate)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
