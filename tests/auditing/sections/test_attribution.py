"""Does the chapter find what was planted, refuse what cannot be told, and say it in the right words?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polyculture.auditing.factors import codes_of, ingredients
from polyculture.auditing.sections.attribution import attribute
from polyculture.errors import InputError
from polyculture.formats import read
from polyculture.formats.tables.model_factors import factors_of
from polyculture.measures.effective import effective
from polyculture.predictions import Predictions
from polyculture.results import Section
from polyculture.rng import stream

GRID = pd.DataFrame(
    [(f"d{d}", f"a{a}", f"o{o}") for d in range(4) for a in range(4) for o in range(2)],
    columns=["data", "arch", "opt"],
)


def planted(
    factors: pd.DataFrame, shares: dict[str, float], seed: int = 0, n: int = 1500, classes: int = 0
) -> Predictions:
    """Models whose latent errors share a part with all, and with those of the same level of each named factor."""
    rng = stream(seed, "planted")
    m = len(factors)
    latent = np.sqrt(0.15) * rng.standard_normal(n) + np.zeros((m, n))
    for name, share in shares.items():
        codes = pd.factorize(factors[name])[0]
        latent += np.sqrt(share) * rng.standard_normal((codes.max() + 1, n))[codes]
    latent += np.sqrt(0.85 - sum(shares.values())) * rng.standard_normal((m, n))
    wrong = latent < -0.6745
    models = factors.set_axis(pd.Index([f"m{i}" for i in range(m)], name="model", dtype=object))
    instances = pd.DataFrame({"patient": np.arange(n) // 3}, index=pd.RangeIndex(n, name="instance"))
    if not classes:
        return Predictions(models, instances, correct=(~wrong).astype(np.int8))
    labels = rng.integers(0, classes, n)
    answers = np.where(wrong, (labels + 1) % classes, labels)
    return Predictions(models, instances, answers=answers, labels=labels, classes=tuple("abcdefgh"[:classes]))


@pytest.fixture(scope="module")
def found() -> Section:
    return attribute(planted(GRID, {"data": 0.3, "arch": 0.1}), permutations=499)


def row(section: Section, factor: str, table: str = "shares") -> dict[str, Any]:
    rows = section.frame(table)
    return dict(rows[rows["factor"] == factor].iloc[0])


def test_planted_causes_are_found_and_the_null_is_not_claimed(found: Section) -> None:
    tests = found.frame("tests").set_index("factor")
    assert (tests["method"] == "conditional permutation").all()
    assert tests.loc[["data", "arch"], "q"].max() < 0.05
    assert tests.loc["opt", "q"] > 0.05
    assert 2 < row(found, "data")["coefficient"] / row(found, "arch")["coefficient"] < 5


def test_shares_sum_to_one_and_contributions_to_rho(found: Section) -> None:
    shares = found.frame("shares")
    assert shares["share"].sum() == pytest.approx(1, abs=1e-9)
    assert shares["contribution"].sum() == pytest.approx(found.numbers["rho"].estimate, abs=1e-12)
    assert (shares["low"] < shares["contribution"]).all()
    assert (shares["contribution"] < shares["high"]).all()
    wrong = planted(GRID, {"data": 0.3, "arch": 0.1}).wrong
    assert found.numbers["rho"].estimate == pytest.approx(effective(wrong).rho, abs=1e-12)


def test_without_a_factor_the_models_would_be_more(found: Section) -> None:
    rho, data = found.numbers["rho"].estimate, row(found, "data")
    assert data["n_eff_without"] == pytest.approx(32 / (1 + 31 * (rho - data["contribution"])))
    assert data["n_eff_low"] < data["n_eff_without"] < data["n_eff_high"]
    assert np.isnan(row(found, "common to all models")["n_eff_without"])


def test_levels_sum_to_their_factor(found: Section) -> None:
    levels = found.frame("levels")
    for factor in ("data", "arch", "opt"):
        mine = levels[levels["factor"] == factor]
        assert mine["contribution"].sum() == pytest.approx(row(found, factor)["contribution"], abs=1e-12)
    assert list(levels.loc[levels["factor"] == "data", "models"]) == [8, 8, 8, 8]


def test_carriers_are_the_instances_on_which_a_level_stands_out(found: Section) -> None:
    carriers = found.frame("carriers")
    data = carriers[carriers["factor"] == "data"]
    assert len(data) == 10
    assert data["adds"].is_monotonic_decreasing
    assert (data["adds"] > 2 / 1500).all()
    assert set(data["level"]) <= {"d0", "d1", "d2", "d3"}
    assert (data["wrong_there"] <= data["models_there"]).all()
    assert "label" not in carriers.columns


def test_interactions_of_a_crossed_design_are_tested_beside_the_single_factors(found: Section) -> None:
    pairs = found.frame("interactions")
    assert [(a, b) for a, b in zip(pairs["first"], pairs["second"], strict=True)] == [
        ("data", "arch"),
        ("data", "opt"),
        ("arch", "opt"),
    ]
    assert (pairs["q"].dropna() > 0.01).all()
    assert (pairs["reason"] == "").all()


def test_the_sentence_says_association_unless_the_models_were_designed(found: Section) -> None:
    assert "goes with sharing data (p = 0.002)" in found.sentence
    assert "No association was found for opt." in found.sentence
    assert "This is association, not effect" in found.sentence
    designed = attribute(planted(GRID, {"data": 0.3, "arch": 0.1}), permutations=499, designed=True)
    assert "comes from sharing data" in designed.sentence
    assert "No effect was found for opt." in designed.sentence
    assert "assigned by design" in designed.sentence


def test_the_same_seed_gives_the_same_chapter(found: Section) -> None:
    again = attribute(planted(GRID, {"data": 0.3, "arch": 0.1}), permutations=499)
    for name, table in found.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])


def test_given_the_true_class_and_clusters_the_intervals_change() -> None:
    predictions = planted(GRID, {"data": 0.3}, classes=3)
    within = attribute(predictions, clusters="patient", permutations=19)
    assert within.numbers["rho"].method == "influence function, 500 clusters"
    assert within.numbers["rho"].estimate == pytest.approx(effective(predictions.wrong, predictions.labels).rho)
    named = attribute(predictions, strata="patient", permutations=19)
    assert named.numbers["rho"].estimate != pytest.approx(within.numbers["rho"].estimate, abs=1e-9)
    assert "label" in within.frame("carriers").columns


def test_columns_that_split_the_models_alike_are_one_factor() -> None:
    factors = GRID.assign(provider=GRID["data"].map({"d0": "x", "d1": "y", "d2": "z", "d3": "w"}))
    section = attribute(planted(factors, {"data": 0.3}), permutations=199)
    merged = row(section, "data = provider")
    assert merged["kind"] == "factor"
    note = "data and provider split the models in the same way; only their joint share can be estimated"
    assert merged["note"] == note
    assert row(section, "data = provider", "levels")["level"] == "d0 = x"


def test_factors_that_cannot_be_told_apart_are_refused_with_the_model_to_add() -> None:
    nearly = GRID["data"].to_numpy().copy()
    nearly[0] = "d1"
    section = attribute(planted(GRID.assign(provider=nearly), {"data": 0.3}), permutations=199)
    refused = row(section, "provider")
    assert refused["kind"] == "refused"
    assert np.isnan(refused["contribution"])
    assert refused["note"] == (
        "cannot be told apart from data (variance inflation 6.1, above 5); "
        "add a model with data d1 and another level of provider"
    )
    together = row(section, "data + provider")
    assert together["kind"] == "together"
    assert together["share"] > 0.2
    assert section.frame("shares")["share"].sum() == pytest.approx(1, abs=1e-9)
    assert set(section.frame("tests")["factor"]) == {"arch", "opt"}
    assert "What cannot be told apart here: data + provider." in section.sentence
    told = section.frame("confounding").set_index(["first", "second"])["told_apart"]
    assert not told["data", "provider"]
    assert told["arch", "opt"]


def test_factors_that_say_nothing_are_left_out_with_what_would_help() -> None:
    factors = GRID.assign(lab="ours", name=[f"n{i}" for i in range(32)], rare=["x", "y", *["z"] * 30])
    section = attribute(planted(factors, {"data": 0.3}), permutations=19)
    assert row(section, "lab")["note"] == "all models have lab ours; add models with another lab"
    assert row(section, "name")["note"] == (
        "no two models have the same name; add one with name n0 and one with name n1"
    )
    assert row(section, "rare")["note"] == "only one level of rare has two models; add a second model with rare x"
    assert section.frame("shares")["share"].sum() == pytest.approx(1, abs=1e-9)


def test_few_arrangements_fall_back_on_the_jackknife() -> None:
    twelve = GRID[GRID["arch"].isin(["a0", "a1"]) & GRID["data"].ne("d3")].reset_index(drop=True)
    tests = attribute(planted(twelve, {"data": 0.4}), permutations=199).frame("tests").set_index("factor")
    assert tests["method"].to_dict() == {
        "data": "conditional permutation",
        "arch": "node jackknife (fallback)",
        "opt": "node jackknife (fallback)",
    }
    assert tests.loc["opt", "arrangements"] == 64
    assert tests.loc["data", "q"] < 0.05 < tests.loc["opt", "q"]


def test_fewer_than_12_informative_models_are_refused() -> None:
    section = attribute(planted(GRID.head(11), {"data": 0.3}))
    assert section.reason == "11 models with both right and wrong answers; attribution needs 12 or more"
    assert section.sentence == ""


def test_a_table_without_factors_is_refused() -> None:
    section = attribute(planted(GRID, {}), factors=[])
    assert section.reason == "the model table does not say what the models are made of"


def test_models_without_information_are_left_out() -> None:
    predictions = planted(GRID, {"data": 0.3})
    correct = predictions.correct
    assert correct is not None
    perfect = correct.copy()
    perfect[0] = 1
    section = attribute(Predictions(predictions.models, predictions.instances, correct=perfect), permutations=19)
    assert section.frame("levels").set_index("level").loc["d0", "models"] == 7


def test_missing_cells_do_not_break_the_sum() -> None:
    predictions = planted(GRID, {"data": 0.3})
    correct = predictions.correct
    assert correct is not None
    holes = np.where(stream(9, "holes").random(correct.shape) < 0.2, np.int8(-1), correct)
    section = attribute(Predictions(predictions.models, predictions.instances, correct=holes), permutations=199)
    assert section.frame("shares")["contribution"].sum() == pytest.approx(section.numbers["rho"].estimate, abs=1e-12)
    full = attribute(predictions, permutations=199)
    assert section.numbers["data"].estimate == pytest.approx(full.numbers["data"].estimate, abs=0.05)
    assert section.numbers["data"].low < full.numbers["data"].estimate < section.numbers["data"].high


def test_complementary_models_have_nothing_to_attribute() -> None:
    correct = 1 - np.eye(32, dtype=np.int8)[:, np.arange(400) % 32]
    models = GRID.set_axis(pd.Index([f"m{i}" for i in range(32)], dtype=object))
    section = attribute(Predictions(models, pd.DataFrame(index=pd.RangeIndex(400)), correct=correct), permutations=19)
    assert "not more alike than chance, so there is nothing to attribute" in section.sentence
    assert section.numbers["data"].reason == "ρ may be 0, and nothing has no shares"


def test_unknown_columns_are_named_with_the_near_ones() -> None:
    with pytest.raises(InputError) as caught:
        attribute(planted(GRID, {}), factors=["dat"])
    assert str(caught.value) == "no model column 'dat'; did you mean 'data'?"
    with pytest.raises(InputError) as caught:
        attribute(planted(GRID, {}), clusters="patent")
    assert str(caught.value) == "no instance column 'patent'; did you mean 'patient'?"


def test_an_empty_column_cannot_be_a_factor() -> None:
    with pytest.raises(InputError) as caught:
        attribute(planted(GRID.assign(empty=np.nan), {}), factors=["empty"])
    assert str(caught.value) == "model column 'empty' is empty; expected levels, sets or numbers."


def test_columns_become_levels_sets_or_scales() -> None:
    models = pd.DataFrame(
        {
            "family": ["a", "b", None, "a"],
            "seed": [0, 1, 0, 1],
            "sources": ["web;books", "web", "code", None],
            "rate": [0.1, 0.2, 0.3, np.nan],
            "empty": [np.nan] * 4,
            "lists": [["x"], ["x", "y"], [], ["y"]],
            "size": [1.0, 2.0, 2.0, 1.0],
        }
    )
    by_name = {i.name: i for i in ingredients(models)}
    assert set(by_name) == {"family", "seed", "sources", "lists", "size"}
    assert by_name["family"].words == ("a", "b", "unknown", "a")
    assert by_name["family"].factor.alike[0].tolist() == [1, 0, 0, 1]
    assert by_name["sources"].factor.alike[0, 1] == 0.5
    assert by_name["sources"].words == ("books + web", "web", "code", "unknown")
    assert by_name["lists"].factor.alike[1, 3] == 0.5
    scale = ingredients(models, ["rate"])[0]
    assert scale.factor.alike[0].tolist() == pytest.approx([1, 0.5, 0, 0])
    assert scale.cells[:3].tolist() == [0, 1, 2]


def test_codes_of_an_unknown_instance_column_are_an_error() -> None:
    with pytest.raises(InputError) as caught:
        codes_of(pd.DataFrame({"ward": [1, 2]}), "word")
    assert str(caught.value) == "no instance column 'word'; did you mean 'ward'?"


def test_a_scale_and_sets_are_tested_too() -> None:
    rng = stream(12, "graded")
    width = rng.uniform(0, 1, 24)
    lean = rng.standard_normal((2, 2000))
    latent = np.outer(np.cos(2 * width), lean[0]) + np.outer(np.sin(2 * width), lean[1])
    wrong = latent + rng.standard_normal((24, 2000)) < -0.8
    models = pd.DataFrame({"width": width, "sources": ["a;b", "b;c", "c;d", "d;a"] * 6})
    models.index = pd.Index([f"m{i}" for i in range(24)], dtype=object)
    predictions = Predictions(models, pd.DataFrame(index=pd.RangeIndex(2000)), correct=(~wrong).astype(np.int8))
    section = attribute(predictions, ["width", "sources"], permutations=199)
    tests = section.frame("tests").set_index("factor")
    assert tests.loc["width", "q"] < 0.05 < tests.loc["sources", "q"]
    assert section.frame("levels").empty


@pytest.mark.slow
def test_imagenet_models_share_with_family_and_toolkit(shared_data: Path) -> None:
    predictions = read(shared_data / "predictions" / "imagenet_val.parquet")
    factors = factors_of(predictions.model_ids, shared_data / "predictions" / "imagenet_models.csv")
    tagged = Predictions(
        factors, predictions.instances, predictions.answers, predictions.labels, classes=predictions.classes
    )
    section = attribute(tagged)
    assert section.numbers["rho"].estimate == pytest.approx(0.538, abs=0.001)
    assert section.numbers["common"].estimate == pytest.approx(0.947, abs=0.001)
    assert section.numbers["family"].estimate == pytest.approx(0.016, abs=0.001)
    assert section.numbers["toolkit"].estimate == pytest.approx(0.037, abs=0.001)
    assert section.frame("tests")["p"].max() == 1 / 2000
    assert "family and toolkit go together over models (Cramér's V 0.82)" in section.sentence
