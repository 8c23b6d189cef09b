"""When the panel should not answer, and which axes of its judges go with their alikeness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import polyculture as pc
from polyculture.selection import certified_threshold

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def verdicts(rng: np.random.Generator, n: int = 600, judges: int = 5) -> pc.Predictions:
    """Judges of one quality on items of different difficulty."""
    truth, hard = rng.integers(0, 2, n), rng.beta(0.6, 2, n)
    answers = {f"judge{k}": np.where(rng.random(n) < hard, 1 - truth, truth) for k in range(judges)}
    return pc.Predictions.from_answers(answers, labels=truth)


def test_the_limit_is_that_of_clopper_and_pearson() -> None:
    wrong = np.arange(400) % 50 == 0
    certificate = certified_threshold(wrong, np.ones(400), np.arange(400) < 200, 0.06)
    assert certificate.threshold == 1
    limit = binomtest(4, 200, alternative="less").proportion_ci(0.95, "exact").high
    assert certificate.bound == pytest.approx(limit, abs=1e-12)
    assert np.isnan(certified_threshold(wrong, np.ones(400), np.arange(400) < 200, 0.03).threshold)


def test_the_guarantee_is_kept() -> None:
    """Of 200 panels at most 5 % may have a true error above the bound where they answer, but for chance."""
    rng, broken, certified = np.random.default_rng(0), 0, 0
    many = np.random.default_rng(1)
    hard = many.beta(0.6, 2, 200_000)
    share_wrong = (many.random((5, 200_000)) < hard).mean(axis=0)
    agreement, error = np.maximum(share_wrong, 1 - share_wrong), share_wrong > 0.5
    for _ in range(200):
        shares = (rng.random((5, 300)) < rng.beta(0.6, 2, 300)).mean(axis=0)
        half = rng.random(300) < 0.5
        certificate = certified_threshold(shares > 0.5, np.maximum(shares, 1 - shares), half, 0.1)
        if not np.isnan(certificate.threshold):
            certified += 1
            broken += error[agreement >= certificate.threshold - 1e-9].mean() > 0.1
    assert certified > 50
    assert broken <= 17


def test_the_section_says_when_to_answer() -> None:
    result = pc.panel(verdicts(np.random.default_rng(2)), pc.PanelOptions(max_error=0.15))
    section = next(part for part in result.sections if part.name == "panel_abstention")
    assert section.numbers["error"].high <= 0.15
    assert "the panel errs on at most 15.0 % (guaranteed with 95 % confidence" in section.sentence
    strict = pc.panel(verdicts(np.random.default_rng(2), 60), pc.PanelOptions(max_error=0.001))
    section = next(part for part in strict.sections if part.name == "panel_abstention")
    assert section.sentence.startswith("No agreement of the judges is shown to keep the error at 0.1 % or below")


@pytest.mark.parametrize("error", [0.0, 1.0, -0.1])
def test_an_error_that_is_no_share_is_refused(error: float) -> None:
    with pytest.raises(pc.InputError, match=r"a largest error of .*; expected a share between 0 and 1"):
        pc.PanelOptions(max_error=error)


def test_what_has_no_errors_has_no_largest_error() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 5, 60)
    ratings = pc.Predictions.from_values({name: truth + rng.normal(size=60) for name in "ab"}, truth)
    with pytest.raises(pc.InputError, match="a largest error of ratings; expected verdicts that are right or wrong"):
        pc.panel(ratings, pc.PanelOptions(max_error=0.1))
    table = pd.DataFrame({"item": range(60), "a": 1, "b": 2})
    with pytest.raises(pc.InputError, match="a largest error without a truth; expected items whose truth is known"):
        pc.panel(table, pc.PanelOptions(no_truth=True, max_error=0.1))


def test_prompts_of_judges_are_an_axis_of_their_alikeness(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    n, truth = 500, rng.integers(0, 2, 500)
    of_prompt = rng.random((4, n)) < 0.25
    rows = [(f"judge{k}", f"prompt{k % 4}", f"t{k // 8}") for k in range(16)]
    wrong = [np.where(rng.random(n) < 0.7, of_prompt[k % 4], rng.random(n) < 0.25) for k in range(16)]
    answers = {name: np.where(line, 1 - truth, truth) for (name, _, _), line in zip(rows, wrong, strict=True)}
    table = pd.DataFrame({"instance": range(n), "label": truth, **answers})
    pd.DataFrame(rows, columns=["model", "prompt", "temperature"]).to_csv(tmp_path / "models.csv", index=False)
    result = pc.panel(table, factors=tmp_path / "models.csv")
    section = next(part for part in result.sections if part.name == "attribution")
    tests = section.tables["tests"].set_index("factor")
    assert tests.loc["prompt", "p"] <= 0.01
    assert tests.loc["temperature", "p"] > 0.01


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside this checkout")
def test_real_crowd_labels_of_entailment() -> None:
    """Snow et al. 2008: 800 pairs of sentences, ten labels each; right by majority and by Dawid–Skene."""
    columns = {"model": "worker", "instance": "item", "answer": "label", "label": "gold"}
    rules = pc.panel(DATA / "crowd" / "snow_rte.csv.gz", **columns).sections[0].tables["rules"].set_index("rule")
    assert 1 - rules.loc["one vote each", "error"] == pytest.approx(0.897, abs=0.003)
    assert 1 - rules.loc["Dawid–Skene", "error"] == pytest.approx(0.9275, abs=0.001)
