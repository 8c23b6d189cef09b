"""PC008: do they fail together more under shift?"""

from __future__ import annotations

import numpy as np

from polyculture.predictions import Predictions


def failing(together: int, n: int = 1000) -> np.ndarray:
    """Three models with 100 errors each, of which so many are common to all."""
    wrong = np.zeros((3, n), bool)
    wrong[:, :together] = True
    for i in range(3):
        start = together + i * (100 - together)
        wrong[i, start : start + 100 - together] = True
    return wrong


def n_eff(wrong: np.ndarray) -> float:
    return float(len(wrong) * wrong.var(axis=1).sum() / wrong.sum(axis=0).var())


def test_twice_as_many_joint_failures_and_more_are_a_warning(finding, outcomes) -> None:
    shifted = {"noise@1": outcomes(failing(15)), "noise@2.5": outcomes(failing(41)), "blur": outcomes(failing(20))}
    found = finding(outcomes(failing(20)), "PC008", shifted=shifted)
    assert found.severity == "warning"
    assert found.sentence == (
        "From the unshifted test to noise at severity 2.5 the share of instances that every model fails goes from "
        "2.00 % to 4.10 %, mean accuracy from 90.0 % to 90.0 % and n_eff from "
        f"{n_eff(failing(20)):.2f} to {n_eff(failing(41)):.2f}."
    )


def test_exactly_twice_is_a_note(finding, outcomes) -> None:
    found = finding(outcomes(failing(20)), "PC008", shifted={"noise@1": outcomes(failing(40))})
    assert found.severity == "note"


def test_from_none_at_all_it_takes_three(finding, outcomes) -> None:
    two, three = ({"noise": outcomes(failing(k))} for k in (2, 3))
    assert finding(outcomes(failing(0)), "PC008", shifted=two).severity == "note"
    assert finding(outcomes(failing(0)), "PC008", shifted=three).severity == "warning"


def test_an_undefined_number_is_left_out(finding, outcomes) -> None:
    perfect = outcomes(np.zeros((3, 20), bool))
    assert finding(perfect, "PC008", shifted={"noise": perfect}).sentence.endswith(
        "mean accuracy from 100.0 % to 100.0 %."
    )


def test_a_set_without_a_complete_instance_is_never_the_worst(finding, outcomes) -> None:
    column = [None] * 500 + [1] * 500
    holes = Predictions.from_correct({"m0": column, "m1": column[::-1], "m2": column})
    found = finding(outcomes(failing(5)), "PC008", shifted={"holes": holes, "noise": outcomes(failing(4))})
    assert found.sentence.startswith("From the unshifted test to noise at severity 1 ")


def test_without_a_shift_it_is_silent(findings, outcomes) -> None:
    assert findings(outcomes(failing(5)), "PC008") == []
    assert findings(outcomes(failing(5)), "PC008", shifted={"train": outcomes(failing(5))}) == []
