"""Figures are plain dicts: what do they say, on which axes, and can every one be drawn?"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from polyculture.errors import FileError, InputError
from polyculture.reporting.audit_figures import figures, save_figure
from polyculture.reporting.audit_figures.leaderboard import MOST_MODELS, alike_lines
from polyculture.reporting.audit_figures.pairwise import kappa_scale
from polyculture.reporting.audit_figures.shifts import shift_rows
from polyculture.reporting.charts.pair_matrix import MOST_CELLS
from polyculture.reporting.theme import DIVERGING, SEQUENTIAL, css_variables, themed
from polyculture.results import Audit, NullModel
from polyculture.stats import Interval


def rows(spec: dict) -> list[dict]:
    return spec["data"]["values"]


@pytest.mark.parametrize("name", ["digits", "imagenet", "crowd", "pair", "perfect", "hostile"])
def test_every_figure_of_every_audit_is_strict_json(name: str, request: pytest.FixtureRequest) -> None:
    drawn = figures(request.getfixturevalue(name))
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn
    assert all(spec["title"] and spec["$schema"].endswith("/v6.json") for spec in drawn.values())


def test_an_audit_with_shifts_has_six_figures_and_one_without_has_four(digits: Audit, imagenet: Audit) -> None:
    assert list(figures(digits)) == [
        "null_models",
        "leaderboard",
        "pairwise",
        "systemic",
        "shift_n_eff",
        "shift_accuracy",
    ]
    assert list(figures(imagenet)) == ["null_models", "leaderboard", "pairwise", "systemic"]


def test_the_ladder_has_one_point_per_null_and_ends_at_the_number_of_models(digits: Audit) -> None:
    spec = figures(digits)["null_models"]
    assert [row["rung"] for row in rows(spec)] == ["N0", "N1"]
    assert rows(spec)[1]["n_eff"] == pytest.approx(digits.n_eff.estimate, rel=1e-5)
    assert rows(spec)[1]["headline"]
    assert rows(spec)[1]["label"] == "N1 · given each model's error rate within the true class"
    [point] = [layer for layer in spec["layer"] if layer["mark"]["type"] == "point"]
    assert point["encoding"]["x"]["scale"] == {"type": "log", "domain": [1, 36], "nice": False}


def test_more_than_all_models_is_drawn_at_the_end_of_the_ladder(digits: Audit) -> None:
    free = NullModel("N0", "nothing", Interval(math.inf, 30.0, math.inf), Interval(-0.1))
    [row] = rows(figures(replace(digits, null_models=(free,), headline="N0"))["null_models"])
    assert (row["n_eff"], row["low"], row["high"], row["beyond"]) == (36, 30, 36, True)
    assert row["value"] == "≥ 36: none detected"


def test_an_undefined_rung_is_a_sentence_instead_of_a_point(perfect: Audit) -> None:
    row = rows(figures(perfect)["null_models"])[0]
    assert row["n_eff"] is None
    assert row["value"] == "undefined (no model has both right and wrong answers)"


def test_models_stand_best_first_with_their_interval(digits: Audit) -> None:
    spec = figures(digits)["leaderboard"]
    accuracies = [row["accuracy"] for row in rows(spec)]
    assert len(accuracies) == 36
    assert accuracies == sorted(accuracies, reverse=True)
    assert spec["layer"][1]["encoding"]["y"]["scale"]["domain"] == [row["model"] for row in rows(spec)]
    assert spec["usermeta"] == {"drawn": 36, "lines": True, "zoom": True}


def test_too_many_models_are_shown_by_the_best_and_the_worst(crowd: Audit) -> None:
    shown = [row["model"] for row in rows(figures(crowd)["leaderboard"])]
    names = list(crowd.leaderboard.table["model"])
    assert shown == names[: MOST_MODELS // 2] + names[-MOST_MODELS // 2 :]


def test_models_that_share_a_letter_lie_on_one_line() -> None:
    assert alike_lines(["a", "ab", "b", "c", "c"]) == [(0, [0, 1]), (1, [1, 2]), (0, [3, 4])]


def test_letters_beyond_the_alphabet_are_read_as_whole_names() -> None:
    assert alike_lines(["z", "z aa", "aa", "ab"]) == [(0, [0, 1]), (1, [1, 2])]


def test_a_letter_of_one_model_draws_no_line() -> None:
    assert alike_lines(["a", "b", ""]) == []


def test_the_matrix_holds_every_pair_once_in_clustered_order(digits: Audit) -> None:
    spec = figures(digits)["pairwise"]
    order = [digits.pairwise.models[k] for k in digits.pairwise.order]
    assert spec["params"][0] == {"name": "names", "value": order}
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 36]
    assert len(rows(spec)) == 36 * 35 // 2
    one = rows(spec)[100]
    a, b = digits.pairwise.models.index(order[one["a"]]), digits.pairwise.models.index(order[one["b"]])
    assert one["kappa"] == pytest.approx(digits.pairwise.values["kappa"][a, b], abs=1e-4)
    assert one["n"] == 540


def test_the_second_layer_mirrors_the_first(digits: Audit) -> None:
    first, second = (layer["encoding"] for layer in figures(digits)["pairwise"]["layer"])
    assert (first["x"]["field"], first["y"]["field"]) == ("a", "b")
    assert (second["x"]["field"], second["y"]["field"]) == ("b", "a")
    assert [line["title"] for line in first["tooltip"]] == ["one", "other", "κ", "instances", "one has", "other has"]


def test_a_huge_matrix_is_drawn_in_blocks_that_average_their_pairs(crowd: Audit) -> None:
    spec = figures(crowd)["pairwise"]
    cells = spec["usermeta"]["square"]
    assert cells == 65 <= MOST_CELLS
    first = next(row for row in rows(spec) if row["a"] == row["b"])
    i, j = crowd.pairwise.order[:2]
    assert first["kappa"] == pytest.approx(crowd.pairwise.values["kappa"][i, j], abs=1e-4)


def test_undefined_pairs_are_null_and_still_drawn(perfect: Audit) -> None:
    spec = figures(perfect)["pairwise"]
    assert {row["kappa"] for row in rows(spec)} == {None}
    assert spec["layer"][0]["mark"]["invalid"] == "show"


@pytest.mark.parametrize(
    ("kappa", "low", "high", "colours"),
    [
        ([0.02, 0.31, 0.68], 0.0, 0.7, SEQUENTIAL),
        ([0.71, 0.78], 0.7, 0.9, SEQUENTIAL),
        ([-0.05, 0.1], 0.0, 0.2, SEQUENTIAL),
        ([-0.3, 0.5], -0.6, 0.6, DIVERGING),
        ([math.nan], 0.0, 1.0, SEQUENTIAL),
        ([1.0, 1.0], 1.0, 1.2, SEQUENTIAL),
    ],
)
def test_the_colour_scale_is_round_and_diverges_only_below_chance(
    kappa: list[float], low: float, high: float, colours: tuple[str, ...]
) -> None:
    found = kappa_scale(np.array(kappa))
    assert found[:2] == (pytest.approx(low), pytest.approx(high))
    assert set(found[2]) <= set(colours)


def test_failures_are_observed_bars_and_an_expected_line(digits: Audit) -> None:
    spec = figures(digits)["systemic"]
    assert [row["observed"] for row in rows(spec)] == digits.systemic.observed.tolist()
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["rect", "line"]
    assert spec["layer"][1]["encoding"]["color"]["datum"] == "expected if independent"


def test_failure_counts_are_logarithmic_only_where_they_differ_much(digits: Audit, pair: Audit) -> None:
    steep, flat = (figures(audit)["systemic"]["layer"][0]["encoding"]["y"] for audit in (digits, pair))
    assert steep["scale"] == {"type": "symlog", "constant": 1}
    assert steep["axis"]["values"] == [0, 1, 10, 100]
    assert "scale" not in flat


def test_a_reader_zooms_with_a_key_held_and_never_by_scrolling_the_page(digits: Audit, crowd: Audit) -> None:
    def zooms(spec: dict) -> list[str]:
        [param] = [p for layer in spec["layer"] for p in layer.get("params", ())]
        assert param["bind"] == "scales"
        assert param["select"]["zoom"] == "wheel![event.altKey || event.ctrlKey]"
        assert param["select"]["clear"] == "dblclick"
        return param["select"]["encodings"]

    drawn = figures(digits)
    assert zooms(drawn["leaderboard"]) == ["x"]
    assert zooms(drawn["pairwise"]) == ["x", "y"]
    assert zooms(figures(crowd)["systemic"]) == ["x"]
    assert {name for name, spec in drawn.items() if spec.get("usermeta", {}).get("zoom")} == {"leaderboard", "pairwise"}


def test_the_unshifted_test_set_starts_every_shift(digits: Audit) -> None:
    found = shift_rows(digits.shifts)
    assert {row["shift"] for row in found} == {"noise", "rotation", "shift", "contrast", "occlusion"}
    starts = [row["accuracy"] for row in found if row["severity"] == 0]
    assert starts == [digits.shifts["accuracy"].iloc[0]] * 5


def test_shifts_without_an_unshifted_test_set_are_left_as_they_are(digits: Audit) -> None:
    shifted = digits.shifts.iloc[1:]
    assert len(shift_rows(shifted)) == len(shifted)


def test_shifts_are_small_multiples_with_bands(digits: Audit) -> None:
    spec = figures(digits)["shift_n_eff"]
    assert spec["facet"]["field"] == "shift"
    band, line = spec["spec"]["layer"]
    assert (band["encoding"]["y"]["field"], band["encoding"]["y2"]["field"]) == ("low", "high")
    assert line["encoding"]["y"]["field"] == "n_eff"


def test_the_page_gets_its_colours_from_its_theme(digits: Audit) -> None:
    text = json.dumps(themed(figures(digits)))
    assert "var(--blue)" in text
    assert not any(colour in text for colour in (*SEQUENTIAL, *DIVERGING))


def test_light_and_dark_declare_the_same_variables() -> None:
    light, dark = ([one.split(":")[0] for one in css_variables(theme).split(";") if one] for theme in ("light", "dark"))
    assert light == dark
    assert len(set(light)) == len(light) == 49
    values = [one.split(":")[1] for one in css_variables("light").split(";") if one]
    assert len(set(values)) == len(values), "two names for one colour: the theme could not tell them apart"


@pytest.mark.parametrize(("ending", "start"), [(".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_a_figure_is_saved_for_a_paper(ending: str, start: bytes, pair: Audit, tmp_path: Path) -> None:
    path = save_figure(figures(pair)["null_models"], tmp_path / f"ladder{ending}")
    assert path.read_bytes().startswith(start)
    assert [p.name for p in tmp_path.iterdir()] == [f"ladder{ending}"]


def test_every_figure_of_the_digits_can_be_drawn_statically(digits: Audit, tmp_path: Path) -> None:
    for name, spec in figures(digits).items():
        drawn = save_figure(spec, tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert "mark-" in drawn
        assert spec["title"].split(",")[0] in drawn


def test_a_figure_of_another_kind_is_refused(pair: Audit, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        save_figure(figures(pair)["null_models"], tmp_path / "ladder.gif")
    assert str(error.value) == "a figure named 'ladder.gif'; expected a name that ends in .svg, .png or .pdf."


def test_a_figure_in_a_folder_that_cannot_be_is_refused(pair: Audit, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    path = tmp_path / "file" / "ladder.svg"
    with pytest.raises(FileError) as error:
        save_figure(figures(pair)["null_models"], path)
    assert str(error.value) == f"cannot write {path}: File exists; expected a folder that can be written."
