"""The sentence is true in every case, and every picture is a table, too."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from polyculture.explanation.surrogates import surrogate_tree
from polyculture.predictions import Predictions
from polyculture.reporting.sections import display_table, section_figures, spec_of
from polyculture.results import Section
from polyculture.rng import stream
from polyculture.stats import Interval
from polyculture.studies.explanation.comparison import ReasonComparison
from polyculture.studies.explanation.instances import leading_features
from polyculture.studies.explanation.pictures import map_table
from polyculture.studies.explanation.section import explanation_section, sentence
from polyculture.studies.explanation.surrogate import surrogate_answer, tree_rows
from polyculture.studies.explanation.why_alike import reason_attribution, reason_similarity

from .problems import explanations


def numbers_of(comparison: ReasonComparison, **more: Interval) -> dict[str, Interval]:
    names = {name.replace(" ", "_"): comparison.interval(name) for name in comparison.by_instance}
    return {"same_answer": comparison.agreed_answers, "effective_reasons": comparison.effective_interval} | names | more


def predictions_of(models: int) -> Predictions:
    correct = stream(0, "outcomes").random((models, 50)) < 0.7
    return Predictions.from_correct({f"m{a}": row.astype(int) for a, row in enumerate(correct)})


def section_of(comparison: ReasonComparison, **tables: pd.DataFrame) -> Section:
    tables = {
        "agreement": comparison.table(),
        "pairs": comparison.pairs(),
        "features": leading_features(comparison),
    } | tables
    return explanation_section(comparison, numbers_of(comparison), tables)


def test_differences_beyond_the_ceiling_are_said_to_be_so():
    text = section_of(ReasonComparison(explanations(shared=0.3), np.zeros((5, 60), int))).sentence
    assert text.startswith("5 models give the same answer on 100 % of pairs × instances and share ")
    assert "their reasons differ by more than the seed makes them" in text
    assert "is not shown" not in text


def test_differences_within_the_ceiling_are_said_to_be_below_it():
    generator = stream(1, "same for all")
    common = generator.normal(size=(60, 12))
    values = (common + 0.6 * generator.normal(size=(5, 60, 12))).astype(np.float32)
    again = (common + 0.6 * generator.normal(size=(5, 60, 12))).astype(np.float32)
    comparison = ReasonComparison(replace(explanations(), values=values), repeats=(np.arange(5), again))
    text = section_of(comparison).sentence
    assert "That two models share less than one model explained twice with another seed is not shown" in text
    assert "how they differ is below the ceiling, and may be all due to the method." in text
    assert "That two models share less than two seeds of one recipe is not shown" in text


def test_without_repeats_no_ceiling_is_claimed():
    table = explanations()
    text = section_of(ReasonComparison(replace(table, models=table.models.assign(depth=range(5))))).sentence
    assert "no ceiling is known." in text
    assert "No two models have the same recipe, so what another seed would change is not known." in text


def test_effective_numbers_are_given_where_they_are_defined():
    comparison = ReasonComparison(explanations())
    more = {
        "effective_models": Interval(2.34, 2.0, 2.6),
        "effective_representations": Interval(math.inf, reason="nets"),
    }
    text = sentence(comparison, numbers_of(comparison, **more), {})
    assert "; 2.3 effective models, " in text
    assert " effective reasons, unboundedly many effective representations (nets only); ceiling " in text
    assert "effective models" not in sentence(comparison, numbers_of(comparison), {})


def test_a_model_that_no_feature_moves_is_named():
    models = pd.DataFrame({"model": ["a", "b"], "without_reasons": [0.1, 0.4]})
    comparison = ReasonComparison(explanations())
    text = sentence(comparison, numbers_of(comparison), {"models": models})
    assert "On 40 % of the instances no feature moves b, which then shares no reason with any model." in text


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"shape": (6, 6), "modality": "image"}, "image"),
        ({"shape": (3,), "modality": "text", "words": np.array([["a", "b", ""]] * 60)}, "text"),
        ({"shape": (12,), "features": tuple("abcdefghijkl")}, "rect"),
    ],
)
def test_pictures_are_drawn_from_the_tables(more, kind):
    comparison = ReasonComparison(explanations(**more), np.zeros((5, 60), int))
    maps = map_table(comparison, [0, 1], [0, 1, 2])
    section = section_of(comparison, maps=maps)
    figures = section_figures(section)
    assert list(figures) == ["explanation_levels", "explanation_maps", "explanation_features", "explanation_pairs"]
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    layers = [layer["mark"]["type"] for layer in figures["explanation_maps"]["layer"]]
    assert kind in layers
    assert len(figures["explanation_pairs"]["data"]["values"]) == 10
    for name in section.tables:
        assert display_table(section, name).rows


def test_every_figure_can_be_rendered():
    vl_convert = pytest.importorskip("vl_convert")
    for more in (
        {"shape": (6, 6), "modality": "image"},
        {"words": np.array([["good", "x" * 90] + [""] * 10] * 60)},
        {},
    ):
        comparison = ReasonComparison(explanations(**more), np.zeros((5, 60), int))
        section = section_of(comparison, maps=map_table(comparison, [0, 1], [0, 1, 2]))
        for spec in section_figures(section).values():
            assert "<svg" in vl_convert.vegalite_to_svg(json.dumps(spec))


def test_maps_are_blue_where_they_speak_for_the_class():
    from polyculture.reporting.charts.explanation_maps import overlay

    rows = {"row": [0, 0], "column": [0, 1], "attribution": [1.0, -1.0], "level": [0.0, 1.0]}
    assert overlay(pd.DataFrame(rows)).startswith("data:image/png;base64,")
    import base64
    from io import BytesIO

    image = pytest.importorskip("PIL.Image")
    picture = image.open(BytesIO(base64.b64decode(overlay(pd.DataFrame(rows)).partition(",")[2])))
    assert picture.mode == "RGBA"
    (red, _, blue, _), (red_against, _, blue_against, _) = picture.getpixel((0, 0)), picture.getpixel((239, 0))
    assert blue > red
    assert red_against > blue_against


def test_attribution_finds_the_recipe_behind_alike_reasons():
    table = explanations(m=15, n=80, shared=0.2)
    models = table.models.assign(architecture=["tree", "tree", "net", "net", "net"] * 3).drop(columns="seed")
    comparison = ReasonComparison(replace(table, models=models))
    similarity = reason_similarity(comparison)
    np.testing.assert_allclose(similarity.matrix, comparison.agreement.matrix())
    assert similarity.leave_outs is not None
    blocks = np.arange(80) % 40
    a, b = comparison.agreement.pairs
    expected = comparison.agreement.values["feature"][:, blocks != 3].mean(axis=1)
    np.testing.assert_allclose(similarity.leave_outs[3][a, b], expected, rtol=1e-5)
    section = reason_attribution(comparison, replace(predictions_of(15), models=models))
    assert section.title == "Which ingredients make reasons alike?"
    assert section.sentence.startswith("Of the mean share of common reasons = ")
    assert section.tables["tests"].set_index("factor").loc["architecture", "p"] < 0.01


def test_few_models_are_too_few_for_attribution():
    section = reason_attribution(ReasonComparison(explanations()), predictions_of(5))
    assert section.reason == "5 models; attribution needs 12 or more"


@pytest.fixture(scope="module")
def surrogate() -> Section:
    from polyculture.dataset import Dataset

    generator = stream(0, "surrogate")
    data = [
        Dataset(generator.random((200, 3)).astype(np.float32), np.zeros(200, np.int64), ("no", "yes")) for _ in "ab"
    ]

    def model(inputs):
        positive = (inputs[:, 1] > 0.5).astype(float)
        return np.stack([1 - positive, positive], axis=1)

    tree = surrogate_tree({"one": model, "other": model}, *data, depth=2, features=("age", "dose", "pain=yes"))
    return surrogate_answer(tree, 2, True)


def test_a_surrogate_of_a_simple_rule_is_that_rule(surrogate):
    tree = surrogate.tables["tree"]
    assert tree["condition"].iloc[0] == "all instances"
    assert tree["condition"].iloc[1].startswith("dose ≤ 0.")
    assert surrogate.numbers["fidelity"].estimate > 0.97
    assert surrogate.sentence.startswith("2 rules give the answer of 2 models together on ")
    figures = section_figures(surrogate)
    texts = [row["text"] for row in figures["surrogate_tree"]["data"]["values"]]
    assert texts[1].endswith(" → no")
    assert spec_of(surrogate).title == "Which few rules imitate the set?"


def test_categories_are_named_without_thresholds():
    nodes = pd.DataFrame(
        {
            "feature": ["pain=yes", "", ""],
            "threshold": [0.5, np.nan, np.nan],
            "first": [1, -1, -1],
            "second": [2, -1, -1],
            "answer": ["no", "no", "yes"],
            "share": [1.0, 0.4, 0.6],
            "depth": [0, 1, 1],
        }
    )
    assert tree_rows(nodes)["condition"].tolist() == ["all instances", "not pain=yes", "pain=yes"]
