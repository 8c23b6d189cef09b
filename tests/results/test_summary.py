"""Can a person read what a result prints, in a terminal and in a notebook, and draw it by name?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError
from polyculture.measures.counts import PairCounts
from polyculture.population import Population
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe, describe
from polyculture.reporting.audit_figures import figures
from polyculture.results import Audit, Figure, Finding, Portfolio, Section
from polyculture.rng import stream
from polyculture.stats import Interval, percent


def simulated(m: int, n: int = 600) -> Predictions:
    """Models with long names that share the difficulty of the instances."""
    random = stream(m, "summaries")
    labels = random.integers(0, 3, n)
    hard = random.normal(size=n)
    wrong = hard + random.normal(size=(m, n)) > 1.0
    names = [f"a model with a rather long name, number {k}" for k in range(m)]
    return Predictions.from_answers(dict(zip(names, np.where(wrong, (labels + 1) % 3, labels), strict=True)), labels)


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    return simulated(67)


@pytest.fixture(scope="module")
def audit(predictions: Predictions) -> Audit:
    return pc.audit(predictions)


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    return pc.select(simulated(8, 1_200))


def is_short(value: Any) -> bool:
    text = str(value)
    return len(text) <= 1_500 and len(text.splitlines()) <= 15 and "array(" not in text


def test_an_audit_of_67_models_prints_its_sentence_and_what_to_do_next(audit: Audit) -> None:
    first, *_, last = str(audit).splitlines()
    assert first == audit.sentence
    assert last == 'Next: audit.plot("pairwise"), audit.pairwise.frame(), pc.report(audit, "page.html")'
    assert is_short(audit)
    for part in (audit.findings[0].code, "n_eff", "ρ", "Sections: "):
        assert part in str(audit)


def test_every_part_of_an_audit_prints_shortly(audit: Audit) -> None:
    parts = (audit.pairwise, audit.leaderboard, audit.systemic, *audit.null_models, *audit.findings, *audit.sections)
    assert all(map(is_short, parts))


def test_a_portfolio_prints_its_sentence_its_members_and_its_certificate(portfolio: Portfolio) -> None:
    assert is_short(portfolio)
    assert is_short(portfolio.certificate)
    assert str(portfolio).startswith(f"Keep {portfolio.k} of 8 models")
    assert "a model with a rather long name" in str(portfolio)
    assert str(portfolio.certificate).startswith("Certificate on ")


def test_predictions_print_their_size_and_the_range_of_accuracies(predictions: Predictions) -> None:
    first, *rows = str(predictions).splitlines()
    assert first.startswith("Predictions: 67 models × 600 instances, 3 classes, classification; accuracy 0.")
    assert first.endswith("; 0.0 % missing")
    assert len(rows) == 6
    assert rows[-1] == "  … 62 more models"
    numbers = Predictions.from_values({"a": [1.0, 2.0], "b": [1.0, math.nan]}, [1.0, 3.0])
    assert str(numbers).startswith("Predictions: 2 models × 2 instances, regression; RMSE 0 … 0.707; 25.0 % missing")


def test_a_population_a_dataset_and_a_split_print_shortly() -> None:
    population = Population(dict.fromkeys("abcdefg", len), ("no", "yes"), failed={"h": "too slow"})
    assert str(population).splitlines() == [
        "Population: 7 models, 2 classes; 1 could not be trained",
        *(f"  {model}" for model in "abcde"),
        "  … 2 more models",
    ]
    digits = Dataset(np.zeros((9, 8, 8)), np.zeros(9, int), ("0", "1"), name="digits", modality="image")
    assert str(digits) == "Dataset digits: 9 instances, image of shape (8, 8), 2 classes, classification"
    split = Split(digits, digits, digits, {"noise@1": digits})
    assert len(str(split).splitlines()) == 5
    assert "shifted: 1 test sets, such as noise@1" in str(split)


def test_counts_and_designs_print_shortly() -> None:
    assert str(PairCounts(*(np.full((300, 300), 7),) * 4)) == "PairCounts: 300 models, up to 7 instances per pair"
    design = describe([Recipe(name, seed=seed) for name in "abc" for seed in range(3)])
    assert str(design).startswith("Design: 9 models")
    assert is_short(design)


def test_a_notebook_shows_the_sentence_and_runs_no_script(audit: Audit, portfolio: Portfolio) -> None:
    page = audit._repr_html_()
    assert audit.sentence in page
    assert "<script" not in page
    assert "failed by all" in page
    assert audit.findings[0].code in page
    assert "each model&#x27;s overall error rate" in page
    assert portfolio.members[0] in portfolio._repr_html_()
    hostile = Section("x", "<script>", "<b>", {"n": Interval(1.0)})
    assert "<script" not in hostile._repr_html_()
    assert "<b>" not in hostile._repr_html_()


def test_plot_gives_the_figure_of_the_page(audit: Audit) -> None:
    page = figures(audit)
    assert all(audit.plot(name) == spec for name, spec in page.items())
    section = next(section for section in audit.sections if any(key.startswith(f"{section.name}_") for key in page))
    first = next(key for key in page if key.startswith(f"{section.name}_"))
    assert section.plot() == audit.plot(section.name) == page[first]


def test_a_figure_shows_itself_in_a_notebook(portfolio: Portfolio) -> None:
    figure = portfolio.plot("front")
    assert isinstance(figure, Figure)
    bundle = figure._repr_mimebundle_()
    assert bundle["application/vnd.vegalite.v6+json"] == figure
    assert bundle["text/plain"] == str(figure)
    assert is_short(figure)


def test_an_unknown_figure_is_answered_with_the_near_ones(audit: Audit) -> None:
    with pytest.raises(InputError) as error:
        audit.plot("pairwize")
    assert str(error.value) == "no figure 'pairwize'; did you mean 'pairwise'?"
    with pytest.raises(InputError) as error:
        Section("population", "And others?", "No.").plot()
    assert str(error.value) == "no figure; there are none."


def test_a_finding_prints_its_code_and_first_words() -> None:
    assert str(Finding("PC001", "few", "36 models.", "alert")) == "PC001 alert  Few: 36 models."
    assert str(Finding("PC002", "few", "", reason="no labels")) == "PC002 does not apply  Few: no labels"


def test_a_share_reads_with_a_space_before_the_percent_sign() -> None:
    assert percent(0.25) == "25.0 %"
    assert percent(0.25, 2) == Interval(0.25).format(".2%") == "25.00 %"
    assert Interval(0.25, 0.2, 0.3).format(".2%") == "25.00 % [20.00 %, 30.00 %]"
    assert pd.Series([Interval(0.5)]).map(str).tolist() == ["0.50"]
