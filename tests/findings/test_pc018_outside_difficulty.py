"""PC018: how alike are they given what is known from outside?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from polyculture.predictions import Predictions


def by_source(n: int = 4000) -> Predictions:
    """Four models that are independent within an easy and a hard source."""
    rng = np.random.default_rng(0)
    hard = np.arange(n) < n // 2
    wrong = rng.random((4, n)) < np.where(hard, 0.6, 0.05)
    instances = pd.DataFrame({"source": np.where(hard, "hard", "easy")})
    return Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(wrong)}, instances=instances)


def n_eff(wrong: np.ndarray, strata: np.ndarray) -> float:
    parts = [wrong[:, strata == s].astype(float) for s in np.unique(strata)]
    above = sum(p.shape[1] * p.sum(axis=0).var(ddof=1) for p in parts)
    return len(wrong) * sum(p.shape[1] * p.var(axis=1, ddof=1).sum() for p in parts) / above


def test_what_the_source_explains_is_taken_away(finding) -> None:
    predictions = by_source()
    sources = predictions.instances["source"].to_numpy()
    given, raw = n_eff(predictions.wrong, sources), n_eff(predictions.wrong, np.zeros(len(sources)))
    assert raw < 2.2 < 3.7 < given
    found = finding(predictions, "PC018", strata=("source",))
    assert found.severity == "note"
    assert found.sentence.startswith(
        f"Given each model's error rate within strata of outside difficulty the models fail like {given:.2f} ["
    )
    assert f"], against {raw:.2f} [" in found.sentence
    assert found.sentence.endswith(
        "] without it. A noisy measure of difficulty removes only part of it: this is a lower bound."
    )


def test_without_outside_knowledge_it_does_not_apply(finding) -> None:
    found = finding(by_source(400), "PC018")
    assert (found.sentence, found.reason) == ("", "nothing from outside says how hard the instances are")
