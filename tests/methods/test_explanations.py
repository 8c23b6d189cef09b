"""docs/methods/explanations.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest
from scipy.stats import rankdata

from polyculture.explanation.faithfulness import faithfulness, infidelity
from polyculture.measures.similarity import effective_of_similarity, effective_reasons, reason_agreement
from polyculture.rng import stream

PHI = np.array([[[4.0, -3, 2, 1, 0]], [[-3.0, -4, 2, 0, 1]]])
UNIT = np.array([[[1.0, 0], [0, 1]], [[1.0, 0], [0.6, 0.8]]])


def output(rows, mask):
    return (np.where(mask, 0.0, 1.0) * [3.0, 1.0]).sum(axis=1)


def forecast_error(phi):
    """(EX5) over the three sets that take something away."""
    sets = np.array([[1, 0], [0, 1], [1, 1]])
    sums, changes = sets @ np.array(phi), sets @ np.array([3.0, 1.0])
    return 1 - (sums * changes).sum() ** 2 / ((changes**2).sum() * (sums**2).sum())


def test_the_numbers_of_the_page(stated):
    agreement = {name: float(value[0, 0]) for name, value in reason_agreement(PHI, 3).values.items()}
    areas = faithfulness(output, np.array([[3.0, 1.0]]), stream(0, "order"), steps=2)
    stated.agree(
        {
            "feature agreement": agreement["feature"],
            "rank agreement": round(3 * agreement["rank"]) / 3,
            "sign agreement": round(3 * agreement["sign"]) / 3,
            "signed-rank agreement": round(3 * agreement["signed_rank"]) / 3,
            "rank correlation": agreement["correlation"],
            "effective reasons": effective_reasons(UNIT).n_eff,
            "effective of a mean similarity of ½, 4 models": effective_of_similarity((np.ones((4, 4)) + np.eye(4)) / 2),
            "deletion": areas.relative("deletion")[0],
            "insertion": areas.relative("insertion")[0],
            "infidelity of (3, 1)": forecast_error([3, 1]),
            "infidelity of (1, 3)": forecast_error([1, 3]),
        }
    )


def test_agreement_is_that_of_the_formulas():
    generator = stream(0, "formulas")
    phi = generator.normal(size=(2, 30, 9))
    k = 4
    values = reason_agreement(phi, k).values
    for i in range(30):
        ranks = [rankdata(-np.abs(phi[a, i])) for a in range(2)]
        common = (ranks[0] <= k) & (ranks[1] <= k)
        assert values["feature"][0, i] == pytest.approx(common.sum() / k)
        assert values["rank"][0, i] == pytest.approx((common & (ranks[0] == ranks[1])).sum() / k)
        assert values["sign"][0, i] == pytest.approx((common & (phi[0, i] * phi[1, i] > 0)).sum() / k)


def test_the_effective_number_is_that_of_the_formula():
    phi = stream(0, "reasons").normal(size=(4, 50, 6)) + stream(1, "reasons").normal(size=(50, 6))
    unit = phi / np.linalg.norm(phi, axis=2, keepdims=True)
    deviation = (unit - unit.mean(axis=1, keepdims=True)).reshape(4, -1)
    C = deviation @ deviation.T / 49
    assert effective_reasons(phi).n_eff == pytest.approx(4 * np.trace(C) / C.sum())
    S = np.corrcoef(deviation)
    mean = S[np.triu_indices(4, 1)].mean()
    assert effective_of_similarity(S) == pytest.approx(4 / (1 + 3 * mean))


def test_infidelity_is_that_of_the_formula_over_sets_of_all_sizes():
    inputs = np.ones((400, 2))
    wrong = infidelity(output, inputs * [1.0, 3.0], stream(0, "sets"), subsets=200)
    # Every set is drawn in proportion to u^|S| (1 − u)^(2 − |S|), which is a third for each size.
    weights = np.array([1 / 6, 1 / 6, 1 / 3])
    sums, changes = np.array([1.0, 3, 4]), np.array([3.0, 1, 4])
    expected = 1 - (weights * sums * changes).sum() ** 2 / ((weights * sums**2).sum() * (weights * changes**2).sum())
    assert wrong.mean() == pytest.approx(expected, abs=0.01)
