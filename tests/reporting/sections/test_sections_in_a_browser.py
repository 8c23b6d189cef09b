"""What does a reader find of the sections in a real browser, on a desk, on a phone, at night, on paper?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from polyculture.reporting.audit_figures import figures
from polyculture.results import Audit, Section

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
pytestmark = pytest.mark.slow

Open = Callable[..., Any]


def marks(page: Any, figure: str, kind: str) -> int:
    return int(page.locator(f"#figure-{figure} svg .mark-{kind}.role-mark path").count())


def opened(page: Any) -> Any:
    """The page with every section open and its figures drawn at their full width."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.wait_for_timeout(600)
    return page


def overflow(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def test_a_reader_finds_every_figure_of_every_section(visit: Open, whole: Audit) -> None:
    page = visit(whole)
    assert page.locator("[data-figure] svg").count() == len(figures(whole))
    assert page.locator("section.section h2").all_text_contents() == [
        f"{c.title} #" for c in whole.sections if not c.reason
    ]
    assert marks(page, "null_models", "symbol") == 4
    assert marks(page, "pair_excess_pairs", "rect") == 36 * 35
    assert marks(page, "joint_failures_fail_at_k", "symbol") == 16 + 19 + 1
    assert marks(page, "groups_groups", "symbol") == 12
    assert marks(page, "review_queue_queue", "rect") == 4
    assert marks(page, "generalization_gaps", "symbol") == 36 * 7
    assert marks(page, "calibration_models", "symbol") == 37
    assert marks(page, "ensembles_vote", "rect") == 4
    assert marks(page, "attribution_shares", "rect") == 4
    assert page.locator("#figure-attribution_shares svg").text_content().count("[") == 4
    assert overflow(page) <= 0


def test_a_reader_looks_at_one_model_and_the_choice_outlives_a_change_of_width(visit: Open, whole: Audit) -> None:
    page = opened(visit(whole))
    table = whole.section("classes").tables["confusion"]
    cells = {name: len(part) for name, part in table.groupby("model")}
    name = next(m for m in whole.pairwise.models if cells[m] != cells["(all)"])
    drawn = page.locator("#figure-classes_confusion svg .mark-rect.role-mark path")
    expect(drawn).to_have_count(cells["(all)"])
    page.locator("#figure-classes_confusion + .choices select").select_option(label=name)
    expect(drawn).to_have_count(cells[name])
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_timeout(600)
    expect(drawn).to_have_count(cells[name])
    assert page.locator("#figure-classes_confusion + .choices select").input_value() == str(
        1 + whole.pairwise.models.index(name)
    )


def test_another_class_has_other_curves(visit: Open, whole: Audit) -> None:
    page = opened(visit(whole))
    curve = page.locator("#figure-classes_roc svg .mark-line path").nth(1)
    before = curve.get_attribute("d")
    page.locator("#figure-classes_roc + .choices select").select_option(label="3")
    page.wait_for_timeout(300)
    assert curve.get_attribute("d") != before
    assert page.locator("#figure-classes_roc svg .mark-line path").count() == 1 + 36


def test_a_pair_on_the_line_tells_its_names(visit: Open, whole: Audit) -> None:
    page = opened(visit(whole))
    page.locator("#figure-generalization_line svg .mark-symbol path").last.hover(force=True)
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    assert any(name in tip.text_content() for name in whole.pairwise.models)
    assert "%" in tip.text_content()


@pytest.mark.parametrize("name", ["whole", "large"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_on_a_phone(name: str, scheme: str, visit: Open, request: pytest.FixtureRequest) -> None:
    page = visit(request.getfixturevalue(name), 360, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert overflow(page) <= 0
    outside = page.evaluate(
        """[...document.querySelectorAll("[data-figure]")].flatMap((box) => {
          const edge = box.getBoundingClientRect().right + 6;
          const far = (text) => text.getBoundingClientRect().right > edge;
          return [...box.querySelectorAll("svg text")].filter(far).map((text) => `${box.id}: ${text.textContent}`);
        })"""
    )
    assert outside == []


def test_paper_shows_every_figure_and_table_and_no_choice(visit: Open, whole: Audit) -> None:
    page = visit(whole, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("details:not([open])")).to_have_count(0)
    assert page.locator("[data-figure] svg:visible").count() == len(figures(whole))
    assert page.locator("select:visible").count() == 0
    page.set_viewport_size({"width": 700, "height": 1000})
    page.wait_for_timeout(300)
    assert overflow(page) <= 0


def test_degenerate_sections_are_shown_without_complaint(visit: Open, whole: Audit) -> None:
    def one_row(section: Section) -> Section:
        return replace(section, tables={name: frame.head(1) for name, frame in section.tables.items()})

    def empty(section: Section) -> Section:
        tables = {name: pd.DataFrame(columns=frame.columns) for name, frame in section.tables.items()}
        return replace(section, numbers={}, tables=tables)

    for change in (one_row, empty):
        page = visit(replace(whole, sections=tuple(change(c) for c in whole.sections if not c.reason)))
        assert overflow(page) <= 0
