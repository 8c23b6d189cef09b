"""Before a run: repeats and leaked rows leave the training set, and whatever is made of the run knows it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.dataset import Split
from polyculture.errors import InputError
from polyculture.recipe import Recipe
from polyculture.reporting.result_folder import store_audit
from polyculture.studies.cleaning.masks import KEY_FILE, key_in
from polyculture.studies.cleaning.training_set import cleaned_problem
from polyculture.studies.stored_portfolio import problem_of_run
from polyculture.training import Problem

pytest.importorskip("torch")

RECIPES = [Recipe("logistic"), Recipe("knn"), Recipe("naive-bayes")]


@pytest.fixture
def files(tmp_path, monkeypatch) -> list[str]:
    """A training file with two repeats and two rows of the test file, one of them under another label."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(1)
    table = pd.DataFrame(draw.normal(size=(80, 2)).round(3), columns=["a", "b"])
    table["who"] = [f"person{k % 40}@example.org" for k in range(80)]
    table["label"] = np.where(table["a"] > 0, "x", "y")
    train, test = table[:50], table[50:]
    other = test.iloc[[1]].assign(label="x" if test["label"].iloc[1] == "y" else "y")
    pd.concat([train, train.iloc[[4, 9]], test.iloc[[0]], other]).to_csv("t.train.csv", index=False)
    test.to_csv("t.test.csv", index=False)
    return ["t.train.csv", "t.test.csv"]


def load(files: list[str]) -> Problem:
    return pc.load_problem(files, 0, pc.DataOptions(shifts=()))


def test_repeats_and_leaks_leave_the_training_set_only(files):
    problem = load(files)
    cleaned = cleaned_problem(problem)
    before, after = problem.split, cleaned.problem.split
    assert len(before.train) + len(before.selection) == 54
    assert (cleaned.removed["kind"] == "leak").sum() >= 1
    for part in ("selection", "test"):
        np.testing.assert_array_equal(getattr(before, part).array, getattr(after, part).array)
    rows = {tuple(row) for part in (after.selection, after.test) for row in part.array.round(5)}
    assert not rows & {tuple(row) for row in after.train.array.round(5)}
    assert len({tuple(row) for row in after.train.array.round(5)}) == len(after.train)
    assert f"Of {len(before.train)} training rows {len(cleaned.removed)} (" in cleaned.section.sentence
    assert "The selection and test set are as they were." in cleaned.section.sentence


def test_a_clean_problem_stays_as_it_is():
    problem = pc.load_problem("wine", 0, pc.DataOptions(shifts=()))
    cleaned = cleaned_problem(problem)
    assert cleaned.problem.fingerprint == problem.fingerprint
    assert "none was left out" in cleaned.section.sentence


@pytest.mark.parametrize("name", ["table", "image", "volume", "series", "audio", "text", "tags", "numbers"])
def test_every_modality(name, sets):
    data = sets[name]
    third = len(data) // 3
    rows = [np.arange(part * third, (part + 1) * third) for part in range(3)]
    rows[0] = np.concatenate([rows[0], rows[0][:2], rows[2][:1]])
    cleaned = cleaned_problem(Problem(name, Split(*(data.take(part) for part in rows))))
    assert {third, third + 1, third + 2} <= set(cleaned.removed["row"])
    assert len(cleaned.problem.split.test) == third


def test_most_rows_may_be_repeats_and_still_each_is_left_out():
    table = np.repeat(np.arange(300.0), 4)[:, None]
    data = pc.Dataset(table, (np.arange(1200) // 4) % 2, ("a", "b"))
    other = data.take(np.arange(0, 1200, 4)).with_inputs(np.arange(300.0)[:, None] + 1000)
    cleaned = cleaned_problem(Problem("crowd", Split(data, other, other.with_inputs(other.array + 1000))))
    assert len(cleaned.removed) == 900
    assert len(cleaned.problem.split.train) == 300


def test_a_run_says_what_it_left_out_and_is_loaded_again_like_it(files):
    result = pc.run(load(files), pc.RunOptions(recipes=RECIPES, workers=1, clean=True), out="run")
    assert "were left out before training" in result.audit.section("cleaning").sentence
    removed = pd.read_csv("run/removed.csv")
    assert set(removed["part"]) == {"train"}
    audit = store_audit(result.audit, Path("run"), "next")
    assert audit.facts["answers"] == []
    page = Path("run/page.html").read_text()
    assert "were left out before training" in page
    origin = json.loads(Path("run/run.json").read_text())["problem"]
    again = problem_of_run(Path("run"), origin, shifted=False)
    assert again.fingerprint == result.problem.fingerprint != load(files).fingerprint


def test_a_run_hides_fields_and_makes_the_same_hashes_again(files):
    options = pc.RunOptions(recipes=RECIPES, workers=1, mask={"who": "hash"})
    result = pc.run(files, options, out="run")
    assert (Path("run") / KEY_FILE).stat().st_mode & 0o077 == 0
    for path in Path("run").rglob("*"):
        assert not path.is_file() or b"example.org" not in path.read_bytes()
    origin = json.loads(Path("run/run.json").read_text())["problem"]
    assert problem_of_run(Path("run"), origin, shifted=False).fingerprint == result.problem.fingerprint


def test_a_mask_needs_the_files(files):
    with pytest.raises(InputError) as error:
        pc.run(load(files), pc.RunOptions(recipes=RECIPES, workers=1, mask={"who": "hash"}), out="run")
    assert str(error.value) == (
        "a mask for a problem that is loaded; expected its name or its files; give these to run."
    )
    with pytest.raises(InputError, match="no field 'whom' to hide; did you mean 'who'"):
        pc.run(files, pc.RunOptions(recipes=RECIPES, mask={"whom": "hash"}), out="run")
    with pytest.raises(InputError, match="the mask 'hide' of 'who'"):
        pc.RunOptions(mask={"who": "hide"})


def test_a_key_of_another_size_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(b"x" * 65)
    with pytest.raises(InputError, match="has 65 bytes; expected 1 to 64 bytes"):
        key_in(tmp_path / "key")
