"""PC004: which models are right or wrong everywhere?"""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
MIXED = RNG.random((3, 100)) < 0.3


def test_models_that_never_vary_are_named(finding, outcomes) -> None:
    wrong = np.vstack([MIXED, np.zeros((1, 100), bool), np.ones((1, 100), bool)])
    found = finding(outcomes(wrong), "PC004")
    assert found.severity == "note"
    assert found.sentence == (
        "2 of 5 models are right or wrong everywhere and are left out of the effective number: m3, m4."
    )


def test_no_more_than_five_are_named(finding, outcomes) -> None:
    wrong = np.vstack([MIXED, np.zeros((7, 100), bool)])
    assert finding(outcomes(wrong), "PC004").sentence.endswith("number: m3, m4, m5, m6, m7, ….")


def test_it_is_silent_if_all_vary(findings, outcomes) -> None:
    assert findings(outcomes(MIXED), "PC004") == []
