"""Panels: the criterion is what it says, enumeration finds its minimum, swapping comes close."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.selection import co_failure, panel
from polyculture.selection import panels as module
from polyculture.testing import copying_errors


@given(st.integers(0, 1000), st.integers(1, 5))
def test_the_criterion_is_the_mean_squared_share_of_wrong_members(seed: int, k: int) -> None:
    wrong = copying_errors((3, 2, 2), 60, error_rate=0.3, copying=0.5, seed=seed)
    found = panel(co_failure(wrong), k)
    assert found.criterion == pytest.approx((wrong[list(found.models)].mean(axis=0) ** 2).mean(), abs=1e-6)
    everything = [(wrong[list(s)].mean(axis=0) ** 2).mean() for s in itertools.combinations(range(7), k)]
    assert found.exact
    assert found.criterion == pytest.approx(min(everything), abs=1e-6)


def test_one_of_each_kind_is_taken_before_two_of_one() -> None:
    wrong = copying_errors((4, 4, 4), 4000, seed=3)
    kinds = {model // 4 for model in panel(co_failure(wrong), 3).models}
    assert kinds == {0, 1, 2}


def test_swapping_finds_what_enumeration_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    together = co_failure(copying_errors((4, 3, 3, 2), 2000, copying=0.6, seed=5))
    exact = panel(together, 4)
    monkeypatch.setattr(module, "MOST_ENUMERATED", 0)
    swapped = panel(together, 4)
    assert not swapped.exact
    assert swapped.models == exact.models


@pytest.mark.parametrize("k", [0, 8])
def test_a_panel_of_an_impossible_size_is_refused(k: int) -> None:
    with pytest.raises(InputError) as caught:
        panel(np.eye(7), k)
    assert str(caught.value) == f"a panel of {k} out of 7 models; expected a size from 1 to 7."
