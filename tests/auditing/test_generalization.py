"""Generalization: gaps paired by instance or not, and estimates without labels beside the labelled truth."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.sections.generalization import generalization
from polyculture.predictions import Predictions
from polyculture.results import Section
from polyculture.stats import newcombe


def section(here: Predictions, elsewhere: dict[str, Predictions], **options: object) -> Section:
    return generalization(AuditContext.gather(here, AuditOptions(**options)), elsewhere)


def outcomes(wrong: np.ndarray, names: str = "i") -> Predictions:
    index = pd.Index([f"{names}{k}" for k in range(wrong.shape[1])], name="instance")
    columns = {f"m{i}": ~row for i, row in enumerate(wrong)}
    return Predictions.from_correct(columns, instances=pd.DataFrame(index=index))


RNG = np.random.default_rng(0)
HERE = RNG.random((3, 800)) < 0.2
THERE = HERE | (RNG.random((3, 800)) < 0.1)


def test_paired_gaps_are_narrower_than_those_of_other_instances() -> None:
    paired = section(outcomes(HERE), {"rain": outcomes(THERE)}).tables["gaps"]
    unpaired = section(outcomes(HERE), {"rain": outcomes(THERE, "j")}).tables["gaps"]
    assert paired["paired"].all()
    assert not unpaired["paired"].any()
    np.testing.assert_allclose(paired["gap"], unpaired["gap"])
    assert ((paired["high"] - paired["low"]) < 0.6 * (unpaired["high"] - unpaired["low"])).all()


def test_gaps_are_error_there_less_error_here() -> None:
    gaps = section(outcomes(HERE), {"rain": outcomes(THERE)}).tables["gaps"]
    np.testing.assert_allclose(gaps["gap"], THERE.mean(axis=1) - HERE.mean(axis=1))
    np.testing.assert_allclose(gaps["accuracy"], 1 - THERE.mean(axis=1))
    change = THERE[0].astype(float) - HERE[0]
    reach = 1.96293 * change.std(ddof=1) / math.sqrt(800)
    assert gaps["low"][0] == pytest.approx(change.mean() - reach, abs=1e-5)


def test_gaps_between_other_instances_are_newcombes() -> None:
    there = outcomes(THERE[:, :300], "j")
    gaps = section(outcomes(HERE), {"rain": there}).tables["gaps"]
    expected = newcombe(int(THERE[1, :300].sum()), 300, int(HERE[1].sum()), 800)
    assert gaps.loc[1, ["gap", "low", "high"]].tolist() == pytest.approx(
        [expected.estimate, expected.low, expected.high]
    )


def test_models_are_matched_by_name() -> None:
    there = outcomes(THERE).take_models(["m2", "m0", "m1"])
    gaps = section(outcomes(HERE), {"rain": there}).tables["gaps"]
    assert gaps["model"].tolist() == ["m0", "m1", "m2"]
    np.testing.assert_allclose(gaps["gap"], THERE.mean(axis=1) - HERE.mean(axis=1))


def answered(wrong: np.ndarray, labels: np.ndarray) -> Predictions:
    answers = {f"m{i}": np.where(row, (labels + 1) % 4, labels) for i, row in enumerate(wrong)}
    return Predictions.from_answers(answers, labels)


LABELS = np.tile([0, 1, 2, 3], 200)


def test_disagreement_stands_beside_the_labelled_error() -> None:
    found = section(answered(HERE, LABELS), {"rain": answered(THERE, LABELS)})
    row = found.tables["estimates"].iloc[0]
    pairs = [(0, 1), (0, 2), (1, 2)]

    def disagreement(wrong: np.ndarray) -> float:
        return float(np.mean([wrong[a] != wrong[b] for a, b in pairs]))

    assert row["labelled_error"] == pytest.approx(THERE.mean())
    assert row["disagreement_error"] == pytest.approx(disagreement(THERE))
    assert row["corrected"] == pytest.approx(disagreement(THERE) * HERE.mean() / disagreement(HERE))
    number = found.numbers["disagreement_minus_error"]
    assert number.estimate == pytest.approx(disagreement(THERE) - THERE.mean())


def test_the_line_is_drawn_for_the_set_with_the_largest_error() -> None:
    elsewhere = {"fog": answered(HERE, LABELS), "rain": answered(THERE, LABELS)}
    line = section(answered(HERE, LABELS), elsewhere).tables["line"]
    assert line["split"].unique().tolist() == ["rain"]
    assert len(line) == 3
    assert line["agreement_there"][0] == pytest.approx((THERE[0] == THERE[1]).mean())


def test_missing_answers_are_neither_right_nor_wrong() -> None:
    """Half of the cells of every model are empty: the same gaps and the same line as of the other half alone."""
    whole = answered(HERE, LABELS), answered(THERE, LABELS)
    holes = []
    for p in whole:
        answers = p.answers.copy()
        answers[:, 400:] = -1
        holes.append(Predictions(p.models, p.instances, answers, p.labels, classes=p.classes))
    half = [p.take_instances(np.arange(400)) for p in whole]
    found, expected = (section(p[0], {"rain": p[1]}).tables for p in (holes, half))
    np.testing.assert_allclose(found["gaps"]["gap"], expected["gaps"]["gap"])
    numbers = ["labelled_error", "disagreement_error", "corrected", "aline_error", "line_r2"]
    np.testing.assert_allclose(found["estimates"][numbers], expected["estimates"][numbers])


def test_outcomes_elsewhere_allow_gaps_but_no_estimates() -> None:
    found = section(answered(HERE, LABELS), {"rain": outcomes(THERE)})
    assert set(found.tables) == {"gaps"}
    assert found.numbers == {}


def test_clusters_widen_paired_gaps() -> None:
    four = [outcomes(np.repeat(w, 4, axis=1)) for w in (HERE, THERE)]
    instances = four[0].instances.assign(patient=np.repeat(np.arange(800), 4))
    here = Predictions(four[0].models, instances, correct=four[0].correct)
    aware = section(here, {"rain": four[1]}, clusters="patient").tables["gaps"]
    single = section(outcomes(HERE), {"rain": outcomes(THERE)}).tables["gaps"]
    np.testing.assert_allclose(aware[["low", "high"]], single[["low", "high"]])
