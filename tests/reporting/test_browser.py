"""What does a reader find who opens the page in a real browser, on a desk, on a phone, at night, on paper?"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from polyculture.results import Audit

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
pytestmark = pytest.mark.slow

Open = Callable[..., Any]


def overflow(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def opened(page: Any) -> Any:
    """The page with every section open and its figures drawn at their full width."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.wait_for_timeout(600)
    return page


def marks(page: Any, figure: str, kind: str) -> int:
    return int(page.locator(f"#figure-{figure} svg .mark-{kind}.role-mark path").count())


def test_a_reader_finds_the_sentence_and_every_figure(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    assert page.locator("h1").text_content() == digits.sentence
    assert page.title() == digits.sentence
    assert page.locator("[data-figure] svg").count() == 6
    assert marks(page, "null_models", "symbol") == 2
    assert marks(page, "leaderboard", "symbol") >= 36
    assert marks(page, "pairwise", "rect") == 36 * 35
    assert marks(page, "systemic", "rect") == 37
    assert marks(page, "shift_n_eff", "area") == 5
    assert page.locator(".pictures img").first.evaluate("(one) => one.naturalWidth") == 8
    names = page.locator("#figure-leaderboard svg").text_content()
    assert all(name in names for name in digits.leaderboard.table["model"])


def test_a_cell_of_the_matrix_tells_its_pair(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    cell = page.locator("#figure-pairwise svg .mark-rect.role-mark path").first
    cell.scroll_into_view_if_needed()
    cell.hover()
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    text = tip.text_content()
    order = [digits.pairwise.models[k] for k in digits.pairwise.order]
    assert order[0] in text
    assert order[1] in text
    assert "κ" in text
    assert "540" in text


def ticks(page: Any, figure: str) -> list[str]:
    return sorted(page.locator(f"#figure-{figure} svg .role-axis-label text").all_text_contents())


@pytest.mark.parametrize("name", ["leaderboard", "pairwise"])
def test_zooming_changes_the_axes_and_a_double_click_brings_them_back(name: str, visit: Open, digits: Audit) -> None:
    page = opened(visit(digits))
    box = page.locator(f"#figure-{name} svg")
    box.scroll_into_view_if_needed()
    bounds, before = box.bounding_box(), ticks(page, name)
    middle = bounds["x"] + bounds["width"] / 2, bounds["y"] + bounds["height"] / 2
    top = page.evaluate("scrollY")
    page.mouse.move(*middle)
    page.keyboard.down("Alt")
    page.mouse.wheel(0, -500)
    page.keyboard.up("Alt")
    page.wait_for_timeout(300)
    near = ticks(page, name)
    assert near != before
    assert page.evaluate("scrollY") == top
    page.mouse.down()
    page.mouse.move(middle[0] + 150, middle[1] + 60, steps=4)
    page.mouse.up()
    page.wait_for_timeout(200)
    assert ticks(page, name) != near
    page.mouse.dblclick(*middle)
    page.wait_for_timeout(300)
    assert ticks(page, name) == before
    assert "Alt or Ctrl with the wheel zooms" in page.locator(f".part:has(#figure-{name}) .caption").text_content()


def test_the_wheel_alone_scrolls_the_page_and_leaves_the_figure(visit: Open, digits: Audit) -> None:
    page = opened(visit(digits))
    box = page.locator("#figure-pairwise svg")
    box.scroll_into_view_if_needed()
    bounds, before, top = box.bounding_box(), ticks(page, "pairwise"), page.evaluate("scrollY")
    page.mouse.move(bounds["x"] + 300, bounds["y"] + 300)
    page.mouse.wheel(0, 120)
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") == top + 120
    assert ticks(page, "pairwise") == before


def test_tables_open_on_demand_and_hold_the_numbers(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    assert page.locator("details[open]").count() == 0
    for summary in page.locator("summary").all():
        summary.click()
    assert page.locator("details[open] table:visible").count() == 7
    assert page.locator("#leaderboard tbody tr").count() == 36
    assert page.locator("#pairs tbody tr").count() == 30
    assert overflow(page) <= 0


@pytest.mark.parametrize("name", ["digits", "imagenet", "crowd", "pair", "perfect", "hostile"])
def test_nothing_sticks_out_on_a_phone(name: str, visit: Open, request: pytest.FixtureRequest) -> None:
    page = visit(request.getfixturevalue(name), 360)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert overflow(page) <= 0
    for box in page.locator("[data-figure] svg").all():
        bounds = box.bounding_box()
        assert bounds["x"] >= 0
        assert bounds["x"] + bounds["width"] <= 360


def test_figures_follow_the_width_of_the_window(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    wide = page.locator("#figure-systemic svg").bounding_box()["width"]
    page.set_viewport_size({"width": 500, "height": 900})
    narrow = re.compile(r"^[34]\d\d(\.\d+)?$")
    expect(page.locator("#figure-systemic svg")).to_have_attribute("width", narrow)
    expect(page.locator("#figure-leaderboard svg")).to_have_attribute("width", narrow)
    assert wide > 500


def test_the_page_is_dark_where_the_reader_likes_it_dark(visit: Open, digits: Audit) -> None:
    shades = {}
    for scheme in ("light", "dark"):
        page = visit(digits, scheme=scheme)
        shades[scheme] = [
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
            page.locator("#figure-systemic svg .mark-rect path").first.evaluate("(one) => getComputedStyle(one).fill"),
        ]
    assert shades["light"] == ["rgb(254, 254, 254)", "rgb(31, 111, 178)"]
    assert shades["dark"] == ["rgb(21, 25, 30)", "rgb(107, 177, 238)"]


def test_paper_is_light_and_shows_figures_and_tables(visit: Open, digits: Audit) -> None:
    page = visit(digits, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("details:not([open])")).to_have_count(0)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(254, 254, 254)"
    assert page.locator("table:visible").count() == 7
    assert page.locator("[data-figure] svg:visible").count() == 6
    assert not page.locator("nav").is_visible()
    assert not page.locator("summary:visible, button:visible, .anchor:visible").count()
    page.set_viewport_size({"width": 700, "height": 1000})
    assert overflow(page) <= 0
    page.emulate_media(media="screen")
    expect(page.locator("details[open]")).to_have_count(0)


def test_without_javascript_the_tables_say_it_all(visit: Open, digits: Audit) -> None:
    page = visit(digits, javascript=False)
    assert page.locator("h1").text_content() == digits.sentence
    assert page.locator("table:visible").count() == 7
    assert page.locator(".chart:visible, button:visible, input:visible").count() == 0
    assert page.locator(".static svg:visible").count() == 1
    assert page.locator("#figure-null_models").count() == 1
    assert page.locator("#leaderboard tbody tr").count() == 36


@pytest.mark.parametrize("name", ["pair", "perfect", "hostile", "crowd"])
def test_odd_audits_are_drawn_without_complaint(name: str, visit: Open, request: pytest.FixtureRequest) -> None:
    audit = request.getfixturevalue(name)
    page = visit(audit)
    assert page.locator("h1").text_content() == audit.sentence
    assert page.locator("[data-figure] svg").count() == 4
    assert overflow(page) <= 0


def test_names_that_look_like_markup_are_shown_as_they_are(visit: Open, hostile: Audit) -> None:
    page = visit(hostile)
    page.locator("#figure-leaderboard svg .mark-symbol path").first.hover()
    page.locator("#vg-tooltip-element.visible").wait_for()
    assert hostile.leaderboard.table["model"].iloc[0] in page.locator("#vg-tooltip-element").text_content()
    assert page.locator("#vg-tooltip-element b, #vg-tooltip-element script").count() == 0
