"""rho without each model, and design effects of clustered pairs."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.measures.effective import effective
from polyculture.measures.leave_one_out import rho_without_each


@pytest.mark.parametrize("strata", [None, np.arange(200) % 3])
def test_leaving_a_model_out_is_measuring_the_others(strata) -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random((6, 200)) < rng.beta(1, 3, 200)
    expected = [effective(np.delete(wrong, a, axis=0), strata).rho for a in range(6)]
    np.testing.assert_allclose(rho_without_each(wrong, strata), expected, atol=1e-12)
