"""PC012: whom do they all fail?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from polyculture.predictions import Predictions


def grouped(failed: dict[str, tuple[int, int]], column: str = "ward") -> Predictions:
    """Two models that fail together on so many of so many instances of each group."""
    groups = np.repeat(list(failed), [n for _, n in failed.values()])
    wrong = np.concatenate([np.arange(n) < k for k, n in failed.values()])
    instances = pd.DataFrame({column: groups})
    return Predictions.from_correct({"a": ~wrong, "b": ~wrong}, instances=instances)


def wilson(k: int, n: int) -> tuple[float, float]:
    z = 1.959963984540054
    centre, reach = (k + z * z / 2) / (n + z * z), z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
    return centre - reach, centre + reach


def newcombe(k1: int, n1: int, k2: int, n2: int) -> tuple[float, float]:
    (l1, u1), (l2, u2), p1, p2 = wilson(k1, n1), wilson(k2, n2), k1 / n1, k2 / n2
    gap = p1 - p2
    return gap - math.hypot(p1 - l1, u2 - p2), gap + math.hypot(u1 - p1, p2 - l2)


def test_a_group_that_is_failed_more_often_is_an_alert(finding) -> None:
    found = finding(grouped({"north": (20, 100), "south": (8, 100), "west": (8, 100)}), "PC012", groups=("ward",))
    low, high = newcombe(20, 100, 16, 200)
    assert found.severity == "alert"
    assert found.sentence == (
        "1 of 3 groups are failed by every model more or less often than the rest (false discovery rate 5 %); most of "
        f"all ward = north: 20.00 % of 100, {100 * (0.2 - 0.08):+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}] "
        "against the others."
    )


def test_a_group_that_is_spared_is_no_alert(finding) -> None:
    failed = {"spared": (0, 100), "b": (21, 100), "c": (20, 100), "d": (20, 100)}
    found = finding(grouped(failed), "PC012", groups=("ward",))
    assert found.severity == "note"
    assert "most of all ward = spared: 0.00 % of 100, -20.33 points" in found.sentence


def test_equal_groups_are_a_note(finding) -> None:
    found = finding(grouped({"a": (10, 100), "b": (11, 100), "c": (9, 100)}), "PC012", groups=("ward",))
    assert found.severity == "note"
    assert found.sentence == (
        "None of 3 groups can be shown to be failed by every model more or less often than the rest."
    )


def test_without_a_named_column_it_does_not_apply(finding) -> None:
    found = finding(grouped({"a": (1, 10), "b": (9, 10)}), "PC012")
    assert (found.sentence, found.reason) == ("", "no column with groups was named")


def test_groups_of_fewer_than_five_do_not_apply(finding) -> None:
    predictions = grouped({"a": (1, 4), "b": (9, 96)})
    assert finding(predictions, "PC012", groups=("ward",)).reason == "no group has 5 instances and 5 outside it"


def test_without_an_instance_that_all_answered_it_does_not_apply(finding) -> None:
    instances = pd.DataFrame({"ward": list("aabb")})
    predictions = Predictions.from_correct({"a": [1, 0, None, None], "b": [None, None, 1, 0]}, instances=instances)
    found = finding(predictions, "PC012", groups=("ward",))
    assert found.reason == "no instance was answered by every model"
