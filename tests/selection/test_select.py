"""The verb: chosen on some instances, certified on others, and the same wherever it is run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.results import Portfolio
from polyculture.selection import COMBINE, SEARCH, Goal, SelectionOptions, combine, mixture_weights, select

World = Callable[..., Predictions]
QUICK = SelectionOptions(folds=0)


def with_labels_shuffled(p: Predictions) -> Predictions:
    labels = np.random.default_rng(0).permutation(p.labels)
    return dataclasses.replace(p, labels=labels)


def test_what_certifies_plays_no_part_in_the_choice(world: World) -> None:
    here, there = world(n=400), world(n=400, seed=1)
    for rule, k in (("mixture", None), ("vote", 3), ("stacking", 4), ("dynamic", 3)):
        once = select(here, k, rule=rule, certify_on=there, terms=QUICK)
        again = select(here, k, rule=rule, certify_on=with_labels_shuffled(there), terms=QUICK)
        assert (once.members, once.weights, once.bias) == (again.members, again.weights, again.bias)
        assert once.candidates.equals(again.candidates)
        assert once.certificate.best == again.certificate.best
        assert once.certificate.scores["error"].estimate < again.certificate.scores["error"].estimate


def test_the_two_sides_share_no_instance_and_no_cluster(world: World) -> None:
    p = world(n=500)
    portfolio = select(p, 3, terms=SelectionOptions(folds=0, clusters="patient"))
    assert portfolio.chosen_on + portfolio.certified_on == 500
    assert portfolio.chosen_on % 2 == 0
    assert abs(portfolio.chosen_on - 250) <= 2


def test_the_mixture_has_the_weights_of_expectation_maximization(world: World) -> None:
    here, there = world(), world(seed=1)
    portfolio = select(here, certify_on=there, terms=QUICK)
    truth = here.probabilities[:, np.arange(600), here.labels]
    weights = mixture_weights(truth).weights
    assert dict(zip(portfolio.members, portfolio.weights, strict=True)) == pytest.approx(
        {f"m{i}": w for i, w in enumerate(weights) if w > 0}, abs=1e-4
    )
    assert portfolio.exact
    assert list(portfolio.weights) == sorted(portfolio.weights, reverse=True)
    losses = -np.log(weights @ there.probabilities[:, np.arange(600), there.labels])
    assert portfolio.certificate.scores["log_loss"].estimate == pytest.approx(losses.mean(), abs=1e-4)
    assert portfolio.optimism.estimate == pytest.approx(losses.mean() - mixture_weights(truth).log_loss, abs=1e-4)


def test_one_of_each_family_is_kept(world: World) -> None:
    for goal in ("log_loss", "co_failure", "all_wrong"):
        kept = select(world(n=2000), 3, goal=goal, rule="mean", terms=QUICK).members
        assert sorted(int(m[1:]) % 3 for m in kept) == [0, 1, 2], goal


@pytest.mark.parametrize("rule", COMBINE)
def test_every_rule_gives_a_portfolio_that_can_be_applied_again(world: World, rule: str) -> None:
    here, there = world(), world(seed=1)
    portfolio = select(here, 3, rule=rule, certify_on=there, terms=SelectionOptions(folds=2, calibrated=True))
    again = combine(portfolio, there, here if rule == "dynamic" else None)
    assert np.nanmean(again.wrong) == pytest.approx(portfolio.certificate.scores["error"].estimate)
    if portfolio.loss == "log_loss":
        assert again.log_loss.mean() == pytest.approx(portfolio.certificate.scores["log_loss"].estimate)
        assert again.probabilities.sum(axis=1) == pytest.approx(np.ones(600))
    else:
        assert not portfolio.certificate.scores["log_loss"].defined
    assert portfolio.k == 3
    assert portfolio.nested.defined
    text = portfolio.to_json()
    assert Portfolio.from_json(text).to_json() == text


@pytest.mark.parametrize("method", [name for name in SEARCH if name != "affordable"])
def test_every_method_finds_a_portfolio_near_the_best(world: World, method: str) -> None:
    p = world(n=1200)
    best = select(p, 3, rule="mean", terms=SelectionOptions(method="exact", folds=0))
    found = select(p, 3, rule="mean", terms=SelectionOptions(method=method, folds=0))
    assert found.method == method
    assert found.certificate.scores["log_loss"].estimate < best.certificate.scores["log_loss"].estimate + 0.05


def test_the_same_seed_gives_the_same_portfolio_and_another_one_another_split(world: World) -> None:
    one, same, other = (select(world(), terms=SelectionOptions(folds=2, seed=s)) for s in (0, 0, 1))
    assert one.certificate.frame().equals(same.certificate.frame())
    assert one.certificate.scores["error"].estimate != other.certificate.scores["error"].estimate


def test_bounds_are_kept_where_they_can_be(world: World) -> None:
    p = world(n=1200)
    free = select(p, 3, goal="log_loss", rule="mean", terms=QUICK)
    price = p.models["seconds"]
    limit = float(price[list(free.members)].sum()) - 0.5
    bound = select(p, 3, goal=Goal({"log_loss": 1.0}, {"seconds": ("<=", limit)}), rule="mean", terms=QUICK)
    assert price[list(bound.members)].sum() <= limit
    assert bound.goal == f"log_loss; seconds <= {limit:g}"


def test_shifted_test_sets_are_parted_like_the_table(world: World) -> None:
    p = world(n=400)
    portfolio = select(p, 3, goal="worst_shift", rule="mean", shifted={"same": p, "other": world(seed=5)}, terms=QUICK)
    table = portfolio.certificate.shifts.set_index("shift")
    assert table.loc["same", "n"] == portfolio.certified_on
    assert table.loc["same", "error"] == pytest.approx(portfolio.certificate.scores["error"].estimate)
    assert table.loc["other", "n"] == 300
    assert portfolio.certificate.scores["worst_shift"].estimate == table["error"].max()


def test_choosing_the_largest_gain_by_chance_is_seen_by_the_nested_estimate() -> None:
    """Twenty models that guess: whoever looks best on 60 instances is not."""
    rng = np.random.default_rng(0)
    p = Predictions.from_correct({f"m{i}": rng.random(120) < 0.5 for i in range(20)})
    portfolio = select(p, 5, goal=Goal({"error": 1.0}, floor=None), terms=SelectionOptions(folds=5))
    assert portfolio.nested.low > 0
    assert portfolio.optimism.estimate > 0.05


def test_verdicts_alone_make_a_panel(verdicts: Predictions) -> None:
    portfolio = select(verdicts, 3)
    assert sorted(int(m[1:]) // 3 for m in portfolio.members) == [0, 1, 2]
    assert (portfolio.rule, portfolio.method, portfolio.loss) == ("vote", "co_failure", "error")
    assert portfolio.certificate.gains["error"]["best"].low > 0
    assert portfolio.certificate.scores["log_loss"].reason == "there are no probabilities"
    assert portfolio.sentence.startswith("Keep 3 of 9 models (")


def test_missing_verdicts_leave_a_panel_that_is_nearly_as_good(verdicts: Predictions) -> None:
    rng = np.random.default_rng(1)
    holes = np.where(rng.random(verdicts.shape) < 0.3, -1, verdicts.correct)
    portfolio = select(dataclasses.replace(verdicts, correct=holes), 3, terms=QUICK)
    assert sorted(int(m[1:]) // 3 for m in portfolio.members) == [0, 1, 2]
    assert portfolio.certificate.scores["error"].n < portfolio.certified_on
    assert portfolio.certificate.scores["all_wrong"].n < portfolio.certificate.scores["error"].n
    best = int(portfolio.certificate.best[1:])
    assert portfolio.certificate.gains["error"]["best"].n <= (holes[best] >= 0).sum()


def test_answers_alone_vote_and_classes_need_not_be_the_same_on_both_sides() -> None:
    here = Predictions.from_answers({"a": list("xyxz"), "b": list("xyzz"), "c": list("xxxz")}, list("xyxx"))
    there = Predictions.from_answers({"a": list("pq"), "b": list("pp"), "c": list("qp")}, list("pp"))
    portfolio = select(here, 3, certify_on=there, goal=Goal({"error": 1.0}, floor=None), terms=QUICK)
    assert portfolio.certificate.scores["error"].estimate == 0.0
    assert combine(portfolio, there).wrong.tolist() == [0.0, 0.0]


def test_a_calibrated_portfolio_states_honest_probabilities(world: World) -> None:
    p = world(n=3000)
    plain, cooled = (select(p, 3, rule="mean", terms=SelectionOptions(folds=0, calibrated=c)) for c in (False, True))
    assert cooled.certificate.scores["log_loss"].estimate < plain.certificate.scores["log_loss"].estimate
    assert cooled.certificate.scores["calibration"].estimate < plain.certificate.scores["calibration"].estimate
    assert cooled.certificate.scores["error"].estimate == plain.certificate.scores["error"].estimate
    assert (plain.temperature, cooled.temperature < 1) == (1.0, True)


def test_the_front_holds_the_choice_and_what_nothing_beats(world: World) -> None:
    table = select(world(), 3, terms=SelectionOptions(folds=0, cost="seconds")).front
    assert table["chosen"].sum() == 1
    assert not table["members"].duplicated().any()
    values = list(zip(table["quality"], -table["n_eff"], table["cost"], strict=True))
    for row, efficient in zip(values, table["efficient"], strict=True):
        beaten = any(all(a <= b for a, b in zip(o, row, strict=True)) and o != row for o in values)
        assert efficient == (not beaten)


def test_choosing_those_that_cover_for_each_other_beats_the_most_accurate() -> None:
    n = 4000
    rng = np.random.default_rng(3)
    together = rng.random(n) < 0.2
    wrong = [np.where(rng.random(n) < 0.9, together, rng.random(n) < 0.2) for _ in range(3)]
    wrong += [rng.random(n) < 0.22 for _ in range(3)]
    p = Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(np.array(wrong))})
    found = select(p, 3, terms=QUICK)
    assert len({"m3", "m4", "m5"} & set(found.members)) >= 2
    assert found.certificate.gains["error"]["top"].low > 0


def test_the_candidates_say_who_was_kept_and_why_not() -> None:
    n = 1000
    right = {f"m{i}": np.arange(n) % 10 != i for i in range(4)} | {"bad": np.arange(n) % 2 == 0}
    table = select(Predictions.from_correct(right), 3).candidates.set_index("model")
    assert table["kept"].sum() == 3
    assert table.loc["bad", "reason"] == "below the floor"
    assert (table[table["kept"]]["reason"] == "kept").all()
    assert sorted(table["reason"])[-1] == "not chosen"


def test_a_portfolio_of_one_says_what_is_undefined(world: World) -> None:
    portfolio = select(world(), 1, terms=QUICK)
    assert portfolio.certificate.scores["n_eff"].reason == "one member"
    assert "fail like" not in portfolio.sentence
    assert portfolio.contributions["leave_one_out"].isna().all()
    assert portfolio.certificate.gains["log_loss"]["best"].estimate == 0.0
    assert "not shown to be different from nothing" in portfolio.sentence


def refusals(world: World) -> list[tuple[Callable[[], object], str]]:
    here, there = world(n=60), world(n=60, seed=1)
    votes = Predictions.from_correct({"a": [1, 0, 1, 0], "b": [0, 1, 1, 1]})
    bare = dataclasses.replace(there, probabilities=None)
    renamed = dataclasses.replace(there, classes=("x", "y", "z"))
    plain = select(here, 2, certify_on=there, terms=QUICK)
    return [
        (lambda: select(here, 10), "10 members out of 9 models; expected a size from 1 to 9."),
        (lambda: select(here, rule="votes"), "no rule 'votes'; did you mean 'vote'?"),
        (lambda: select(here, terms=SelectionOptions(method="greed")), "no method 'greed'; did you mean 'greedy'?"),
        (
            lambda: select(votes, rule="mean"),
            "the rule 'mean' without probabilities and labels; expected probabilities of every model; take the rule "
            "'vote' or 'weighted_vote'.",
        ),
        (
            lambda: select(here, rule="vote", goal="log_loss"),
            "log-loss of the rule 'vote'; expected a rule that gives probabilities; take the goal 'error'.",
        ),
        (
            lambda: select(votes, rule="dynamic"),
            "the rule 'dynamic' with missing answers; expected an answer of every model on every instance.",
        ),
        (
            lambda: select(votes, goal="error", terms=SelectionOptions(method="mixture")),
            "the method 'mixture' without probabilities and labels; expected probabilities of every model.",
        ),
        (
            lambda: select(here, terms=SelectionOptions(method="swap")),
            "the method 'swap' without a size; expected k, the number of members.",
        ),
        (
            lambda: select(here, certify_on=here),
            "60 instances to choose on are also there to certify on, such as 'i0-0'; expected different instances; "
            "leave certify_on out to split the table.",
        ),
        (
            lambda: select(here, certify_on=bare),
            "only the first table has probabilities; expected the same outputs in every table.",
        ),
        (
            lambda: select(here, certify_on=renamed),
            "'certify_on' has classes other than the first table; expected the same, in the same order.",
        ),
        (
            lambda: select(bare, certify_on=here, terms=QUICK),
            "only 'certify_on' has probabilities; expected the same outputs in every table.",
        ),
        (
            lambda: select(here, terms=SelectionOptions(share=1.0)),
            "a share of 1.0 to certify on; expected a number between 0 and 1, such as 0.5.",
        ),
        (
            lambda: select(here, terms=SelectionOptions(share=0.001)),
            "60 instances, and a share of 0.001 of them to certify on; expected some to choose on and some to certify "
            "on; bring a longer table, another share, or other instances to certify on.",
        ),
        (
            lambda: select(here, terms=SelectionOptions(folds=31)),
            "30 instances to choose on for 31 folds; expected 31 or more; bring a longer table (with none to certify "
            "on it is cut in two); from Python also SelectionOptions(folds=…).",
        ),
        (lambda: SelectionOptions(folds=1), "1 folds; expected two or more, or 0 for no nested estimate."),
        (
            lambda: SelectionOptions(level=1.0),
            "level is 1.0; expected a confidence level between 0 and 1, such as 0.95.",
        ),
        (
            lambda: combine(plain, renamed),
            "classes x, y, z; expected the portfolio's: a, b, c.",
        ),
        (
            lambda: combine(plain, there.take_models(["m7", "m8"])),
            f"no outputs of the member {plain.members[0]!r}; expected outputs of every member.",
        ),
        (
            lambda: combine(plain, there, here),
            "the rule 'mixture' with a reference; expected for 'dynamic', and only for it, the predictions that the "
            "portfolio was chosen on.",
        ),
        (
            lambda: combine(select(here, 2, rule="dynamic", terms=QUICK), there),
            "the rule 'dynamic' without a reference; expected for 'dynamic', and only for it, the predictions that the "
            "portfolio was chosen on.",
        ),
    ]


def test_what_cannot_be_done_is_refused_in_one_line(world: World) -> None:
    for call, text in refusals(world):
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == text


def test_clusters_that_cannot_be_parted_are_refused() -> None:
    instances = pd.DataFrame({"patient": ["p"] * 20})
    p = Predictions.from_correct({"a": [1, 0] * 10, "b": [0, 1] * 10}, instances=instances)
    with pytest.raises(InputError) as caught:
        select(p, terms=SelectionOptions(clusters="patient"))
    assert str(caught.value) == (
        "1 cluster, and a share of 0.5 of them to certify on; expected some to choose on and some to certify on; "
        "bring a longer table, another share, or other instances to certify on."
    )


def test_where_weights_tie_the_more_accurate_member_stands_first(world: World) -> None:
    p = world()
    backwards = p.take_models(p.model_ids[::-1])  # models with a higher number have less skill
    for method in ("co_failure", "greedy", "swap"):
        found = select(backwards, 4, rule="vote", goal="co_failure", terms=SelectionOptions(method=method, folds=0))
        errors = found.candidates.set_index("model")["error"]
        assert errors[list(found.members)].is_monotonic_increasing
