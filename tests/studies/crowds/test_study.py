"""A crowd from a table to consensus labels, workers and a page: long and wide, with truth and without."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.measures.annotators import dawid_skene, effective_workers, tempering
from polyculture.reporting import figures_of, report
from polyculture.studies.crowds.labels import read_labels
from polyculture.studies.crowds.study import LABELS, WORKERS
from polyculture.studies.crowds.workers import BELOW, CONSTANT, GUESSING


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Five careful workers, one who guesses, one who always says the same, one who is wrong on purpose."""
    rng = np.random.default_rng(0)
    truth = rng.choice(["bird", "cat", "dog"], 240)
    names = np.array(["bird", "cat", "dog"])
    columns: dict[str, object] = {"item": [f"image-{i}" for i in range(240)], "truth": truth}
    for name in ("ann", "bob", "cyd", "dan", "eve"):
        columns[name] = np.where(rng.random(240) < 0.8, truth, rng.choice(names, 240))
    columns["guesser"] = rng.choice(names, 240)
    columns["always"] = "cat"
    columns["contrary"] = names[(np.searchsorted(names, truth) + 1) % 3]
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def long(table) -> pd.DataFrame:
    rows = table.melt(["item", "truth"], var_name="worker", value_name="label")
    return rows[np.random.default_rng(1).random(len(rows)) < 0.8]


@pytest.fixture(scope="module")
def result(long, tmp_path_factory):
    return pc.crowd(long, out=tmp_path_factory.mktemp("crowd") / "out")


def test_the_answer_leads_with_how_sure_and_how_often_wrong(result):
    assert result.sentence.startswith("1,5")
    assert "dawid-skene is over 0.999 sure of" in result.sentence
    assert "and wrong on" in result.sentence
    assert "The workers err like" in result.sentence
    assert "takes the workers for independent" in result.sentence
    assert repr(result).startswith("CrowdResult in ")
    assert result.sections == (result.section,)


def test_workers_who_guess_repeat_or_are_wrong_on_purpose_are_named(result):
    remarks = result.section.tables["workers"].set_index("worker")["remark"]
    assert remarks["always"] == CONSTANT
    assert remarks["contrary"] == BELOW
    assert remarks["guesser"] == GUESSING
    assert (remarks[["ann", "bob", "cyd", "dan", "eve"]] == "").all()
    assert "1 worker always with the same label; 1 worker below chance" in result.sentence


def test_the_consensus_on_disk_is_that_of_the_measures(result, long):
    labels = read_labels(long, pc.CrowdOptions())
    combined = dawid_skene(labels.annotations)
    stored = pd.read_csv(result.folder / LABELS)
    names = np.array(labels.classes)
    assert stored["label"].tolist() == names[combined.answer].tolist()
    np.testing.assert_allclose(stored["posterior"], combined.confidence)
    power = tempering(effective_workers(labels.annotations, labels.truth).rho, labels.annotations.labels_per_item)
    cooler = combined.tempered(power)
    np.testing.assert_allclose(stored["tempered"], cooler.posterior[np.arange(240), combined.answer])
    assert (stored["truth"] == stored["label"]).mean() == result.section.numbers["accuracy"].estimate
    assert len(pd.read_csv(result.folder / WORKERS)) == 8


def test_a_wide_table_says_the_same_as_a_long_one(table, tmp_path):
    wide = pc.crowd(table, out=tmp_path / "wide")
    rows = table.melt(["item", "truth"], var_name="worker", value_name="label")
    tall = pc.crowd(rows, out=tmp_path / "long")
    pd.testing.assert_frame_equal(wide.table, tall.table)
    pd.testing.assert_frame_equal(wide.section.tables["methods"], tall.section.tables["methods"])


def test_files_of_several_kinds_are_read(long, tmp_path):
    expected = pc.crowd(long, out=tmp_path / "frame").table
    long.to_csv(tmp_path / "labels.csv.gz", index=False)
    long.to_parquet(tmp_path / "labels.parquet")
    for name in ("labels.csv.gz", "labels.parquet"):
        pd.testing.assert_frame_equal(pc.crowd(tmp_path / name, out=tmp_path / "file").table, expected)


def test_without_truth_nothing_is_claimed_of_it_and_n_eff_can_be_given(long, tmp_path):
    unknown = long.drop(columns="truth")
    result = pc.crowd(unknown, out=tmp_path / "unknown")
    assert "no item has a truth, so nothing here says whether it is right" in result.sentence
    assert result.tempered is None
    assert not result.n_eff.defined
    assert "accuracy" not in result.section.numbers
    assert "tempered" not in result.table
    given = pc.crowd(unknown, pc.CrowdOptions(n_eff=2.0), out=tmp_path / "given")
    assert given.tempered is not None
    assert given.tempered.confidence.mean() < given.consensus["dawid-skene"].confidence.mean()
    assert "The workers err like 2.00 independent ones (as given)" in given.sentence


def test_truth_of_a_part_is_enough_for_n_eff(long, tmp_path):
    partly = long.assign(truth=long["truth"].where(long["item"].str[-1] < "5"))
    result = pc.crowd(partly, out=tmp_path / "part")
    assert result.n_eff.defined
    assert 0 < result.section.numbers["accuracy"].n < 240
    assert (result.table["truth"] == "").sum() == 120


@pytest.mark.parametrize("method", ["vote", "one-coin", "glad", "mace"])
def test_every_method_can_give_the_labels(long, tmp_path, method):
    result = pc.crowd(long, pc.CrowdOptions(method=method), out=tmp_path / "out")
    assert result.method == method
    assert result.section.numbers["accuracy"].estimate > 0.85
    assert method in result.sentence or method == "vote"


def test_the_page_shows_claims_and_workers(result, tmp_path):
    report(None, tmp_path / "page.html", result.sections, next_command="polyculture audit labels.csv")
    page = (tmp_path / "page.html").read_text()
    assert "What do the workers say, and how sure may one be?" in page
    figures = figures_of(result.section)
    assert {"claims", "workers"} <= set(figures)
    kinds = {row["kind"] for row in figures["claims"]["data"]["values"]}
    assert kinds == {"share of the vote", "independent workers", "tempered"}
    assert len(figures["workers"]["data"]["values"]) == 8
