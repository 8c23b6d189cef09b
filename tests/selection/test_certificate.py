"""Certificates: each number is what a few lines of numpy give, and intervals cover."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from polyculture.measures.effective import effective
from polyculture.predictions import Predictions
from polyculture.results import Certificate
from polyculture.selection import select
from polyculture.selection.certificate import Baselines, certify, share
from polyculture.selection.combination import Combination, fit
from polyculture.selection.contributions import contributions
from polyculture.selection.evaluation import EvaluationSet

World = Callable[..., Predictions]


def certified(exam: EvaluationSet, rows: list[int] | None = None) -> Certificate:
    m = exam.predictions.shape[0]
    blends = [fit("mean", exam, np.array(r)) for r in (rows or [0, 1, 2], [0], list(range(m)))]
    return certify(blends[0], Baselines(*blends[1:], blends[1]), exam)


def test_every_number_is_what_it_says(world: World) -> None:
    p = world(n=900)
    found = certified(EvaluationSet(p))
    at = np.arange(900)
    mixed = {
        k: p.probabilities[list(rows)].mean(axis=0)
        for k, rows in (("mine", (0, 1, 2)), ("best", (0,)), ("all", range(9)))
    }
    wrong = {k: (q.argmax(axis=1) != p.labels).astype(float) for k, q in mixed.items()}
    loss = {k: -np.log(q[at, p.labels]) for k, q in mixed.items()}
    assert found.scores["error"].estimate == wrong["mine"].mean()
    assert found.scores["log_loss"].estimate == pytest.approx(loss["mine"].mean())
    assert found.gains["error"]["best"].estimate == pytest.approx((wrong["best"] - wrong["mine"]).mean())
    assert found.gains["error"]["all"].estimate == pytest.approx((wrong["all"] - wrong["mine"]).mean())
    gain = loss["best"] - loss["mine"]
    assert found.gains["log_loss"]["best"].estimate == pytest.approx(gain.mean())
    half = 1.9626 * gain.std(ddof=1) / 30
    assert found.gains["log_loss"]["best"].low == pytest.approx(gain.mean() - half, rel=1e-3)
    assert found.gains["log_loss"]["all"].estimate == pytest.approx((loss["all"] - loss["mine"]).mean())
    hit = p.wrong[:3].all(axis=0)
    assert found.scores["all_wrong"].estimate == hit.mean()
    assert found.scores["ceiling"].estimate == pytest.approx(1 - hit.mean())
    assert found.scores["n_eff"].estimate == pytest.approx(effective(p.wrong[:3], p.labels).n_eff)
    assert (
        0 <= found.scores["calibration"].low <= found.scores["calibration"].estimate <= found.scores["calibration"].high
    )
    assert found.best == "m0"
    assert (found.scores["worst_group"].reason, found.scores["worst_shift"].reason) == (
        "no group of 10 instances or more was named",
        "no shifted test set was given",
    )
    assert len(found.frame()) == 19
    assert found.scores["squared_error"].reason == "the truth is no number"
    assert found.gains["error"]["top"] == found.gains["error"]["best"]


def test_no_rule_that_returns_a_members_answer_beats_the_ceiling(world: World) -> None:
    found = certified(EvaluationSet(world()))
    assert 1 - found.scores["error"].estimate <= found.scores["ceiling"].estimate


def test_groups_and_shifts_have_limits_that_hold_together(world: World) -> None:
    exam = EvaluationSet(
        world(n=400), {"noise": EvaluationSet(world(seed=3)), "blur": EvaluationSet(world(seed=4))}, groups=("group",)
    )
    found = certified(exam)
    assert found.groups["group"].tolist() == ["few", "many"]
    assert found.groups["n"].tolist() == [100, 300]
    assert found.scores["worst_group"].estimate == found.groups["error"].max()
    assert found.scores["worst_group"].low == found.groups["low"].max()
    assert found.scores["worst_group"].high == found.groups["high"].max()
    assert found.scores["worst_group"].method == "largest of 2, simultaneous Jeffreys limits (Bonferroni)"
    plain = share(np.asarray(exam.predictions.wrong[0], dtype=float), exam)
    row = found.shifts.iloc[0]
    assert row["low"] < row["error"] < row["high"]
    assert (found.shifts["log_loss"] > 0).all()
    assert plain.n == 400


def test_clusters_widen_every_interval() -> None:
    rng = np.random.default_rng(0)
    n, copies = 200, 5
    labels = np.repeat(rng.integers(0, 2, n), copies)
    answers = {f"m{i}": np.where(np.repeat(rng.random(n) < 0.4, copies), 1 - labels, labels) for i in range(3)}
    instances = pd.DataFrame({"patient": np.repeat(np.arange(n), copies)})
    p = Predictions.from_answers(answers, labels, instances=instances)

    def widths(exam: EvaluationSet) -> dict[str, float]:
        blends = [fit("vote", exam, np.array(r)) for r in ([0, 1, 2], [0], [0, 1, 2])]
        table = certify(blends[0], Baselines(*blends[1:], blends[1]), exam).frame().set_index("number")
        return dict(table["high"] - table["low"])

    apart, together = widths(EvaluationSet(p)), widths(EvaluationSet(p, clusters="patient"))
    for name in ("error", "error_gain_over_best", "n_eff", "all_wrong", "ceiling"):
        assert together[name] == pytest.approx(math.sqrt(copies) * apart[name], rel=0.25), name


def test_perfect_members_leave_the_effective_number_undefined() -> None:
    p = Predictions.from_correct({"a": [1] * 30, "b": [1] * 30, "c": [0] + [1] * 29})
    exam = EvaluationSet(p)
    blends = [Combination("vote", np.array(r), np.full(len(r), 1 / len(r))) for r in ([0, 1], [0], [0, 1, 2])]
    found = certify(blends[0], Baselines(*blends[1:], blends[1]), exam)
    assert found.scores["n_eff"].reason == "fewer than two models have both right and wrong answers"
    assert found.scores["error"].estimate == 0.0
    assert found.scores["error"].high > 0
    assert (found.gains["error"]["all"].low, found.gains["error"]["all"].high) == (0.0, 0.0)


def test_members_that_share_no_instance_leave_joint_failure_undefined() -> None:
    p = Predictions.from_correct({"a": [1, 0, None, None] * 10, "b": [None, None, 1, 0] * 10})
    exam = EvaluationSet(p)
    blend = Combination("vote", np.array([0, 1]), np.full(2, 0.5))
    found = certify(blend, Baselines(Combination("vote", np.array([0]), np.ones(1)), blend, blend), exam)
    assert (
        found.scores["all_wrong"].reason == found.scores["ceiling"].reason == "no instance was answered by every member"
    )
    assert found.scores["error"].estimate == 0.5
    assert found.scores["error"].n == 40


def test_contributions_add_up_to_the_gain_over_knowing_nothing(world: World) -> None:
    p = world(n=700)
    exam = EvaluationSet(p)
    blend = fit("mixture", exam, np.array([0, 1, 2, 4]))
    table = contributions(blend, exam, "log_loss")
    frequency = np.bincount(p.labels) / 700
    nothing = -(frequency * np.log(frequency)).sum()
    assert table["shapley"].sum() == pytest.approx(nothing - blend.losses(exam, "log_loss").mean())
    assert table["weight"].sum() == pytest.approx(1)
    alone = -np.log(p.probabilities[blend.rows[0], np.arange(700), p.labels]).mean()
    assert table["alone"].iloc[0] == pytest.approx(alone)
    rest = np.arange(1, len(blend.rows))
    without = blend.restricted(rest).losses(exam, "log_loss").mean()
    assert table["leave_one_out"].iloc[0] == pytest.approx(without - blend.losses(exam, "log_loss").mean())


def test_drawn_orders_come_near_all_orders(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from polyculture.selection import contributions as module

    exam = EvaluationSet(world(n=300))
    blend = fit("vote", exam, np.array([0, 1, 2, 4, 5]))
    exact = contributions(blend, exam, "error")["shapley"]
    monkeypatch.setattr(module, "MAX_EXACT", 0)
    drawn = contributions(blend, exam, "error")["shapley"]
    assert drawn.sum() == pytest.approx(exact.sum())
    assert drawn.to_numpy() == pytest.approx(exact.to_numpy(), abs=0.05)


def test_copies_contribute_alike(world: World) -> None:
    p = world(n=300)
    p.probabilities[1] = p.probabilities[0]
    exam = EvaluationSet(p)
    table = contributions(fit("mean", exam, np.array([0, 1, 2])), exam, "log_loss").set_index("member")
    assert table.loc["m0", "shapley"] == pytest.approx(table.loc["m1", "shapley"])
    assert table.loc["m2", "leave_one_out"] > table.loc["m1", "leave_one_out"]


@pytest.mark.slow
def test_the_gain_over_the_best_covers_its_true_value() -> None:
    """Three judges of a known world: how often the interval from 200 instances holds the gain on 200,000."""

    def verdicts(n: int, seed: int) -> EvaluationSet:
        rng = np.random.default_rng(seed)
        hard = rng.random(n) < 0.3
        wrong = rng.random((3, n)) < np.where(hard, 0.5, 0.1)
        return EvaluationSet(Predictions.from_correct({f"j{i}": ~row for i, row in enumerate(wrong)}))

    blends = [Combination("vote", np.array(r), np.full(len(r), 1 / len(r))) for r in ([0, 1, 2], [0], [0, 1, 2])]
    rivals = Baselines(blends[1], blends[2], blends[2])
    truth = certify(blends[0], rivals, verdicts(200_000, 10_000)).gains["error"]["best"].estimate
    found = [certify(blends[0], rivals, verdicts(200, seed)).gains["error"]["best"] for seed in range(250)]
    assert 0.92 <= np.mean([i.low <= truth <= i.high for i in found]) <= 0.98


def test_limits_of_a_group_and_of_a_shift_are_stricter_the_more_of_them_there_are(world: World) -> None:
    exam = EvaluationSet(
        world(n=400), {"noise": EvaluationSet(world(seed=3)), "blur": EvaluationSet(world(seed=4))}, groups=("group",)
    )
    found, blend = certified(exam), fit("mean", exam, np.array([0, 1, 2]))
    for _, row in found.groups.iterrows():
        here = np.asarray(exam.predictions.instances["group"] == row["group"])
        alone = share(blend.outcome(exam).wrong, exam, 0.975, here)
        assert (row["low"], row["high"]) == pytest.approx((alone.low, alone.high))
    for _, row in found.shifts.iterrows():
        there = exam.shifted[row["shift"]]
        alone = share(blend.outcome(there).wrong, there, 0.975)
        assert (row["low"], row["high"]) == pytest.approx((alone.low, alone.high))


def test_a_group_of_ten_is_judged_and_one_of_nine_is_not() -> None:
    instances = pd.DataFrame({"site": ["ten"] * 10 + ["nine"] * 9})
    p = Predictions.from_correct({"a": [1, 0] * 9 + [1], "b": [0, 1] * 9 + [1]}, instances=instances)
    assert list(EvaluationSet(p, groups=("site",)).members_of_groups) == [("site", "ten")]


def test_the_ceiling_is_what_not_all_members_fail_and_its_upper_limit_is_one_sided(world: World) -> None:
    found = certified(EvaluationSet(world(n=900)))
    assert found.scores["ceiling"].low == pytest.approx(1 - found.scores["all_wrong"].high)
    assert (
        found.scores["ceiling"].low
        < found.scores["ceiling"].estimate
        < found.scores["ceiling"].high
        < 1 - found.scores["all_wrong"].low
    )


def test_a_portfolio_that_is_as_often_right_as_it_is_sure_has_no_calibration_error() -> None:
    answers = np.tile(np.arange(50) % 5 == 0, (2, 1)).astype(int)  # wrong on a fifth, and 80 % sure
    p = Predictions(
        models=pd.DataFrame(index=["a", "b"]),
        instances=pd.DataFrame(index=[f"i{k}" for k in range(50)]),
        answers=answers,
        labels=np.zeros(50, np.int64),
        classes=("x", "y"),
        probabilities=np.where(np.arange(2) == answers[..., None], 0.8, 0.2),
    )
    found = certified(EvaluationSet(p), [0, 1]).scores["calibration"]
    assert (found.estimate, found.low) == (pytest.approx(0, abs=0.01), 0)
    assert found.high > 0


def test_a_certificate_without_a_complete_instance_is_undefined() -> None:
    labels = ["a", "b"] * 20
    answers = {"ann": labels, "bob": ["a"] * 40}
    known = Predictions.from_answers(answers, labels)
    blank = Predictions.from_answers(answers | {"ann": [None] * 40}, labels)
    portfolio = select(known, 1, certify_on=blank)
    assert portfolio.members == ("ann",)
    assert not portfolio.optimism.defined
    assert portfolio.contributions["alone"].isna().all()


def test_baselines_have_their_own_errors_here_and_under_the_worst_shift() -> None:
    from polyculture.selection import SelectionOptions, select
    from polyculture.testing import tiny_predictions

    table, shifted = (
        tiny_predictions(seed=1),
        {"noise@1": tiny_predictions(seed=2), "noise@2": tiny_predictions(seed=3)},
    )
    certificate = select(table, 2, shifted=shifted, terms=SelectionOptions(folds=0)).certificate
    rows = certificate.baselines.set_index(["shift", "baseline"])
    worst = certificate.shifts.sort_values("error")["shift"].iloc[-1]
    assert set(rows.index) == {(shift, name) for shift in ("", worst) for name in ("best", "top", "all")}
    error = certificate.scores["error"].estimate
    for name in ("best", "top", "all"):
        row, gain = rows.loc[("", name)], certificate.gains["error"][name]
        assert (row["gain"], row["gain_low"], row["gain_high"]) == (gain.estimate, gain.low, gain.high)
        assert row["error"] == pytest.approx(error + gain.estimate)
        assert row["low"] <= row["error"] <= row["high"]
    there = certificate.shifts.set_index("shift").loc[worst, "error"]
    assert rows.loc[(worst, "best"), "error"] - rows.loc[(worst, "best"), "gain"] == pytest.approx(there)
