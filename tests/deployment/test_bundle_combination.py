"""The graph of all members, the combination in numpy and `polyculture.combine` give the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from polyculture.deployment.bundle import open_bundle, write_bundle
from polyculture.deployment.bundle.combine import answers, combined, disagreement, vote_answers
from polyculture.deployment.export.fused import fused_graph
from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.rng import stream
from polyculture.selection.combination import Combination
from polyculture.selection.evaluation import EvaluationSet

from .bundles import make_bundle, make_inputs

CLASS_RULES = ("mean", "mixture", "geometric", "stacking", "vote", "weighted_vote")


def of_selection(manifest: Any, members: np.ndarray, labels: np.ndarray) -> Any:
    """What the room of selection makes of the same members."""
    probabilities = np.moveaxis(members, 1, 0)
    ids = manifest.ids
    predictions = Predictions.from_answers(
        dict(zip(ids, probabilities.argmax(axis=2), strict=True)), labels, classes=manifest.classes
    )
    predictions = replace(predictions, probabilities=probabilities)
    by_class = np.array([m.weights_by_class for m in manifest.members if m.weights_by_class], dtype=float, ndmin=2)
    weights, bias = np.array([m.weight for m in manifest.members]), np.array(manifest.bias)
    rows = np.arange(len(ids))
    combination = Combination(manifest.rule, rows, weights, bias, manifest.temperature, by_class=by_class)
    return combination.outcome(EvaluationSet(predictions))


@pytest.mark.parametrize("temperature", [1.0, 0.6, 2.5])
@pytest.mark.parametrize("rule", CLASS_RULES)
def test_a_rule_gives_the_same_in_graph_numpy_and_selection(tmp_path: Path, rule: str, temperature: float) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "b", members=4, classes=5, rule=rule, temperature=temperature))
    result = bundle.predict(make_inputs("table", 300) * 6)  # extreme probabilities, too
    np.testing.assert_allclose(combined(bundle.manifest, result.members), result.combined, atol=1e-6)
    labels = stream(0, "labels").integers(0, 5, 300)
    outcome = of_selection(bundle.manifest, result.members, labels)
    if outcome.probabilities is not None:
        np.testing.assert_allclose(result.combined, outcome.probabilities, atol=1e-6)
    np.testing.assert_allclose(result.confidence, outcome.confidence, atol=1e-6)
    decided = np.isin(outcome.wrong, [0, 1])  # ties are drawn by lot in selection
    np.testing.assert_array_equal((result.answer != labels)[decided], outcome.wrong[decided])


def test_weights_by_class_count_in_stacking(tmp_path: Path) -> None:

    bundle = open_bundle(make_bundle(tmp_path / "b", rule="stacking"))
    weights = stream(1, "weights").normal(0.5, 0.3, (3, 3))
    members = tuple(
        replace(m, weights_by_class=tuple(map(float, w))) for m, w in zip(bundle.manifest.members, weights, strict=True)
    )
    manifest = replace(bundle.manifest, members=members, floor=1e-6)
    contents = {name: bundle.content(name) for name in manifest.files}
    import onnx

    graphs = {m.id: onnx.load_from_string(contents[m.graph]) for m in members}
    contents["portfolio.onnx"] = fused_graph(manifest, graphs).SerializeToString()
    bundle = write_bundle(tmp_path / "c", manifest, contents)
    result = bundle.predict(make_inputs("table", 100) * 6)
    np.testing.assert_allclose(combined(manifest, result.members), result.combined, atol=1e-6)
    outcome = of_selection(manifest, np.maximum(result.members, 1e-6), np.zeros(100, int))
    np.testing.assert_allclose(result.combined, outcome.probabilities, atol=1e-6)


@pytest.mark.parametrize("rule", ["average", "mean"])
def test_values_are_averaged_alike(tmp_path: Path, rule: str) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "b", rule=rule, regression=True))
    result = bundle.predict(make_inputs("table", 50))
    weights = np.array([m.weight for m in bundle.manifest.members])
    np.testing.assert_allclose(result.value, result.member_values @ weights, atol=1e-6)
    np.testing.assert_allclose(combined(bundle.manifest, result.members), result.combined, atol=1e-6)


@pytest.mark.parametrize("rule", CLASS_RULES)
def test_absent_members_count_as_in_a_restricted_combination(tmp_path: Path, rule: str) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "b", members=4, rule=rule))
    manifest = bundle.manifest
    members = bundle.predict(make_inputs("table", 40)).members
    present = np.array([0, 2, 3])
    without = members.copy()
    without[:, 1] = np.nan
    weights = np.array([manifest.members[i].weight for i in present])
    weights = weights if rule == "stacking" else weights / weights.sum()
    entries = tuple(replace(manifest.members[i], weight=w) for i, w in zip(present, weights, strict=True))
    smaller = replace(manifest, members=entries)
    np.testing.assert_allclose(combined(manifest, without), combined(smaller, members[:, present]), atol=1e-6)


@given(st.data())
def test_disagreement_is_the_share_outside_of_the_plurality(data: st.DataObject) -> None:
    m, c = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 4))
    codes = np.array(data.draw(st.lists(st.lists(st.integers(-1, c - 1), min_size=m, max_size=m), min_size=1)))
    expected = []
    for row in codes.tolist():
        votes = [x for x in row if x >= 0]
        expected.append(1 - max(map(votes.count, votes)) / len(votes) if votes else np.nan)
    np.testing.assert_allclose(disagreement(codes, c), expected)


def test_answers_of_absent_members_are_none() -> None:
    probabilities = np.array([[[0.2, 0.8], [np.nan, np.nan]]])
    np.testing.assert_array_equal(answers(probabilities), [[1, -1]])
    shares = np.array([[0.5, 0.5], [0.0, 1.0]])
    np.testing.assert_array_equal(vote_answers(shares, np.array([[1, 0], [-1, 1]])), [1, 1])


def test_the_rule_that_chooses_by_instance_has_no_graph(tmp_path: Path) -> None:
    manifest = replace(open_bundle(make_bundle(tmp_path / "b")).manifest, rule="dynamic")
    with pytest.raises(InputError, match="a graph that combines by the rule 'dynamic'; expected one of mean"):
        fused_graph(manifest, {})
