"""Is a break told from a curve, and from a metric that only looks like one?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from polyculture.auditing.sections.scaling import Scale, _fit, emergence, read_scale
from polyculture.auditing.sections.similarity_by_scale import along_scale
from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.rng import stream


def growing(
    scales: int = 10, seeds: int = 3, jump: float = 0.0, scatter: float = 0.05, seed: int = 0, n: int = 500
) -> Predictions:
    """Models whose log-loss falls as a power of their parameters, and by a factor e^−jump beyond 1e9."""
    rng = stream(seed, "growing")
    x = np.repeat(np.linspace(7, 11, scales), seeds)
    ease, labels = np.exp(rng.normal(0, 0.4, n)), rng.integers(0, 4, n)
    probabilities = np.empty((len(x), n, 4))
    for m, size in enumerate(x):
        loss = 1.4 * 10 ** (-0.15 * (size - 7)) * np.exp(rng.normal(0, scatter) - jump * (size > 9))
        truth = np.exp(-loss * ease * np.exp(rng.normal(0, 0.3, n)))
        others = rng.dirichlet(np.ones(3), n) * (1 - truth)[:, None]
        for k in range(1, 4):
            probabilities[m, np.arange(n), (labels + k) % 4] = others[:, k - 1]
        probabilities[m, np.arange(n), labels] = truth
    models = pd.DataFrame({"parameters": 10**x}, index=pd.Index([f"m{i}" for i in range(len(x))], dtype=object))
    return Predictions(
        models,
        pd.DataFrame(index=pd.RangeIndex(n)),
        answers=probabilities.argmax(axis=2),
        labels=labels,
        classes=tuple("abcd"),
        probabilities=probabilities,
    )


def with_column(predictions: Predictions, name: str, values: object) -> Predictions:
    models = predictions.models.assign(**{name: values})
    return Predictions(
        models,
        predictions.instances,
        predictions.answers,
        predictions.labels,
        classes=predictions.classes,
        probabilities=predictions.probabilities,
    )


def test_a_smooth_curve_is_smooth_and_its_exponent_is_found() -> None:
    section = emergence(growing())
    assert section.name == "scaling"
    assert section.sentence.startswith("Smooth: neither log-loss (p = ")
    assert list(section.tables) == ["points", "curve", "accuracy points", "accuracy curve", "families", "breaks"]
    points, curve = section.frame("points"), section.frame("curve")
    assert len(points) == 30
    assert (points["low"] < points["metric"]).all()
    assert (points["metric"] < points["high"]).all()
    assert (curve["low"] <= curve["high"]).all()
    assert len(curve) == 60
    assert section.frame("families").groupby("metric").size().to_dict() == {"accuracy": 3, "log_loss": 3}
    assert "break" not in section.numbers


def test_a_planted_jump_is_a_break_and_says_where() -> None:
    section = emergence(growing(jump=0.7))
    assert section.sentence.startswith("Break: the log-loss itself changes by -5")
    assert 5e8 < section.numbers["break"].estimate < 2e9
    assert section.numbers["log_loss jump"].high < 0


def test_a_break_of_accuracy_alone_is_the_metrics_own() -> None:
    verdicts = {emergence(growing(seed=seed)).sentence.split(":")[0] for seed in range(6)}
    assert verdicts == {"Smooth", "Metric-induced"}


def test_a_sharp_metric_that_the_smooth_one_does_not_explain_is_undetermined() -> None:
    predictions = growing(seed=3, scatter=0.02)
    answers = predictions.answers
    assert answers is not None
    assert predictions.labels is not None
    spoilt = answers.copy()
    spoilt[15:, :250] = predictions.labels[:250]
    odd = Predictions(
        predictions.models,
        predictions.instances,
        spoilt,
        predictions.labels,
        classes=predictions.classes,
        probabilities=predictions.probabilities,
    )
    section = emergence(odd)
    assert section.frame("breaks").set_index("metric").loc["accuracy", "p"] < 0.05
    assert section.sentence.startswith("Undetermined: accuracy breaks at parameters 1 × 10^9 (p ")
    assert "but the smooth log-loss does not reproduce the accuracies (p < 0.001)" in section.sentence


def test_models_that_are_never_right_are_below_resolution() -> None:
    p = growing()
    assert p.labels is not None
    never = np.tile((p.labels + 1) % 4, (30, 1))
    section = emergence(
        Predictions(p.models, p.instances, never, p.labels, classes=p.classes, probabilities=p.probabilities)
    )
    assert section.sentence.startswith("Undetermined: no model is ever right: the accuracy is below resolution.")


def test_log_losses_without_scatter_cannot_be_tested() -> None:
    p = growing()
    assert p.probabilities is not None
    same = np.broadcast_to(p.probabilities[:1], p.probabilities.shape)
    section = emergence(Predictions(p.models, p.instances, p.answers, p.labels, classes=p.classes, probabilities=same))
    assert section.sentence.startswith("Undetermined: the log-losses show no scatter to test against.")


def test_few_scales_noise_and_missing_probabilities_are_undetermined() -> None:
    few = emergence(growing(scales=5))
    assert few.sentence.startswith("Undetermined: 5 different scales; 8 are needed to tell a break from a curve.")
    assert few.numbers["log_loss jump"].reason == "fewer than 8 different scales, or no scatter"
    noisy = emergence(growing(scales=8, seeds=1, scatter=0.9))
    assert noisy.sentence.startswith("Undetermined: seeds differ so much that not even a halving")
    p = growing()
    outcomes = Predictions(p.models, p.instances, p.answers, p.labels, classes=p.classes)
    section = emergence(outcomes)
    assert section.sentence.startswith("Undetermined: without probabilities there is no continuous metric")
    assert list(section.tables) == ["points", "curve", "families", "breaks"]


def test_models_of_unknown_scale_are_left_out() -> None:
    p = growing()
    sizes = p.models["parameters"].to_numpy().copy()
    sizes[0] = np.nan
    assert len(emergence(with_column(p, "parameters", sizes)).frame("points")) == 29


def test_fewer_than_three_scales_have_no_curve() -> None:
    section = emergence(growing(scales=2))
    assert section.reason == "2 different values of parameters; a curve needs 3 or more"


def test_dates_are_a_scale_whose_places_are_years() -> None:
    p = growing(jump=0.9)
    months = np.repeat(np.arange(10), 3)
    dates = [f"20{15 + m // 2}-{1 + 6 * (m % 2):02d}-01" for m in months]
    section = emergence(with_column(p, "released", dates), "released")
    assert section.frame("points")["scale"].iloc[0] == pytest.approx(2015.0)
    assert 2016.5 < section.numbers["break"].estimate < 2018
    assert "at released 2017." in section.sentence
    scale = read_scale(with_column(p, "released", dates), "released")
    assert scale.word(math.e) == "2016.0"


def test_what_is_no_scale_is_an_error() -> None:
    p = growing(scales=3)
    for values, line in (
        (np.zeros(9), "model column 'size' holds 0; expected sizes above 0."),
        (["big"] * 9, "model column 'size' holds 'big'; expected positive numbers or ISO dates."),
        ([True] * 9, "model column 'size' holds true/false; expected positive numbers or dates."),
    ):
        with pytest.raises(InputError) as caught:
            emergence(with_column(p, "size", values), "size")
        assert str(caught.value) == line
    with pytest.raises(InputError) as caught:
        emergence(p, "parameter")
    assert str(caught.value) == (
        "no model column 'parameter'; expected a column with sizes or dates; did you mean 'parameters'?"
    )


def test_both_questions_are_asked_along_scale() -> None:
    sudden, alike = along_scale(growing())
    assert (sudden.name, alike.name) == ("scaling", "similarity_by_scale")
    assert alike.sentence


def test_the_same_seed_gives_the_same_chapter() -> None:
    first, again = emergence(growing(), seed=4), emergence(growing(), seed=4)
    assert first.sentence == again.sentence
    pd.testing.assert_frame_equal(first.frame("curve"), again.frame("curve"))


@pytest.mark.parametrize(("start", "slope", "possible"), [(0.3, 0.05, False), (0.2, 0.08, False), (0.9, -0.5, True)])
def test_an_accuracy_does_not_level_off_outside_of_0_and_1(start: float, slope: float, possible: bool) -> None:
    sizes = np.geomspace(1e6, 1e9, 12)
    decades = np.log10(sizes / 1e6)
    shares = start + slope * decades + 0.02 * decades**2
    if possible:
        shares = start + slope * (sizes / 1e6) ** -0.4
    shares = shares + np.random.default_rng(0).normal(size=12) * 0.004
    curve = _fit("accuracy", Scale("parameters", sizes), shares, stream(0, "test"), 0.95)
    floor = curve.numbers.get("accuracy floor")
    assert (floor is not None and floor.defined) == possible
    if floor is not None and possible:
        assert 0 <= floor.low <= floor.estimate <= floor.high <= 1
    for number in curve.numbers.values():
        assert not number.defined or number.low <= number.estimate <= number.high
    assert curve.points[["fit", "low", "high"]].stack().between(0, 1).all()
    assert curve.families["floor"].dropna().between(0, 1).all()
