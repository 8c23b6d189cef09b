"""Calibration and classes: simulated models that know how sure to be, and confusion by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.sections.calibration import calibration
from polyculture.auditing.sections.classes import classes
from polyculture.predictions import Predictions
from polyculture.results import Section


def drawn(temperature: float, models: int = 3, n: int = 6000, seed: int = 0) -> Predictions:
    """Labels drawn from probabilities; models that state these probabilities, sharpened below temperature 1."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1)
    said = np.exp((logits + 0.1 * rng.normal(size=(models, n, 4))) / temperature)
    said /= said.sum(axis=2, keepdims=True)
    answers = {f"m{i}": q.argmax(axis=1) for i, q in enumerate(said)}
    return Predictions.from_answers(answers, labels, probabilities=said)


def told(predictions: Predictions, **options: object) -> tuple[Section, Section]:
    evidence = AuditContext.gather(predictions, AuditOptions(**options))
    return calibration(evidence), classes(evidence)


def test_calibrated_models_have_a_calibration_error_near_zero() -> None:
    models = told(drawn(1))[0].tables["models"].set_index("model")
    assert models.index.tolist() == ["m0", "m1", "m2", "(vote)"]
    assert (models["ece"] < 0.015).all()
    assert (models["low"] < 0.005).all()


@pytest.mark.parametrize("temperature", [0.5, 2])
def test_models_that_say_too_much_or_too_little_do_not(temperature: float) -> None:
    p = drawn(temperature)
    models = told(p)[0].tables["models"].set_index("model")
    assert (models["low"] > 0.05).all()
    gap = abs(p.probabilities.max(axis=2).mean(axis=1) - (~p.wrong).mean(axis=1))
    np.testing.assert_allclose(models["ece"][:3], gap, atol=0.01)  # all bins err in one direction


def test_scores_of_each_model_and_of_their_mean_are_the_textbooks() -> None:
    p = drawn(0.7, n=300)
    models = told(p)[0].tables["models"].set_index("model")
    for name, q in zip(models.index, [*p.probabilities, p.probabilities.mean(axis=0)], strict=True):
        true = q[np.arange(300), p.labels]
        assert models.loc[name, "log_loss"] == pytest.approx(-np.log(true).mean())
        assert models.loc[name, "brier"] == pytest.approx(((q - np.eye(4)[p.labels]) ** 2).sum(axis=1).mean())
        shares = np.bincount(p.labels) / 300
        assert models.loc[name, "uncertainty"] == pytest.approx(1 - (shares**2).sum())


def test_reliability_bins_hold_every_instance_of_every_model_once() -> None:
    p = drawn(0.7, n=300)
    table = told(p)[0].tables["reliability"]
    assert table.groupby("model")["n"].sum().to_dict() == {"m0": 300, "m1": 300, "m2": 300, "(vote)": 300}
    right = table[table["model"] == "m0"]
    assert (right["n"] * right["accuracy"]).sum() == pytest.approx((~p.wrong[0]).sum())


def test_confusion_by_hand() -> None:
    """Label a is taken for b twice by m0, once for c by m1; None is left out."""
    labels = list("aaabbbcccc") * 3
    m0, m1 = labels.copy(), labels.copy()
    m0[0] = m0[1] = "b"
    m1[2], m1[3] = "c", None
    table = told(Predictions.from_answers({"m0": m0, "m1": m1}, labels))[1]
    cells = table.tables["confusion"].set_index(["model", "label", "answer"])["n"]
    assert cells["(all)", "a", "b"] == cells["m0", "a", "b"] == 2
    assert cells["(all)", "a", "c"] == cells["m1", "a", "c"] == 1
    assert cells["(all)", "a", "a"] == 2 * 9 - 3
    assert cells["(all)", "b", "b"] == 2 * 9 - 1
    assert cells["(all)"].sum() == 59
    assert table.sentence == f"Over all models a is most often taken for b: {100 * (2 / 18):.1f} % of its answers."
    shares = table.tables["confusion"].groupby(["model", "label"])["share"].sum()
    np.testing.assert_allclose(shares, 1)


def test_areas_under_the_curve_are_mann_and_whitneys() -> None:
    p = drawn(1, n=400)
    areas = told(p)[1].tables["auc"].set_index(["model", "class"])
    assert len(areas) == 4 * 4
    for name, q in zip(["(vote)", "m0"], [p.probabilities.mean(axis=0), p.probabilities[0]], strict=True):
        for k in range(4):
            positive = p.labels == k
            ranks = rankdata(q[:, k])[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
            assert areas.loc[(name, str(k)), "auc"] == pytest.approx(ranks / (positive.sum() * (~positive).sum()))
    assert (areas["low"] < areas["auc"]).all()
    assert (areas["high"] <= 1).all()


def test_curves_run_from_corner_to_corner_and_are_thinned() -> None:
    curves = told(drawn(1))[1].tables["roc"]
    assert curves["model"].unique().tolist() == ["(vote)"]
    for _, curve in curves.groupby("class"):
        assert len(curve) <= 101
        assert curve[["fpr", "tpr"]].iloc[[0, -1]].values.tolist() == [[0, 0], [1, 1]]
        assert curve["fpr"].is_monotonic_increasing
        assert curve["tpr"].is_monotonic_increasing


def test_what_is_missing_is_the_reason() -> None:
    rng = np.random.default_rng(0)
    only = Predictions.from_correct({"a": [1, 0, 1], "b": [0, 1, 1]})
    assert told(only)[0].reason == "no probabilities"
    assert told(only)[1].reason == "there are no fixed classes with answers"
    labels = np.repeat(np.arange(21), 6)
    many = Predictions.from_answers({"a": rng.permutation(labels), "b": labels}, labels)
    assert told(many)[1].reason == "21 classes are more than 20"


def test_clusters_widen_the_limits_of_calibration_and_areas() -> None:
    p = drawn(0.7, n=400)
    at = np.repeat(np.arange(400), 4)
    instances = pd.DataFrame({"patient": at})
    four = Predictions(p.models, instances, p.answers[:, at], p.labels[at], None, p.classes, p.probabilities[:, at])
    aware, naive, single = told(four, clusters="patient"), told(four), told(p)
    for section, table, column in ((0, "models", "ece"), (1, "auc", "auc")):
        widths = [(t[section].tables[table]["high"] - t[section].tables[table][column]) for t in (aware, naive, single)]
        assert (widths[1] < 0.7 * widths[0]).mean() > 0.9, table


def test_instances_without_probabilities_are_left_out() -> None:
    predictions = drawn(1, n=400)
    rows = np.arange(10, 400)
    gaps = predictions.probabilities.copy()
    gaps[1, :10] = np.nan
    answers = predictions.answers.copy()
    answers[1, :10] = -1
    sections = told(replace(predictions, answers=answers, probabilities=gaps)), told(predictions.take_instances(rows))
    for first, second in zip(*sections, strict=True):
        for name in first.tables.keys() & {"models", "auc"}:
            pd.testing.assert_frame_equal(first.tables[name], second.tables[name])
            assert np.isfinite(first.tables[name].select_dtypes(float)).all().all()
