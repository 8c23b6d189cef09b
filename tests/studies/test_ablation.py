"""Does each lever change one thing, and is what it does measured with intervals that cover?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe
from polyculture.studies.ablation.effects import (
    MEASURES,
    Contrast,
    Instances,
    Replicates,
    effect_table,
    standing_table,
)
from polyculture.studies.ablation.plan import (
    CHANGES,
    REGULARIZERS,
    apply_change,
    baseline_recipe,
    describe_change,
    plan_ablation,
)
from polyculture.studies.ablation.replicates import ReplicatePredictions, measure_changes
from polyculture.training import DATA, OBJECTIVES, OPTIMIZERS
from polyculture.training.pretraining import PRETRAINING
from polyculture.training.schedule import PACES

R, N = 5, 400


def made(wrong: np.ndarray, **more: Any) -> Replicates:
    """Replicates of two classes that are wrong just there, sure to 90 % of what they say."""
    r, n = wrong.shape
    answers = wrong.astype(int)  # the true class is 0 throughout
    probabilities = np.where(np.arange(2) == answers[..., None], 0.9, 0.1)
    given: dict[str, Any] = {
        "train_wrong": np.zeros((r, n), bool),
        "shifted_wrong": np.zeros((r, 0)),
        "seconds": np.ones(r),
        "operations": np.ones(r),
    }
    return Replicates(probabilities, **given | more)


def asked(n: int = N, **more: Any) -> Instances:
    return Instances(np.zeros(n, np.int64), **more)


def drawn(seed: int, rate: float, r: int = R, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).random((r, n)) < rate


def row(found: pd.DataFrame, measure: str, lever: str = "lever") -> pd.Series:
    [[_, one]] = found[(found["measure"] == measure) & (found["lever"] == lever)].iterrows()
    return one


def test_every_level_of_every_registry_is_a_lever_under_a_name_of_its_own() -> None:
    kinds = (OBJECTIVES, OPTIMIZERS, DATA, PRETRAINING, PACES)
    named = [level for axis, level in CHANGES.values() if isinstance(level, str)]
    paces = [
        level["schedule"] for axis, level in CHANGES.values() if not isinstance(level, str) and "schedule" in level
    ]
    plain = {"cross-entropy", "all", "none", "cosine"}
    assert sorted([*named, *paces]) == sorted(name for kind in kinds for name in kind if name not in plain)
    assert set(REGULARIZERS) <= set(CHANGES)
    assert not set(CHANGES) & {"plain", "all", "data", "objective", "optimizer", "hyperparameters", "pretraining"}


def test_the_plain_recipe_has_no_dropout_and_a_lever_changes_one_axis(digits: Any) -> None:
    plain = baseline_recipe("mlp", digits.split.train, epochs=3)
    assert plain == Recipe("mlp", optimizer="adam", hyperparameters={"dropout": 0.0, "epochs": 3})
    assert apply_change("dropout", plain).hyperparameters == {"dropout": 0.3, "epochs": 3}
    assert apply_change("self-normalization", plain).architecture == "selu-mlp"
    assert apply_change("rotate:30", plain).data == "rotate:30"
    assert apply_change("dropout:0.5", plain).hyperparameters["dropout"] == 0.5
    assert apply_change("small-batches:4", plain).hyperparameters["batch_size"] == 4
    assert apply_change("masked-pretraining", plain).pretraining == "masked"
    assert describe_change("dropout", plain) == ("hyperparameters", "dropout 0 → 0.3")
    assert describe_change("weight-decay", plain) == ("hyperparameters", "weight_decay the default → 0.5")
    assert describe_change("rotate:30", plain) == ("data", "all → rotate:30")


def test_a_learner_without_epochs_is_plain_as_it_is(digits: Any) -> None:
    assert baseline_recipe("forest", digits.split.train) == Recipe("forest")


def test_levers_that_do_not_fit_are_skipped_and_told_why(digits: Any) -> None:
    plain = baseline_recipe("lenet", digits.split.train)
    found = plan_ablation(
        ["dropout", "specaugment", "huber", "self-normalization", "adam", "transfer"], plain, digits.split.train
    )
    assert list(found.recipes) == ["plain", "dropout"]
    assert found.skipped["specaugment"] == "the data level 'specaugment' does not fit image; expected audio."
    assert found.skipped["huber"].startswith("the objective 'huber' does not fit classification")
    assert found.skipped["self-normalization"] == "'self-normalization' for 'lenet'; expected 'mlp'."
    assert found.skipped["adam"] == "the baseline recipe has it already."
    assert found.skipped["transfer"].startswith("no problem '' to transfer from; expected 'transfer:PROBLEM'")


def test_axes_and_all_stand_for_their_levers_each_once(digits: Any) -> None:
    train = digits.split.train
    plain = baseline_recipe("mlp", train)
    several = plan_ablation(["sam", "optimizer"], plain, train)
    assert list(several.recipes)[:2] == ["plain", "sam"]
    assert set(several.recipes) | set(several.skipped) == {"plain", *OPTIMIZERS}
    every = plan_ablation(["all"], plain, train)
    assert set(every.recipes) | set(every.skipped) == {"plain", *CHANGES}
    assert len({recipe.id for recipe in every.recipes.values()}) == len(every.recipes)


def test_replicates_have_the_same_seeds_with_every_lever(digits: Any) -> None:
    plain = baseline_recipe("mlp", digits.split.train)
    found = plan_ablation(["dropout"], plain, digits.split.train).replicates(3, 7)
    assert [[recipe.seed for recipe in recipes] for recipes in found.values()] == [[7, 8, 9]] * 2


@pytest.mark.parametrize(
    ("levers", "says"),
    [
        (["dropuot"], "no change 'dropuot'; did you mean 'dropout' or 'drop' or 'crop'?"),
        (
            ["swap"],
            "no change can be applied (swap: the data level 'swap' does not fit image; expected text); expected ",
        ),
        ([], "no change can be applied (none was named); expected one or more that fit."),
        (
            ["ema:2"],
            "no change can be applied (ema:2: the change 'ema:2' was given '2'; expected nothing); expected one ",
        ),
        (
            ["l1:x"],
            "no change can be applied (l1:x: the change 'l1:x' was given 'x'; expected a number); expected one or ",
        ),
        (["l1:-1"], "no change can be applied (l1:-1: l1 is -1.0; expected 0 or more); expected one or more that fit."),
    ],
)
def test_what_cannot_be_pulled_is_one_line(digits: Any, levers: list[str], says: str) -> None:
    plain = baseline_recipe("mlp", digits.split.train)
    with pytest.raises(InputError) as caught:
        plan_ablation(levers, plain, digits.split.train)
    assert str(caught.value).startswith(says)


def test_levers_for_words_fit_words(sets: dict[str, Dataset]) -> None:
    plain = baseline_recipe("rnn", sets["text"])
    found = plan_ablation(["data"], plain, sets["text"])
    assert {"synonym", "typo", "swap", "drop", "bootstrap"} <= set(found.recipes)
    assert {"rotate", "mixup", "jitter"} <= set(found.skipped)


def test_a_lever_that_does_nothing_changes_nothing() -> None:
    same = made(drawn(0, 0.2))
    found = effect_table(same, {"lever": same}, asked())
    differences = found[~found["measure"].isin(["n_eff", "n_eff_pair", "seconds", "operations", "shifted_accuracy"])]
    assert (differences["change"] == 0).all()
    assert row(found, "n_eff")["change"] == 1
    assert row(found, "n_eff_pair")["change"] == pytest.approx(1)
    assert row(found, "shifted_accuracy")["reason"] == "no shifted tests"
    assert list(found["measure"].unique()) == list(MEASURES)


def test_the_interval_of_a_difference_is_the_formula_in_the_docs() -> None:
    from scipy.stats import t

    plain, lever = drawn(1, 0.3), drawn(2, 0.2)
    found = row(effect_table(made(plain), {"lever": made(lever)}, asked()), "accuracy")
    apart = plain.astype(float) - lever
    by_seed = apart.mean(axis=1).std(ddof=1) / math.sqrt(R)
    by_instance = apart.mean(axis=0).std(ddof=1) / math.sqrt(N)
    half = math.hypot(t.ppf(0.975, R - 1) * by_seed, t.ppf(0.975, N - 1) * by_instance)
    assert found["change"] == pytest.approx(apart.mean())
    assert (found["low"], found["high"]) == pytest.approx((apart.mean() - half, apart.mean() + half))
    assert (found["plain"], found["pulled"]) == pytest.approx((1 - plain.mean(), 1 - lever.mean()))


def test_p_is_the_level_at_which_the_interval_touches_zero() -> None:
    found = Contrast(0.0, 0.0, 0.4, np.array([0.1, 0.4, 0.5, 0.7]), [(np.linspace(-3, 3, 50), None)])
    assert found.half_width(found.p_value) == pytest.approx(0.4)
    assert 0 < found.p_value < 1
    assert Contrast(0.0, 0.0, 0.0, np.array([0.1, 0.4, 0.5])).p_value == 1
    assert math.isnan(Contrast(0.0, 0.0, 0.3, np.full(3, 0.3)).p_value)
    assert Contrast(0.0, 0.0, 1e9, np.array([1e9, 1e9 + 1, 1e9 - 1]), []).p_value < 1e-9


def test_gap_shifted_accuracy_and_cost_are_what_they_say() -> None:
    plain = made(
        drawn(3, 0.3), train_wrong=drawn(4, 0.1), shifted_wrong=np.full((R, 10), 0.5), seconds=np.arange(1.0, 6)
    )
    lever = made(
        drawn(5, 0.2), train_wrong=drawn(6, 0.2), shifted_wrong=np.full((R, 10), 0.25), seconds=np.arange(1.5, 8, 1.5)
    )
    found = effect_table(plain, {"lever": lever}, asked())
    gap = row(found, "gap")
    assert gap["plain"] == pytest.approx((1 - drawn(4, 0.1).mean()) - (1 - drawn(3, 0.3).mean()))
    assert gap["change"] == pytest.approx(gap["pulled"] - gap["plain"])
    assert row(found, "shifted_accuracy")["change"] == pytest.approx(0.25)
    assert row(found, "seconds")[["plain", "pulled", "change", "low", "high"]].tolist() == pytest.approx(
        [3, 4.5, 1.5, 1.5, 1.5]
    )
    assert math.isnan(row(found, "seconds")["p"])
    untold = made(drawn(5, 0.2), shifted_wrong=lever.shifted_wrong, operations=np.full(R, math.nan))
    assert row(effect_table(plain, {"lever": untold}, asked()), "operations")["reason"] == "not known of every fit"


def test_seconds_of_fits_that_were_timed_together_have_no_limits() -> None:
    plain, lever = made(drawn(3, 0.3), seconds=np.arange(1.0, 6)), made(drawn(5, 0.2), seconds=np.full(R, 6.0))
    found = row(effect_table(plain, {"lever": lever}, asked()), "seconds")
    assert found["reason"] == "no limits: some fits were timed together"
    assert found["change"] == pytest.approx(6 / np.exp(np.log(np.arange(1, 6)).mean()))
    assert math.isnan(found["low"])
    assert math.isnan(found["high"])


def test_shifted_instances_count_by_their_weights() -> None:
    weights = np.array([0.5, 0.25, 0.25])
    plain, lever = (made(drawn(3, 0.3), shifted_wrong=np.tile(share, (R, 1))) for share in ([1.0, 1, 1], [0.0, 1, 1]))
    found = row(effect_table(plain, {"lever": lever}, asked(shifted_weights=weights)), "shifted_accuracy")
    assert found["change"] == pytest.approx(0.5)


def test_a_model_that_says_what_comes_true_gains_in_log_loss_and_calibration() -> None:
    wrong = drawn(7, 0.1, n=4000)
    sure = made(wrong)
    answers = wrong.astype(int)
    boasting = Replicates(
        np.where(np.arange(2) == answers[..., None], 0.999, 0.001),
        sure.train_wrong,
        sure.shifted_wrong,
        *[np.ones(R)] * 2,
    )
    found = effect_table(boasting, {"lever": sure}, asked(4000))
    assert row(found, "log_loss")["high"] < 0
    assert row(found, "ece")["high"] < -0.05
    assert row(found, "ece")["pulled"] < 0.02
    assert row(found, "accuracy")["change"] == 0


def test_a_lever_whose_errors_fall_elsewhere_breaks_the_monoculture() -> None:
    n = 2000
    hard, other = drawn(8, 0.2, 1, n), drawn(9, 0.2, 1, n)
    plain = made(np.where(drawn(10, 0.9, n=n), hard, drawn(11, 0.2, n=n)))
    elsewhere = made(np.where(drawn(12, 0.9, n=n), other, drawn(13, 0.2, n=n)))
    alike = made(np.where(drawn(14, 0.9, n=n), hard, drawn(15, 0.2, n=n)))
    found = effect_table(plain, {"elsewhere": elsewhere, "alike": alike}, asked(n))
    pair = row(found, "n_eff_pair", "elsewhere")
    assert pair["plain"] == pytest.approx(2 / (1 + 0.81), rel=0.05)
    assert pair["pulled"] == pytest.approx(2, rel=0.05)
    assert pair["low"] > 1.5
    assert pair["q"] < 0.01
    together = row(found, "n_eff_pair", "alike")
    assert together["low"] < 1 < together["high"]
    within = row(found, "n_eff", "elsewhere")
    assert within["low"] < 1 < within["high"]


def test_n_eff_of_the_replicates_is_that_of_the_house() -> None:
    one, other = made(drawn(16, 0.2)), made(np.tile(drawn(17, 0.3, 1), (R, 1)))
    found = standing_table({"plain": one, "lever": other}, asked())
    change = row(effect_table(one, {"lever": other}, asked()), "n_eff")
    assert found["n_eff"].tolist() == pytest.approx([change["plain"], change["pulled"]])
    assert found["n_eff"][1] == pytest.approx(1)
    assert (found["low"] <= found["n_eff"]).all()
    assert found["train_accuracy"].tolist() == [1, 1]


def test_models_without_errors_or_that_never_err_together_have_no_n_eff_to_compare() -> None:
    never = made(np.zeros((R, N), bool))
    some = made(drawn(18, 0.2))
    assert row(effect_table(some, {"lever": never}, asked()), "n_eff")["reason"] == "no errors"
    turns = made(np.eye(R, dtype=bool))  # on each instance just one of them errs: the count does not vary at all
    assert (
        row(effect_table(turns, {"lever": turns}, asked(R)), "n_eff")["reason"] == "errors are perfectly complementary"
    )
    single = np.zeros((R, N), bool)
    single[0, :40] = True
    assert (
        row(effect_table(made(single), {"lever": some}, asked()), "n_eff")["reason"]
        == "too few errors to do without a seed"
    )


def test_instances_that_were_sampled_together_widen_the_interval() -> None:
    plain, lever = (made(np.tile(np.repeat(drawn(k, 0.3, 1, 40), 10, axis=1), (R, 1))) for k in (19, 20))
    widths = [
        row(effect_table(plain, {"lever": lever}, asked(clusters=clusters)), "accuracy")[["low", "high"]]
        .diff()
        .iloc[-1]
        for clusters in (None, np.repeat(np.arange(40), 10))
    ]
    assert widths[1] > 1.5 * widths[0]


def test_q_is_adjusted_over_levers_within_each_number() -> None:
    plain = made(drawn(21, 0.3))
    found = effect_table(plain, {f"lever{k}": made(drawn(30 + k, 0.3 - 0.02 * k)) for k in range(5)}, asked())
    one = found[found["measure"] == "accuracy"]
    assert (one["q"] >= one["p"] - 1e-12).all()
    assert one["q"].max() == pytest.approx(one["p"].max())


@pytest.mark.parametrize(
    ("plain", "lever", "says"),
    [
        (2, 2, "2 replicates of 'plain'; expected 3 or more."),
        (4, 3, "3 replicates of 'lever'; expected 4, as without it."),
    ],
)
def test_too_few_replicates_are_refused(plain: int, lever: int, says: str) -> None:
    with pytest.raises(InputError) as caught:
        effect_table(made(drawn(0, 0.2, plain)), {"lever": made(drawn(1, 0.2, lever))}, asked())
    assert str(caught.value) == says


def answered(wrong: np.ndarray, ids: list[str], **columns: list[str]) -> Predictions:
    r = len(wrong)
    models = pd.DataFrame({"seconds": np.arange(1.0, r + 1)}, index=[f"m{i}" for i in range(r)])
    instances = pd.DataFrame(columns, index=pd.Index(ids, name="instance"))
    probabilities = np.where(np.arange(2) == wrong[..., None], 0.9, 0.1)
    labels = np.zeros(len(ids), np.int64)
    return Predictions(models, instances, wrong.astype(int), labels, classes=("a", "b"), probabilities=probabilities)


def test_every_shifted_test_counts_the_same_and_versions_of_one_instance_are_pooled() -> None:
    test = answered(drawn(50, 0.3, 6, 30), [f"i{k}" for k in range(30)])
    near, far = drawn(51, 0.4, 6, 30), drawn(52, 0.6, 6, 30)
    elsewhere = drawn(53, 0.5, 6, 10)
    shifted = {
        "noise@1": answered(near, list(test.instances.index)),
        "noise@2": answered(far, list(test.instances.index)),
        "other": answered(elsewhere, [f"i{k}" for k in range(10)]),
    }
    found, leaderboard = measure_changes({"plain": 3, "lever": 3}, ReplicatePredictions(test, test, shifted), [1.0] * 6)
    shift = row(found, "shifted_accuracy")
    means = 1 - (near.mean(axis=1) + far.mean(axis=1) + elsewhere.mean(axis=1)) / 3
    assert (shift["plain"], shift["pulled"]) == pytest.approx((means[:3].mean(), means[3:].mean()))
    assert list(leaderboard["lever"]) == ["plain", "lever"]
    assert row(found, "gap")["change"] == 0
    assert row(found, "seconds")["plain"] == 2

    by_seed = means[3:] - means[:3]
    apart = np.stack([x[:3].mean(axis=0) - x[3:].mean(axis=0) for x in (near, far)])
    other = -(elsewhere[3:].mean(axis=0) - elsewhere[:3].mean(axis=0))
    weights = np.r_[np.full(30, 2 / 90), np.full(10, 1 / 30)]
    values = np.r_[apart.mean(axis=0), other]
    influence = 40 * weights * (values - values @ weights)
    from scipy.stats import t

    by_instance = influence.std(ddof=1) / math.sqrt(40)
    half = math.hypot(t.ppf(0.975, 2) * by_seed.std(ddof=1) / math.sqrt(3), t.ppf(0.975, 39) * by_instance)
    assert shift["high"] - shift["change"] == pytest.approx(half)


def test_clusters_are_told_by_their_column_in_every_set() -> None:
    wards = [f"w{k // 5}" for k in range(30)]
    test = answered(
        np.tile(np.repeat(drawn(54, 0.4, 1, 6), 5, axis=1), (6, 1)), [f"i{k}" for k in range(30)], ward=wards
    )
    train = answered(drawn(55, 0.4, 6, 30), [f"t{k}" for k in range(30)], ward=wards)
    answers = ReplicatePredictions(test, train, {"noise@1": train}, "ward")
    alone = ReplicatePredictions(test, train, {"noise@1": train})
    tables = [measure_changes({"plain": 3, "lever": 3}, one, [1.0] * 6)[0] for one in (answers, alone)]
    for measure in ("gap", "shifted_accuracy"):
        ends = [row(table, measure)["high"] for table in tables]
        assert ends[0] != pytest.approx(ends[1])


def planted(generator: np.random.Generator, r: int, n: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Errors with seeds that differ, instances that differ, and both reacting to the lever in their own way."""
    seeds, instances = generator.normal(0, 0.3, (2, r, 1)), generator.normal(0, 1.2, (1, n))
    reacts = generator.normal(0, 0.6, (1, n))
    chances = [
        1 / (1 + np.exp(2.0 + seeds[0] - instances)),
        1 / (1 + np.exp(2.0 + effect + seeds[0] + seeds[1] - instances - reacts)),
    ]
    return chances[0] > generator.random((r, n)), chances[1] > generator.random((r, n))


@pytest.mark.slow
@pytest.mark.parametrize("r", [3, 5])
def test_intervals_of_planted_changes_cover_as_often_as_they_say_or_more(r: int) -> None:
    generator = np.random.default_rng(40 + r)
    many = [planted(generator, 200, 4000, 0.5) for _ in range(3)]
    train = planted(generator, 200, 4000, 0.2)
    names = ("accuracy", "gap", "log_loss")
    truth = {name: _measured(name, many[0], train).estimate for name in names}
    truth["n_eff_pair"] = float(np.mean([_measured("n_eff_pair", m, train).estimate for m in many]))
    covered = dict.fromkeys(truth, 0)
    trials = 200
    for _ in range(trials):
        test, train = planted(generator, r, 250, 0.5), planted(generator, r, 200, 0.2)
        for name, value in truth.items():
            found = _measured(name, test, train)
            covered[name] += abs(found.estimate - value) <= found.half_width(0.05)
    for name, count in covered.items():
        assert count / trials >= 0.93, (name, count)


def _measured(name: str, test: tuple[np.ndarray, np.ndarray], train: tuple[np.ndarray, np.ndarray]) -> Contrast:
    plain, lever = (made(here, train_wrong=there) for here, there in zip(test, train, strict=True))
    return MEASURES[name].contrast(plain, lever, asked(test[0].shape[1]))


def test_instances_that_were_sampled_together_widen_the_interval_of_every_number() -> None:
    together = np.repeat(np.arange(40), 10)
    same = [made(np.tile(np.repeat(drawn(k, 0.3, 1, 40), 10, axis=1), (R, 1))) for k in (19, 20)]
    other = [made(np.repeat(drawn(k, 0.3, R, 40), 10, axis=1)) for k in (22, 23)]

    def width(pair: list[Replicates], measure: str, clusters: np.ndarray | None) -> float:
        found = row(effect_table(pair[0], {"lever": pair[1]}, asked(clusters=clusters)), measure)
        return math.log(found["high"] / found["low"]) if MEASURES[measure].ratio else found["high"] - found["low"]

    for pair, measures in ((same, ("accuracy", "log_loss", "ece")), (other, ("n_eff", "n_eff_pair"))):
        for measure in measures:
            assert width(pair, measure, together) > 1.05 * width(pair, measure, None), measure
    alone, clustered = (standing_table({"plain": other[0]}, asked(clusters=c)).iloc[0] for c in (None, together))
    assert clustered["high"] - clustered["low"] > 1.5 * (alone["high"] - alone["low"])


def test_a_truth_that_was_held_impossible_costs_as_much_as_one_in_a_million_million() -> None:
    wrong, never = drawn(24, 0.2), np.zeros((R, N), bool)
    certain = Replicates(
        np.where(np.arange(2) == wrong[..., None], 1.0, 0.0), never, np.zeros((R, 0)), np.ones(R), np.ones(R)
    )
    found = row(effect_table(made(never), {"lever": certain}, asked()), "log_loss")
    assert found["pulled"] == pytest.approx(-wrong.mean() * math.log(1e-12))
