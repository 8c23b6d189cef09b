"""Has every number of an audit a name, and are extremes over pairs and models honest?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

import polyculture as pc
from polyculture.auditing.gates import numbers_of
from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.rng import stream
from polyculture.stats import jeffreys, wilson
from polyculture.testing import copying_errors, tiny_predictions


def with_sites(predictions: Predictions) -> Predictions:
    n = predictions.shape[1]
    sites = np.where(np.arange(n) < n // 4, "north", "south")
    return replace(predictions, instances=predictions.instances.assign(site=sites, patient=np.arange(n) // 4))


@pytest.fixture(scope="module")
def audit() -> pc.Audit:
    shifted = {"noise@3": tiny_predictions(seed=5), "blur@1": tiny_predictions(seed=6), "other": tiny_predictions()}
    return pc.audit(with_sites(tiny_predictions()), options=pc.AuditOptions(groups=("site",)), shifted=shifted)


def only(audit: pc.Audit, name: str, side: Any = "max", bound: float = 1.0) -> pc.Interval:
    (result,) = pc.check(audit, [pc.Gate(name, side, bound)]).gates
    return result.interval


def test_headline_numbers_are_those_of_the_audit(audit: pc.Audit) -> None:
    assert only(audit, "n_eff") == audit.n_eff
    assert only(audit, "n_eff@N0") == audit.null_model("N0").n_eff
    assert only(audit, "rho@N1") == audit.null_model("N1").rho
    assert only(audit, "all_wrong") == audit.systemic.rate
    number = audit.section("ensembles").numbers["majority_error"]
    assert only(audit, "ensembles.majority_error") == number


def test_every_number_of_every_section_has_a_name(audit: pc.Audit) -> None:
    names = {f"{section.name}.{name}" for section in audit.sections for name in section.numbers}
    assert names <= set(numbers_of(audit))
    for name, number in numbers_of(audit).items():
        interval = number.interval
        assert interval.defined or interval.reason, name
        if interval.defined and math.isfinite(interval.low) and math.isfinite(interval.high):
            assert interval.low <= interval.estimate <= interval.high, name


def test_kappa_bounds_each_pair(audit: pc.Audit) -> None:
    kappa = audit.pairwise.values["kappa"][np.triu_indices(4, 1)]
    assert only(audit, "kappa").estimate == only(audit, "kappa_max").estimate == kappa.max() == 1
    assert only(audit, "kappa", "min").estimate == only(audit, "kappa_min").estimate == kappa.min()
    mean = only(audit, "kappa_mean")
    assert mean.estimate == pytest.approx(audit.pairwise.mean("kappa"))
    result = pc.check(audit, {"max": {"kappa": 0.8}}).gates[0]
    assert (result.status, result.subject) == ("broken", "model-0 and model-1")


def test_pairs_without_kappa_are_named(audit: pc.Audit) -> None:
    correct = ~copying_errors((1, 1), 200, seed=1)
    rows = {"a": correct[0], "b": correct[1], "perfect": np.ones(200, dtype=bool)}
    audit = pc.audit(Predictions.from_correct({name: row.astype(int).tolist() for name, row in rows.items()}))
    result = pc.check(audit, {"max": {"kappa": 0.8, "kappa_mean": 0.8}})
    assert [gate.subject for gate in result.gates] == ["a and b; defined for 1 of 3 pairs", "defined for 1 of 3 pairs"]


def test_accuracy_bounds_each_model(audit: pc.Audit) -> None:
    table = audit.leaderboard.table.set_index("model")
    assert only(audit, "accuracy", "min").estimate == table["accuracy"].min()
    assert only(audit, "accuracy", "max").estimate == table["accuracy"].max()
    row = table.loc["model-2"]
    interval = only(audit, "accuracy@model-2")
    assert (interval.estimate, interval.low, interval.high) == (row["accuracy"], row["low"], row["high"])


def test_the_interval_of_a_mean_accuracy_is_that_of_one_model_of_that_accuracy(audit: pc.Audit) -> None:
    mean = audit.leaderboard.table["accuracy"].mean()
    interval = only(audit, "accuracy_mean")
    expected = binomtest(round(mean * 400), 400).proportion_ci(method="wilson")
    assert interval.estimate == pytest.approx(mean)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=2e-3)


def test_shifted_test_sets_have_their_own_numbers(audit: pc.Audit) -> None:
    alone = pc.audit(tiny_predictions(seed=5))
    for name in ("n_eff", "all_wrong", "rho"):
        interval, expected = only(audit, f"{name}@noise@3"), only(alone, name)
        ends = (interval.estimate, interval.low, interval.high)
        assert ends == pytest.approx((expected.estimate, expected.low, expected.high), abs=1e-9), name
    assert only(audit, "accuracy_mean@noise@3").estimate == pytest.approx(only(alone, "accuracy_mean").estimate)
    assert only(audit, "accuracy_best@noise@3").low == pytest.approx(only(alone, "accuracy_best").low)
    assert only(audit, "n_eff@other") == only(audit, "n_eff@other@1")
    every = pc.check(audit, {"min": {"n_eff@shifts": 2}})
    assert [gate.gate.number for gate in every.gates] == ["n_eff@noise@3", "n_eff@blur@1", "n_eff@other@1"]


def test_groups_have_their_own_numbers(audit: pc.Audit) -> None:
    table = audit.section("groups").tables["groups"].set_index("group")
    interval = only(audit, "all_wrong@site=north")
    assert (interval.estimate, interval.high) == (table.loc["north", "all_wrong"], table.loc["north", "high"])
    assert only(audit, "accuracy_mean@site=south").estimate == pytest.approx(table.loc["south", "accuracy"])
    every = pc.check(audit, {"max": {"all_wrong@groups": 0.5}})
    assert [gate.gate.number for gate in every.gates] == ["all_wrong@site=north", "all_wrong@site=south"]


def test_the_largest_of_many_kappas_is_not_taken_for_shown() -> None:
    """Of 66 independent pairs the largest κ has an interval of its own above 0 nearly always; the gate's has not."""
    alone = broken = 0
    for seed in range(12):
        correct = ~copying_errors((1,) * 12, 400, error_rate=0.3, seed=seed)
        predictions = Predictions.from_correct({f"m{k}": row.astype(int).tolist() for k, row in enumerate(correct)})
        audit = pc.audit(predictions)
        alone += bool(np.nanmax(audit.pairwise.values["kappa_low"]) > 0)
        broken += pc.check(audit, {"max": {"kappa": 0.0}}).status == "broken"
    assert alone >= 8
    assert broken <= 2


def test_limits_of_an_extreme_allow_for_clusters() -> None:
    """Every instance four times over: with clusters the limits are those of a quarter of the instances."""
    once = tiny_predictions(instances=300, copying=0.3)
    rows = np.repeat(np.arange(300), 4)
    assert once.answers is not None
    assert once.labels is not None
    answers = dict(zip(once.model_ids, once.answers[:, rows], strict=True))
    fourfold = Predictions.from_answers(answers, once.labels[rows])
    fourfold = replace(fourfold, instances=fourfold.instances.assign(patient=rows))
    clustered = pc.audit(fourfold, options=pc.AuditOptions(clusters="patient"))
    first, second = only(pc.audit(once), "kappa"), only(clustered, "kappa")
    assert second.low == pytest.approx(first.low, abs=0.03)
    assert second.low < only(pc.audit(fourfold), "kappa").low - 0.05


def test_a_number_that_is_undefined_neither_passes_nor_breaks() -> None:
    perfect = pc.audit(Predictions.from_correct({"a": [1] * 40, "b": [1] * 40}))
    result = pc.check(perfect, {"min": {"n_eff": 2}, "max": {"kappa": 0.5, "all_wrong": 0.5}})
    assert [gate.status for gate in result.gates] == ["undecided", "undecided", "kept"]
    assert result.exit_code == 3
    assert all(gate.remark for gate in result.gates[:2])
    skipped = pc.check(perfect, {"max": {"attribution.common": 0.5}}).gates[0]
    assert (skipped.status, skipped.remark) == ("undecided", perfect.section("attribution").reason)


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ({"min": {"nef": 2}}, "no number 'nef' in this audit; did you mean 'n_eff'"),
        ({"max": {"all_wrong@site=nort": 0.1}}, "did you mean 'all_wrong@site=north'"),
        ({"max": {"all_wrong": 5}}, "max all_wrong = 5; expected a share in [0, 1], such as 0.05."),
        ({"min": {"accuracy": 90}}, "min accuracy = 90; expected a share in [0, 1], such as 0.9."),
        ({"max": {"kappa_mean": 2}}, "max kappa_mean = 2; expected a number in [-1, 1]."),
        ({"min": {"n_eff": 0.5}}, "min n_eff = 0.5; expected an effective number of models, 1 or more."),
        (
            {"min": {"rho": 0.5}, "max": {"rho": 0.2}},
            "rho at least 0.5 and at most 0.2; expected bounds that can be kept.",
        ),
        ({"minimum": {"rho": 0.5}}, "unknown side 'minimum' of bounds; expected 'min' or 'max'; did you mean 'min'?"),
        ({}, "no gate; expected a bound on at least one number"),
        ({"min": {}}, "no gate; expected a bound on at least one number"),
        ({"min": {"kappa@shifts": 0.5}}, "no number 'kappa@shifts' in this audit"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_line(audit: pc.Audit, gates: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        pc.check(audit, gates)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_shifts_and_groups_that_are_not_there_are_refused() -> None:
    audit = pc.audit(tiny_predictions())
    with pytest.raises(InputError, match=r"n_eff@shifts without a shifted test set; expected an audit with shifts\."):
        pc.check(audit, {"min": {"n_eff@shifts": 2}})
    with pytest.raises(InputError, match="all_wrong@groups without a group; expected an audit with groups"):
        pc.check(audit, {"max": {"all_wrong@groups": 0.5}})


def test_another_judge_is_refused(audit: pc.Audit) -> None:
    with pytest.raises(InputError, match=r"judge 'saf'; expected 'shown' or 'safe'; did you mean 'safe'\?"):
        pc.check(audit, {"min": {"n_eff": 2}}, judge="saf")


def test_a_stored_audit_is_judged_alike(audit: pc.Audit) -> None:
    again = pc.Audit.from_json(audit.to_json())
    gates = {"min": {"n_eff": 2, "accuracy": 0.5, "n_eff@shifts": 2}, "max": {"kappa": 0.8, "all_wrong@groups": 0.5}}
    assert pc.check(again, gates).to_json() == pc.check(audit, gates).to_json()


def test_missing_answers_leave_each_model_its_own_number_of_instances() -> None:
    random = stream(0, "gates")
    correct = random.integers(0, 2, (3, 100)).astype(object)
    correct[0, :60] = None
    audit = pc.audit(Predictions.from_correct({name: row.tolist() for name, row in zip("abc", correct, strict=True)}))
    interval = only(audit, "accuracy@a")
    expected = wilson(int(sum(correct[0, 60:])), 40)
    assert (interval.n, interval.low, interval.high) == (40, expected.low, expected.high)
    failures = int((correct[:, 60:] == 0).all(axis=0).sum())
    assert only(audit, "all_wrong").high == jeffreys(failures, 40).high
