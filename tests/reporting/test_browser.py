"""What does a reader find who opens the page in a real browser, on a desk, on a phone, at night, on paper?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from polyculture.reporting import report
from polyculture.results import Audit

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")]

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open the page of an audit; afterwards nothing may have been complained about or asked of the network."""
    complaints: list[str] = []
    requests: list[str] = []
    contexts: list[Any] = []

    def open_page(audit: Audit, width: int = 1280, *, javascript: bool = True, scheme: str = "light") -> Any:
        path = report(audit, tmp_path / "page.html")
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=javascript
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        if javascript:
            page.wait_for_selector("html[data-figures=drawn]", timeout=30_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url.split(":")[0] for url in requests if not url.startswith("data:")} == {"file"}
    assert len([url for url in requests if url.startswith("file:")]) == len(contexts)


def overflow(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def marks(page: Any, figure: str, kind: str) -> int:
    return int(page.locator(f"#figure-{figure} svg .mark-{kind}.role-mark path").count())


def test_a_reader_finds_the_sentence_and_every_figure(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    assert page.locator("h1").text_content() == digits.sentence
    assert page.title() == digits.sentence
    assert page.locator("[data-figure] svg").count() == 6
    assert marks(page, "ladder", "symbol") == 2
    assert marks(page, "standing", "symbol") >= 36
    assert marks(page, "pairwise", "rect") == 36 * 35
    assert marks(page, "systemic", "rect") == 37
    assert marks(page, "shift_n_eff", "area") == 5
    assert page.locator(".pictures img").first.evaluate("(one) => one.naturalWidth") == 8
    names = page.locator("#figure-standing svg").text_content()
    assert all(name in names for name in digits.standing.table["model"])


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


def test_tables_open_on_demand_and_hold_the_numbers(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    assert page.locator("details[open]").count() == 0
    for summary in page.locator("summary").all():
        summary.click()
    assert page.locator("details[open] table:visible").count() == 7
    assert page.locator("#standing tbody tr").count() == 36
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
    page.wait_for_function("document.querySelector('#figure-systemic svg').getBoundingClientRect().width < 500")
    assert wide > 800
    page.wait_for_function("document.querySelector('#figure-standing svg').getAttribute('width') < 500")


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
    page.wait_for_function("document.querySelectorAll('details:not([open])').length === 0")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(254, 254, 254)"
    assert page.locator("table:visible").count() == 7
    assert page.locator("[data-figure] svg:visible").count() == 6
    assert not page.locator("nav").is_visible()
    page.set_viewport_size({"width": 700, "height": 1000})
    assert overflow(page) <= 0
    page.emulate_media(media="screen")
    page.wait_for_function("document.querySelectorAll('details[open]').length === 0")


def test_without_javascript_the_tables_say_it_all(visit: Open, digits: Audit) -> None:
    page = visit(digits, javascript=False)
    assert page.locator("h1").text_content() == digits.sentence
    assert page.locator("table:visible").count() == 7
    assert page.locator(".chart:visible").count() == 0
    assert page.locator("#standing tbody tr").count() == 36


@pytest.mark.parametrize("name", ["pair", "perfect", "hostile", "crowd"])
def test_odd_audits_are_drawn_without_complaint(name: str, visit: Open, request: pytest.FixtureRequest) -> None:
    audit = request.getfixturevalue(name)
    page = visit(audit)
    assert page.locator("h1").text_content() == audit.sentence
    assert page.locator("[data-figure] svg").count() == 4
    assert overflow(page) <= 0


def test_names_that_look_like_markup_are_shown_as_they_are(visit: Open, hostile: Audit) -> None:
    page = visit(hostile)
    page.locator("#figure-standing svg .mark-symbol path").first.hover()
    page.locator("#vg-tooltip-element.visible").wait_for()
    assert hostile.standing.table["model"].iloc[0] in page.locator("#vg-tooltip-element").text_content()
    assert page.locator("#vg-tooltip-element b, #vg-tooltip-element script").count() == 0
