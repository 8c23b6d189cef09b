"""Is the page whole, safe, small, and true to the audit?"""

from __future__ import annotations

import json
import math
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture
from polyculture.errors import FileError, InputError, visible
from polyculture.reporting import narrative, report
from polyculture.reporting.page import commands, dots, html
from polyculture.reporting.png import data_uri, png
from polyculture.reporting.vega_bundle import bundle
from polyculture.results import Audit
from polyculture.results.summary import tiles
from polyculture.results.tables import fact_list
from polyculture.stats import Interval

ALL = ["digits", "imagenet", "crowd", "pair", "perfect", "hostile"]


class Reader(HTMLParser):
    """Elements and text of a page, as a browser would split them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def without_bundle(page: str) -> str:
    return page.replace(bundle(), "")


@pytest.mark.parametrize("name", ALL)
def test_every_page_stays_below_two_megabytes_and_loads_nothing(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = report(request.getfixturevalue(name), tmp_path / "page.html")
    assert path.stat().st_size <= 2_000_000
    page = without_bundle(path.read_text(encoding="utf-8"))
    loads = [value for _, attributes in Reader(page).tags for key in ("src", "href") if (value := attributes.get(key))]
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in loads)
    assert set(re.findall(r"https?://[^\"'\s]+", page)) == {"https://vega.github.io/schema/vega-lite/v6.json"}
    assert not re.search(r"\bfetch\(|XMLHttpRequest|@import|url\(|import\(", page)
    assert "default-src 'none'" in page
    assert "unsafe-eval" not in page


@pytest.mark.parametrize("name", ALL)
def test_the_first_sentence_of_the_page_is_the_sentence_of_the_audit(name: str, request: pytest.FixtureRequest) -> None:
    audit = request.getfixturevalue(name)
    [heading] = re.findall(r"<h1[^>]*>(.*?)</h1>", html(audit))
    assert plain("".join(Reader(heading).words)) == audit.sentence


def test_the_bundle_cannot_end_its_own_script_element() -> None:
    assert "</script" not in bundle()
    assert "<!--" not in bundle()


def test_names_that_look_like_markup_stay_text(hostile: Audit) -> None:
    page = without_bundle(html(hostile))
    tags = [tag for tag, _ in Reader(page).tags]
    assert tags.count("script") == 5
    assert not {"b", "u", "i", "img"} & set(tags) - {"i"}
    assert "alert(1)</script>" not in page
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page


def test_names_that_look_like_markup_reach_the_figures_unharmed(hostile: Audit) -> None:
    page = html(hostile)
    [text] = re.findall(r'<script type="application/json" id="specs">(.*?)</script>', page, re.DOTALL)
    shown = [row["model"] for row in json.loads(text)["leaderboard"]["data"]["values"]]
    assert shown == list(map(visible, hostile.leaderboard.table["model"]))


def test_every_figure_has_a_text_alternative_and_a_table(digits: Audit) -> None:
    page = without_bundle(html(digits))
    boxes = [attributes for tag, attributes in Reader(page).tags if tag == "div" and "data-figure" in attributes]
    assert [box["data-figure"] for box in boxes] == [
        "null_models",
        "leaderboard",
        "pairwise",
        "systemic",
        "shift_n_eff",
        "shift_accuracy",
    ]
    assert all(box["role"] == "img" and len(box["aria-label"] or "") > 30 for box in boxes)
    assert page.count("<figcaption>") + page.count('<p class="remark caption">') == 6
    assert page.count("<table>") == 7


def test_tables_are_open_where_there_is_no_javascript(digits: Audit) -> None:
    page = without_bundle(html(digits))
    assert len(re.findall("<details[^>]* open>", page)) == page.count("<details")
    assert '<noscript><div class="static" role="img"' in page


def test_a_number_is_not_parted_from_its_per_cent_sign(digits: Audit) -> None:
    finding = replace(digits.findings[0], sentence="The error is 1.95 % [1.2 %, 3 %].")
    page = without_bundle(html(replace(digits, findings=(finding,))))
    words = Reader(re.sub("<(script|style).*?</(script|style)>", "", page, flags=re.DOTALL)).words
    assert "The error is 1.95\u00a0% [1.2\u00a0%, 3\u00a0%]." in words
    assert not [word for word in words if re.search(r"\d %", word)]


def test_pictures_carry_their_own_content_and_say_what_was_read(digits: Audit) -> None:
    page = without_bundle(html(digits))
    pictures = [attributes for tag, attributes in Reader(page).tags if tag == "img"]
    assert len(pictures) == min(24, len(digits.systemic.hardest))
    first = digits.systemic.hardest.iloc[0]
    assert pictures[0]["alt"] == f"instance {first['instance']}, labelled {first['label']}"
    assert f"{first['wrong']} of 36 wrong" in page


def test_hardest_instances_without_labels_or_answers_are_still_listed(imagenet: Audit) -> None:
    bare = imagenet.systemic.hardest[["instance", "wrong", "models"]]
    page = without_bundle(html(replace(imagenet, systemic=replace(imagenet.systemic, hardest=bare))))
    assert "The hardest instances as a table" in page
    assert "<img" not in page


def test_without_hardest_instances_or_shifts_the_page_says_so(pair: Audit) -> None:
    page = without_bundle(html(pair))
    assert "No instance is failed by nearly all models." in page
    assert "This audit has one test set, so nothing can be said about shift." in page
    assert "No check has a finding." in page


def test_findings_show_their_severity_and_idle_checks_their_reason(digits: Audit) -> None:
    page = without_bundle(html(digits))
    assert re.findall(r'<li class="(alert|warning|note)"><span class="severity">', page) == ["alert", "warning", "note"]
    top = re.findall(r'<li class="(\w+)"><a href="#findings"><span', page)
    assert top == ["alert", "warning"], "the first screen has only what matters"
    assert "the table names no groups" in page


def test_the_page_says_what_it_does_not_prove(digits: Audit) -> None:
    text = " ".join(Reader(without_bundle(html(digits))).words)
    for claim in ("Similar is not wrong", "Different is not better", "Association is not cause"):
        assert claim in text
    assert "cannot be told from these errors alone" in text


def test_the_page_tells_where_its_numbers_come_from(digits: Audit) -> None:
    text = plain(" ".join(Reader(without_bundle(html(digits))).words))
    assert "influence function on the log scale, 95 %, 540 instances" in text
    assert "polyculture run digits" in text
    assert f"polyculture {polyculture.__version__}" in text


def test_facts_read_as_people_write_and_empty_ones_are_left_out(pair: Audit) -> None:
    told = {"informative_instances": 14512.3, "level": 0.95, "clusters": "", "sizes": [1, 2000], "next": "polyculture"}
    assert fact_list(replace(pair, facts=told | {"counts": {"right": 3}})) == [
        ("informative instances", "14,512"),
        ("level", "0.95"),
        ("sizes", "1, 2,000"),
        ("counts", "right 3"),
    ]


def test_the_next_commands_are_those_of_the_audit_if_it_has_any(digits: Audit) -> None:
    assert [c for c, _ in commands(digits)] == ["polyculture audit FILE --json", "polyculture report audit.json"]
    own = replace(digits, facts={"next": "polyculture select FILE"})
    assert commands(own) == [("polyculture select FILE", "")]


def test_as_many_dots_are_filled_as_models_are_worth(digits: Audit, perfect: Audit) -> None:
    assert len(dots(digits)) == 36
    assert math.fsum(dots(digits)) == pytest.approx(digits.n_eff.estimate)
    assert dots(perfect) == []


def test_a_page_replaces_the_one_before_it_and_leaves_nothing_else(pair: Audit, tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    report(pair, path)
    path.write_text("old")
    assert report(pair, str(path)) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(path.parent.iterdir()) == [path]


def test_a_page_with_another_ending_is_refused(pair: Audit, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        report(pair, tmp_path / "page.pdf")
    assert str(error.value) == "a page named 'page.pdf'; expected a name that ends in .html."


def test_a_page_in_a_folder_that_cannot_be_is_refused(pair: Audit, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    path = tmp_path / "file" / "page.html"
    with pytest.raises(FileError) as error:
        report(pair, path)
    assert str(error.value) == f"cannot write {path}: File exists; expected a folder that can be written."


def test_a_page_that_cannot_replace_a_folder_leaves_no_part_behind(pair: Audit, tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(FileError, match="cannot write"):
        report(pair, tmp_path / "page.html")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_the_bundle_is_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = bundle()
    [kept] = (tmp_path / "polyculture").iterdir()
    assert kept.read_text(encoding="utf-8") == made
    kept.write_text("// kept", encoding="utf-8")
    assert bundle() == "// kept"


def test_the_bundle_is_made_again_where_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "vegaEmbed" in bundle()


def test_importing_the_room_loads_no_torch_and_no_drawing_code() -> None:
    code = "import sys, polyculture.reporting; print({'torch', 'sklearn', 'vl_convert', 'jinja2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_picture_is_a_png_of_its_levels() -> None:
    grey = np.array([[0, 255, 300], [-5, 7, 128]])
    content = png(grey)
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (3, 2)
    length = struct.unpack(">I", content[33:37])[0]
    assert zlib.decompress(content[41 : 41 + length]) == bytes([0, 0, 255, 255, 0, 0, 7, 128])
    assert data_uri(grey).startswith("data:image/png;base64,iVBORw0KGgo")


def plain(sentence: str) -> str:
    return sentence.replace("\u00a0", " ")


def test_the_meaning_names_the_vote_the_null_and_the_test(digits: Audit) -> None:
    first, second, third = map(plain, narrative.meaning(digits))
    assert first == (
        f"A vote among these 36 models varies as much as a vote of {digits.n_eff.estimate:.1f} independent models "
        "of the same accuracies."
    )
    assert second == (
        "That they err independently, given each model's error rate within the true class (null N1), is rejected "
        "(z = 53.2, p < 0.001)."
    )
    assert third.startswith("To compare with a set of another size use the mean error correlation, ρ = ")


def headline(audit: Audit, n_eff: Interval, p: float = math.nan) -> Audit:
    null_model = replace(audit.null_models[0], n_eff=n_eff, p=p, z=0.3)
    return replace(audit, null_models=(null_model,), headline="N0")


def test_more_than_all_models_means_no_homogenization(digits: Audit) -> None:
    free = headline(digits, Interval(40.0, 30.0, 50.0), p=0.7)
    assert narrative.meaning(free)[0].startswith("A vote among these 36 models varies no more than a vote of 36")
    assert "is not rejected (z = 0.3, p = 0.7)" in plain(narrative.meaning(free)[1])
    assert narrative.null_models(free) == "Given each model's overall error rate, no homogenization is left."


def test_an_unbounded_number_means_that_others_make_up_for_a_failure(digits: Audit) -> None:
    free = headline(digits, Interval(math.inf))
    assert narrative.meaning(free)[0].startswith("Whenever one of them fails another makes up for it")
    assert narrative.meaning(free)[1].startswith("Independence here means independent errors, given")


def test_the_sentences_of_a_pair_speak_of_one_pair(pair: Audit) -> None:
    assert narrative.leaderboard(pair) == "The pair cannot be told apart by accuracy."
    assert plain(narrative.pairwise(pair)).startswith("Between one and other κ = -0.")
    assert narrative.systemic(pair).startswith("Both models fail 0 of 12 instances")


def test_the_sentences_of_perfect_models_say_that_nothing_is_defined(perfect: Audit) -> None:
    assert narrative.pairwise(perfect) == "Error consistency is defined for no pair."
    assert narrative.meaning(perfect)[1] == "The sections below show what can be said without it."
    assert [text for what, text, _ in tiles(perfect) if what == "mean κ"] == ["–"]


def test_both_nulls_of_the_systemic_rate_are_told_where_they_read_differently(pair: Audit) -> None:
    def told(given: float, raw: float) -> tuple[str, str]:
        expected = pair.systemic.expected.copy()
        expected[-1] = given * 12
        audit = replace(
            pair, systemic=replace(pair.systemic, expectation=given, expectation_raw=raw, expected=expected, p=0.2)
        )
        [remark] = [remark for what, _, remark in tiles(audit) if what == "failed by all"]
        return plain(narrative.systemic(audit)), plain(remark)

    assert told(0.05, 0.02) == (
        "Both models fail 0 of 12 instances; if they erred independently within the true class, 0.6 would be expected, "
        "and 0.24 at their overall error rates (p = 0.2).",
        "if independent: 5.0 % given the class, 2.0 % at overall error rates",
    )
    same = (
        "Both models fail 0 of 12 instances; if they erred independently, 0.6 would be expected (p = 0.2).",
        "5.0 % if independent",
    )
    assert told(0.05, 0.05) == told(0.05, math.nan) == same


def test_the_hardest_instances_are_counted(digits: Audit) -> None:
    def said(wrong: list[int], by_all: int) -> str:
        listed = pd.DataFrame({"instance": list("abc")[: len(wrong)], "wrong": wrong, "models": 36})
        observed = digits.systemic.observed.copy()
        observed[-1] = by_all
        return plain(
            narrative.hardest(replace(digits, systemic=replace(digits.systemic, hardest=listed, observed=observed)))
        )

    assert (
        said([36, 36, 34], 2) == "These 3 instances are failed by 94 % of the models or more, 2 of them by every model."
    )
    assert said([36, 36], 2) == "These 2 instances are failed by every model."
    assert said([36], 1) == "This instance is failed by every model."
    assert said([34], 0) == "One instance is failed by 94 % of the models."
    assert said([36, 36], 900) == "900 instances are failed by every model; 2 of them are listed."


def test_shifts_on_which_nothing_is_defined_say_so(digits: Audit) -> None:
    nothing = replace(digits, shifts=digits.shifts.assign(n_eff=math.nan))
    assert narrative.shifts(nothing) == "The effective number of models is defined on none of the shifted test sets."
    assert "The effective number of models is defined on none" in html(nothing)
