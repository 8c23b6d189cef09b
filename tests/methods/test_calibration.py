"""docs/methods/calibration.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest
from scipy.stats import foldnorm

from polyculture.measures.calibration import brier, reliability, roc

CONFIDENCE = np.array([0.55, 0.60, 0.65, 0.80, 0.90, 1.00])
RIGHT = np.array([True, False, False, True, True, True])


def test_the_numbers_of_the_page(stated):
    table = reliability(CONFIDENCE, RIGHT, bins=2)
    gap = np.array([CONFIDENCE[:3].mean() - 1 / 3, CONFIDENCE[3:].mean() - 1])
    assert table.ece == pytest.approx(np.abs(gap).mean())
    error = np.array([(CONFIDENCE - RIGHT)[s].std(ddof=1) / np.sqrt(3) for s in (slice(0, 3), slice(3, 6))])
    expected = foldnorm.mean(np.abs(gap) / error, scale=error).mean()
    assert table.debiased == pytest.approx(max(0, 2 * table.ece - expected))

    P = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])
    labels = np.array([0, 1, 1, 1])
    score = brier(P, labels, bins=2)
    assert score.score == pytest.approx(((P - np.eye(2)[labels]) ** 2).sum(axis=1).mean())
    assert score.score == pytest.approx(score.reliability - score.resolution + score.uncertainty + score.within)

    scores, positive = np.array([0.9, 0.7, 0.7, 0.4]), np.array([True, True, False, False])
    wins = (scores[positive][:, None] > scores[~positive]) + 0.5 * (scores[positive][:, None] == scores[~positive])
    curve = roc(scores, positive)
    assert curve.auc == wins.mean()
    delong = wins.mean(axis=1).var(ddof=1) / 2 + wins.mean(axis=0).var(ddof=1) / 2
    stated.agree(
        {
            "ECE": table.ece,
            "expected ECE": expected,
            "debiased ECE": table.debiased,
            "Brier score": score.score,
            "reliability": score.reliability,
            "resolution": score.resolution,
            "uncertainty": score.uncertainty,
            "area": curve.auc,
            "DeLong variance": delong,
        }
    )


def test_the_variance_of_the_influence_on_the_area_is_delongs_to_first_order():
    rng = np.random.default_rng(0)
    positive = rng.random(400) < 0.4
    scores = rng.normal(size=400) + positive
    wins = scores[positive][:, None] > scores[~positive]
    delong = wins.mean(axis=1).var(ddof=1) / positive.sum() + wins.mean(axis=0).var(ddof=1) / (~positive).sum()
    assert (roc(scores, positive).influence ** 2).sum() / 400**2 == pytest.approx(delong, rel=0.02)
