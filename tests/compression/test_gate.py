"""Is kept what gains and stays what it was, refused what does not, with the reason, and is the set judged as a set?"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polyculture.compression.changes import joint_error_ratio
from polyculture.compression.gate import Budget, SetVerdict, gate
from polyculture.compression.measuring import Cost, Measurement
from polyculture.errors import InputError
from polyculture.measures.effective import effective
from polyculture.predictions import Predictions, PredictionSets
from polyculture.rng import stream
from polyculture.stats.interval import Interval

N, CLASSES = 1000, ("a", "b", "c", "d")
DEFAULT = Budget()
NAMES = ("ann", "bob", "cem", "dan")


def predictions(wrong: np.ndarray, labels: np.ndarray | None = None, sure: float = 0.85) -> Predictions:
    """Models that are wrong there, by the class after the true one."""
    m, n = wrong.shape
    labels = np.arange(n) % len(CLASSES) if labels is None else labels
    answers = (labels + wrong) % len(CLASSES)
    probabilities = np.full((m, n, len(CLASSES)), (1 - sure) / (len(CLASSES) - 1))
    np.put_along_axis(probabilities, answers[..., None], sure, axis=2)
    models, instances = pd.DataFrame(index=list(NAMES[:m])), pd.DataFrame(index=range(n))
    return Predictions(
        models,
        instances,
        answers=answers,
        labels=labels,
        classes=CLASSES,
        probabilities=probabilities.astype(np.float32),
    )


def errors(rate: float = 0.1, m: int = 4, n: int = N, purpose: str = "errors") -> np.ndarray:
    return stream(0, purpose).random((m, n)) < rate


def measurement(smaller: float = 3.0, faster: float = 2.0, faster_32: float = 2.0, flops: float = 1.0) -> Measurement:
    before = Cost(3e6, 1.0, 20.0, 1e6)
    after = Cost(3e6 / smaller, 1 / faster, 20 / faster_32, 1e6 / flops)
    return Measurement(before, after, *(Interval(x, 0.9 * x, 1.1 * x, n=50) for x in (faster, faster_32)))


def judge(before: Predictions, after: Predictions, budget: Budget = DEFAULT, **costs: Any) -> SetVerdict:
    measurements = {name: measurement() for name in before.model_ids} | costs
    return gate(PredictionSets(before), PredictionSets(after), measurements, budget)


def flipped(wrong: np.ndarray, model: int, count: int, to: bool = True) -> np.ndarray:
    """The same with so many more (or fewer) errors of one model."""
    changed = wrong.copy()
    changed[model, np.flatnonzero(wrong[model] != to)[:count]] = to
    return changed


def test_models_that_answer_as_before_are_kept_and_nothing_changes() -> None:
    before = predictions(errors())
    result = judge(before, before)
    assert result.accepted == NAMES
    assert result.refused == {}
    for change in [*result.changes.values(), *result.verdicts[0].changes.values()]:
        assert change.change.estimate == 0 or change.change.reason
    accuracy = result.changes["accuracy"].change
    assert accuracy.low < 0 < accuracy.high < 0.01  # none changed of a thousand is no proof that none will
    assert (result.churn.estimate, result.churn.low) == (0, 0)
    assert 0 < result.churn.high < 0.01
    assert result.factors["smaller"].estimate == pytest.approx(3)
    assert result.factors["faster"].estimate == pytest.approx(2)
    assert result.factors["faster"].low == pytest.approx(1.8)
    reason = "3.0× smaller, 2.0× faster at one input, 2.0× faster at 32; 0.0 % of its answers changed, accuracy "
    assert result.verdicts[0].reason.startswith(reason)


@pytest.mark.parametrize(
    ("cost", "budget", "reason"),
    [
        (
            measurement(faster=0.5),
            Budget(),
            "2.0× slower at one input (1 → 2 ms) where at most 1.1× is allowed",
        ),
        (
            measurement(smaller=1.05, faster=0.95, faster_32=1.0),
            Budget(),
            "neither smaller (1.05×) nor faster by a tenth (0.95× at one input, 1.00× at 32)",
        ),
        (measurement(smaller=2.9), Budget(smaller=3.0), "2.90× smaller where 3× was asked for"),
        (measurement(faster=1.9), Budget(faster=2.0), "1.90× faster where 2× was asked for"),
        (measurement(flops=1.5), Budget(fewer_flops=2.0), "1.50× fewer flops where 2× was asked for"),
        (measurement(flops=float("nan")), Budget(fewer_flops=2.0), "1.00× fewer flops where 2× was asked for"),
    ],
)
def test_what_gains_too_little_is_refused_with_the_numbers(cost: Measurement, budget: Budget, reason: str) -> None:
    before = predictions(errors())
    result = judge(before, before, budget, bob=cost)
    assert result.refused["bob"] == reason
    assert "bob" not in result.accepted


def test_targets_that_are_met_are_no_reason() -> None:
    before = predictions(errors())
    assert judge(before, before, Budget(smaller=3.0, faster=2.0)).accepted == NAMES


def test_faster_at_32_alone_is_a_gain_and_smaller_alone_too() -> None:
    before = predictions(errors())
    costs = {"ann": measurement(1.0, 1.0, 1.5), "bob": measurement(1.2, 0.95, 1.0)}
    assert judge(before, before, **costs).accepted == NAMES


def test_what_answers_otherwise_too_often_is_refused_though_it_is_as_accurate() -> None:
    wrong = errors()
    changed = flipped(flipped(wrong, 1, 40), 1, 40, to=False)
    changed[1] = np.roll(wrong[1], 1)
    result = judge(predictions(wrong), predictions(changed), Budget(alikeness=1.0))
    churn = (wrong[1] != changed[1]).mean()
    assert result.refused == {"bob": f"{100 * churn:.1f} % of its answers changed where at most 5.0 % may"}
    assert result.verdicts[1].churn.estimate == churn


def test_what_loses_accuracy_is_refused() -> None:
    wrong = errors()
    result = judge(predictions(wrong), predictions(flipped(wrong, 2, 15)), Budget(alikeness=1.0))
    before, after = 100 * (1 - wrong[2].mean()), 100 * (1 - wrong[2].mean()) - 1.5
    reason = f"it loses 1.5 % of accuracy ({before:.1f} % → {after:.1f} %) where at most 1.0 % may be lost"
    assert result.refused == {"cem": reason}
    assert judge(predictions(wrong), predictions(flipped(wrong, 2, 10)), Budget(alikeness=1.0)).accepted == NAMES


def test_accuracy_of_the_set_and_of_members_has_paired_intervals() -> None:
    wrong = errors()
    result = judge(predictions(wrong), predictions(flipped(wrong, 2, 10)), Budget(alikeness=1.0))
    change = result.verdicts[2].changes["accuracy"]
    assert change.change.estimate == pytest.approx(-0.01)
    assert change.change.low < change.change.estimate < change.change.high < 0
    alone = change.original.high - change.original.low
    assert change.change.high - change.change.low < alone / 2  # what both get wrong cancels


def test_students_of_one_teacher_are_put_back_until_the_set_is_as_unlike_as_before() -> None:
    wrong = errors(0.1)
    shared = stream(0, "teacher").random(N) < 0.08
    alike = np.tile(shared, (4, 1)) ^ errors(0.01, purpose="own")
    result = judge(predictions(wrong), predictions(alike), Budget(churn=1.0))
    assert all(verdict.changes["accuracy"].change.estimate > 0 for verdict in result.verdicts)
    assert result.attempted["n_eff"].change.high < 0
    assert result.attempted["joint_error_ratio"].compressed.estimate > 5
    assert len(result.accepted) <= 1
    for reason in result.refused.values():
        assert reason.startswith("put back for the sake of the set: ")
        assert "where at most" in reason
    kept = np.array([name in result.accepted for name in NAMES])
    mixture = np.where(kept[:, None], alike, wrong)
    labels = np.arange(N) % 4
    assert effective(mixture, labels).n_eff >= 0.95 * effective(wrong, labels).n_eff
    assert joint_error_ratio(mixture).ratio <= 1.05 * joint_error_ratio(wrong).ratio


def test_the_member_is_put_back_whose_return_helps_most() -> None:
    wrong = errors(0.1)
    changed = wrong.copy()
    changed[3] = wrong[0]  # a copy of another member; the others stay
    changed = flipped(changed, 1, 2)
    result = judge(predictions(wrong), predictions(changed), Budget(churn=1.0, accuracy=0.05))
    assert list(result.refused) == ["dan"]
    assert result.accepted == ("ann", "bob", "cem")


def test_a_set_that_loses_accuracy_while_every_member_gains_is_refused() -> None:
    n, wrong = 1000, np.zeros((3, 1000), bool)
    wrong[0, :200], wrong[1, 200:400], wrong[2, 400:600] = True, True, True
    changed = np.zeros((3, n), bool)
    changed[:, :180] = True  # each is right more often, and the vote is wrong where it never was
    result = judge(predictions(wrong), predictions(changed), Budget(churn=1.0, alikeness=1.0))
    assert result.attempted["accuracy"].change.estimate == pytest.approx(-0.18)
    assert len(result.accepted) < 3
    assert result.changes["accuracy"].change.estimate >= -0.01
    assert any("the set as one model loses" in reason for reason in result.refused.values())


def test_what_was_not_compressed_keeps_its_original_with_its_reason() -> None:
    before = predictions(errors())
    measurements = {name: measurement() for name in NAMES[1:]} | {"ann": measurement(1.0, 1.0, 1.0)}
    result = gate(PredictionSets(before), PredictionSets(before), measurements, failed={"ann": "no net"})
    assert result.refused == {"ann": "no net"}
    assert result.factors["smaller"].estimate == pytest.approx(4 / (1 + 3 / 3))
    assert result.verdicts[0].accepted is False


def test_nothing_measured_has_no_factors() -> None:
    before = predictions(errors())
    result = gate(PredictionSets(before), PredictionSets(before), {}, failed=dict.fromkeys(NAMES, "no net"))
    assert str(result.factors["smaller"]) == "undefined (no model was compressed)"
    assert result.accepted == ()


def test_shifted_sets_are_compared_too() -> None:
    wrong, shifted = errors(), errors(0.3, purpose="shift")
    after = flipped(shifted, 1, 30)
    sets = [PredictionSets(predictions(wrong), shifted={"noise@2": predictions(part)}) for part in (shifted, after)]
    result = gate(*sets, {name: measurement() for name in NAMES})
    change = result.verdicts[1].changes["accuracy on noise@2"]
    assert change.change.estimate == pytest.approx(-0.03)
    assert "accuracy on noise@2" in result.changes


def test_instances_that_belong_together_widen_the_intervals() -> None:
    wrong = np.repeat(errors(0.1, n=100), 10, axis=1)
    changed = wrong.copy()
    changed[0, :50] = ~wrong[0, :50]
    parts = [predictions(part) for part in (wrong, changed)]
    table = pd.DataFrame({"patient": np.arange(N) // 10})
    grouped = [replace(part, instances=table) for part in parts]
    measurements = {name: measurement() for name in NAMES}
    budget = Budget(churn=1.0, accuracy=1.0, alikeness=1.0)
    alone = gate(*map(PredictionSets, parts), measurements, budget).verdicts[0].changes["accuracy"].change
    clustered = gate(*(PredictionSets(part, cluster="patient") for part in grouped), measurements, budget)
    wide = clustered.verdicts[0].changes["accuracy"].change
    assert wide.estimate == alone.estimate
    assert wide.high - wide.low > 1.5 * (alone.high - alone.low)


def test_answers_without_probabilities_are_judged_by_their_vote() -> None:
    before = replace(predictions(errors()), probabilities=None)
    result = judge(before, before)
    assert result.accepted == NAMES
    assert str(result.changes["log_loss"].change) == "undefined (there are no probabilities)"
    assert result.changes["accuracy"].original.estimate > 0.9


def regressors(residuals: np.ndarray, targets: np.ndarray) -> Predictions:
    models, instances = pd.DataFrame(index=list(NAMES[: len(residuals)])), pd.DataFrame(index=range(len(targets)))
    return Predictions(models, instances, values=targets + residuals, targets=targets)


def test_numbers_are_judged_by_their_errors() -> None:
    draw = stream(0, "numbers")
    targets, residuals = draw.normal(0, 3, N), draw.normal(0, 1, (4, N))
    close, far = residuals * 1.001, residuals.copy()
    far[1] += draw.normal(0, 0.6, N)
    before = regressors(residuals, targets)
    result = judge(before, regressors(close, targets))
    assert result.accepted == NAMES
    assert "R² 0." in result.verdicts[0].reason
    assert str(result.changes["accuracy"].change).startswith("undefined")
    assert str(result.changes["log_loss"].change) == "undefined (predicted numbers have no probabilities)"
    assert result.changes["n_eff"].change.defined
    result = judge(before, regressors(far, targets), Budget(churn=1.0, alikeness=1.0))
    assert list(result.refused) == ["bob"]
    assert "of R² (" in result.refused["bob"]


def test_one_regressor_is_a_set_of_its_own() -> None:
    targets = stream(0, "numbers").normal(0, 3, N)
    before = regressors(np.ones((1, N)), targets)
    result = gate(PredictionSets(before), PredictionSets(before), {"ann": measurement()})
    assert result.accepted == ("ann",)
    assert not result.changes["joint_error_ratio"].change.defined


def test_perfect_models_have_no_alikeness_and_are_no_reason_to_refuse() -> None:
    before = predictions(np.zeros((4, N), bool))
    result = judge(before, before)
    assert result.accepted == NAMES
    assert not result.changes["n_eff"].change.defined
    assert result.changes["n_eff"].change.reason == "fewer than two models have both right and wrong answers"


def test_weights_of_members_count_in_what_they_decide_together() -> None:
    wrong = errors(0.2)
    changed = flipped(wrong, 0, 9)
    weights = np.array([1.0, 0.0, 0.0, 0.0])
    measurements = {name: measurement() for name in NAMES}
    sets = PredictionSets(predictions(wrong)), PredictionSets(predictions(changed))
    result = gate(*sets, measurements, weights=weights)
    assert result.changes["accuracy"].change.estimate == pytest.approx(-0.009)


def test_joint_error_ratio_is_that_of_all_pairs() -> None:
    wrong = errors(0.3, 5, 400) | errors(0.1, 1, 400, "all")
    pairs = list(combinations(wrong, 2))
    joint, independent = (
        sum(f(a, b) for a, b in pairs) for f in (lambda a, b: (a & b).mean(), lambda a, b: a.mean() * b.mean())
    )
    result = joint_error_ratio(wrong)
    assert result.ratio == pytest.approx(joint / independent)
    assert result.observed == pytest.approx(joint / len(pairs))


def test_influence_on_the_joint_error_ratio_is_its_derivative() -> None:
    wrong = errors(0.3, 4, 60)
    step, n = 1e-6, wrong.shape[1]

    def ratio(weights: np.ndarray) -> float:
        share = weights / weights.sum()
        rates = wrong @ share
        joint = sum(float((a & b) @ share) for a, b in combinations(wrong, 2))
        return joint / sum(a * b for a, b in combinations(rates, 2))

    influence = joint_error_ratio(wrong).influence
    for instance in range(0, n, 7):
        weights = np.ones(n)
        weights[instance] += step
        assert influence[instance] == pytest.approx(n * (ratio(weights) - ratio(np.ones(n))) / step, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smaller": 1.0}, "smaller by 1; expected a factor above 1, such as 2."),
        ({"faster": float("inf")}, "faster by inf; expected a factor above 1, such as 2."),
        ({"fewer_flops": 0.5}, "fewer flops by 0.5; expected a factor above 1, such as 2."),
        ({"churn": 5.0}, "a budget of 5 for churn; expected a share between 0 and 1."),
        ({"alikeness": -0.1}, "a budget of -0.1 for alikeness; expected a share between 0 and 1."),
        ({"accuracy": float("nan")}, "a budget of nan for accuracy; expected a share between 0 and 1."),
    ],
)
def test_a_budget_that_means_nothing_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Budget(**changes)
    assert str(caught.value) == message


def test_predictions_that_do_not_belong_together_are_refused() -> None:
    before, fewer = predictions(errors()), predictions(errors(n=900))
    with pytest.raises(InputError, match=r"originals with classification of \(4, 1000\) and .* of \(4, 900\) on test"):
        judge(before, fewer)
    with pytest.raises(InputError, match="no measurement of 'ann'; expected one of every model that was compressed"):
        gate(PredictionSets(before), PredictionSets(before), {})
