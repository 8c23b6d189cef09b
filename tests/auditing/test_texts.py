"""Numbers, probabilities, texts and decisions: the same algebra gives the known answers."""

from __future__ import annotations

import numpy as np
import pytest

import polyculture as pc
from polyculture.auditing import AuditOptions, text_alikeness
from polyculture.errors import InputError
from polyculture.predictions import Predictions


def regressors(
    noise_sd: float, seed: int = 0, models: int = 10, n: int = 4000
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    predicted = {f"m{i}": truth + rng.normal(size=n) for i in range(models)}
    return predicted, truth + noise_sd * rng.normal(size=n)


def test_noise_in_the_targets_is_an_error_that_all_models_share() -> None:
    """Independent errors of variance 1 and noise of variance s²: n_eff = M (1 + s²)/(1 + M s²)."""
    predicted, targets = regressors(noise_sd=0.5)
    audit = pc.audit(Predictions.from_values(predicted, targets))
    assert audit.headline == "R"
    assert audit.n_eff.low < 10 * 1.25 / 3.5 < audit.n_eff.high
    corrected = pc.audit(Predictions.from_values(predicted, targets, noise=0.25))
    assert corrected.n_eff.low < 10 < corrected.n_eff.high
    assert audit.findings[0].code == "PC001"
    assert "each model's mean squared residual" in next(f for f in audit.findings if f.code == "PC001").sentence


def test_regressors_fail_beyond_the_tolerance() -> None:
    predicted, targets = regressors(noise_sd=0.0)
    audit = pc.audit(Predictions.from_values(predicted, targets, tolerance=1.0))
    assert audit.facts["tolerance"] == 1.0
    assert audit.leaderboard.table["accuracy"].mean() == pytest.approx(0.683, abs=0.01)
    assert audit.section("values").tables["pairs"]["residual_correlation"].mean() == pytest.approx(0, abs=0.02)
    assert pc.Audit.from_json(audit.to_json()).n_eff == audit.n_eff


def test_missing_predictions_are_left_out_pairwise() -> None:
    predicted, targets = regressors(noise_sd=0.5)
    predicted["m0"][::3] = np.nan
    audit = pc.audit(Predictions.from_values(predicted, targets))
    assert audit.n_eff.estimate == pytest.approx(10 * 1.25 / 3.5, rel=0.1)


def test_texts_of_one_distribution_reach_their_ceiling() -> None:
    rng = np.random.default_rng(1)
    prompts = rng.normal(size=(300, 16))
    texts = prompts + 0.7 * rng.normal(size=(3, 2, 300, 16))
    texts[2] = rng.normal(size=(2, 300, 16))
    texts /= np.linalg.norm(texts, axis=-1, keepdims=True)
    section = text_alikeness(texts, ("a", "b", "stranger"))
    corrected = section.tables["pairs"]["ceiling_corrected"]
    assert corrected[0] == pytest.approx(1, abs=0.05)
    assert abs(corrected[1]) < 0.2
    assert 1.3 < section.numbers["n_eff"].estimate < 2.2


def test_texts_by_a_similarity_of_ones_own() -> None:
    words = np.array([[f"answer {i}" for i in range(40)]] * 2 + [[f"other {i * 7}" for i in range(40)]], dtype=object)

    def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([float(x == y) for x, y in zip(a, b, strict=True)])

    section = text_alikeness(words, ("a", "b", "c"), same)
    assert section.numbers["n_eff"].estimate == pytest.approx(9 / 5, rel=0.02)
    assert section.sentence.startswith("The texts of 3 models vary like those of 1.8")


def test_embeddings_must_be_unit_vectors() -> None:
    with pytest.raises(InputError) as caught:
        text_alikeness(np.full((2, 1, 3, 4), 0.5) * 3, ("a", "b"))
    assert str(caught.value) == "embeddings with lengths from 3 to 3; expected unit vectors."


def test_who_is_rejected_by_everybody_needs_no_truth() -> None:
    decisions = {"bank a": ["hire", "reject", "reject", None], "bank b": ["reject", "reject", "hire", "hire"]}
    predictions = Predictions.from_decisions(decisions, adverse="reject")
    assert predictions.wrong.tolist() == [[False, True, True, False], [True, True, False, False]]
    assert predictions.observed is not None
    assert pc.audit(predictions).systemic.rate.estimate == pytest.approx(1 / 3)
    with pytest.raises(InputError) as caught:
        Predictions.from_decisions(decisions, adverse="rejected")
    assert str(caught.value) == ("no model decided 'rejected'; expected the adverse decision; did you mean 'reject'?")


def test_probabilities_have_their_own_chapter() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 2000)
    one = rng.dirichlet([1, 1, 1], 2000)
    q = np.stack([one, one, rng.dirichlet([1, 1, 1], 2000)]).astype(np.float32)
    predictions = Predictions.from_answers({str(i): rows.argmax(axis=1) for i, rows in enumerate(q)}, labels)
    full = Predictions(
        predictions.models, predictions.instances, predictions.answers, predictions.labels, None, predictions.classes, q
    )
    section = pc.audit(full, options=AuditOptions(seed=3)).section("probabilities")
    assert section.tables["pairs"]["hellinger_squared"][0] == pytest.approx(0, abs=1e-6)
    assert section.tables["pairs"]["capa"][0] > 0.2 > section.tables["pairs"]["capa"][1]
    assert 1.7 < section.numbers["n_eff"].estimate < 1.9
