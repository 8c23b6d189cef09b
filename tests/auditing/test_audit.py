"""The whole audit: what it says of sets whose truth is known, and that nothing is lost on the way."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.testing import tiny_predictions


def codes(audit: pc.Audit) -> dict[str, str]:
    return {finding.code: finding.sentence for finding in audit.findings}


def test_the_first_sentence_names_models_and_effective_models() -> None:
    audit = pc.audit(tiny_predictions((3, 3), instances=3000))
    assert audit.sentence == f"6 models; they fail like {audit.n_eff.format('.2f')}."
    assert audit.n_eff.low < 2 < audit.n_eff.high


def test_the_rungs_stand_together_and_the_truth_given_one_is_the_headline() -> None:
    audit = pc.audit(tiny_predictions())
    assert [null_model.name for null_model in audit.null_models] == ["N0", "N1", "N3"]
    assert audit.headline == "N1"
    assert audit.n_eff == audit.null_model("N1").n_eff


def test_without_classes_there_is_only_the_raw_rung() -> None:
    correct = {"a": [1, 0, 1, 1], "b": [1, 0, 0, 1], "c": [0, 1, 1, 1]}
    audit = pc.audit(Predictions.from_correct(correct))
    assert [null_model.name for null_model in audit.null_models] == ["N0", "N3"]
    assert "agreement" not in audit.pairwise.values


def test_class_difficulty_is_removed_by_the_headline_only() -> None:
    """T6 in the large: independent within class, error rates .5 and .05."""
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 4000)
    wrong = rng.random((5, 8000)) < np.where(labels == 0, 0.5, 0.05)
    audit = pc.audit(Predictions.from_answers({f"m{i}": labels ^ w for i, w in enumerate(wrong)}, labels))
    assert audit.null_model("N0").n_eff.high < 3
    assert audit.null_model("N1").n_eff.low < 5 < audit.null_model("N1").n_eff.high
    assert audit.null_model("N1").p > 0.01 > audit.null_model("N0").p


def test_an_audit_survives_json_with_nan_and_infinity() -> None:
    complementary = {"a": [0, 1, 1, None], "b": [1, 0, 1, None], "c": [1, 1, 0, None], "best": [1, 1, 1, None]}
    audit = pc.audit(Predictions.from_correct({name: column[:3] for name, column in complementary.items()}))
    text = audit.to_json()
    json.loads(text, parse_constant=lambda c: pytest.fail(f"not strict JSON: {c}"))
    again = pc.Audit.from_json(text)
    assert again.to_json() == text
    assert math.isinf(audit.n_eff.estimate)
    assert again.n_eff.estimate == audit.n_eff.estimate
    pd.testing.assert_frame_equal(again.leaderboard.table, audit.leaderboard.table, check_dtype=False)


def test_more_effective_models_than_models_is_no_homogenization() -> None:
    """Errors that avoid each other: n_eff of the two informative models is above 2."""
    correct = {"a": [0, 1, 1, 1, 0, 1, 1] * 20, "b": [1, 0, 1, 1, 1, 0, 1] * 20, "best": [1] * 140}
    correct = {name: [*column, 0 if name != "best" else 1] for name, column in correct.items()}
    audit = pc.audit(Predictions.from_correct(correct))
    assert audit.sentence == "3 models; they fail like 2 or more: no homogenization detected."


def test_all_models_perfect_is_undefined_with_a_reason() -> None:
    audit = pc.audit(Predictions.from_answers({"a": [0, 1, 0, 1], "b": [0, 1, 0, 1]}, [0, 1, 0, 1]))
    assert audit.sentence == (
        "2 models; how many they fail like is undefined (fewer than two models have both right and wrong answers)."
    )
    reasons = {f.code: f.reason for f in audit.findings}
    assert reasons["PC001"] == "fewer than two models have both right and wrong answers"
    assert np.isnan(audit.pairwise.values["kappa"][0, 1])
    assert audit.pairwise.reasons[0][1] == "constant_model"


def test_clusters_widen_the_interval() -> None:
    one = tiny_predictions((2, 1), instances=500, copying=0.5)
    tenfold = np.repeat(np.arange(500), 10)
    instances = pd.DataFrame({"patient": tenfold}, index=pd.RangeIndex(5000, name="instance"))
    assert one.answers is not None
    assert one.labels is not None
    many = Predictions(one.models, instances, one.answers[:, tenfold], one.labels[tenfold], classes=one.classes)
    aware, naive = pc.audit(many, options=AuditOptions(clusters="patient")).n_eff, pc.audit(many).n_eff
    single = pc.audit(one).n_eff
    assert aware.high - aware.low == pytest.approx(single.high - single.low, rel=0.02)
    assert naive.high - naive.low < 0.4 * (aware.high - aware.low)


def test_an_unknown_cluster_column_is_answered_with_the_near_ones() -> None:
    instances = pd.DataFrame({"patient": [1, 2, 3, 4]})
    predictions = Predictions.from_answers({"a": [0, 1, 1, 0], "b": [0, 0, 1, 1]}, [0, 1, 1, 1], instances=instances)
    with pytest.raises(InputError) as caught:
        pc.audit(predictions, options=AuditOptions(clusters="patients"))
    assert str(caught.value) == "no instance column 'patients'; did you mean 'patient'?"


def test_a_level_outside_zero_and_one_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        AuditOptions(level=1.5)
    assert str(caught.value) == "level is 1.5; expected a confidence level between 0 and 1, such as 0.95."


def test_hardest_instances_name_their_common_wrong_answer() -> None:
    labels = ["x", "x", "y", "y"]
    answers = {"a": ["z", "x", "y", "x"], "b": ["z", "x", "y", "y"], "c": ["y", "x", "x", "y"]}
    hardest = pc.audit(Predictions.from_answers(answers, labels)).systemic.hardest
    assert hardest.to_dict("records") == [
        {"instance": "0", "label": "x", "wrong": 3, "models": 3, "answer": "z", "share": pytest.approx(2 / 3)}
    ]


def test_shifts_are_rows_with_the_unshifted_test_first() -> None:
    start, worse = tiny_predictions(seed=1), tiny_predictions(copying=0.3, seed=2)
    audit = pc.audit(start, shifted={"noise@1": start, "noise@2": worse, "blur": worse})
    assert audit.shifts[["shift", "severity"]].values.tolist() == [["none", 0], ["noise", 1], ["noise", 2], ["blur", 1]]
    assert audit.shifts["n_eff"][0] == audit.n_eff.estimate
    assert "PC008" in codes(audit)


def test_the_hardest_pictures_are_kept_as_grey_levels() -> None:
    predictions = tiny_predictions((4,), instances=60)
    images = np.random.default_rng(0).random((60, 5, 4), dtype=np.float32)
    dataset = pc.Dataset(images, np.asarray(predictions.labels, dtype=np.int64), predictions.classes)
    audit = pc.audit(predictions, dataset=dataset)
    assert set(audit.pictures) == set(audit.systemic.hardest["instance"].head(48))
    assert all(p.shape == (5, 4) and p.min() >= 0 and p.max() <= 255 for p in audit.pictures.values())


def test_twins_constant_models_and_missing_cells_are_found() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    wrong = rng.random((3, 300)) < 0.3
    a, b, c = labels ^ wrong[0], labels ^ wrong[1], (labels ^ wrong[2]).astype(object)
    c[(wrong[0] | wrong[1]) & (np.arange(300) < 200)] = None
    said = codes(pc.audit(Predictions.from_answers({"a": a, "a2": a, "b": b, "c": c, "best": labels}, labels)))
    assert said["PC003"].startswith("1 pair of models answers alike on more than 99.9 % of their instances: a and a2")
    assert said["PC004"].startswith(
        "1 of 5 models are right or wrong everywhere and are left out of the effective number: best"
    )
    assert "Cells are missing where instances are harder (r = -" in said["PC007"]


def test_few_clusters_and_few_informative_instances_are_said() -> None:
    predictions = tiny_predictions((2, 1), instances=40)
    instances = pd.DataFrame({"g": np.arange(40) % 5}, index=predictions.instances.index)
    few = Predictions(
        predictions.models, instances, predictions.answers, predictions.labels, classes=predictions.classes
    )
    said = codes(pc.audit(few, options=AuditOptions(clusters="g")))
    assert said["PC006"].startswith("The instances fall into 5 clusters; with 60 or fewer")
    assert "PC005" in said


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_models_and_instances_changes_nothing(seed: int) -> None:
    predictions = tiny_predictions((2, 2, 1), instances=400, copying=0.5, seed=seed)
    rng = np.random.default_rng(seed)
    shuffled = predictions.take_models(list(rng.permutation(predictions.model_ids))).take_instances(
        rng.permutation(400)
    )
    one, two = pc.audit(predictions), pc.audit(shuffled)
    assert one.n_eff.estimate == pytest.approx(two.n_eff.estimate, nan_ok=True)
    tolerance = 0.05 if "bootstrap" in one.n_eff.method else 1e-9  # resampling sees the instances in their order
    assert one.n_eff.low == pytest.approx(two.n_eff.low, rel=tolerance)
    assert one.systemic.frame().equals(two.systemic.frame()) or np.allclose(
        one.systemic.expected, two.systemic.expected
    )
    assert one.leaderboard.pairs_apart == two.leaderboard.pairs_apart


def test_real_tables_give_the_published_sentences(shared_data: Path) -> None:
    folder = shared_data / "predictions"
    said = {
        name: pc.audit(pc.read(folder / file)).sentence
        for name, file in {
            "imagenet": "imagenet_val.parquet",
            "crux": "zeroeval_crux_long.parquet",
            "gsm": "zeroeval_gsm_long.parquet",
        }.items()
    }
    assert said == {
        "imagenet": "67 models; they fail like 1.83 [1.82, 1.85].",
        "crux": "51 models; they fail like 2.26 [2.15, 2.38].",
        "gsm": "44 models; they fail like 3.48 [3.08, 3.94].",
    }


@pytest.mark.parametrize("seed", range(12))
def test_no_sentence_of_a_tiny_audit_holds_a_number_that_does_not_exist(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, rate = int(rng.integers(2, 9)), (0.0, 0.2, 0.5, 1.0)[seed % 4]
    labels = rng.integers(0, 2, n)
    answers = {f"m{k}": np.where(rng.random(n) < rate, 1 - labels, labels) for k in range(2 + seed % 3)}
    answers["copy"] = answers["m0"]
    tables = (
        Predictions.from_answers(answers, labels),
        Predictions.from_correct({model: row == labels for model, row in answers.items()}),
        Predictions.from_values({model: row.astype(float) for model, row in answers.items()}, labels.astype(float)),
    )
    for audit in map(pc.audit, tables):
        for text in (audit.sentence, *(section.sentence for section in audit.sections)):
            assert not {"nan", "inf", "None"} & set(re.findall(r"\w+", text)), text


def test_an_interval_that_does_not_exist_leaves_no_number_in_the_first_sentence() -> None:
    answers = {"m0": [0, 0, 0, 1, 0], "m1": [0, 0, 0, 1, 0]}
    assert pc.audit(Predictions.from_answers(answers, [0, 1, 0, 1, 0])).sentence == (
        "2 models; how many they fail like cannot be determined (only about 2 instances tell)."
    )
