"""Does the page tell every question: the answer, its figures, its numbers, and why some could not be asked?"""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from polyculture.errors import InputError
from polyculture.reporting import narrative, report, terminal, with_answers
from polyculture.reporting.lead import first_table, sentences
from polyculture.reporting.page import html
from polyculture.reporting.sections import digits as in_digits
from polyculture.reporting.sections import number_table, spec_of
from polyculture.reporting.vega_bundle import bundle
from polyculture.results import Audit, Section
from polyculture.stats import Interval

CAPTIONED = [("ablation", "effects"), ("ablation", "standings"), ("evolution", "history"), ("evolution", "elites")]


def page_of(audit: Audit) -> str:
    return html(audit).replace(bundle(), "")


@pytest.mark.parametrize("name", ["whole", "large"])
def test_a_page_with_every_section_stays_below_two_megabytes(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert report(request.getfixturevalue(name), tmp_path / "page.html").stat().st_size <= 2_000_000


def test_every_section_has_its_question_answer_and_place_in_the_navigation(whole: Audit) -> None:
    page = page_of(whole)
    text = unescape(page).replace("\u00a0", " ")
    told = [section for section in whole.sections if not section.reason]
    assert re.findall(r'<section id="section-(\w+)"', page) == [section.name for section in told]
    assert re.findall(r'<a href="#section-(\w+)"', page) == [section.name for section in told]
    for section in told:
        assert f"<h2>{section.title} <a" in page
        assert all(sentence in text for sentence in sentences(section.sentence))


def test_what_could_not_be_asked_is_listed_at_the_end_with_its_reason(whole: Audit, digits: Audit) -> None:
    page = page_of(whole)
    [last] = re.findall(r'<section id="skipped".*?</section>', page, re.DOTALL)
    assert "<dt>Can anybody appeal?</dt><dd>not applicable because the table names no people</dd>" in last
    assert '<section id="skipped"' not in page_of(digits)


def test_a_section_with_numbers_and_a_reason_is_shown_with_its_warning(digits: Audit) -> None:
    section = Section("population", "And others?", "ρ = 0.4.", {"rho_population": Interval(0.4)}, reason="few models")
    page = page_of(replace(digits, sections=(section,)))
    assert '<p class="remark">few models</p>' in page
    assert '<section id="skipped"' not in page


def test_a_section_that_nobody_knows_is_shown_with_its_numbers_and_tables(whole: Audit) -> None:
    page = page_of(whole)
    [shown] = re.findall(r'<section id="section-later_idea".*?</section>', page, re.DOTALL)
    assert "new number" in shown
    assert "1,234 [1,234, 1,235]" in shown
    assert "Rows as a table" in shown
    assert "data-figure" not in shown


def test_of_the_queue_the_first_thirty_are_listed(whole: Audit) -> None:
    [shown] = re.findall(r'<section id="section-review_queue".*?</section>', page_of(whole), re.DOTALL)
    assert "<td>i0</td>" in shown
    assert "<td>i29</td>" in shown
    assert "<td>i30</td>" not in shown
    assert "The first 30 of 45 rows; the full table is" in shown
    assert "audit.section(&#x27;review_queue&#x27;).tables[&#x27;queue&#x27;]" in shown


def test_numbers_are_told_in_words_with_their_limits_method_and_warning(whole: Audit) -> None:
    shown = number_table(whole.section("joint_failures"))
    assert shown.headings == ("number", "estimate", "n", "method", "remark")
    assert shown.rows[2][:4] == (
        "ν*, share of instances that would have to take every model down",
        "0.0210 [0.0170, 0.0250]",
        "540",
        "jackknife",
    )
    assert shown.rows[3][1] == "–"
    assert shown.rows[3][4] == "no instance is failed by every model"


def test_another_level_than_95_is_told() -> None:
    section = Section("x", "?", "", {"ambiguity": Interval(0.2, 0.1, 0.3, level=0.9)})
    assert number_table(section).rows == (("ambiguity", "0.200 [0.100, 0.300] (90\u00a0%)"),)


def test_the_same_name_in_two_sections_may_mean_two_things() -> None:
    names = [
        number_table(Section(c, "?", "", {"ambiguity": Interval(0.2)})).rows[0][0]
        for c in ("multiplicity", "ensembles")
    ]
    assert names == [
        "ambiguity, instances on which near-best models disagree",
        "ambiguity, what averaging takes off the log loss",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (0.0, "0.00"),
        (2.9, "2.90"),
        (540.0, "540"),
        (1e-6, "1.0e-06"),
        (12345.6, "12,346"),
    ],
)
def test_numbers_keep_three_digits(value: float, text: str) -> None:
    assert in_digits(value) == text


def test_the_ladder_goes_on_and_its_last_rung_is_called_descriptive(whole: Audit) -> None:
    page = page_of(whole)
    assert "N3 · pattern only, descriptive · given any difficulty of the instances" in page
    assert "any difficulty of the instances (pattern only, descriptive)" in page
    assert "Diamond: descriptive" in page
    assert narrative.null_models(whole).startswith(
        "Given the share of people who err on the instance, the set is worth 5.10"
    )


def test_the_page_says_that_the_level_is_not_identified(whole: Audit, digits: Audit) -> None:
    for audit in (whole, digits):
        [said] = re.findall(r'<p class="remark" id="not-identified">(.*?)</p>', page_of(audit))
        assert "mean excess of exactly zero over all pairs" in said
        assert "Shared difficulty and shared causes leave the same traces" in said


def test_the_terminal_tells_the_first_sentence_of_every_section(whole: Audit) -> None:
    long = replace(whole.sections[0], name="long", sentence="ρ = 0.4 (p. 3, z = 1.2). The rest is on the page.")
    whole = replace(whole, sections=(*whole.sections, long))
    console = Console(file=io.StringIO(), width=80)
    terminal(whole, console)
    text = " ".join(console.file.getvalue().split())
    for section in whole.sections:
        first = section.sentence.removesuffix(" The rest is on the page.")
        assert (f"{section.title} {first}" in text) == (not section.reason)
    assert "The rest is on the page" not in text
    assert max(map(len, console.file.getvalue().splitlines())) <= 80


def test_names_that_look_like_markup_stay_text_in_every_section(hostile: Audit) -> None:
    section = Section('"><script>', "<b>title</b>", "</p>", {"<i>": Interval(1.0)}, {"<u>": hostile.pairwise.frame()})
    page = page_of(replace(hostile, sections=(section, replace(section, name="y", numbers={}, reason="<u>"))))
    assert "&lt;b&gt;title&lt;/b&gt;" in page
    assert 'id="section-&#34;&gt;&lt;script&gt;"' in page
    assert not re.search(
        r"<(b|u|i)>",
        re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL).split("pictures")[0].split('<p class="dots"')[0],
    )


def test_tables_of_levers_and_of_breeding_say_how_to_read_them(whole: Audit) -> None:
    page = page_of(whole)
    captions = [spec_of(whole.section(name)).tables[table].caption for name, table in CAPTIONED]
    assert all(caption and caption in page for caption in captions)


def test_all_that_levers_change_is_in_the_table_under_the_figures(whole: Audit) -> None:
    section = whole.section("ablation")
    one = section.tables["effects"].query("lever == 'dropout'")
    many = pd.concat([one.assign(lever=f"lever-{k}") for k in range(30)], ignore_index=True)
    page = page_of(replace(whole, sections=(replace(section, tables={"effects": many}),)))
    section = page[page.index('id="section-ablation"') :]
    assert f">{len(many)} rows<" in section
    assert all(f"<td>lever-{k}</td>" in section for k in range(30))


def test_abbreviations_keep_their_capitals(whole: Audit) -> None:
    page = page_of(whole)
    assert "ROC as a table" in page
    assert "AUC as a table" in page
    assert "Fail at k as a table" in page


def headings(page: str) -> list[str]:
    return re.findall(r"<h1[^>]*>(.*?)</h1>|<h2[^>]*>(.*?)</h2>", page, re.DOTALL)


def test_answers_lead_the_page_and_survive_in_the_json(digits: Audit, tmp_path: Path) -> None:
    answer = Section("difference", "How do they differ?", "ρ is 0.1 [0.0, 0.2] higher; that is little.")
    page = page_of_answers(digits, [answer])
    assert "".join(headings(page)[0]).replace("<span>", "").replace("</span>", "") == answer.sentence
    stored = Audit.from_json(with_answers(digits, [answer]).to_json())
    assert stored.facts["answers"] == ["difference"]
    assert page_of(stored) == page


def test_a_page_may_have_answers_only(tmp_path: Path) -> None:
    answer = Section("difference", "How do they differ?", "Not at all.", {"rho": Interval(0.4, 0.3, 0.5)})
    path = report(None, tmp_path / "page.html", [answer])
    page = path.read_text(encoding="utf-8").replace(bundle(), "")
    assert "<title>Not at all.</title>" in page
    assert "0.400 [0.300, 0.500]" in page
    with pytest.raises(InputError) as error:
        report(None, tmp_path / "page.html")
    assert str(error.value) == "a page of nothing; expected an audit, or sections as answers."


def page_of_answers(audit: Audit | None, answers: list[Section]) -> str:
    return html(audit, answers).replace(bundle(), "")


def test_an_answer_that_does_not_apply_says_why() -> None:
    answer = Section("difference", "How do they differ?", "", reason="no common instances")
    assert "<title>Not applicable because no common instances.</title>" in page_of_answers(None, [answer])


def test_the_first_rows_of_an_ablation_and_an_evolution_are_on_the_first_screen(whole: Audit) -> None:
    shown = first_table(whole.section("evolution"))
    assert shown is not None
    assert [row[:2] for row in shown.rows] == [("0", "16"), ("1", "24"), ("2", "32")]
    assert [row[3] for row in shown.rows] == ["–", "0.0500 [0.0200, 0.0800]", "0.0100 [-0.0100, 0.0300]"]
    measures = ["accuracy"] * 2 + ["n_eff_pair"] * 2 + ["operations"] * 2
    effects = pd.DataFrame({"lever": ["a", "b"] * 3, "measure": measures})
    effects = effects.assign(change=[-0.01, 0.02, 1.1, math.nan, 2.0, 1.0], low=[-0.02, 0.01, 1.0, math.nan, 1.0, 1.0])
    effects = effects.assign(high=[0.0, 0.03, 1.2, math.nan, 3.0, 1.0])
    shown = first_table(Section("ablation", "?", "", {}, {"effects": effects}))
    assert shown is not None
    assert shown.headings == ("change", "test accuracy, points", "n_eff of a mixed pair", "cost")
    assert shown.rows == (
        ("b", "+2.0 [1.0, 3.0]", "–", "×1.00"),
        ("a", "-1.0 [-2.0, 0.0]", "×1.10 [1.00, 1.20]", "×2.00"),
    )


@pytest.mark.parametrize("name", ["portfolio", "ablation", "evolution"])
def test_a_section_that_is_no_question_of_an_audit_leads(name: str, whole: Audit, digits: Audit) -> None:
    page = page_of(replace(digits, sections=(*digits.sections, whole.section(name))))
    assert whole.section(name).sentence.split("; ")[0][:40] in "".join(headings(page)[0])
