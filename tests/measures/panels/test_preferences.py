"""Biases of judges who compare: planted ones are found, golden numbers by hand, and none is invented at its level."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import expit

from polyculture.measures.panels import (
    PairedComparisons,
    both_orders,
    length_bias,
    longer_wins,
    own_preference,
    position_bias,
    position_effect,
    position_p,
)
from polyculture.stats import influence_interval


def arena(
    seed: int,
    judges: int = 6,
    candidates: int = 6,
    items: int = 60,
    position: float = 0.0,
    length: float = 0.0,
    own: float = 0.0,
    sharpness: np.ndarray | None = None,
    orders: str = "both",
) -> PairedComparisons:
    """Judges who are also the candidates, of different strengths; every bias is on the scale of log-odds."""
    rng = np.random.default_rng(seed)
    strength = np.linspace(-0.8, 0.8, candidates)
    sharp = np.ones(judges) if sharpness is None else sharpness
    quality = rng.normal(0, 0.7, (items, candidates))
    sizes = rng.integers(50, 500, (items, candidates)) + 40 * np.arange(candidates)
    rows = []
    for judge, item, (a, b) in itertools.product(
        range(judges), range(items), itertools.combinations(range(candidates), 2)
    ):
        shown = [(a, b), (b, a)] if orders == "both" else [(a, b) if rng.random() < 0.5 else (b, a)]
        for first, second in shown:
            merit = strength[first] + quality[item, first] - strength[second] - quality[item, second]
            odds = sharp[judge] * merit + position + length * np.sign(sizes[item, first] - sizes[item, second])
            odds += own * ((judge == first) - (judge == second))
            credit = 0.5 if rng.random() < 0.1 else float(rng.random() < expit(odds))
            rows.append((judge, item, first, second, credit, sizes[item, first], sizes[item, second]))
    table = np.array(rows, dtype=float)
    codes = table[:, :4].astype(np.int64)
    return PairedComparisons(
        tuple(f"m{j}" for j in range(judges)),
        tuple(f"m{c}" for c in range(candidates)),
        tuple(map(str, range(items))),
        codes[:, 0],
        codes[:, 1],
        codes[:, 2:4],
        table[:, 4],
        np.ones(len(table), bool),
        table[:, 5:7],
    )


def small(rows: list[tuple[int, int, int, int, float]], lengths: list[tuple[float, float]] | None = None):
    """Comparisons from rows of judge, item, first, second, credit of the first."""
    codes = np.array([row[:4] for row in rows])
    counts = codes.max(axis=0) + 1
    names = [tuple(map(str, range(count))) for count in (counts[0], codes[:, 2:].max() + 1, counts[1])]
    credit = np.array([row[4] for row in rows], dtype=float)
    sizes = None if lengths is None else np.array(lengths, dtype=float)
    ordered = np.ones(len(rows), bool)
    return PairedComparisons(*names, codes[:, 0], codes[:, 1], codes[:, 2:], credit, ordered, sizes)


def same(comparisons: PairedComparisons) -> np.ndarray:
    return np.array([[judge == candidate for candidate in comparisons.candidates] for judge in comparisons.judges])


def test_flips_and_position_by_hand() -> None:
    """Three items: the first output both times, the same output both times, a tie and then the first."""
    verdicts = small(
        [(0, 0, 0, 1, 1), (0, 0, 1, 0, 1), (0, 1, 0, 1, 1), (0, 1, 1, 0, 0), (0, 2, 0, 1, 0.5), (0, 2, 1, 0, 1)]
    )
    orders = both_orders(verdicts)
    assert orders.toward_first.tolist() == [1.0, 0.0, 0.5]
    assert orders.flipped.tolist() == [True, False, True]
    assert position_bias(orders).value == 0.25
    # Two items flip, 1 and ½ towards the first: of four sign patterns two are as far from 0.
    assert position_p(orders, np.random.default_rng(0)) == 0.5


def test_a_judge_who_always_takes_the_first_has_a_bias_of_one_half() -> None:
    rows = [(0, item, *pair, 1.0) for item in range(8) for pair in ((0, 1), (1, 0))]
    orders = both_orders(small(rows))
    assert position_bias(orders).value == 0.5
    assert position_p(orders, np.random.default_rng(0)) == 2 / 2**8


def test_a_judge_who_never_flips_has_none() -> None:
    orders = both_orders(small([(0, 0, 0, 1, 1), (0, 0, 1, 0, 0)]))
    assert position_bias(orders).value == 0
    assert position_p(orders, np.random.default_rng(0)) == 1


def test_one_order_only_is_no_pair_in_both() -> None:
    bias = position_bias(both_orders(small([(0, 0, 0, 1, 1), (0, 1, 1, 0, 0)])))
    assert bias.reason == "no pair was judged in both orders"
    assert np.isnan(bias.value)


@pytest.mark.parametrize("orders", ["both", "one"])
def test_a_planted_position_bias_is_found_and_no_other(orders: str) -> None:
    verdicts = arena(1, position=0.5, orders=orders)
    effect = position_effect(verdicts)
    limits = influence_interval(effect.value, effect.influence, effect.item)
    assert limits.low > 0.04
    if orders == "both":
        pairs = both_orders(verdicts)
        assert position_bias(pairs).value == pytest.approx(effect.value, abs=1e-9)
        assert position_p(pairs, np.random.default_rng(0)) <= 0.001
    length = length_bias(verdicts)
    limits = influence_interval(length.value, length.influence, length.item)
    assert limits.low < 0 < limits.high


def test_a_planted_length_bias_is_found_given_the_authors() -> None:
    verdicts = arena(2, length=0.5)
    bias, share = length_bias(verdicts), longer_wins(verdicts)
    assert influence_interval(bias.value, bias.influence, bias.item).low > 0.04
    assert share.value > 0.5 + bias.value  # the stronger candidates also write more
    orders = both_orders(verdicts)
    assert position_p(orders, np.random.default_rng(0)) > 0.01


def test_strong_authors_who_write_more_are_no_length_bias() -> None:
    verdicts = arena(3)
    share, bias = longer_wins(verdicts), length_bias(verdicts)
    assert influence_interval(share.value, share.influence, share.item).low > 0.5
    limits = influence_interval(bias.value, bias.influence, bias.item)
    assert limits.low < 0 < limits.high


def test_longer_wins_by_hand() -> None:
    rows = [(0, 0, 0, 1, 1.0), (0, 1, 0, 1, 0.0), (0, 2, 1, 0, 0.5), (0, 3, 1, 0, 1.0)]
    verdicts = small(rows, [(9, 5), (5, 9), (7, 5), (5, 5)])
    assert longer_wins(verdicts).value == pytest.approx((1 + 1 + 0.5) / 3)
    assert length_bias(verdicts).reason == "too few verdicts to allow for how strong each candidate is"
    assert longer_wins(small(rows)).reason == "no two outputs with different known lengths were compared"


def test_a_candidate_that_is_always_longer_leaves_the_length_bias_undefined() -> None:
    rows = [(0, item, 0, 1, float(item % 2)) for item in range(30)]
    assert length_bias(small(rows, [(9, 5)] * 30)).reason == "it cannot be told from which candidates were compared"


def test_own_preference_by_hand() -> None:
    """Judge 0 is candidate 0 and always takes it; judges 1 and 2 have no stake and are even about it."""
    rows = [(0, item, 0, 1, 1.0) for item in range(4)]
    rows += [(judge, item, 0, 1, float(item % 2)) for judge in (1, 2) for item in range(4)]
    verdicts = small(rows)
    kin = np.array([[True, False], [False, False], [False, False]])
    preference = own_preference(verdicts, kin, np.random.default_rng(0))
    assert preference.value == 0.5
    assert preference.verdicts.tolist() == [4, 0, 0]
    assert preference.arrangements == 3
    assert preference.p == pytest.approx(1 / 3)


def test_a_planted_own_preference_is_found() -> None:
    verdicts = arena(4, own=1.0)
    preference = own_preference(verdicts, same(verdicts), np.random.default_rng(0))
    assert preference.value > 0.1
    assert preference.p <= 2 / 720  # the least of 720 dealings
    assert (preference.by_judge > 0).all()


def test_sharp_judges_who_are_strong_candidates_are_no_own_preference() -> None:
    """Without the scale of the reference their liking of their good outputs would be taken for one."""
    sharpness = np.linspace(0.2, 2.5, 6)
    values = [
        own_preference(verdicts, same(verdicts), np.random.default_rng(0)).value
        for verdicts in (arena(seed, sharpness=sharpness, items=40) for seed in range(4))
    ]
    assert abs(np.mean(values)) < 0.02


def test_family_preference_leaves_the_judge_itself_aside() -> None:
    """Two judges of a family like each other's outputs; what they think of their own is not asked."""
    verdicts = arena(5, judges=6)
    family = np.array([0, 0, 1, 1, 2, 2])
    kin = family[:, None] == family[None, :]
    itself = np.eye(6, dtype=bool)
    own = verdicts.judge[:, None] == verdicts.outputs
    sister = (family[verdicts.judge][:, None] == family[verdicts.outputs]) & ~own
    credit = np.where(sister[:, 0] & ~sister[:, 1], 1.0, np.where(sister[:, 1] & ~sister[:, 0], 0.0, verdicts.credit))
    planted = PairedComparisons(
        verdicts.judges,
        verdicts.candidates,
        verdicts.items,
        verdicts.judge,
        verdicts.item,
        verdicts.outputs,
        np.where(own.any(axis=1), verdicts.credit, credit),
        verdicts.ordered,
    )
    preference = own_preference(planted, kin & ~itself, np.random.default_rng(0), itself)
    assert preference.value > 0.3
    assert preference.p <= 0.01
    assert own_preference(planted, itself, np.random.default_rng(0)).value < 0.05


def test_without_a_stake_or_a_reference_nothing_is_said() -> None:
    verdicts = small([(0, 0, 0, 1, 1.0), (1, 0, 0, 1, 0.0)])
    nobody = own_preference(verdicts, np.zeros((2, 2), bool), np.random.default_rng(0))
    assert nobody.reason == "no judge judged an output of its own side"
    everybody = own_preference(verdicts, np.eye(2, dtype=bool), np.random.default_rng(0))
    assert everybody.reason == "nobody without a stake judged the pairs in which a judge has one"
    assert np.isnan(everybody.value)


def test_the_order_of_rows_changes_nothing() -> None:
    verdicts = arena(6, items=20, own=0.5, length=0.3)
    shuffled = verdicts.take(np.random.default_rng(0).permutation(len(verdicts.credit)))
    assert length_bias(shuffled).value == pytest.approx(length_bias(verdicts).value, abs=1e-12)
    assert position_effect(shuffled).value == pytest.approx(position_effect(verdicts).value, abs=1e-12)
    one, other = (own_preference(part, same(part), np.random.default_rng(0)) for part in (verdicts, shuffled))
    assert other.value == pytest.approx(one.value, abs=1e-12)
    assert other.p == one.p
