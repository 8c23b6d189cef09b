"""Are long names told apart in the pictures, and are the whole name and the recipe of a model on hover?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import polyculture as pc
from polyculture.reporting.audit_figures import figures
from polyculture.reporting.charts.model_labels import label_by_name, model_labels, pair_labels
from polyculture.results import Audit

NAMES = [f"vendor/very-long-model-name-of-the-same-kind-{k:04d}" for k in range(12)]


@pytest.fixture(scope="module")
def audit() -> Audit:
    wrong = np.random.default_rng(0).random((12, 400)) < np.linspace(0.1, 0.5, 12)[:, None]
    rows = (1 - wrong.astype(int)).tolist()
    return pc.audit(pc.Predictions.from_correct(dict(zip(NAMES, rows, strict=True))))


def labels(page: Any, figure: str) -> list[str]:
    """Texts at the rows, from top to bottom."""
    return [str(text) for text in page.locator(f"#figure-{figure} svg .role-axis-label text").all_text_contents()]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_rows_of_long_names_are_told_apart(visit: Callable[..., Any], audit: Audit, width: int) -> None:
    page = visit(audit, width)
    for figure in ("leaderboard", "pairwise"):
        texts = [text for text in labels(page, figure) if text.startswith("ven")]
        assert len(set(texts)) == 12, texts
        assert all(text[-4:].isdigit() for text in texts), texts


@pytest.mark.slow
def test_the_whole_name_and_the_recipe_are_on_hover(visit: Callable[..., Any], audit: Audit) -> None:
    table = audit.leaderboard.table.assign(architecture="mlp", data="half-a")
    page = visit(replace(audit, leaderboard=replace(audit.leaderboard, table=table)))
    dot = page.locator("#figure-leaderboard svg .mark-symbol.role-mark path").first
    dot.scroll_into_view_if_needed()
    dot.hover()
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    text = tip.text_content()
    assert str(table["model"].iloc[0]) in text
    assert "architecture mlp, data half-a" in text


def test_figures_without_factors_stay_as_they_are(audit: Audit) -> None:
    specs = figures(audit)
    assert "recipe" not in str(specs["leaderboard"]) + str(specs["pairwise"])


def test_unknown_factors_are_left_out(audit: Audit) -> None:
    table = audit.leaderboard.table.assign(size=[math.nan, 7.5, *[7e8] * 10], family=["", "", *["a"] * 10])
    spec = figures(replace(audit, leaderboard=replace(audit.leaderboard, table=table)))["leaderboard"]
    recipes = next(param["value"] for param in spec["params"] if param["name"] == "recipes")
    models = [str(model) for model in table["model"]]
    assert models[0] not in recipes
    assert recipes[models[1]] == "size 7.500"
    assert recipes[models[2]] == "size 700,000,000, family a"


def test_short_names_need_no_second_list() -> None:
    assert model_labels(["a", "b"], 190).params == [{"name": "names", "value": ["a", "b"]}]
    assert label_by_name(["a", "b"], 190) == ([], {})
    assert pair_labels(["a"], ["b"], 320).params == [{"name": "names", "value": ["a ↔ b"]}]


def test_pairs_of_long_names_have_room_for_both() -> None:
    texts = pair_labels(NAMES[:2], NAMES[2:4], 320)
    wide = [f"vendor/very-long…-000{k} ↔ vendor/very-long…-000{k + 2}" for k in range(2)]
    assert (texts.wide, texts.narrow) == (wide, ["ve…-0000 ↔ ve…-0002", "ve…-0001 ↔ ve…-0003"])
