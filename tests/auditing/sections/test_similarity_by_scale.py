"""Is "better models are more alike" only said where hard instances and wrong labels cannot say it?"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.auditing.sections.similarity_by_scale import similarity_by_scale
from polyculture.errors import InputError
from polyculture.formats import read
from polyculture.predictions import Predictions
from polyculture.rng import stream

ABILITY = np.linspace(-0.5, 3, 18)


def world(
    seed: int = 0, n: int = 3000, labels_wrong: float = 0.0, sharing: float = 0.0, discrimination: float = 0.0
) -> Predictions:
    """18 models of rising ability and 4 answers; the top third may copy, better ones may discriminate better."""
    rng = stream(seed, "world")
    slope = 1 + discrimination * (ABILITY - ABILITY.mean())[:, None] / ABILITY.std()
    chance = 1 / (1 + np.exp(-slope * (rng.normal(0, 1.5, n) - ABILITY[:, None])))
    own, common = rng.random((18, n)) < chance, rng.random(n) < chance
    top = (np.arange(18) >= 12)[:, None]
    wrong = np.where(top & (rng.random((18, n)) < math.sqrt(sharing)), common, own)
    truth = rng.integers(0, 4, n)
    answers = np.where(wrong, (truth + rng.integers(1, 4, (18, n))) % 4, truth)
    recorded = np.where(rng.random(n) < labels_wrong, (truth + rng.integers(1, 4, n)) % 4, truth)
    models = pd.DataFrame({"parameters": 10.0 ** np.arange(1, 19)})
    models.index = pd.Index([f"m{i}" for i in range(18)], dtype=object)
    instances = pd.DataFrame({"page": np.arange(n) // 4}, index=pd.RangeIndex(n))
    return Predictions(models, instances, answers=answers, labels=recorded, classes=tuple("abcd"))


def verdict(predictions: Predictions, scale: str | None = "parameters") -> str:
    return similarity_by_scale(predictions, scale).sentence.split(":")[0]


def test_difficulty_alone_is_no_homogenization() -> None:
    section = similarity_by_scale(world(), "parameters")
    assert section.sentence.startswith("Not more alike: joint failures of the largest third by parameters exceed")
    assert section.numbers["kappa slope"].high < 0
    assert list(section.frame("nulls").columns) == ["compared", "null", "excess", "low", "high", "z"]
    pairs = section.frame("pairs")
    assert len(pairs) == 153
    assert pairs["strong"].sum() == 15


def test_wrong_labels_are_not_taken_for_homogenization() -> None:
    assert verdict(world(1, labels_wrong=0.03)) == "Consistent with label errors"


def test_copying_among_the_strong_is_found_whatever_the_labels() -> None:
    assert verdict(world(2, labels_wrong=0.03, sharing=0.3)) == "More alike"
    assert verdict(world(2, labels_wrong=0.03, sharing=0.3), None) == "More alike"


def test_better_discrimination_is_never_called_homogenization() -> None:
    assert "More alike" not in {verdict(world(seed, discrimination=0.3)) for seed in range(4)}


def test_an_audited_share_of_wrong_labels_is_tried_too() -> None:
    section = similarity_by_scale(world(3), label_errors=0.058)
    assert "excess, 5.8 % wrong labels" in section.numbers
    assert section.sentence.startswith("Not more alike: joint failures of the most accurate third")


def test_a_model_that_errs_less_than_labels_do_leaves_that_null_undefined() -> None:
    section = similarity_by_scale(world(4), label_errors=0.3)
    assert section.numbers["excess, 30 % wrong labels"].reason == "a model errs less often than labels would be wrong"


def test_clusters_widen_the_intervals() -> None:
    once, at = world(5, n=600), np.repeat(np.arange(600), 4)
    assert once.answers is not None
    assert once.labels is not None
    instances = pd.DataFrame({"copy": at}, index=pd.RangeIndex(2400))
    fourfold = Predictions(once.models, instances, once.answers[:, at], once.labels[at], classes=once.classes)
    alone, together = similarity_by_scale(fourfold), similarity_by_scale(fourfold, clusters="copy")
    name = "kappa slope"
    ratio = (together.numbers[name].high - together.numbers[name].low) / (
        alone.numbers[name].high - alone.numbers[name].low
    )
    assert ratio > 1.4


def test_only_instances_that_every_model_answered_count() -> None:
    predictions = world(6)
    answers = predictions.answers
    assert answers is not None
    holes = answers.copy()
    holes[0, :1000] = -1
    gaps = Predictions(
        predictions.models, predictions.instances, holes, predictions.labels, classes=predictions.classes
    )
    assert similarity_by_scale(gaps).numbers["kappa slope"].n == 2000


def test_too_few_models_or_instances_or_scales_are_refused() -> None:
    predictions = world(7)
    few = similarity_by_scale(predictions.take_models(predictions.model_ids[:8]))
    assert few.reason == "8 models with a scale and with right and wrong answers; 9 are needed"
    short = similarity_by_scale(predictions.take_instances(np.arange(50)))
    assert short.reason == "50 instances that every model answered; 100 are needed"
    models = predictions.models.assign(parameters=[1.0] * 2 + [2.0] * 16)
    tied = Predictions(
        models, predictions.instances, predictions.answers, predictions.labels, classes=predictions.classes
    )
    assert similarity_by_scale(tied, "parameters").reason == (
        "the models do not differ enough in scale to compare the top third with the rest"
    )


def test_tied_scales_go_up_or_down_together() -> None:
    predictions = world(8)
    models = predictions.models.assign(parameters=[1.0] * 10 + [2.0] * 4 + [3.0] * 4)
    tied = Predictions(
        models, predictions.instances, predictions.answers, predictions.labels, classes=predictions.classes
    )
    assert similarity_by_scale(tied, "parameters").frame("pairs")["strong"].sum() == 6


def test_a_share_of_wrong_labels_beyond_reason_is_an_error() -> None:
    with pytest.raises(InputError) as caught:
        similarity_by_scale(world(9), label_errors=0.5)
    assert str(caught.value) == "label_errors is 0.5; expected a share of wrong labels, at least 0 and below 0.5."


@pytest.mark.slow
def test_imagenet_cannot_say_that_better_models_are_more_alike(shared_data: Path) -> None:
    section = similarity_by_scale(read(shared_data / "predictions" / "imagenet_val.parquet"), label_errors=0.058)
    assert section.sentence.startswith("Undetermined: joint failures of the most accurate third exceed")
    assert section.numbers["kappa slope"].low > 0
    assert section.numbers["excess, 0 % wrong labels"].estimate == pytest.approx(0.085, abs=0.005)
    assert section.numbers["placebo, 0 % wrong labels"].estimate == pytest.approx(0.066, abs=0.005)
