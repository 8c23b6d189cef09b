"""Is it said which labels deserve a look, by whom they are contradicted, and what the headline is without them?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from polyculture.auditing.label_errors import LabelReview, find_label_errors
from polyculture.errors import InputError
from polyculture.predictions import Predictions


@pytest.fixture(scope="module")
def planted() -> tuple[Predictions, np.ndarray]:
    """Four members of two kinds on 400 instances, and where a tenth of the labels is wrong."""
    draw = np.random.default_rng(0)
    true = draw.integers(0, 3, 400)
    wrong = draw.random(400) < 0.1
    labels = np.where(wrong, (true + 1) % 3, true)
    scores = np.exp(draw.normal(0, 1, (4, 400, 3)) + 4 * np.eye(3)[true])
    probabilities = scores / scores.sum(axis=2, keepdims=True)
    predictions = Predictions(
        models=pd.DataFrame({"architecture": list("aabb")}, index=["a1", "a2", "b1", "b2"]),
        instances=pd.DataFrame(index=pd.RangeIndex(1000, 1400)),
        answers=probabilities.argmax(axis=2),
        labels=labels,
        classes=("x", "y", "z"),
        probabilities=probabilities,
    )
    return predictions, wrong


@pytest.fixture(scope="module")
def review(planted: tuple[Predictions, np.ndarray]) -> LabelReview:
    """What deserves a look."""
    return find_label_errors(planted[0])


def test_the_table_lists_the_flagged_most_suspicious_first(
    planted: tuple[Predictions, np.ndarray], review: LabelReview
) -> None:
    predictions, wrong = planted
    table = review.frame()
    assert len(table) == review.errors.count
    assert wrong[table.index - 1000].mean() > 0.9
    assert table["score"].is_monotonic_increasing
    assert table["flagged"].all()
    row = table.iloc[0]
    position = table.index[0] - 1000
    assert row["label"] == predictions.classes[predictions.labels[position]]  # type: ignore[index]
    assert row["suggested"] != row["label"]
    assert row["dissenters"] == ", ".join(np.array(predictions.model_ids)[predictions.wrong[:, position]])
    assert {"score without a", "score without b"} <= set(table.columns)
    assert len(review.frame(flagged=False)) == 400


def test_the_sentence_has_the_headline_with_and_without_the_flagged(review: LabelReview) -> None:
    errors = review.errors
    assert review.sentence.startswith(f"{errors.count} labels of 400 deserve a look (")
    assert "if errors are random, " in review.sentence
    assert review.sentence.endswith(" of those not flagged.")
    assert repr(review) == f"LabelReview: {review.sentence}"


def test_the_error_rate_is_that_of_the_surer_half(review: LabelReview) -> None:
    rate = review.error_rate
    assert rate.low < 0.1 < rate.high
    assert rate.estimate == review.errors.confident_wrong / review.errors.confident


def test_labels_that_cannot_be_judged_are_said_to_be_so(planted: tuple[Predictions, np.ndarray]) -> None:
    predictions = planted[0]
    same = find_label_errors(replace(predictions, labels=np.zeros_like(predictions.labels)))
    assert same.sentence == "No label can be judged: labels of one class only: no other class to be confused with."
    assert same.frame().empty
    silent = replace(predictions, answers=np.full((4, 400), -1), probabilities=np.full((4, 400, 3), np.nan))
    assert find_label_errors(silent).error_rate.reason == "no model gives probabilities for any instance"


def test_kinds_are_those_of_a_column(planted: tuple[Predictions, np.ndarray]) -> None:
    predictions = planted[0]
    seeded = replace(predictions, models=predictions.models.assign(maker=["m", "n", "n", "n"]))
    left_out = find_label_errors(seeded, kind="maker").errors.left_out
    assert left_out is not None
    assert left_out.names == ("m", "n")
    bare = replace(predictions, models=predictions.models[[]])
    assert find_label_errors(bare).errors.left_out is None
    without = find_label_errors(predictions, leave_out=("a",)).errors
    np.testing.assert_allclose(without.score, find_label_errors(predictions).errors.left_out.score[0])  # type: ignore[union-attr]


def test_what_cannot_be_reviewed_is_refused(planted: tuple[Predictions, np.ndarray]) -> None:
    predictions = planted[0]
    outcomes = Predictions.from_correct({"a": [1, 0], "b": [1, 1]})
    cases = [
        ((replace(predictions, probabilities=None), {}), "predictions without probabilities; expected class prob"),
        ((outcomes, {}), "predictions without labels; expected class probabilities and labels; see pc.out_of_fold."),
        ((predictions, {"kind": "family"}), "the models have no column 'family'; known: architecture."),
        ((predictions, {"leave_out": ("c",)}), "no model is of the kind 'c'; known: a, b."),
        (
            (replace(predictions, models=predictions.models[[]]), {"leave_out": ("a",)}),
            "the kind 'a' to be left out; expected a column with kinds; name it with kind=.",
        ),
    ]
    for (given, options), message in cases:
        with pytest.raises(InputError) as caught:
            find_label_errors(given, **options)
        assert str(caught.value).startswith(message)
