"""docs/methods/generalization.md against the functions and against the formulas in plain numpy."""

import numpy as np
from scipy.stats import norm

from polyculture.measures.generalization import agreement_on_the_line, error_without_labels
from polyculture.stats import newcombe


def matrix(first, second, third):
    return np.array([[1, first, second], [first, 1, third], [second, third, 1]])


def test_the_numbers_of_the_page(stated):
    labelled, unlabelled = matrix(0.80, 0.75, 0.70), matrix(0.70, 0.62, 0.58)
    accuracy = np.array([0.85, 0.80, 0.75])
    line = agreement_on_the_line(labelled, unlabelled, accuracy)
    a, b = np.triu_indices(3, 1)
    x, y, s = norm.ppf(labelled[a, b]), norm.ppf(unlabelled[a, b]), norm.ppf(accuracy)
    slope, bias = np.polyfit(x, y, 1)
    np.testing.assert_allclose(line.simple, norm.cdf(bias + slope * s))
    halves = np.zeros((3, 3))
    halves[np.arange(3), a] = halves[np.arange(3), b] = 0.5
    target = y + slope * ((s[a] + s[b]) / 2 - x)
    np.testing.assert_allclose(line.detailed, norm.cdf(np.linalg.solve(halves, target)))
    estimate = error_without_labels(np.array([0.2, 0.4]), np.array([0.1, 0.3]), 0.3)
    gap = newcombe(24, 80, 20, 100)
    stated.agree(
        {
            "disagreement elsewhere": estimate.plain,
            "factor": estimate.factor,
            "calibrated estimate": estimate.calibrated,
            "slope": line.slope,
            "bias": line.bias,
            "ALine-S of model 1": line.simple[0],
            "ALine-D of model 1": line.detailed[0],
            "gap": gap.estimate,
            "lower limit of the gap": gap.low,
            "upper limit of the gap": gap.high,
        }
    )
