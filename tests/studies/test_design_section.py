"""What a design can identify, and which of two sets is more alike: as sections with a picture."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polyculture.auditing import compare
from polyculture.errors import InputError
from polyculture.recipe import describe, design
from polyculture.results import Section
from polyculture.testing import tiny_predictions


def test_a_design_gives_a_section_with_its_sentence_its_table_and_a_picture() -> None:
    axes = {"architecture": ["mlp", "knn"], "data": ["half-a", "half-b"], "seed": [0, 1, 2]}
    description = describe(design("full", axes))
    section = description.section
    assert isinstance(section, Section)
    assert section.sentence == description.sentence
    assert section.frame("axes").equals(description.frame())
    figure = section.plot("inflation")
    assert [row["axis"] for row in figure["data"]["values"]] == ["architecture", "data", "seed"]
    assert all(1 <= row["value"] < 1.1 for row in figure["data"]["values"])


def test_a_design_that_identifies_nothing_has_the_table_with_the_reasons_and_no_picture() -> None:
    recipes = design("full", {"architecture": ["mlp", "knn"], "seed": [0, 1, 2, 3, 4, 5]})
    aliased = [replace(r, data="half-a" if r.architecture == "mlp" else "half-b") for r in recipes]
    section = describe(aliased).section
    assert (section.frame("axes")["tested_by"] == "").all()
    assert (section.frame("axes")["note"] != "").all()
    with pytest.raises(InputError, match="no figure"):
        section.plot("inflation")


def test_a_comparison_shows_both_sets_and_their_difference() -> None:
    section = compare(tiny_predictions(sizes=(1, 1, 1)), tiny_predictions(sizes=(3,)))
    rows = section.plot("rho")["data"]["values"]
    assert [row["set"] for row in rows] == ["first set", "second set", "second less first"]
    estimates = [section.numbers[name].estimate for name in ("rho_first", "rho_second", "rho_change")]
    assert [row["value"] for row in rows] == pytest.approx(estimates, abs=1e-5)
    assert rows[2]["strong"]
