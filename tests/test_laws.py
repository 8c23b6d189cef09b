"""Every built-in measure keeps the laws, and a measure that breaks one is told which."""

from __future__ import annotations

import numpy as np
import pytest

import polyculture as pc
from polyculture.measures.counts import PairCounts
from polyculture.measures.pairs import MEASURES
from polyculture.testing import check_measure, copying_errors, tiny_predictions


@pytest.mark.parametrize("name", MEASURES)
def test_every_built_in_measure_keeps_the_laws(name: str) -> None:
    check_measure(MEASURES[name])


def _lopsided(counts: PairCounts) -> np.ndarray:
    return counts.n10 / np.maximum(counts.n, 1)


def _infinite(counts: PairCounts) -> np.ndarray:
    return np.where(counts.n00 > 0, 1.0, np.inf)


def _whole(counts: PairCounts) -> np.ndarray:
    return counts.n


@pytest.mark.parametrize(
    ("measure", "law"),
    [(_lopsided, "symmetry"), (_infinite, "infinities"), (_whole, "dtype")],
    ids=["lopsided", "infinite", "whole"],
)
def test_a_measure_that_breaks_a_law_is_told_which(measure: object, law: str) -> None:
    with pytest.raises(AssertionError, match=f"^{law}"):
        check_measure(measure)  # type: ignore[arg-type]


def test_clones_are_one_model_and_clusters_count_once() -> None:
    for sizes, expected in [((4,), 1.0), ((3, 3, 3), 3.0), ((1, 1, 1), 3.0)]:
        audit = pc.audit(tiny_predictions(sizes, instances=20_000))
        assert audit.n_eff.estimate == pytest.approx(expected, rel=0.06)


def test_copying_is_recovered_as_kappa() -> None:
    wrong = copying_errors((2,), 200_000, copying=0.5, seed=1)
    assert np.corrcoef(wrong)[0, 1] == pytest.approx(0.5, abs=0.01)


def test_a_measure_of_ones_own_stands_in_the_audit() -> None:
    audit = pc.audit(tiny_predictions(), measures={"both_right_share": lambda c: c.n11 / np.maximum(c.n, 1)})
    assert "both_right_share" in audit.pairwise.frame().columns
