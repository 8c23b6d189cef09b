"""What does a reader see first, and how does a reader find the way from there?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from polyculture.reporting import report, with_answers
from polyculture.results import Audit, Section
from polyculture.stats import Interval

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
pytestmark = pytest.mark.slow

Open = Callable[..., Any]

SCREENS = [(1280, 800), (390, 844)]


@pytest.fixture(scope="session")
def selected(digits: Audit) -> Audit:
    """The audit of the candidates of a selection, led by the portfolio."""
    names = digits.pairwise.models[:2]
    rivals = [f"best single model ({names[0]})", "the 2 best single models together", "all 36 with equal weights"]
    gains = pd.DataFrame({"loss": "error", "rival": rivals, "gain": [0.004, -0.002, 0.03]})
    gains = gains.assign(low=[-0.01, -0.01, 0.01], high=[0.02, 0.01, 0.05])
    shifts = pd.DataFrame({"shift": ["noise@1", "shift@5"], "error": [0.1, 0.6]})
    numbers = {"error": Interval(0.05, 0.04, 0.07), "worst_shift": Interval(0.6, 0.5, 0.7)}
    sentence = f"Keep 2 of 36 models ({names[0]}, {names[1]}): error 5.00 % [4.00 %, 7.00 %]. They fail like 1.4."
    answer = Section("portfolio", "Which few should be kept?", sentence, numbers, {"gains": gains, "shifts": shifts})
    command = "polyculture export digits-portfolio --out bundle"
    return with_answers(replace(digits, facts={**digits.facts, "next": command}), [answer])


def in_first_screen(page: Any, selector: str, height: int) -> bool:
    bounds = page.locator(selector).first.bounding_box()
    return bounds is not None and bounds["y"] >= 0 and bounds["y"] + bounds["height"] <= height


@pytest.mark.parametrize(("width", "height"), SCREENS)
@pytest.mark.parametrize("name", ["digits", "selected"])
def test_the_first_screen_has_the_answer_its_figure_what_matters_and_what_is_next(
    width: int, height: int, name: str, visit: Open, request: pytest.FixtureRequest
) -> None:
    audit = request.getfixturevalue(name)
    page = visit(audit, width, height=height)
    figure = "#figure-portfolio_gains_error svg" if name == "selected" else "#figure-null_models svg"
    for selector in ("h1", figure, ".top li:last-child", ".commands code", ".commands .copy"):
        assert in_first_screen(page, selector, height), selector
    severities = [part.get_attribute("class") for part in page.locator(".top li").all()]
    assert severities == ["alert", "warning"]
    if name == "selected":
        sentence = page.locator("h1").text_content().replace("\u00a0", " ")
        assert sentence == audit.sections[0].sentence.removesuffix(" They fail like 1.4.")
        assert page.locator("#audit[open]").count() == 0


def test_select_leads_with_its_errors_against_every_baseline_and_on_the_worst_shift(
    visit: Open, selected: Audit
) -> None:
    page = visit(selected)
    rows = page.locator(".brief tbody tr").all()
    cells = [[c.replace("\u00a0", " ") for c in row.locator("td").all_text_contents()] for row in rows]
    assert [row[1] for row in cells] == [
        "5.00 % [4.00 %, 7.00 %]",
        "5.40 %",
        "4.80 %",
        "8.00 %",
        "60.00 % [50.00 %, 70.00 %]",
    ]
    assert [row[2] for row in cells[1:4]] == [
        "0.40 % [-1.00 %, 2.00 %]",
        "-0.20 % [-1.00 %, 1.00 %]",
        "3.00 % [1.00 %, 5.00 %]",
    ]
    assert cells[4][0] == "this portfolio on the worst shift, shift@5"


def test_sections_are_folded_to_a_sentence_and_a_picture(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    part = page.locator("#leaderboard")
    assert part.locator(".message").first.is_visible()
    assert part.locator("svg").is_visible()
    assert not part.locator("table").is_visible()
    part.locator("summary").click()
    expect(part.locator("table")).to_be_visible()
    assert page.locator("details[open]").count() == 1


def test_a_link_opens_the_section_that_it_leads_to(visit: Open, selected: Audit) -> None:
    page = visit(selected, anchor="#pairs")
    expect(page.locator("#pairs table").first).to_be_visible()
    assert page.locator("#audit[open]").count() == 1
    page.wait_for_timeout(300)
    assert abs(page.locator("#pairs").bounding_box()["y"]) < 60
    assert not page.locator("#systemic table").first.is_visible()
    page.locator('#contents a[href="#systemic"]').click()
    expect(page.locator("#systemic table").first).to_be_visible()
    assert page.evaluate("location.hash") == "#systemic"
    page.locator("#systemic h2").hover()
    assert page.locator("#systemic h2 .anchor").get_attribute("href") == "#systemic"


@pytest.mark.parametrize("anchor", ["#%E0%A4%A", "#nowhere", "#"])
def test_a_broken_link_leads_to_the_top(anchor: str, visit: Open, digits: Audit) -> None:
    page = visit(digits, anchor=anchor)
    assert page.locator("details[open]").count() == 0
    assert page.evaluate("scrollY") == 0


def test_the_contents_name_every_section_and_its_state(visit: Open, whole: Audit) -> None:
    page = visit(whole)
    links = page.locator("#contents li a")
    for link in links.all():
        assert page.locator(link.get_attribute("href")).count() == 1
    states = dict(zip(links.all_text_contents(), page.locator("#contents li").all_text_contents(), strict=True))
    assert states["Answer"] == "Answer (alert)"
    assert states["Recourse"] == "Recourse (not applicable)"
    assert page.locator('#contents a[href="#limits"]').is_visible()


def test_on_a_phone_the_contents_are_a_menu(visit: Open, digits: Audit) -> None:
    page = visit(digits, 390, height=844)
    link = page.locator('#contents a[href="#pairs"]')
    assert not link.is_visible()
    page.locator(".menu").click()
    assert page.locator(".menu").get_attribute("aria-expanded") == "true"
    link.click()
    expect(link).not_to_be_visible()
    expect(page.locator("#pairs table").first).to_be_visible()


def test_a_model_is_marked_in_every_figure_and_table_and_nothing_else_opens(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    name = digits.pairwise.models[5]
    page.locator("#find").fill(name)
    expect(page.locator("#leaderboard tr.hit")).to_have_count(1)
    assert page.locator("#leaderboard tr.hit td").first.text_content() == name
    assert page.locator("#figure-leaderboard svg path.hit").count() >= 1
    assert page.locator("#figure-pairwise svg path.hit").count() == 2 * (digits.n_models - 1)
    assert page.locator("details[open]").count() == 0
    assert page.locator("#leaderboard .hits").text_content() == "1 marked"
    assert page.locator("#hits").text_content().startswith("marked in ")
    page.locator("#leaderboard summary").click()
    page.wait_for_timeout(500)
    assert page.locator("#figure-leaderboard svg path.hit").count() >= 1
    page.locator("#find").fill("")
    expect(page.locator(".hit")).to_have_count(0)


def test_an_instance_is_marked_among_the_hardest(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    instance = str(digits.systemic.hardest["instance"].iloc[1])
    page.locator("#find").fill(instance)
    marked = page.locator(".pictures li.hit")
    assert [part.get_attribute("data-instance") for part in marked.all()] == [instance]


def test_findings_of_one_severity_are_shown_alone(visit: Open, digits: Audit) -> None:
    page = visit(digits)
    page.locator('[data-show="warning"]').click()
    assert page.locator(".findings li:visible").count() == 1
    assert page.locator(".findings li:visible").get_attribute("class") == "warning"
    assert page.locator('[data-show="warning"]').get_attribute("aria-pressed") == "true"
    page.locator('[data-show=""]').click()
    assert page.locator(".findings li:visible").count() == 3


@pytest.mark.parametrize("name", ["digits", "imagenet", "crowd", "whole", "large", "selected"])
def test_the_page_is_at_most_eight_thousand_pixels_long(name: str, visit: Open, request: pytest.FixtureRequest) -> None:
    page = visit(request.getfixturevalue(name), height=800)
    assert page.evaluate("document.documentElement.scrollHeight") <= 8_000


def test_paper_unfolds_the_audit_behind_the_answer(visit: Open, selected: Audit) -> None:
    page = visit(selected)
    page.emulate_media(media="print")
    expect(page.locator("details:not([open])")).to_have_count(0)
    expect(page.locator("#leaderboard table")).to_be_visible()
    assert page.locator("#figure-pairwise svg").is_visible()
    assert not page.locator("button:visible").count()


def test_a_command_is_copied(visit: Open, selected: Audit) -> None:
    page = visit(selected)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".copy").click()
    expect(page.locator(".copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == selected.facts["next"]


def test_a_page_of_answers_only_is_complete(browser: Any, tmp_path: Any) -> None:
    answer = Section("difference", "How do they differ?", "By 1.5 % [1 %, 2 %].", {"rho": Interval(0.4, 0.3, 0.5)})
    path = report(None, tmp_path / "page.html", [answer], next_command="polyculture audit b.csv")
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-figures=drawn]")
    assert page.locator("h1").text_content() == "By 1.5\u00a0% [1\u00a0%, 2\u00a0%]."
    assert page.locator(".commands code").text_content() == "polyculture audit b.csv"
    assert page.locator(".brief td").last.text_content() == "0.400 [0.300, 0.500]"
    assert complaints == []
    page.close()


NAMED = """() => {
  const faults = [];
  const shown = (one) => one.getClientRects().length > 0 && !one.closest("[aria-hidden=true]");
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) faults.push(`id ${id} twice`);
  for (const image of document.querySelectorAll("[role=img], img")) {
    if (shown(image) && !(image.getAttribute("aria-label") || image.alt)) faults.push("picture without words");
  }
  for (const mark of document.querySelectorAll("svg [role], svg[role]")) {
    if (shown(mark)) faults.push("role in a picture");
  }
  for (const control of document.querySelectorAll("button, a, input, select")) {
    const words = control.textContent.trim() || control.getAttribute("aria-label") || control.labels?.length;
    if (shown(control) && !words) faults.push(`no name: ${control.outerHTML.slice(0, 80)}`);
  }
  const regions = [...document.querySelectorAll("[role=region]")].map((one) => one.getAttribute("aria-label"));
  if (new Set(regions).size < regions.length) faults.push("two regions of one name");
  const levels = [...document.querySelectorAll("h1, h2, h3")].map((one) => Number(one.tagName[1]));
  levels.forEach((level, k) => {
    if (level > (levels[k - 1] ?? 0) + 1) faults.push(`heading ${level} after ${levels[k - 1]}`);
  });
  for (const box of document.querySelectorAll(".scroll")) if (box.tabIndex !== 0) faults.push("no key scrolls a table");
  return faults;
}"""
"""The rules of accessibility that this page is most likely to break, as axe-core has them."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["whole", "selected"])
def test_everything_has_a_name_for_those_who_do_not_see(
    name: str, scheme: str, visit: Open, request: pytest.FixtureRequest
) -> None:
    page = visit(request.getfixturevalue(name), scheme=scheme)
    assert page.evaluate(NAMED) == []
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.wait_for_timeout(500)
    assert page.evaluate(NAMED) == []
