"""Do the numbers of every subset of the models follow from the sums that the audit carries?"""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.panel_sums import MOST_ANSWERS, instance_codes, panel_sums
from polyculture.measures.effective import effective, pair_covariances
from polyculture.predictions import Predictions
from polyculture.results.panel import NO_ANSWER, PanelSums
from polyculture.testing import tiny_predictions


def design_effect(covariances: np.ndarray) -> float:
    """D of all models from the mean covariance and the mean variance, as the docstring has it."""
    off = ~np.eye(len(covariances), dtype=bool)
    if np.isnan(covariances[off]).all() or not np.nanmean(np.diag(covariances)):
        return math.nan
    return float(1 + (len(covariances) - 1) * np.nanmean(covariances[off]) / np.nanmean(np.diag(covariances)))


@given(
    st.integers(0, 10**6),
    st.integers(2, 6),
    st.integers(1, 40),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.3, 0.8]),
    st.booleans(),
)
def test_covariances_of_pairs_give_the_design_effect_of_every_subset(
    seed: int, m: int, n: int, strata: int, gaps: float, weighted: bool
) -> None:
    random = np.random.default_rng(seed)
    wrong = random.random((m, n)) < random.uniform(0, 1, (m, 1))
    observed = random.random((m, n)) >= gaps
    codes = random.integers(0, strata, n)
    weights = random.choice([0.0, 0.5, 0.75, 1.0], n) if weighted else None
    covariances = pair_covariances(wrong & observed, codes, observed, weights)
    rows = np.flatnonzero(random.random(m) < 0.7)
    estimate = effective(wrong[rows], codes, observed[rows], weights)
    rows = rows[estimate.informative]
    if len(rows) >= 2:
        ours = design_effect(covariances[np.ix_(rows, rows)])
        assert ours == pytest.approx(estimate.design_effect, abs=1e-9, rel=1e-9, nan_ok=True)


def test_a_covariance_is_the_textbook_one_within_classes() -> None:
    """Two classes of four: Σ (x − x̄)(y − ȳ) n/(n − 1) summed over classes, over eight instances."""
    wrong = np.array([[1, 1, 0, 0, 1, 0, 0, 0], [1, 0, 1, 0, 1, 1, 0, 0]], bool)
    codes = np.repeat([0, 1], 4)
    classes = (slice(0, 4), slice(4, 8))
    textbook = sum(4 * np.cov(wrong[:, part].astype(float)) for part in classes) / 8
    np.testing.assert_allclose(pair_covariances(wrong, codes), textbook, rtol=1e-14)


def test_pairs_without_two_common_instances_have_no_covariance() -> None:
    wrong = np.array([[1, 0, 0, 0], [0, 0, 1, 0]], bool)
    observed = np.array([[1, 1, 1, 0], [0, 0, 1, 1]], bool)
    covariances = pair_covariances(wrong, None, observed)
    assert np.isnan(covariances[0, 1])
    assert covariances[0, 0] == pytest.approx(1 / 3)
    assert covariances[1, 1] == pytest.approx(1 / 2)


def test_answers_keep_who_agrees_with_whom_however_many_classes_there_are() -> None:
    random = np.random.default_rng(0)
    answers = random.integers(-1, 3000, (200, 50)).astype(np.int16)
    answers[:100] = answers[100:]
    codes = instance_codes(answers)
    assert codes[answers >= 0].max() < 200
    np.testing.assert_array_equal(codes == NO_ANSWER, answers < 0)
    np.testing.assert_array_equal(codes[:, None] == codes[None], answers[:, None] == answers[None])


def kinds() -> dict[str, Predictions]:
    table = tiny_predictions((3, 2, 1), instances=120, copying=0.5, seed=4)
    assert table.answers is not None
    gone = np.random.default_rng(5).random(table.shape) < 0.2
    right = np.where(gone, -1, ~table.wrong).astype(np.int8)
    return {
        "answers": table,
        "missing cells": replace(table, answers=np.where(gone, -1, table.answers).astype(np.int8)),
        "outcomes": Predictions(table.models, table.instances, correct=right),
        "graded": replace(table, correct=right),
    }


@pytest.mark.parametrize("name", list(kinds()))
def test_the_sums_survive_json_to_the_last_bit(name: str) -> None:
    audit = pc.audit(kinds()[name])
    again = pc.Audit.from_json(audit.to_json())
    assert again.to_json() == audit.to_json()
    assert audit.panel is not None
    assert again.panel is not None
    assert repr(again.panel) == repr(audit.panel)
    for field in ("wrong", "observed", "answers"):
        first, second = getattr(audit.panel, field), getattr(again.panel, field)
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first, second)
    for null_model, table in audit.panel.covariances.items():
        np.testing.assert_array_equal(again.panel.covariances[null_model], table)


def test_an_audit_that_was_stored_without_the_sums_still_opens() -> None:
    stored = json.loads(pc.audit(tiny_predictions()).to_json())
    del stored["panel"]
    assert pc.Audit.from_json(json.dumps(stored)).panel is None


def test_only_what_follows_from_the_sums_has_them() -> None:
    table = tiny_predictions()
    assert pc.audit([table]).panel is None  # in shards
    numbers = Predictions.from_values({"a": [1.0, 2.0, 4.0], "b": [1.0, 3.0, 3.0]}, [1.0, 2.0, 3.0])
    assert pc.audit(numbers).panel is None
    right = np.random.default_rng(0).random((201, 12)) < 0.7
    many = Predictions.from_correct({f"m{k}": row for k, row in enumerate(right)})
    assert panel_sums(AuditContext.gather(many, AuditOptions())) is None


def test_votes_are_kept_up_to_the_size_of_a_page() -> None:
    n = MOST_ANSWERS // 2 + 1
    labels = np.arange(n) % 3
    large = Predictions.from_answers({"a": labels, "b": (labels + (labels == 0)) % 3}, labels)
    sums = panel_sums(AuditContext.gather(large, AuditOptions()))
    assert sums is not None
    assert sums.wrong is None
    assert repr(sums) == "PanelSums: N1, votes not kept"
    outcomes = Predictions(large.models, large.instances, correct=(~large.wrong).astype(np.int8))
    sums = panel_sums(AuditContext.gather(outcomes, AuditOptions()))
    assert sums is not None
    assert sums.answers is None
    assert repr(sums) == "PanelSums: votes on 200,001 instances"


def test_verdicts_weigh_in_the_sums() -> None:
    table = tiny_predictions(instances=60)
    verdicts = {str(name): 0.6 for name in table.instances.index[:20]}
    options = AuditOptions(verdicts=verdicts)
    audit, ids = pc.audit(table, options=options), table.model_ids
    assert isinstance(audit.panel, PanelSums)
    for name in ("N0", "N1"):
        part = pc.audit(table.take_models([ids[0], ids[2], ids[3]]), options=options)
        rows = np.array([0, 2, 3])
        n_eff = 3 / design_effect(audit.panel.covariances[name][np.ix_(rows, rows)])
        assert n_eff == pytest.approx(part.null_model(name).n_eff.estimate, abs=1e-9)
