"""Is every section drawn from its tables, whatever they hold, and is one that nobody knows shown all the same?"""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.reporting import figures as figure_files
from polyculture.reporting.audit_figures import figures, save_figure
from polyculture.reporting.figures.classes import MOST_CLASSES, MOST_POINTS
from polyculture.reporting.figures.groups import MOST_GROUPS
from polyculture.reporting.figures.multiplicity import bins
from polyculture.reporting.figures.pair_excess import MOST_PAIRS, alike_order
from polyculture.reporting.sections import section_figures
from polyculture.results import Audit, Section
from polyculture.stats import Interval

DRAWN = {
    "pair_excess": ["pairs"],
    "joint_failures": ["fail_at_k"],
    "groups": ["groups"],
    "review_queue": ["queue", "headline"],
    "multiplicity": ["consistency", "positions"],
    "generalization": ["gaps", "estimates", "line"],
    "calibration": ["reliability", "models"],
    "classes": ["confusion", "roc"],
    "ensembles": ["vote", "log_loss", "brier"],
    "attribution": ["shares", "confounding"],
    "scaling": ["points", "accuracy"],
    "portfolio": ["gains_log_loss", "gains_error", "front", "members"],
    "evolution": ["gains"],
    "ablation": ["accuracy", "shifted_accuracy", "gap", "log_loss", "ece", "n_eff_pair", "operations"],
}


def rows(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return spec["data"]["values"]


def of(kind: str, **tables: pd.DataFrame) -> dict[str, Any]:
    figures_of_section = section_figures(Section(kind, "?", "", {}, tables))
    return {key.removeprefix(f"{kind}_"): spec for key, spec in figures_of_section.items()}


def test_every_section_has_the_figures_that_its_tables_can_carry(whole: Audit) -> None:
    drawn = [p.stem for p in Path(figure_files.__path__[0]).glob("[!_]*.py")]
    of_commands = {"comparison", "design", "watch"}  # answers that no audit has; their own tests draw them
    assert sorted(DRAWN) == sorted(set(drawn) - of_commands)
    for name, keys in DRAWN.items():
        assert list(section_figures(whole.section(name))) == [f"{name}_{key}" for key in keys]


def test_answers_of_commands_have_a_figure_that_is_strict_json() -> None:
    from polyculture.recipe import Recipe, describe
    from polyculture.testing import tiny_predictions

    names, parts = ("knn", "logistic", "forest"), ("all", "half-a")
    recipes = [Recipe(name, data=data, seed=seed) for name in names for data in parts for seed in (0, 1)]
    table = tiny_predictions()
    halves = table.take_models(table.model_ids[:2]), table.take_models(table.model_ids[2:])
    for section in (pc.compare(*halves), describe(recipes).section):
        drawn = section_figures(section)
        assert drawn
        assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn


@pytest.mark.parametrize("name", ["whole", "large"])
def test_every_figure_is_strict_json_and_says_how_to_read_it(name: str, request: pytest.FixtureRequest) -> None:
    drawn = figures(request.getfixturevalue(name))
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn
    sections = [spec for key, spec in drawn.items() if key.startswith(tuple(f"{name}_" for name in DRAWN))]
    assert len(sections) == sum(map(len, DRAWN.values()))
    assert all(len(spec["usermeta"]["caption"]) > 30 and spec["title"] for spec in sections)


def test_every_figure_can_be_drawn_statically(whole: Audit, tmp_path: Path) -> None:
    for section in whole.sections:
        for key, spec in section_figures(section).items():
            assert "mark-" in save_figure(spec, tmp_path / f"{key}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(DRAWN))
def test_a_section_without_its_tables_or_with_empty_ones_has_no_figure(name: str, whole: Audit) -> None:
    section = whole.section(name)
    empty = {key: frame.head(0) for key, frame in section.tables.items()}
    bare = {key: pd.DataFrame({"other": [1.0]}) for key in section.tables}
    for tables in ({}, empty, bare):
        assert section_figures(replace(section, numbers={}, tables=tables)) == {}


@pytest.mark.parametrize("name", list(DRAWN))
def test_undefined_numbers_are_left_out_of_every_figure(name: str, whole: Audit) -> None:
    section = whole.section(name)
    tables = {
        key: frame.assign(**{c: math.nan for c in frame.columns if pd.api.types.is_float_dtype(frame[c])})
        for key, frame in section.tables.items()
    }
    drawn = section_figures(replace(section, tables=tables))
    json.dumps(drawn, allow_nan=False)


@pytest.mark.parametrize("name", list(DRAWN))
def test_a_table_that_went_through_json_is_drawn_alike(name: str, whole: Audit) -> None:
    again = Audit.from_json(whole.to_json())
    assert list(section_figures(again.section(name))) == list(section_figures(whole.section(name)))


def test_a_section_that_does_not_apply_has_no_figure(whole: Audit) -> None:
    assert section_figures(replace(whole.section("groups"), reason="no groups")) == {}
    assert section_figures(whole.section("later_idea")) == {}


def test_pairs_beyond_difficulty_stand_in_families(whole: Audit) -> None:
    spec = section_figures(whole.section("pair_excess"))["pair_excess_pairs"]
    names = spec["params"][0]["value"]
    families = [name.split("/")[0] for name in names]
    assert sorted(names) == sorted(whole.pairwise.models)
    assert sum(a != b for a, b in itertools.pairwise(families)) == len(set(families)) - 1
    assert len(rows(spec)) == 36 * 35 // 2
    assert all(row["a"] > row["b"] for row in rows(spec))
    low, high = spec["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert low == -high
    assert "never how alike all of them are" in spec["usermeta"]["caption"]


def test_of_too_many_models_the_most_alike_pairs_are_drawn(large: Audit) -> None:
    spec = section_figures(large.section("pair_excess"))["pair_excess_pairs"]
    z = [row["value"] for row in rows(spec)]
    assert len(z) == MOST_PAIRS
    assert z == sorted(z, reverse=True)


def test_two_models_need_no_clustering() -> None:
    assert alike_order(np.array([[np.nan, 1.0], [1.0, np.nan]])) == [0, 1]


def test_the_curve_ends_at_the_gate_and_goes_on_as_an_upper_limit(whole: Audit) -> None:
    spec = section_figures(whole.section("joint_failures"))["joint_failures_fail_at_k"]
    observed = [row["k"] for row in rows(spec) if row["observed"] is not None]
    limits = [row["k"] for row in rows(spec) if row["limit"] is not None]
    assert observed == [*range(1, 17), 36]
    assert limits == list(range(17, 36))
    assert {row["run"] for row in rows(spec) if row["k"] in (1, 16)} == {1}
    assert rows(spec)[-1]["run"] == 3
    assert spec["layer"][-1]["encoding"]["x"]["datum"] == 16.5
    low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert (low, high) == (pytest.approx(1e-3), 1)
    assert min(row["expected"] for row in rows(spec)) > 0


def test_a_curve_without_a_gate_has_no_dashed_line() -> None:
    table = pd.DataFrame({"k": [1, 2], "observed": [0.2, 0.1], "low": [0.1, 0.05], "high": [0.3, 0.2]})
    [spec] = of("joint_failures", fail_at_k=table).values()
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["area", "rule", "line", "line", "point"]
    assert "upper limit" not in spec["usermeta"]["caption"]
    assert of("joint_failures", fail_at_k=table.assign(observed=0.0)) == {}


def test_groups_stand_under_their_column_worst_first(whole: Audit) -> None:
    spec = section_figures(whole.section("groups"))["groups_groups"]
    names, heads = (param["value"] for param in spec["params"])
    assert [names[k] for k in heads] == ["writer (10)", "pen (2)"]
    assert len(names) == 14
    shares = [row["value"] for row in rows(spec) if row["column"] == "writer"]
    assert shares == sorted(shares, reverse=True)
    assert {row["strong"] for row in rows(spec) if row["q"] <= 0.05} == {True}


def test_of_a_hundred_groups_the_worst_are_drawn_and_one_group_is_enough(large: Audit) -> None:
    spec = section_figures(large.section("groups"))["groups_groups"]
    assert f"writer ({MOST_GROUPS} of 98)" in spec["params"][0]["value"]
    assert len(rows(spec)) == MOST_GROUPS + 2
    [alone] = of("groups", groups=pd.DataFrame({"group": ["only"], "all_wrong": [0.1]})).values()
    assert [row["group"] for row in rows(alone)] == ["only"]


def test_kinds_of_failures_lie_end_to_end_and_a_new_kind_is_drawn_too(whole: Audit) -> None:
    table = whole.section("review_queue").tables["queue"]
    spec = of("review_queue", queue=pd.concat([table, table.head(2).assign(kind="other")]))["queue"]
    assert [row["kind"] for row in rows(spec)] == ["consensus", "format only", "no answer", "genuine", "other"]
    assert [row["from"] for row in rows(spec)][1:] == [row["to"] for row in rows(spec)][:-1]
    assert rows(spec)[-1]["to"] == 47
    assert rows(spec)[-1]["name"] == "other · 2"


def test_the_headline_is_drawn_before_and_after(whole: Audit) -> None:
    spec = section_figures(whole.section("review_queue"))["review_queue_headline"]
    assert [row["value"] for row in rows(spec)] == [2.25, 2.6, 3.1]
    assert spec["params"][0]["value"][0] == "as it is"
    assert spec["layer"][0]["encoding"]["x"]["datum"] == 2.25


def test_bins_hold_all_the_weight() -> None:
    random = np.random.default_rng(0)
    found = bins(random.uniform(0, 1, 500), np.ones(500), "pairs", (0.0, 1.0))
    assert sum(row["pairs"] for row in found) == 500
    assert len(found) <= 40


def test_runs_of_one_model_stand_apart_from_different_models(whole: Audit) -> None:
    spec = section_figures(whole.section("multiplicity"))["multiplicity_positions"]
    groups = whole.section("multiplicity").tables["positions"]["group"].value_counts()
    drawn = pd.DataFrame(rows(spec)).groupby("group")["pairs"].sum()
    assert drawn.to_dict() == groups.to_dict()
    assert spec["layer"][0]["encoding"]["color"]["legend"]
    many = pd.DataFrame({"position": [0.1, 0.2, 0.3, 0.9], "group": list("abcd")})
    assert {row["group"] for row in rows(of("multiplicity", positions=many)["positions"])} == {"all pairs"}


def test_few_levels_of_self_consistency_are_bars_of_their_own(whole: Audit) -> None:
    spec = section_figures(whole.section("multiplicity"))["multiplicity_consistency"]
    table = whole.section("multiplicity").tables["consistency"]
    assert [row["instances"] for row in rows(spec)] == table["instances"].tolist()


def test_the_mean_gap_is_drawn_over_the_models(whole: Audit) -> None:
    spec = section_figures(whole.section("generalization"))["generalization_gaps"]
    table = whole.section("generalization").tables["gaps"]
    assert spec["params"][0]["value"] == list(dict.fromkeys(table["split"]))
    means = [row["gap"] for row in spec["layer"][2]["data"]["values"]]
    assert means == pytest.approx(table.groupby("split", sort=False)["gap"].mean().tolist(), rel=1e-4)
    assert len(rows(spec)) == len(table)


def test_a_sample_of_too_many_pairs_is_drawn_and_told(large: Audit) -> None:
    spec = section_figures(large.section("generalization"))["generalization_line"]
    assert len(rows(spec)) <= 2000
    assert "of 8,385 pairs are drawn" in spec["usermeta"]["caption"]


def test_pairs_that_all_agree_alike_get_no_line() -> None:
    table = pd.DataFrame(
        {"model_a": list("aab"), "model_b": list("bcc"), "agreement_here": 0.9, "agreement_there": 0.8}
    )
    assert [layer["mark"]["type"] for layer in of("generalization", line=table)["line"]["layer"]] == ["point", "line"]


def test_estimates_without_labels_are_left_out_where_undefined(whole: Audit) -> None:
    spec = section_figures(whole.section("generalization"))["generalization_estimates"]
    assert len(rows(spec)) == 4 * 7 - 1


def test_the_vote_stands_out_among_the_calibrations(whole: Audit) -> None:
    spec = section_figures(whole.section("calibration"))["calibration_models"]
    assert [row["model"] for row in rows(spec) if row["strong"]] == ["(vote)"]
    errors = [row["value"] for row in rows(spec)]
    assert errors == sorted(errors)


def test_a_reader_chooses_whose_confusions_to_see(whole: Audit) -> None:
    spec = section_figures(whole.section("classes"))["classes_confusion"]
    names, model = spec["params"]
    assert names["value"] == [str(k) for k in range(10)]
    assert model["value"] == 0
    assert model["bind"]["labels"] == ["(all)", *whole.pairwise.models]
    assert spec["usermeta"]["keep"] == ["model"]


def test_one_model_needs_no_choice_and_its_shares_are_counted() -> None:
    table = pd.DataFrame({"label": ["a", "a", "b"], "answer": ["a", "b", "b"], "n": [3, 1, 2]})
    spec = of("classes", confusion=table)["confusion"]
    assert "bind" not in spec["params"][1]
    assert [row["share"] for row in rows(spec)] == [0.75, 0.25, 1.0]


def test_of_too_many_classes_the_most_frequent_confusions_are_drawn(large: Audit) -> None:
    spec = section_figures(large.section("classes"))["classes_confusion"]
    assert MOST_CLASSES < 60
    assert len(rows(spec)) == 30
    counts = [row["n"] for row in rows(spec)]
    assert counts == sorted(counts, reverse=True)
    assert all(row["label"] != row["answer"] for row in rows(spec))
    diagonal = pd.DataFrame({"label": range(50), "answer": range(50), "n": 3})
    assert of("classes", confusion=diagonal) == {}


def test_thinned_curves_keep_their_ends(large: Audit) -> None:
    spec = section_figures(large.section("classes"))["classes_roc"]
    assert len(rows(spec)) <= 1.3 * MOST_POINTS
    one = [(row["x"], row["y"]) for row in rows(spec) if (row["c"], row["m"]) == (0, 0)]
    assert one[0] == (0, 0)
    assert one[-1] == (1, 1)


def test_the_waterfall_goes_from_the_mean_error_to_that_of_the_majority(whole: Audit) -> None:
    spec = section_figures(whole.section("ensembles"))["ensembles_vote"]
    ends = [(row["from"], row["to"]) for row in rows(spec)]
    assert ends == [(0, 0.062), (0.062, 0.021), (0.021, 0.027), (0, 0.027)]
    section = whole.section("ensembles")
    unknown = replace(section, numbers=dict(section.numbers) | {"bad_diversity": Interval.undefined("no vote")})
    assert list(section_figures(unknown)) == ["ensembles_log_loss", "ensembles_brier"]


def test_shares_lie_end_to_end_with_their_limits(whole: Audit) -> None:
    spec = section_figures(whole.section("attribution"))["attribution_shares"]
    ends = [(row["from"], row["to"]) for row in rows(spec)]
    assert ends == [(0, 0.55), (0.55, 0.86), (0.86, 0.95), (0.95, 0.98)]
    assert rows(spec)[1]["said"] == "31 % [28, 34]"
    assert (rows(spec)[1]["low"], rows(spec)[1]["high"]) == (pytest.approx(0.83), pytest.approx(0.89))


def test_shares_of_their_own_take_the_plain_limits() -> None:
    table = pd.DataFrame(
        {"factor": ["data", "left out"], "share": [0.4, math.nan], "low": [0.3, 0.0], "high": [0.5, 0.0]}
    )
    [row] = rows(of("attribution", shares=table)["shares"])
    assert row["said"] == "40 % [30, 50]"


def test_two_factors_need_no_map() -> None:
    assert of("attribution", confounding=pd.DataFrame({"first": ["a"], "second": ["b"], "cramers_v": [0.2]})) == {}


def test_a_scale_over_powers_of_ten_is_logarithmic_and_its_break_is_marked(whole: Audit) -> None:
    spec = section_figures(whole.section("scaling"))["scaling_points"]
    x = spec["layer"][0]["encoding"]["x"]
    assert x["scale"]["type"] == "log"
    assert spec["layer"][-1]["encoding"]["text"] == {"value": "break"}
    near = pd.DataFrame({"scale": [1.0, 2.0, 3.0], "metric": [0.1, 0.2, 0.3]})
    [plain] = of("scaling", points=near).values()
    assert plain["layer"][0]["encoding"]["x"]["scale"]["type"] == "linear"
    assert [layer["mark"]["type"] for layer in plain["layer"]] == ["rule", "point"]


def test_the_chosen_set_is_drawn_over_the_others_and_members_that_are_missed_are_orange(whole: Audit) -> None:
    drawn = section_figures(whole.section("portfolio"))
    assert [row["kind"] for row in rows(drawn["portfolio_front"])] == ["efficient", "beaten", "chosen"]
    assert [row["strong"] for row in rows(drawn["portfolio_members"])] == [True, False, False]
    assert [row["rival"] for row in rows(drawn["portfolio_gains_log_loss"])] == ["best single model"]


def test_a_portfolio_of_numbers_is_drawn_with_what_it_gains_elsewhere() -> None:
    gains = pd.DataFrame({"loss": "squared_error", "rival": ["best", "all"], "gain": [0.2, -0.1]})
    shifts = pd.DataFrame({"shift": ["drift@1", "drift@2"], "n": 9, "squared_error": 1.0, "gain_over_best": [0.3, 0.1]})
    drawn = of(
        "portfolio",
        gains=gains.assign(low=[0.1, -0.2], high=[0.3, 0.1]),
        shifts=shifts.assign(gain_low=[0.1, -0.1], gain_high=[0.5, 0.3]),
    )
    assert list(drawn) == ["gains_squared_error", "shifts"]
    assert [row["strong"] for row in rows(drawn["gains_squared_error"])] == [True, False]
    assert [(row["shift"], row["strong"]) for row in rows(drawn["shifts"])] == [("drift@1", True), ("drift@2", False)]
    of_answers = pd.DataFrame({"shift": ["drift@1"], "error": [0.1], "low": [0.0], "high": [0.2]})
    assert of("portfolio", shifts=of_answers) == {}


def test_a_generation_without_one_before_it_has_no_gain_to_draw(whole: Audit) -> None:
    drawn = section_figures(whole.section("evolution"))["evolution_gains"]
    assert [row["generation"] for row in rows(drawn)] == ["generation 1, 24 models", "generation 2, 32 models"]
    assert [row["strong"] for row in rows(drawn)] == [True, False]


def test_levers_stand_in_the_order_of_their_gain_and_only_a_test_makes_them_orange(whole: Audit) -> None:
    drawn = section_figures(whole.section("ablation"))
    assert [row["lever"] for row in rows(drawn["ablation_accuracy"])] == ["sam", "dropout"]
    assert [row["strong"] for row in rows(drawn["ablation_accuracy"])] == [False, True]
    assert [row["lever"] for row in rows(drawn["ablation_n_eff_pair"])] == ["dropout"]
    price = drawn["ablation_operations"]
    assert [row["strong"] for row in rows(price)] == [False, False]
    assert price["layer"][0]["encoding"]["x"]["datum"] == 1.0
    assert "what was counted has no test" in price["usermeta"]["caption"]


def ticks(drawn: dict[str, Any], path: Path) -> list[str]:
    """Labels of the ticks, as they are drawn."""
    svg = save_figure(drawn, path).read_text(encoding="utf-8")
    groups = re.findall(r'<g class="mark-text role-axis-label".*?</g>', svg, re.DOTALL)
    return [re.sub(r"<.*?>", "", text) for text in re.findall(r"<text.*?</text>", "".join(groups), re.DOTALL)]


@pytest.mark.parametrize("size", [1e-7, 1e-4, 0.03, 2.0])
def test_changes_of_any_size_have_ticks_that_differ(whole: Audit, tmp_path: Path, size: float) -> None:
    bred, pulled = whole.section("evolution"), whole.section("ablation")
    history = bred.tables["history"].assign(gain=[math.nan, size, size / 2], low=[math.nan, 0.0, 0.0], high=size)
    effects = pulled.tables["effects"].assign(change=size, low=0.0, high=2 * size)
    drawn = of("evolution", history=history) | of("ablation", effects=effects)
    assert len(drawn) == 8
    for key, spec in drawn.items():
        told = ticks(spec, tmp_path / f"{key}.svg")
        assert len(told) > 3
        assert len(set(told)) == len(told)


def test_no_estimate_touches_the_edge_of_its_figure(whole: Audit) -> None:
    for key, spec in section_figures(whole.section("ablation")).items():
        assert all(layer["encoding"]["x"]["scale"]["padding"] >= 5 for layer in spec["layer"]), key
