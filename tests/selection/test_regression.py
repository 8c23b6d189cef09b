"""Choosing among models of numbers: certificates by hand, laws, and refusals in one line."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import t as student

from polyculture import rng
from polyculture.errors import InputError
from polyculture.measures.effective_vectors import effective_residuals
from polyculture.predictions import Predictions
from polyculture.results import Portfolio
from polyculture.selection import Goal, SelectionOptions, combine, section, select
from polyculture.selection.certificate import Baselines, certify
from polyculture.selection.combination import Combination
from polyculture.selection.evaluation import EvaluationSet
from polyculture.selection.objectives import above_floor
from polyculture.selection.plan import SelectionPlan, choose


def world(m: int = 6, n: int = 400, seed: int = 0, families: int = 3) -> Predictions:
    """Models of a few families; those of one family share most of their error, later ones err more."""
    draw = rng.stream(seed, "values")
    targets = 10 + 3 * draw.normal(size=n)
    shared = draw.normal(size=(families, n))
    noise = np.stack([(1 + 0.1 * i) * (shared[i % families] + 0.3 * draw.normal(size=n)) for i in range(m)])
    ids = [f"m{i}" for i in range(m)]
    return Predictions(
        values=targets + noise,
        targets=targets,
        models=pd.DataFrame({"seconds": np.arange(1.0, m + 1)}, index=ids),
        instances=pd.DataFrame(
            {"site": np.where(np.arange(n) % 4 == 0, "few", "many"), "patient": np.arange(n) // 2},
            index=[f"i{seed}-{i}" for i in range(n)],
        ),
    )


def test_every_number_of_the_certificate_is_what_it_says() -> None:
    values = world()
    exam = EvaluationSet(values)
    mine, best, everyone = (
        Combination("average", np.array(r), np.array(w))
        for r, w in (([0, 1], [0.7, 0.3]), ([0], [1.0]), (range(6), [1 / 6] * 6))
    )
    found = certify(mine, Baselines(best, everyone, mine), exam)
    truth, p = values.targets, values.values
    losses = [(prediction - truth) ** 2 for prediction in (0.7 * p[0] + 0.3 * p[1], p[0], p.mean(axis=0))]
    assert found.scores["squared_error"].estimate == pytest.approx(losses[0].mean())
    assert found.scores["r_squared"].estimate == pytest.approx(1 - losses[0].mean() / truth.var())
    for interval, rival in ((found.gains["squared_error"]["best"], 1), (found.gains["squared_error"]["all"], 2)):
        gain = losses[rival] - losses[0]
        reach = student.ppf(0.975, 399) * gain.std(ddof=1) / 20
        assert interval.estimate == pytest.approx(gain.mean())
        assert (interval.low, interval.high) == pytest.approx((gain.mean() - reach, gain.mean() + reach))
        assert interval.method.startswith("paired")
    assert found.gains["squared_error"]["top"].estimate == 0
    assert found.scores["n_eff"].estimate == pytest.approx(effective_residuals(p[:2] - truth).n_eff)
    assert found.best == "m0"
    assert {found.scores["error"].reason, found.scores["log_loss"].reason, found.scores["ceiling"].reason} == {
        "the truth is a number"
    }


def test_the_interval_of_r_squared_is_that_of_the_bootstrap() -> None:
    values = world(n=2000)
    exam, mine = EvaluationSet(values), Combination("mean", np.arange(6), np.full(6, 1 / 6))
    found = certify(mine, Baselines(mine, mine, mine), exam).scores["r_squared"]
    losses, draw = mine.losses(exam, "squared_error"), rng.stream(0, "bootstrap")
    drawn = (draw.integers(0, 2000, 2000) for _ in range(2000))
    repeated = [1 - losses[rows].mean() / values.targets[rows].var() for rows in drawn]
    low, high = np.quantile(repeated, (0.025, 0.975))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_members_and_weights_are_the_exact_optimum_of_all_sets() -> None:
    exam = EvaluationSet(world(m=7, n=150))
    found = choose(SelectionPlan.settle(exam, 3, "", "", "exact"), exam).combination
    values = exam.predictions

    def best(rows: tuple[int, ...]) -> float:
        residuals = values.values[list(rows)] - values.targets
        moments = residuals @ residuals.T / 150
        drawn = moments + 10 / 150 * np.trace(moments) / 3 * np.eye(3)
        one = {"type": "eq", "fun": lambda w: w.sum() - 1}
        w = minimize(lambda w: w @ drawn @ w, np.full(3, 1 / 3), bounds=[(0, 1)] * 3, constraints=one, tol=1e-12).x
        return float(w @ moments @ w)

    assert found.mean_loss(exam, "squared_error") == pytest.approx(
        min(best(rows) for rows in combinations(range(7), 3)), rel=1e-5
    )


def test_greedy_and_swap_are_never_better_than_exact() -> None:
    exam = EvaluationSet(world(m=9, n=120, seed=3))
    reached = {
        method: choose(SelectionPlan.settle(exam, 3, "", "mean", method), exam).combination.mean_loss(
            exam, "squared_error"
        )
        for method in ("greedy", "swap", "exact")
    }
    assert reached["exact"] <= reached["swap"] <= reached["greedy"]


def test_a_portfolio_keeps_one_of_each_family_and_tells_so() -> None:
    found = select(world(n=2000), 3)
    assert {int(member[1]) % 3 for member in found.members} == {0, 1, 2}
    assert (found.loss, found.rule, found.method, found.exact) == ("squared_error", "average", "greedy", False)
    assert found.certificate.gains["squared_error"]["best"].low > 0
    assert sum(found.weights) == pytest.approx(1)
    assert (found.chosen_on, found.certified_on) == (1000, 1000)
    c = found.certificate
    scores = {name: c.scores[name].format(spec) for name, spec in (("squared_error", ".4g"), ("r_squared", ".3f"))}
    assert found.sentence == (
        f"Keep 3 of 6 models ({', '.join(found.members)}), rule average: mean squared error {scores['squared_error']}, "
        f"R² {scores['r_squared']}; squared-error gain over the best single model ({c.best}) "
        f"{c.gains['squared_error']['best'].format('.4g')}. Residuals of its members vary like those of "
        f"{c.scores['n_eff'].format('.2f')} independent models. Chosen on 1,000 instances, certified on 1,000 others."
    )


def test_what_was_left_open_is_the_weights_of_all_and_their_optimum() -> None:
    found = select(world(n=2000))
    assert (found.goal, found.method, found.rule) == ("squared_error", "weights", "average")
    assert found.exact
    assert found.front["quality"].min() == pytest.approx(
        float(found.front.loc[found.front["chosen"], "quality"].iloc[0])
    )
    limited = select(world(n=2000), 2, terms=SelectionOptions(method="weights"))
    assert limited.k == 2
    assert not limited.exact


def test_a_copy_of_a_model_adds_nothing() -> None:
    values = world(n=20_000)
    doubled = replace(
        values,
        values=np.concatenate([values.values, values.values[:1]]),
        models=pd.DataFrame(index=[*values.model_ids, "copy"]),
    )
    terms = SelectionOptions(folds=0)
    before, after = (select(v, terms=terms).certificate.scores["squared_error"].estimate for v in (values, doubled))
    assert after == pytest.approx(before, rel=1e-3)


def test_a_model_that_never_errs_takes_all_the_weight() -> None:
    values = world(n=3000)
    perfect = values.values.copy()
    perfect[4] = values.targets
    found = select(replace(values, values=perfect))
    assert found.members == ("m4",)
    assert found.weights == (1.0,)
    assert found.certificate.scores["squared_error"].estimate == 0
    assert found.certificate.scores["r_squared"].estimate == 1
    assert found.certificate.scores["n_eff"].reason == "one member"
    assert "Residuals" not in found.sentence
    assert found.contributions["leave_one_out"].isna().all()


def test_nothing_of_the_certified_half_moves_the_choice() -> None:
    values, other = world(n=300), world(n=200, seed=1)
    spoilt = replace(other, values=other.values[:, ::-1].copy())
    one, two = (select(values, certify_on=there) for there in (other, spoilt))
    assert (one.members, one.weights) == (two.members, two.weights)
    assert (one.chosen_on, one.certified_on) == (300, 200)
    assert one.certificate.scores["squared_error"].estimate < two.certificate.scores["squared_error"].estimate


def test_shapley_values_add_up_to_what_is_gained_over_the_mean_of_the_truth() -> None:
    values, other = world(n=300), world(n=500, seed=1)
    found = select(values, 4, certify_on=other)
    gained = other.targets.var() - found.certificate.scores["squared_error"].estimate
    assert found.contributions["shapley"].sum() == pytest.approx(gained)
    rows = [other.model_ids.index(member) for member in found.members]
    assert_allclose(found.contributions["alone"], ((other.values[rows] - other.targets) ** 2).mean(axis=1))


def test_shifted_tests_and_groups_are_judged_one_by_one() -> None:
    values, other = world(n=300), world(n=400, seed=1)
    drifted = replace(other, values=other.values + 1)
    found = select(
        values,
        certify_on=other,
        shifted={"drift": drifted},
        terms=SelectionOptions(groups=("site",), clusters="patient", folds=0),
    )
    c = found.certificate
    mine = combine(found, drifted).values
    assert c.scores["worst_shift"].estimate == pytest.approx(((mine - other.targets) ** 2).mean())
    best = drifted.values[other.model_ids.index(c.best)]
    gain = ((best - other.targets) ** 2 - (mine - other.targets) ** 2).mean()
    assert c.shifts.loc[0, "gain_over_best"] == pytest.approx(gain)
    assert c.groups["n"].tolist() == [100, 300]
    assert c.scores["worst_group"].estimate == c.groups["squared_error"].max()
    assert c.scores["worst_group"].method == "largest of 2, simultaneous t limits (Bonferroni)"
    assert "200 clusters" in c.scores["squared_error"].method
    assert "200 clusters" in str(found.certificate.gains["squared_error"]["best"].method)


def test_a_goal_may_be_the_worst_shift_or_the_cost_or_have_bounds() -> None:
    values = world()
    drifted = replace(values, values=values.values + np.arange(6)[:, None])
    steady = select(values, 2, goal="worst_shift", shifted={"drift": drifted}, terms=SelectionOptions(folds=0))
    assert set(steady.members) == {"m0", "m1"}
    assert select(values, 2, goal="seconds", rule="mean", terms=SelectionOptions(folds=0)).members == (
        "m0",
        "m1",
    )
    bound = Goal({"squared_error": 1.0}, {"seconds": ("<=", 3.0)})
    assert set(select(values, 2, goal=bound, terms=SelectionOptions(folds=0, cost="seconds")).members) == {
        "m0",
        "m1",
    }
    varied = select(values, 3, goal="n_eff", rule="mean", terms=SelectionOptions(folds=0))
    assert len({int(member[1]) % 3 for member in varied.members}) == 3


def test_a_floor_is_an_r_squared_and_the_hopeless_have_no_equal_say() -> None:
    values = world(n=500)
    predicted = values.values.copy()
    predicted[5] = values.targets.mean()
    exam = EvaluationSet(replace(values, values=predicted))
    assert above_floor(Goal.of("squared_error"), exam, False, 1).tolist() == [0, 1, 2, 3, 4]
    assert above_floor(Goal.of("squared_error"), exam, True, 1).tolist() == [0, 1, 2, 3, 4, 5]
    share = 1 - exam.errors / exam.variance
    assert (
        above_floor(Goal({"squared_error": 1.0}, floor=0.85), exam, True, 1).tolist()
        == np.flatnonzero(share >= 0.85).tolist()
    )
    with pytest.raises(
        InputError, match=r"^0 models have an R² of 0.99 or more; expected 1 or more; lower the floor\.$"
    ):
        above_floor(Goal({"squared_error": 1.0}, floor=0.99), exam, True, 1)


def test_it_comes_back_from_json_and_is_told_as_a_chapter() -> None:
    found = select(world(), 2, terms=SelectionOptions(groups=("site",)))
    again = Portfolio.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    told = section(again)
    assert list(told.numbers)[:3] == ["squared_error", "r_squared", "n_eff"]
    assert not {"error", "log_loss", "calibration", "all_wrong", "ceiling"} & set(told.numbers)
    assert told.tables["gains"]["loss"].tolist() == ["squared_error"] * 3
    assert list(told.tables) == ["members", "gains", "front", "candidates", "groups", "baselines"]


def test_the_combined_prediction_is_the_weighted_mean() -> None:
    values = world()
    found = select(values, 2, terms=SelectionOptions(folds=0))
    rows = [values.model_ids.index(member) for member in found.members]
    assert_allclose(
        combine(found, values).values,
        found.weights[0] * values.values[rows[0]] + found.weights[1] * values.values[rows[1]],
    )


def test_weights_follow_the_best_where_they_tie() -> None:
    exam = EvaluationSet(world())
    plan = SelectionPlan.settle(exam, None, "", "mean", "")
    assert plan.combination(exam, np.array([5, 2, 0])).rows.tolist() == [0, 2, 5]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"k": 7}, r"^7 members out of 6 models; expected a size from 1 to 6\.$"),
        (
            {"goal": "accuracy"},
            r"^the goal 'accuracy' where the truth is a number; expected squared_error, worst_group, worst_shift, "
            r"n_eff or a numeric model column\.$",
        ),
        ({"goal": "worst_shift"}, r"^the goal 'worst_shift' without shifted test sets; expected shifted test sets\.$"),
        (
            {"goal": "worst_group"},
            r"^the goal 'worst_group' without instance columns with groups of 10 instances or more; expected instance "
            r"columns with groups of 10 instances or more\.$",
        ),
        (
            {"goal": "price"},
            r"^no quantity or numeric model column 'price'; known: n_eff, seconds, squared_error, worst_",
        ),
        ({"rule": "vote"}, r"^no rule 'vote' where the truth is a number; known: average, mean\.$"),
        (
            {"terms": SelectionOptions(method="mixture")},
            r"^no method 'mixture' where the truth is a number; known: affordable, exact, greedy, ",
        ),
        (
            {"terms": SelectionOptions(method="swap")},
            r"^the method 'swap' without a size; expected k, the number of members\.$",
        ),
        (
            {"terms": SelectionOptions(calibrated=True)},
            r"^calibrated numbers; expected probabilities, or terms without calibrated\.$",
        ),
        ({"terms": SelectionOptions(groups=("sit",))}, r"^no instance column 'sit'; did you mean 'site'\?$"),
        (
            {"certify_on": world(n=5)},
            r"^5 instances to choose on are also there to certify on, such as 'i0-0'; expected",
        ),
    ],
)
def test_what_means_nothing_for_numbers_is_refused(more: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        select(world(), **more)


def test_gaps_are_refused_with_the_model_that_has_most() -> None:
    values = world(n=20)
    predicted = values.values.copy()
    predicted[1, :2] = np.nan
    predicted[3, 0] = np.nan
    with pytest.raises(
        InputError,
        match=r"^model 'm1' has no value for 2 of 20 instances; expected a finite number of every model for every "
        r"instance; leave the model out\.$",
    ):
        select(replace(values, values=predicted))


def test_portfolios_of_classes_and_of_numbers_are_not_mixed_up() -> None:
    found = select(world(), 2, terms=SelectionOptions(folds=0))
    classes = type(found)(**{**found.__dict__, "loss": "log_loss"})
    with pytest.raises(
        InputError, match=r"^a portfolio that was chosen for log_loss; expected one for squared_error\.$"
    ):
        combine(classes, world())
    with pytest.raises(InputError, match=r"^a portfolio that was chosen for squared_error; expected one of classes\.$"):
        combine(found, Predictions.from_correct({"m0": [1, 0], "m1": [0, 1]}))
