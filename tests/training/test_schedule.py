"""How fast does a net learn at each step, and which schedules are impossible?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.training.schedule import PACES, Plateau, Schedule

R = math.sqrt(0.5)
TABLE: dict[str, dict[float, float]] = {
    "constant": {0.01: 1, 0.5: 1, 1: 1},
    "warm-up": {0.01: 0.1, 0.05: 0.5, 0.1: 1, 1: 1},
    "plateau": {0.01: 0.1, 0.05: 0.5, 0.1: 1, 1: 1},
    "cosine": {0.05: 0.5 * (1 + math.cos(0.05 * math.pi)) / 2, 0.25: (1 + R) / 2, 0.5: 0.5, 0.75: (1 - R) / 2, 1: 0},
    "step": {0.01: 1, 0.5: 1, 0.51: 0.1, 0.75: 0.1, 0.76: 0.01, 1: 0.01},
    "one-cycle": {0: 0.04, 0.15: 0.52, 0.3: 1, 0.65: 0.500002, 1: 1 / 250_000},
}


@pytest.mark.parametrize("name", PACES)
def test_the_rate_follows_its_table(name: str) -> None:
    for done, share in TABLE[name].items():
        assert Schedule(schedule=name).pace(float(done)) == pytest.approx(share, abs=1e-12)


@given(done=st.floats(1e-6, 1), name=st.sampled_from([*PACES]))
def test_no_rate_is_above_the_highest_or_below_zero(done: float, name: str) -> None:
    assert 0 <= Schedule(schedule=name).pace(done) <= 1


def test_one_cycle_is_that_of_torch() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=101, cycle_momentum=False, pct_start=0.3)
    for k in range(101):  # theirs peaks at step 29.3 of 100, ours at 30
        if k in (0, 100):
            assert optimizer.param_groups[0]["lr"] == pytest.approx(PACES["one-cycle"](k / 100), abs=1e-9)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(PACES["one-cycle"](k / 100), abs=0.04)
        optimizer.step()
        if k < 100:
            theirs.step()


def test_with_swa_the_rate_stays_where_three_quarters_of_the_steps_brought_it() -> None:
    schedule = Schedule(averaging="swa")
    assert schedule.pace(0.5) == 0.5
    assert schedule.pace(0.8) == schedule.pace(1.0) == pytest.approx((1 - R) / 2)


def test_with_snapshots_the_rate_falls_to_zero_four_times() -> None:
    schedule = Schedule(averaging="snapshot")
    rates = [schedule.pace(step / 40) for step in range(1, 41)]
    assert [step for step, rate in enumerate(rates, 1) if rate < 1e-12] == [10, 20, 30, 40]
    np.testing.assert_allclose(rates[:10], rates[30:], atol=1e-12)
    assert rates[4] == pytest.approx(0.5)


def test_plateau_slows_down_as_torch_does() -> None:
    losses = [3.0, 2.0, 2.0, 2.0, 1.5, 1.6, 1.7, 1.8, 1.8, 1.8, 1.8, 1.49985, 1.2, 1.2]
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=2)
    own = Plateau()
    for loss in losses:
        theirs.step(loss)
        own.update(loss)
        assert own.factor == pytest.approx(optimizer.param_groups[0]["lr"])
    assert own.factor == pytest.approx(0.3**2)


@given(n=st.integers(1, 300), batch_size=st.integers(1, 64))
def test_batches_hold_every_instance_and_none_is_alone(n: int, batch_size: int) -> None:
    sizes = Schedule(batch_size=batch_size).batch_sizes(n)
    assert sum(sizes) == n
    assert max(sizes) <= batch_size + 1
    assert all(size == batch_size for size in sizes[:-1])
    assert min(sizes) > 1 or batch_size == 1 or n == 1


def test_a_last_batch_of_one_is_added_to_the_one_before() -> None:
    schedule = Schedule(batch_size=32)
    assert schedule.batch_sizes(66) == [32, 32, 2]
    assert schedule.batch_sizes(65) == [32, 33]
    assert schedule.batch_sizes(64) == [32, 32]
    assert schedule.batch_sizes(1) == [1]
    assert Schedule(batch_size=1).batch_sizes(2) == [1, 1]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"epochs": 0}, "epochs is 0; expected more than 0."),
        ({"batch_size": -1}, "batch_size is -1; expected more than 0."),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected more than 0."),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; expected 0 or more."),
        ({"l1": -0.1}, "l1 is -0.1; expected 0 or more."),
        ({"clip": -1.0}, "clip is -1.0; expected 0 or more."),
        ({"patience": -1}, "patience is -1; expected 0 or more."),
        ({"schedule": "cosin"}, "schedule is 'cosin'; did you mean 'cosine'?"),
        ({"averaging": "emma"}, "averaging is 'emma'; did you mean 'ema'?"),
        ({"precision": "bfloat"}, "precision is 'bfloat'; did you mean 'bfloat16' or 'float32'?"),
        (
            {"averaging": "snapshot", "schedule": "step"},
            "schedule is 'step' with averaging 'snapshot'; expected 'cosine', which it repeats.",
        ),
        ({"averaging": "ema", "patience": 3}, "patience is 3 with averaging 'ema'; expected one of the two."),
    ],
)
def test_an_impossible_schedule_is_refused(told: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        Schedule(**told)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    "told",
    [{"averaging": "ema"}, {"patience": 1}, {"clip": 1.0}, {"l1": 0.1}, {"schedule": "plateau"}],
)
def test_only_plain_schedules_can_be_stacked(told: dict[str, Any]) -> None:
    assert Schedule(schedule="one-cycle", weight_decay=0.1).stackable
    assert not Schedule(**told).stackable
