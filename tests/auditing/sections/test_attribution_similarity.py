"""Can another similarity than the error covariance be split among what models share, with the same tests?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.auditing.attribution.response import NAMES, read_similarity
from polyculture.auditing.sections.attribution import attribute
from polyculture.errors import FileError, InputError
from polyculture.measures.counts import count
from polyculture.measures.pairs import MEASURES
from polyculture.predictions import Predictions
from polyculture.rng import stream

TRIPLES = [(f"d{d}", f"a{a}") for d in range(4) for a in range(4) for _ in range(2)]
FACTORS = pd.DataFrame(TRIPLES, columns=["data", "arch"])


def answers(seed: int = 0, n: int = 1200, copying: float = 0.6, ragged: bool = False) -> Predictions:
    """Models err alone, but where two of the same data are wrong they often give the same wrong answer."""
    rng = stream(seed, "answers")
    m, classes = len(FACTORS), 6
    options = rng.choice([3, 6], n) if ragged else np.full(n, classes)
    labels = rng.integers(0, options)
    wrong = rng.random((m, n)) < 0.4
    favourite = (labels + 1 + rng.integers(0, options - 1, (4, n))) % options
    own = (labels + 1 + rng.integers(0, options - 1, (m, n))) % options
    copied = rng.random((m, n)) < copying
    given = np.where(copied, favourite[pd.factorize(FACTORS["data"])[0]], own)
    models = FACTORS.set_axis(pd.Index([f"m{i}" for i in range(m)], name="model", dtype=object))
    instances = pd.DataFrame({"document": np.arange(n) // 4}, index=pd.RangeIndex(n, name="instance"))
    table = np.where(wrong, given, labels).astype(np.int64)
    more = {"options": options.astype(np.int64)} if ragged else {}
    return Predictions(models, instances, answers=table, labels=labels, classes=tuple("abcdef"), **more)


def test_the_same_wrong_answer_is_attributed_although_errors_do_not_covary() -> None:
    predictions = answers()
    section = attribute(predictions, permutations=199, similarity="both_wrong_adjusted")
    tests = section.frame("tests").set_index("factor")
    assert tests.loc["data", "q"] < 0.05 < tests.loc["arch", "p"]
    assert "Of the mean both wrong adjusted = " in section.sentence
    assert "goes with sharing data" in section.sentence
    plain = attribute(predictions, permutations=199).frame("tests").set_index("factor")
    assert plain.loc["data", "p"] > 0.05


@pytest.mark.parametrize("name", ["kappa", "capa", "both_wrong_agreement"])
def test_contributions_of_every_similarity_sum_to_its_mean(name: str) -> None:
    predictions = answers(n=400)
    section = attribute(predictions, permutations=19, similarity=name)
    matrix = MEASURES[name](count(predictions.answers, predictions.labels, None, 6))
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    assert section.numbers["mean"].estimate == pytest.approx(pairs.mean(), abs=1e-12)
    assert section.frame("shares")["contribution"].sum() == pytest.approx(pairs.mean(), abs=1e-12)
    assert section.numbers["mean"].low < pairs.mean() < section.numbers["mean"].high
    assert section.numbers["mean"].method == "jackknife over 40 blocks"


def test_every_measure_of_pairs_but_the_distance_is_a_similarity() -> None:
    assert set(MEASURES) - set(NAMES) == {"disagreement"}


def test_the_split_of_kappa_is_close_to_that_of_covariances_where_accuracies_are_equal() -> None:
    rng = stream(1, "kappa")
    latent = rng.standard_normal((4, 3000))[pd.factorize(FACTORS["data"])[0]] + rng.standard_normal((32, 3000))
    models = FACTORS.set_axis(pd.Index([f"m{i}" for i in range(32)], dtype=object))
    predictions = Predictions(models, pd.DataFrame(index=pd.RangeIndex(3000)), correct=(latent > -0.5).astype(np.int8))
    kappa = attribute(predictions, permutations=99, similarity="kappa").frame("shares").set_index("factor")
    plain = attribute(predictions, permutations=99).frame("shares").set_index("factor")
    assert kappa.loc["data", "contribution"] == pytest.approx(plain.loc["data", "contribution"], abs=0.005)
    assert kappa.loc["data", "low"] == pytest.approx(plain.loc["data", "low"], abs=0.01)


def test_a_matrix_by_name_or_by_place_is_split_with_limits_over_models_only() -> None:
    predictions = answers(n=300)
    same = (FACTORS["data"].to_numpy()[:, None] == FACTORS["data"].to_numpy()).astype(float)
    noise = stream(2, "noise").normal(0, 0.05, same.shape)
    matrix = 0.2 + 0.3 * same + (noise + noise.T) / 2
    np.fill_diagonal(matrix, 1)
    by_place = attribute(predictions, permutations=199, similarity=matrix)
    row = by_place.frame("shares").set_index("factor").loc["data"]
    assert row["coefficient"] == pytest.approx(0.3, abs=0.02)
    assert np.isnan(row["low"])
    assert row["models_low"] < row["contribution"] < row["models_high"]
    assert by_place.frame("tests").set_index("factor").loc["data", "q"] < 0.05
    names = list(predictions.model_ids)
    table = pd.DataFrame(matrix, names, names).iloc[::-1, ::-1]
    by_name = attribute(predictions, permutations=199, similarity=table)
    pd.testing.assert_frame_equal(by_place.frame("shares"), by_name.frame("shares"))
    assert "mean given similarity = " in by_name.sentence
    audit = pc.audit(predictions, options=pc.AuditOptions(similarity=table))
    assert next(s for s in audit.sections if s.name == "attribution").numbers["mean"].estimate == pytest.approx(
        by_name.numbers["mean"].estimate
    )
    assert audit.facts["similarity"] == "a given matrix"


def test_limits_over_blocks_follow_the_clusters() -> None:
    predictions = answers(n=400)
    alone = attribute(predictions, permutations=19, similarity="capa").numbers["mean"]
    together = attribute(predictions, permutations=19, similarity="capa", clusters="document").numbers["mean"]
    assert together.estimate == pytest.approx(alone.estimate, abs=1e-12)
    assert together.low != alone.low


M = 32
EYE = np.eye(M)
WRONG: list[tuple[Any, str]] = [
    (
        "disagreement",
        "disagreement is a distance; expected a similarity, larger where models are more alike, such as phi.",
    ),
    ("kapa", "did you mean 'kappa' or 'capa'?"),
    (EYE[:3], "a similarity of shape (3, 32); expected 32 × 32, in the order of the models."),
    (1 - EYE, "every model is less alike to itself than any two models are"),
    (
        EYE + np.triu(np.ones((M, M)), 1),
        "'m0' to 'm1' has the similarity 1, and the other way 0; expected a symmetric matrix.",
    ),
    (np.where(EYE > 0, 1, np.inf), "the similarity holds an infinity"),
    (np.where(EYE > 0, 1, np.nan), "the similarity is empty; expected a number for some pair of models."),
    (pd.DataFrame(EYE), "the similarity has no row 'm0'"),
    (
        "capa of probabilities",
        "capa of probabilities of answers; expected probabilities with labels; use capa, which takes answers.",
    ),
]


@pytest.mark.parametrize(("similarity", "message"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_similarity_is_refused_with_the_cure(similarity: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        attribute(answers(n=60), permutations=19, similarity=similarity)
    assert message in str(caught.value)


def test_a_matrix_is_read_from_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "similarity.csv"
    pd.DataFrame(EYE[:2, :2], ["a", "b"], ["a", "b"]).to_csv(path)
    assert read_similarity(path).loc["a", "b"] == 0
    with pytest.raises(FileError, match="is no table"):
        read_similarity(tmp_path / "absent.csv")
