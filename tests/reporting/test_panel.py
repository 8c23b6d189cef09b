"""Are the numbers of a panel that a reader ticks those that Python gives for these models?"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.cli import main
from polyculture.predictions import Predictions
from polyculture.reporting import report
from polyculture.reporting.page import html
from polyculture.reporting.panel import panel_html
from polyculture.results import Audit
from polyculture.results.tables import fact_list

from .conftest import simulated_errors

Open = Callable[..., Any]
TABLES = ("classes", "missing cells", "outcomes", "graded", "many classes", "complementary", "constant")


def table(kind: str) -> Predictions:
    """A small table of every kind that an audit takes: eight models, 150 instances, ties, gaps and constant models."""
    random = np.random.default_rng(8)
    names, wrong = simulated_errors(8, 150, seed=5)
    classes = 700 if kind == "many classes" else 4
    labels = random.integers(0, classes, 150)
    answers = np.where(wrong, (labels + random.integers(1, 3, wrong.shape)) % classes, labels)
    gone = random.random(wrong.shape) < 0.04
    if kind == "complementary":
        turn = np.arange(150) % 3
        columns = {f"m{k}": turn != k for k in range(3)} | {"perfect": turn >= 0, "other": turn == 0}
        return Predictions.from_correct(columns)
    if kind == "constant":
        wrong[0], wrong[1], wrong[2:4] = False, True, labels < 2
    if kind in ("outcomes", "constant"):
        right = {name: list(row) for name, row in zip(names, ~wrong, strict=True)}
        return Predictions.from_correct(right)
    whole = Predictions.from_answers(dict(zip(names, answers, strict=True)), labels)
    assert whole.answers is not None
    if kind == "missing cells":
        return replace(whole, answers=np.where(gone, -1, whole.answers).astype(np.int8))
    if kind == "graded":  # a grader may call the same answer right once and wrong once; no answer is wrong
        correct = (~wrong ^ (random.random(wrong.shape) < 0.2)).astype(np.int8)
        silent = random.random(wrong.shape) < 0.3
        correct = np.where(gone, -1, np.where(silent, 0, correct)).astype(np.int8)
        return replace(whole, correct=correct, answers=np.where(gone | silent, -1, whole.answers).astype(np.int8))
    return whole


def expected(predictions: Predictions, models: Sequence[str]) -> dict[str, float]:
    """The numbers of these models as an audit of them alone has them."""
    audit = pc.audit(predictions.take_models(models))
    values = {
        "accuracy": float(audit.leaderboard.table["accuracy"].mean()),
        "kappa": audit.pairwise.mean("kappa"),
        "n_eff_raw": audit.null_model("N0").n_eff.estimate,
    }
    if "N1" in [null_model.name for null_model in audit.null_models]:
        values["n_eff"] = audit.null_model("N1").n_eff.estimate
    vote = audit.section("ensembles").numbers.get("majority_error")
    return values | {"vote_error": math.nan if vote is None else vote.estimate}


TICK = """(chosen) => document.querySelectorAll('#panel input[type=checkbox]').forEach((box) => {
  if (box.checked !== chosen.includes(Number(box.value))) box.click();
})"""
READ = """() => Object.fromEntries([...document.querySelectorAll('#panel tbody tr')].map((row) => [
  row.dataset.number, row.querySelector('[data-column=panel]').dataset.value,
]))"""


def numbers(page: Any, chosen: Sequence[int]) -> dict[str, float]:
    page.wait_for_selector(".panel-body:not([hidden])")
    page.evaluate(TICK, list(map(int, chosen)))
    return {name: float(value.replace("Infinity", "inf")) for name, value in page.evaluate(READ).items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TABLES)
def test_the_numbers_of_twenty_random_panels_are_those_of_python(kind: str, visit: Open) -> None:
    predictions = table(kind)
    ids = predictions.model_ids
    page = visit(pc.Audit.from_json(pc.audit(predictions).to_json()))
    random = np.random.default_rng(1)
    for _ in range(20):
        chosen = sorted(random.choice(len(ids), int(random.integers(2, len(ids) + 1)), replace=False))
        assert numbers(page, chosen) == pytest.approx(
            expected(predictions, [ids[k] for k in chosen]), rel=0, abs=1e-9, nan_ok=True
        )


@pytest.mark.slow
def test_complementary_errors_are_an_unbounded_number(visit: Open) -> None:
    page = visit(pc.audit(table("complementary")))
    assert numbers(page, [0, 1, 2])["n_eff_raw"] == math.inf
    assert page.locator(".panel-sentence").text_content() == "3 of 5 models ticked; they fail like ∞."


@pytest.mark.slow
def test_fewer_than_two_models_have_no_command(visit: Open) -> None:
    page = visit(pc.audit(table("classes")))
    page.get_by_role("button", name="None", exact=True).click()
    assert page.locator(".panel-sentence").text_content() == "0 of 8 models ticked: tick two or more."
    assert page.locator("[data-number=accuracy] [data-column=panel]").text_content() == "– (nobody is ticked)"
    page.locator("#panel li input").first.press("Space")
    assert page.locator(".panel-sentence").text_content() == "1 of 8 models ticked: tick two or more."
    assert page.locator(".panel-command button").first.is_disabled()
    page.get_by_role("button", name="All", exact=True).click()
    assert page.locator(".panel-command button").first.is_enabled()
    assert page.locator(".panel-bar").get_attribute("aria-label").endswith("of at most 8")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_searching_hides_the_others_and_leaves_their_ticks(visit: Open, width: int, scheme: str) -> None:
    page = visit(pc.audit(table("classes")), width, scheme=scheme)
    page.get_by_label("Search models").fill("LOGISTIC")
    assert page.locator("#panel li:visible").count() == 1
    assert page.locator(".panel-hits").text_content() == "1 of 8 models match."
    assert page.locator("#panel li input:checked").count() == 8
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    unlabelled = "[...document.querySelectorAll('#panel input')].filter((box) => !box.labels.length).length"
    assert page.evaluate(unlabelled) == 0


@pytest.mark.slow
def test_the_kept_ones_are_ticked_at_first_and_again_by_a_button(
    visit: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = table("classes")
    portfolio = pc.select(predictions, 3, rule="vote")
    section = pc.selection.section(portfolio)
    audit = pc.audit(predictions)
    page = visit(replace(audit, sections=(section, *audit.sections)))
    titles = "[...document.querySelectorAll('#panel input:checked')].map((box) => box.closest('label').title)"
    assert set(page.evaluate(titles)) == set(portfolio.members)
    page.get_by_role("button", name="All", exact=True).click()
    assert len(page.evaluate(titles)) == 8
    page.get_by_role("button", name="The kept ones").click()
    assert set(page.evaluate(titles)) == set(portfolio.members)
    heads = page.locator("#panel thead th").all_text_contents()
    assert heads == ["this panel", "all 8", "the kept 3"]


def write(predictions: Predictions, path: Path) -> None:
    """A wide table with a row per instance."""
    assert predictions.answers is not None
    assert predictions.labels is not None
    classes = np.array(predictions.classes)
    columns = {name: classes[row] for name, row in zip(predictions.model_ids, predictions.answers, strict=True)}
    pd.DataFrame({"y": classes[predictions.labels], "site": "here"} | columns).to_csv(path, index=False)


NAMES = ("plain", "two words", "it's", "--dashes", "glob[ab]*", "glob*", "$(id)", "</script>")


@pytest.mark.slow
def test_the_copied_commands_run_and_give_the_numbers_of_the_panel(
    visit: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = table("classes")
    predictions = replace(predictions, models=predictions.models.set_axis(list(NAMES)))
    path = tmp_path / "my table.csv"
    write(predictions, path)
    words = ["audit", str(path), "--label", "y", "--instance", "", "--group", "site", "--out", str(tmp_path / "first")]
    assert main([word for word in words if word not in ("--instance", "")]) == 0
    audit = Audit.from_json((tmp_path / "first" / "audit.json").read_text())
    page = visit(audit)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chosen = [audit.pairwise.models.index(name) for name in NAMES[1:]]
    values = numbers(page, chosen)
    copies = []
    for button in page.locator(".panel-command button").all():
        button.click()
        page.wait_for_function("(button) => button.textContent === 'Copied'", arg=button.element_handle())
        copies.append(page.evaluate("navigator.clipboard.readText()"))
    select, again = (shlex.split(command) for command in copies)
    assert select[:2] == ["polyculture", "select"]
    capsys.readouterr()
    assert main([*again[1:], "--json", "--out", str(tmp_path / "again")]) == 0
    audit = Audit.from_json(capsys.readouterr().out)
    assert set(audit.pairwise.models) == set(NAMES[1:])
    assert audit.null_model("N1").n_eff.estimate == pytest.approx(values["n_eff"], abs=1e-9)
    assert main([*select[1:], "--json", "--out", str(tmp_path / "select")]) == 0
    assert set(pc.Portfolio.from_json(capsys.readouterr().out).members) == set(NAMES[1:])


def test_commands_read_the_tables_as_they_were_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table_path, second, verdicts = (tmp_path / name for name in ("t.csv", "new one.csv", "verdicts.csv"))
    write(table("classes").take_instances(np.arange(80)), table_path)
    write(table("classes").take_instances(np.arange(80, 150)), second)
    verdicts.write_text("instance,valid\n3,0.7\n")
    out = ["--out", str(tmp_path / "out")]

    def commands() -> Any:
        return json.loads((tmp_path / "out" / "audit.json").read_text())["facts"]["panel"]

    assert main(["audit", str(table_path), "--label", "y", "--group", "site", "--verdicts", str(verdicts), *out]) == 0
    words = f"{table_path} --label=y --group=site"
    assert commands() == {
        "audit": f"polyculture audit {words} --verdicts={verdicts}",
        "select": f"polyculture select {words}",
    }
    words = ["--label", "y", "--group", "site", "--certify-on", str(second), "-k", "2", "--rule", "vote"]
    assert main(["select", str(table_path), *words, *out]) == 0
    assert commands() == {
        "audit": f"polyculture audit '{second}' --label=y --group=site",
        "select": f"polyculture select {table_path} --label=y --group=site '--certify-on={second}'",
    }


@pytest.mark.slow
def test_a_model_without_any_answer_is_left_out_of_every_mean(visit: Open) -> None:
    predictions = table("outcomes")
    assert predictions.correct is not None
    correct = predictions.correct.copy()
    correct[2] = -1
    predictions = replace(predictions, correct=correct)
    page = visit(pc.audit(predictions))
    ids = predictions.model_ids
    for chosen in ([0, 2], [1, 2, 5], list(range(8))):
        models = [ids[k] for k in chosen]
        assert numbers(page, chosen) == pytest.approx(expected(predictions, models), abs=1e-9, nan_ok=True)


@pytest.mark.slow
def test_an_audit_made_in_python_gives_python_to_copy(visit: Open) -> None:
    predictions = table("classes")
    predictions = replace(predictions, models=predictions.models.set_axis(list(NAMES)))
    page = visit(pc.audit(predictions))
    select, audit = page.locator(".panel-command code").all_text_contents()
    namespace = {"pc": pc, "predictions": predictions}
    assert eval(audit, namespace).sentence == pc.audit(predictions).sentence
    assert set(eval(select, namespace).members) == set(NAMES)


@pytest.mark.slow
def test_without_scripts_a_sentence_stands_for_the_panel(visit: Open) -> None:
    page = visit(pc.audit(table("classes")), javascript=False)
    assert not page.locator(".panel-body").is_visible()
    assert "switched off" in page.locator("#panel noscript").inner_text()


@pytest.mark.slow
def test_pages_stay_below_two_megabytes(tmp_path: Path) -> None:
    for m, n, votes in ((36, 720, True), (67, 50_000, False), (200, 2000, True)):
        names, wrong = simulated_errors(m, n)
        labels = np.arange(n) % 10
        answers = dict(zip(names, np.where(wrong, (labels + 1) % 10, labels), strict=True))
        audit = pc.audit(Predictions.from_answers(answers, labels))
        assert audit.panel is not None
        assert (audit.panel.wrong is not None) == votes
        assert report(audit, tmp_path / "page.html").stat().st_size <= 2_000_000, (m, n)


def test_many_models_get_a_note_and_old_audits_nothing(digits: Audit) -> None:
    many = replace(digits, n_models=201)
    assert "200 models at most, and these are 201" in panel_html(many)
    assert "<input" not in panel_html(many)
    assert digits.panel is None
    assert panel_html(digits) == ""
    assert 'id="panel"' not in html(digits)


def test_hostile_names_stay_text() -> None:
    predictions = table("classes")
    names = ["</script><script>alert(1)</script>", "<b>", "a\x1b[31m", '"', "'", "{{ 7 * 7 }}", "\u2028", "&amp;"]
    audit = pc.audit(replace(predictions, models=predictions.models.set_axis(names)))
    text = panel_html(replace(audit, facts={"panel": {"audit": "polyculture audit <x>", "select": "select"}}))
    assert text.count("<script") == text.count("</script>") == 2
    assert "<b>" not in text
    assert "\x1b" not in text
    [content] = re.findall(r'id="panel-values">(.*?)</script>', text, re.DOTALL)
    words = json.loads(content)["commands"]["words"]
    assert [shlex.split(word)[1] for word in words[3:6]] == ['"', "'", "{{ 7 * 7 }}"]


def test_commands_of_the_panel_are_no_fact_for_readers() -> None:
    audit = replace(pc.audit(table("classes")), facts={"panel": {"audit": "polyculture audit x", "select": "y"}})
    assert fact_list(audit) == []
