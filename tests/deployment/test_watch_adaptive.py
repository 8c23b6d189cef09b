"""A change of unknown size is found by ADWIN, where river is installed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polyculture.deployment.watch import AdaptiveWindow
from polyculture.errors import InputError
from polyculture.rng import stream

pytest.importorskip("river", reason="river is not installed")


def test_a_change_that_nobody_described_is_found_after_it() -> None:
    rng = stream(0, "adaptive")
    window = AdaptiveWindow()
    changes = window.update((rng.random(4000) < np.repeat([0.05, 0.25], 2000)).astype(float).tolist())
    assert 2000 < changes[0] < 2600
    assert window.mean == pytest.approx(0.25, abs=0.05)
    assert window.requests == 4000


def test_without_a_change_it_stays_silent() -> None:
    window = AdaptiveWindow(10**6)
    assert window.update(stream(1, "adaptive").random(5000).tolist()) == []


def test_numbers_that_are_missing_are_left_out() -> None:
    window = AdaptiveWindow()
    assert math.isnan(window.mean)
    assert window.update([math.nan] * 10) == []
    assert (window.requests, math.isnan(window.mean)) == (10, True)


def test_numbers_outside_of_their_range_are_refused() -> None:
    with pytest.raises(InputError, match=r"the number 3; expected a number in \[0, 1\]"):
        AdaptiveWindow().update([3.0])
    with pytest.raises(InputError, match="one false alarm per 1 requests; expected at least 2"):
        AdaptiveWindow(1)
