"""The ladder of nulls: each rung takes away what it may, outside models stay outside, verdicts re-weight."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.null_models import fit_null_models
from polyculture.errors import InputError
from polyculture.measures.effective import effective
from polyculture.predictions import Predictions
from polyculture.reporting import narrative
from polyculture.results import NullModel


def nulls(predictions: Predictions, **options: object) -> dict[str, NullModel]:
    evidence = AuditContext.gather(predictions, AuditOptions(**options))
    return {null_model.name: null_model for null_model in fit_null_models(evidence)[0]}


def difficult(models: int = 8, outside: int = 0, n: int = 4000, seed: int = 0) -> Predictions:
    """Models that share nothing but the difficulty of the instances (ICC .3), which is a column; a few are human."""
    rng = np.random.default_rng(seed)
    difficulty = rng.beta(0.2 * 7 / 3, 0.8 * 7 / 3, n)
    names = [f"m{i}" for i in range(models)] + [f"human-{i}" for i in range(outside)]
    instances = pd.DataFrame({"difficulty": difficulty}, index=pd.Index([f"i{i}" for i in range(n)], name="instance"))
    return Predictions.from_correct({name: rng.random(n) >= difficulty for name in names}, instances=instances)


def test_a_known_difficulty_moves_n_eff_up() -> None:
    """True value 8 given difficulty, 2.6 without; tenths of it get most of the way."""
    found = nulls(difficult(), strata=("difficulty",))
    assert list(found) == ["N0", "N2", "N3"]
    assert found["N0"].n_eff.high < 3
    assert found["N2"].n_eff.low > 5.5
    assert found["N2"].n_eff.high < 8.5
    assert 7.5 < found["N3"].n_eff.estimate < 8.5


def test_outside_models_tell_difficulty_and_are_not_audited() -> None:
    table = difficult(outside=40)
    audit = pc.audit(table, options=AuditOptions(outside=("human-*",)))
    assert audit.n_models == 8
    assert set(audit.pairwise.models) == {f"m{i}" for i in range(8)}
    assert audit.n_eff == pc.audit(table.take_models([f"m{i}" for i in range(8)])).n_eff
    assert audit.null_model("N2").n_eff.low > audit.n_eff.high + 2


def test_a_poor_outside_measure_takes_away_less() -> None:
    table = difficult(outside=40)
    few = nulls(table.take_models([f"m{i}" for i in range(8)] + ["human-0", "human-1"]), outside=("human-*",))
    many = nulls(table, outside=("human-*",))
    assert few["N0"].n_eff.estimate < few["N2"].n_eff.estimate < many["N2"].n_eff.estimate


def test_an_outside_model_that_is_not_there_is_answered_with_the_near_ones() -> None:
    with pytest.raises(InputError) as caught:
        nulls(difficult(outside=1), outside=("humna-0",))
    assert str(caught.value) == "no model matches 'humna-0'; did you mean 'human-0'?"


def test_an_instance_that_no_outside_model_answered_is_in_a_stratum_of_its_own() -> None:
    columns = {"a": [1, 0, 1, 0], "b": [1, 1, 0, 0], "human": [1, 0, None, None]}
    evidence = AuditContext.gather(Predictions.from_correct(columns), AuditOptions(outside=("human",)))
    assert evidence.difficulty is not None
    np.testing.assert_array_equal(evidence.difficulty, [0, 1, np.nan, np.nan])
    assert evidence.strata is not None
    assert len(set(evidence.strata.tolist())) == 3
    assert evidence.strata[2] == evidence.strata[3]


def test_few_informative_instances_take_the_bootstrap_and_many_the_influence_function() -> None:
    assert nulls(difficult(n=60))["N0"].n_eff.method == "bootstrap-t, log scale, 1999 resamples"
    assert nulls(difficult(n=4000))["N0"].n_eff.method == "influence function, log scale"


def test_resampling_a_handful_of_instances_may_leave_no_limit_but_never_fails() -> None:
    wrong = np.array([[1, 0, 1, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 1], [0, 1, 0, 1, 0, 1, 0, 0]], bool)
    found = nulls(Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(wrong)}))["N0"].n_eff
    assert 0 <= found.low < 1e-3
    assert found.estimate < found.high


def test_the_level_of_the_last_rung_is_not_identified() -> None:
    rho = nulls(difficult(n=600))["N3"].rho
    assert rho.reason == "the errors of the same models cannot tell shared difficulty from shared causes"
    assert not rho.defined


def test_invalid_labels_are_left_out_and_doubtful_ones_count_less() -> None:
    table = difficult(n=300)
    verdicts = {"i0": 0.0, "i1": 0.49, "i2": 0.5, "i3": 0.8, "i4": 1.0}
    weights = np.ones(300)
    weights[2:4] = 0.5, 0.8
    expected = effective(table.wrong[:, 2:], None, None, weights[2:]).n_eff
    audit = pc.audit(table, options=AuditOptions(verdicts=verdicts))
    assert audit.n_instances == 298
    assert audit.facts["verdicts"] == 5
    assert audit.n_eff.estimate == pytest.approx(expected, rel=1e-12)
    assert expected != pytest.approx(effective(table.wrong[:, 2:]).n_eff, rel=1e-6)


def test_verdicts_of_one_change_nothing() -> None:
    table = difficult(n=300)
    assert nulls(table, verdicts={"i7": 1.0})["N0"].n_eff.estimate == nulls(table)["N0"].n_eff.estimate


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"label_errors": 1.0}, "label_errors is 1.0; expected a share of instances, such as 0.033."),
        (
            {"verdicts": {"i3": 3.0}},
            "verdict 3.0 on instance 'i3'; expected the probability that its label is valid, 0 … 1.",
        ),
    ],
)
def test_options_out_of_range_are_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        AuditOptions(**given)
    assert str(caught.value) == message


@pytest.mark.parametrize("option", ["strata", "groups"])
def test_an_unknown_column_is_answered_with_the_near_ones(option: str) -> None:
    with pytest.raises(InputError) as caught:
        nulls(difficult(n=20), **{option: ("dificulty",)})
    assert str(caught.value) == "no instance column 'dificulty'; did you mean 'difficulty'?"


def test_a_verdict_on_a_stranger_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        nulls(difficult(n=20), verdicts={"i200": 1.0})
    assert str(caught.value).startswith("a verdict on the unknown instance 'i200'; did you mean ")


def open_answers(n: int = 700, seed: int = 0) -> Predictions:
    """Numeric answers of which two in three instances share theirs with others, as in a set of sums."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(n) < 0.65, rng.integers(0, 30, n), rng.integers(1000, 100_000, n))
    wrong = np.where(rng.random((12, n)) < 0.5, rng.random(n), rng.random((12, n))) < 0.4
    answers = np.where(wrong, rng.integers(0, 30, (12, n)) + 200, labels)
    return Predictions.from_answers({f"m{i}": row for i, row in enumerate(answers)}, labels)


def test_open_ended_answers_are_no_classes_and_the_page_says_why_n0_leads() -> None:
    table = open_answers()
    audit = pc.audit(table)
    assert audit.headline == "N0"
    reason = "the labels are open-ended answers, most of which are too rare to be classes"
    assert audit.facts["class_not_used"] == reason
    assert narrative.meaning(audit)[-1] == f"N0 leads, and not N1 (given the true class), because {reason}."
    assert audit.systemic.expectation == pytest.approx(table.wrong.mean(axis=1).prod())


def test_classes_too_small_for_the_models_leave_the_expectation_at_overall_error_rates() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(100), 6)
    wrong = np.where(rng.random((12, 600)) < 0.7, rng.random(600), rng.random((12, 600))) < 0.4
    answers = np.where(wrong, (labels + rng.integers(1, 100, (12, 600))) % 100, labels)
    audit = pc.audit(Predictions.from_answers({f"m{i}": row for i, row in enumerate(answers)}, labels))
    assert audit.headline == "N1"
    assert audit.systemic.expectation == pytest.approx(wrong.mean(axis=1).prod())
    (finding,) = (finding for finding in audit.findings if finding.code == "PC002")
    assert "(not given the true class: classes of 6 instances are too small for 12 models)" in finding.sentence
