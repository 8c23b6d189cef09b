"""Comparing: the same set has not changed; a more alike one has; what hits both cancels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.auditing import AuditOptions, compare
from polyculture.errors import InputError
from polyculture.measures.effective import effective
from polyculture.predictions import Predictions
from polyculture.testing import tiny_predictions


def table(wrong: np.ndarray, labels: np.ndarray | None = None, first: int = 0) -> Predictions:
    index = pd.Index([f"i{first + k}" for k in range(wrong.shape[1])], name="instance")
    instances = pd.DataFrame(index=index)
    if labels is None:
        return Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(wrong)}, instances=instances)
    answers = {f"m{i}": np.where(row, (labels + 1) % 3, labels) for i, row in enumerate(wrong)}
    return Predictions.from_answers(answers, labels, instances=instances)


def copying(share: float, models: int, seed: int, n: int = 2000, hard: np.ndarray | None = None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rate = np.full(n, 0.2) if hard is None else hard
    together = rng.random(n) < rate
    return np.where(rng.random((models, n)) < share**0.5, together, rng.random((models, n)) < rate)


def test_the_same_set_has_not_changed_at_all() -> None:
    p = tiny_predictions((3, 2), instances=500)
    found = compare(p, p)
    for name in ("rho_change", "all_wrong_change"):
        change = found.numbers[name]
        assert (change.estimate, change.low, change.high) == (0, 0, 0)
    assert found.numbers["rho_first"] == found.numbers["rho_second"]
    assert found.sentence == (
        "On 500 common instances the second set is neither more nor less alike in errors than the first as far as "
        "these instances can tell: ρ changes by +0.000 [+0.000, +0.000], given each model's error rate within the "
        "true class."
    )


def test_a_more_alike_set_is_told_with_rho_from_each_side() -> None:
    first, second = copying(0, 6, 0), copying(0.4, 9, 1)
    found = compare(table(first), table(second))
    expected = [effective(w).rho for w in (first, second)]
    assert [found.numbers[f"rho_{s}"].estimate for s in ("first", "second")] == pytest.approx(expected)
    change = found.numbers["rho_change"]
    assert change.estimate == pytest.approx(expected[1] - expected[0])
    assert change.low < 0.4 < change.high
    assert "the second set is more alike in errors than the first: ρ changes by +0." in found.sentence
    assert "the second set is less alike" in compare(table(second), table(first)).sentence


def test_order_only_turns_the_sign() -> None:
    a, b = table(copying(0.1, 5, 2)), table(copying(0.3, 4, 3))
    there, back = compare(a, b).numbers["rho_change"], compare(b, a).numbers["rho_change"]
    assert (there.estimate, there.low, there.high) == pytest.approx((-back.estimate, -back.high, -back.low))


def test_shared_difficulty_cancels() -> None:
    """Two sets of other models on the same hard and easy instances: narrower than as if instances were others."""
    hard = np.random.default_rng(9).beta(0.8, 3.2, 1000)
    a, b = (copying(0, 8, seed, 1000, hard) for seed in (4, 5))
    found = compare(table(a), table(b)).numbers
    parts = [found[f"rho_{s}"].high - found[f"rho_{s}"].low for s in ("first", "second")]
    assert found["rho_change"].high - found["rho_change"].low < 0.85 * np.hypot(*parts)


def test_only_common_instances_count_whatever_their_order() -> None:
    wrong = copying(0.2, 5, 6, 600)
    first, second = table(wrong[:, :400]), table(wrong[:, 200:], first=200)
    shuffled = second.take_instances(np.random.default_rng(0).permutation(400))
    found = compare(first, shuffled)
    assert found.numbers["rho_change"].estimate == pytest.approx(0, abs=1e-12)
    assert found.tables["sets"]["instances"].tolist() == [200, 200]
    assert found.numbers["rho_first"].estimate == pytest.approx(effective(wrong[:, 200:400]).rho)


def test_sets_are_told_side_by_side() -> None:
    first, second = copying(0, 3, 7, 300), copying(1, 4, 8, 300)
    sets = compare(table(first), table(second)).tables["sets"].set_index("set")
    assert sets["models"].to_dict() == {"first": 3, "second": 4}
    for name, wrong in (("first", first), ("second", second)):
        assert sets.loc[name, "all_wrong"] == pytest.approx(wrong.all(axis=0).mean())
        assert sets.loc[name, "expected"] == pytest.approx(wrong.mean(axis=1).prod())
        assert sets.loc[name, "n_eff"] == pytest.approx(effective(wrong).n_eff)


def test_joint_failures_are_compared_pairwise_by_instance() -> None:
    first, second = np.zeros((2, 3, 200), bool)
    first[:, :10] = second[:, 5:25] = first[0, 50:60] = second[1, 60:80] = True
    change = compare(table(first), table(second)).numbers["all_wrong_change"]
    d = second.all(axis=0).astype(float) - first.all(axis=0)
    assert change.estimate == pytest.approx(10 / 200)
    assert change.high - change.estimate == pytest.approx(1.97196 * d.std(ddof=1) / np.sqrt(200), rel=1e-5)


def test_classes_count_only_if_both_sets_have_them() -> None:
    labels = np.tile([0, 1, 2], 200)
    wrong = copying(0.3, 4, 10, 600)
    within = compare(table(wrong, labels), table(wrong, labels))
    assert within.numbers["rho_first"].estimate == pytest.approx(effective(wrong, labels).rho)
    mixed = compare(table(wrong, labels), table(wrong))
    assert mixed.numbers["rho_first"].estimate == pytest.approx(effective(wrong).rho)
    assert mixed.sentence.endswith("given each model's overall error rate.")


def test_verdicts_weigh_both_sets() -> None:
    wrong = copying(0.3, 4, 11, 200)
    weights = np.ones(200)
    weights[:3] = 0.0, 0.5, 0.7
    verdicts = {f"i{k}": float(w) for k, w in enumerate(weights[:3])}
    found = compare(table(wrong), table(wrong), AuditOptions(verdicts=verdicts))
    expected = effective(wrong[:, 1:], None, None, weights[1:]).rho
    assert found.numbers["rho_second"].estimate == pytest.approx(expected, rel=1e-12)


def test_sets_of_perfect_models_cannot_be_compared() -> None:
    perfect = table(np.zeros((2, 50), bool))
    assert compare(perfect, table(copying(0.3, 3, 0, 50))).reason == (
        "fewer than two models have both right and wrong answers"
    )


def test_without_common_instances_it_is_refused() -> None:
    wrong = copying(0.3, 3, 0, 50)
    with pytest.raises(InputError) as caught:
        compare(table(wrong), table(wrong, first=49))
    assert str(caught.value) == (
        "the two tables have 1 instance in common; expected the same instances in both; name the column with the ids "
        "by --instance if they are in it."
    )


def test_a_comparison_is_a_chapter_that_survives_a_frame() -> None:
    frame = compare(table(copying(0, 4, 0)), table(copying(0.3, 4, 1))).frame()
    assert frame["number"].tolist() == ["rho_first", "rho_second", "rho_change", "all_wrong_change"]
    assert (frame["low"] <= frame["estimate"]).all()
    assert pc.audit(table(copying(0, 4, 0))).null_model("N0").rho.estimate == pytest.approx(frame["estimate"][0])


def answered(labels: list[str], ids: list[str] | None = None, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    answers = {
        m: np.where(rng.random(len(labels)) < 0.3, rng.choice(["x", "y", "z"], len(labels)), labels) for m in "ab"
    }
    instances = None if ids is None else pd.DataFrame(index=pd.Index(ids, name="instance"))
    return Predictions.from_answers(answers, labels, instances=instances)


def test_another_reference_is_refused_with_the_count() -> None:
    labels = ["x", "y", "z"] * 20
    other = ["z"] * 6 + labels[6:]
    ids = [f"q{k}" for k in range(60)]
    with pytest.raises(InputError) as caught:
        compare(answered(labels, ids), answered(other, ids, 1))
    assert str(caught.value) == (
        "4 of 60 common instances have another reference in the second table, such as 'q0': 'x' and 'z'; expected the "
        "same instances, judged by the same reference; leave these instances out."
    )
    with pytest.raises(InputError, match="rows without ids are paired by position: name the column with the ids"):
        compare(answered(labels), answered(other, seed=1))
    assert "60 common" in compare(answered(labels, ids), answered(labels, ids, 1)).sentence


def test_another_target_is_refused_and_rounding_is_not() -> None:
    targets = np.linspace(1, 2, 40)
    values = {m: targets + np.random.default_rng(k).normal(size=40) for k, m in enumerate("ab")}
    first = Predictions.from_values(values, targets)
    with pytest.raises(InputError, match="40 of 40 common instances have another reference"):
        compare(first, Predictions.from_values(values, targets + 1))
    assert compare(first, Predictions.from_values(values, targets * (1 + 1e-9))).numbers["rho_change"].estimate == 0


def test_other_names_of_the_same_classes_are_no_other_reference() -> None:
    labels = ["x", "y", "z"] * 20
    p = answered(labels)
    renamed = Predictions.from_answers(
        {m: [f"class {p.classes[code]}" for code in row] for m, row in zip(p.model_ids, p.answers, strict=True)},
        [f"class {label}" for label in labels],
    )
    assert compare(p, renamed).numbers["rho_change"].estimate == 0


@pytest.mark.parametrize("kind", ["answers", "outcomes", "numbers"])
def test_a_table_without_ids_and_its_shuffle_are_the_same(kind: str) -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 200)
    columns = {f"m{k}": np.where(rng.random(200) < 0.3, rng.integers(0, 3, 200), labels) for k in range(3)}
    order = rng.permutation(200)

    def of(rows: np.ndarray, names: list[str]) -> Predictions:
        cells = {name: columns[name][rows] for name in names}
        if kind == "outcomes":
            return Predictions.from_correct({name: column == labels[rows] for name, column in cells.items()})
        if kind == "numbers":
            return Predictions.from_values({m: c + 0.0 for m, c in cells.items()}, labels[rows] + 0.0)
        return Predictions.from_answers(cells, labels[rows])

    found = compare(of(np.arange(200), ["m0", "m1", "m2"]), of(order, ["m2", "m0", "m1"]))
    for name in ("rho_change", "all_wrong_change"):
        change = found.numbers[name]
        assert (change.estimate, change.low, change.high) == pytest.approx((0, 0, 0), abs=1e-12)
