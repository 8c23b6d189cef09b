"""CAPA and Hellinger distances of all pairs: chunks, gaps and ragged options against pair-by-pair sums."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.measures.counts import count
from polyculture.measures.similarity import probabilities as room
from polyculture.measures.similarity.probabilities import capa, hellinger_squared


def table(ragged: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    options = rng.integers(1, 5, 300) if ragged else np.full(300, 4)
    p = np.where(np.arange(4) < options[:, None], rng.gamma(0.5, size=(5, 300, 4)) + 1e-9, 0)
    return p / p.sum(axis=2, keepdims=True), rng.integers(0, options), options, rng.random((5, 300)) < 0.8


def brute(p: np.ndarray, labels: np.ndarray, options: np.ndarray, at: np.ndarray) -> float:
    at = at & (options > 1)
    same = (p[0, at] * p[1, at]).sum(axis=1).mean()
    a, b = (x[at, labels[at]].mean() for x in p)
    chance = a * b + (1 - a) * (1 - b) * (1 / (options[at] - 1)).mean()
    return (same - chance) / (1 - chance)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_capa_equals_pair_by_pair_sums(ragged, missing, dtype, monkeypatch) -> None:
    monkeypatch.setattr(room, "CELLS", 900)
    p, labels, options, observed = table(ragged)
    p = p.astype(dtype)
    given = np.where(observed[:, :, None], p, np.nan).astype(dtype) if missing else p
    found = capa(given, labels, options if ragged else None, observed if missing else None)
    tolerance = {np.float16: 1e-5, np.float32: 1e-6, np.float64: 1e-12}[dtype]
    for a, b in ((0, 1), (2, 4), (3, 3)):
        at = observed[a] & observed[b] if missing else np.ones(300, bool)
        assert found[a, b] == pytest.approx(brute(p[[a, b]].astype(float), labels, options, at), abs=tolerance)
    np.testing.assert_allclose(found, found.T, atol=1e-12)


def test_capa_of_certain_answers_follows_from_counts() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 500)
    answers = np.where(rng.random((3, 500)) < 0.6, labels, rng.integers(0, 4, (3, 500)))
    counts = count(answers, labels, None, 4)
    right = (counts.n11 + counts.n10) / 500
    chance = right * right.T + (1 - right) * (1 - right.T) / 3
    expected = (counts.same_answer / 500 - chance) / (1 - chance)
    np.testing.assert_allclose(capa(np.eye(4)[answers], labels), expected, atol=1e-12)


def test_instances_without_a_label_and_pairs_without_instances_count_for_nothing() -> None:
    p, labels, _, _ = table(False)
    hidden = np.where(np.arange(300) < 100, -1, labels)
    np.testing.assert_allclose(capa(p, hidden), capa(p[:, 100:], labels[100:]), atol=1e-12)
    apart = np.ones((5, 300), bool)
    apart[0, :150], apart[1, 150:] = False, False
    assert np.isnan(capa(p, labels, None, apart)[0, 1])
    assert np.isnan(hellinger_squared(p, apart)[0, 1])


def test_hellinger_distance_is_its_definition() -> None:
    p, _, _, observed = table(False)
    at = observed[0] & observed[1]
    expected = 1 - np.sqrt(p[0, at] * p[1, at]).sum(axis=1).mean()
    assert hellinger_squared(p, observed)[0, 1] == pytest.approx(expected, abs=1e-12)
    found = hellinger_squared(p)
    np.testing.assert_allclose(np.diag(found), 0, atol=1e-12)
    assert (found >= -1e-12).all()
    assert (found <= 1).all()
