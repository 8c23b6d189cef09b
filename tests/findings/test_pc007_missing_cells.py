"""PC007: does missingness go with difficulty?"""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.predictions import Predictions


def table(miss_where_hard: float, miss_where_easy: float, seed: int = 0) -> tuple[Predictions, np.ndarray, np.ndarray]:
    """Twenty models, half of the instances hard; cells go missing at two rates. With the mask and the errors."""
    rng = np.random.default_rng(seed)
    hard = np.arange(1000) < 500
    wrong = rng.random((20, 1000)) < np.where(hard, 0.6, 0.2)
    seen = rng.random((20, 1000)) >= np.where(hard, miss_where_hard, miss_where_easy)
    columns = {f"m{i}": [int(not w) if s else None for w, s in zip(wrong[i], seen[i], strict=True)] for i in range(20)}
    return Predictions.from_correct(columns), seen, wrong


def correlation(seen: np.ndarray, wrong: np.ndarray) -> float:
    """Of the share of models that answer an instance with the error rate of those who do."""
    return float(np.corrcoef(seen.mean(axis=0), (wrong & seen).sum(axis=0) / seen.sum(axis=0))[0, 1])


@pytest.mark.parametrize(("hard", "easy", "word"), [(0.4, 0.1, "harder"), (0.1, 0.4, "easier")])
def test_missing_where_it_is_harder_or_easier_is_a_warning(finding, hard, easy, word) -> None:
    predictions, seen, wrong = table(hard, easy)
    found = finding(predictions, "PC007")
    assert found.severity == "warning"
    assert found.sentence == (
        f"{100 * (1 - seen.mean()):.1f} % of the cells are missing; pairs are compared on the instances that both "
        f"answered. Cells are missing where instances are {word} (r = {correlation(seen, wrong):.2f}): the numbers "
        "speak of another population of instances than the table's."
    )


def test_missing_at_random_is_a_note(finding) -> None:
    predictions, seen, wrong = table(0.3, 0.3)
    assert abs(correlation(seen, wrong)) < 0.1
    found = finding(predictions, "PC007")
    assert found.severity == "note"
    assert found.sentence == (
        f"{100 * (1 - seen.mean()):.1f} % of the cells are missing; pairs are compared on the instances that both "
        "answered."
    )


def test_a_complete_table_is_silent(findings, outcomes) -> None:
    assert findings(outcomes(np.eye(3, 10, dtype=bool)), "PC007") == []
