"""Is every instance predicted by models that learned neither it nor a copy of it, also after the process was killed?"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError, TrainingError
from polyculture.models.store import all_records
from polyculture.predictions import MISSING
from polyculture.preparation.duplicates import undivided_folds
from polyculture.recipe import Recipe
from polyculture.training import Problem
from polyculture.training.out_of_fold import out_of_fold

TWO = [Recipe("logistic"), Recipe("naive-bayes")]

SCRIPT = """
import os, signal, sys
from pathlib import Path
from polyculture.training import load_problem
from polyculture.training.out_of_fold import out_of_fold
from polyculture.preparation.duplicates import undivided_folds
from polyculture.recipe import Recipe

def progress(done, total, message):
    if done == 3 and sys.argv[2] == "kill": os.kill(os.getpid(), signal.SIGKILL)

recipes = [Recipe("logistic"), Recipe("naive-bayes")]
out_of_fold(recipes, load_problem("iris"), Path(sys.argv[1]), folds=3, workers=1, progress=progress)
"""


def copies(n: int = 90) -> Dataset:
    """Instances of no class at all, each twice: only a copy's label can be known."""
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(n, 8)).astype(np.float32)
    labels = draw.integers(0, 3, n)
    order = draw.permutation(2 * n)
    return Dataset(np.tile(inputs, (2, 1))[order], np.tile(labels, 2)[order], ("a", "b", "c"))


def test_a_copy_never_votes_for_its_own_label() -> None:
    nearest = [Recipe("knn", hyperparameters={"neighbours": 1}, seed=seed) for seed in range(2)]
    predictions = out_of_fold(nearest, copies(), folds=3, workers=1)
    assert predictions.wrong.mean() > 0.5


def test_predictions_are_those_of_fits_without_the_fold(small: Problem) -> None:
    train = small.split.train
    predictions = out_of_fold(TWO, train, folds=4, workers=1, seed=3)
    rows = undivided_folds(train, 4, 3)[1]
    rest = train.take(np.setdiff1d(np.arange(len(train)), rows))
    from polyculture.training import ARCHITECTURES

    fitted = ARCHITECTURES["logistic"].fit(TWO[0], rest)
    assert predictions.probabilities is not None
    np.testing.assert_allclose(predictions.probabilities[0, rows], fitted(train.array[rows]), atol=1e-6)
    assert list(predictions.instances.index) == list(train.instances.index)
    np.testing.assert_array_equal(predictions.labels, train.labels)
    assert predictions.model_ids == [recipe.id for recipe in TWO]
    assert {"architecture", "seconds"} <= set(predictions.models.columns)


def test_groups_and_clusters_stay_in_one_fold(small: Problem) -> None:
    train = small.split.train
    patients = np.arange(len(train)) // 4
    for rows in undivided_folds(train, 3, 0, patients):
        assert not set(patients[rows]) & set(np.delete(patients, rows))
    table = replace(train, instances=pd.DataFrame({"patient": patients}, index=train.instances.index))
    problem = replace(small, split=replace(small.split, train=table), cluster="patient")
    by_cluster, by_groups = (
        out_of_fold(TWO, data, folds=3, workers=1, groups=groups)
        for data, groups in ((problem, None), (train, patients.astype(str)))
    )
    np.testing.assert_array_equal(by_cluster.answers, by_groups.answers)


def test_a_killed_call_is_finished_by_the_same_call(tmp_path: Path) -> None:
    def call(folder: str, how: str) -> int:
        return subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / folder), how], check=False).returncode

    assert call("killed", "kill") == -9
    times = {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "killed").rglob("recipe.json"))}
    assert len(times) == 3
    assert call("killed", "go on") == call("whole", "go on") == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times
    for fold in (1, 2, 3):
        records = [all_records(tmp_path / name / f"fold-{fold}") for name in ("killed", "whole")]
        assert records[0] == records[1]


def test_a_class_of_one_instance_is_predicted_all_the_same(small: Problem) -> None:
    train = small.split.train
    lonely = np.r_[np.flatnonzero(train.labels != 9), np.flatnonzero(train.labels == 9)[:1]]
    predictions = out_of_fold(TWO, train.take(lonely), folds=3, workers=1)
    assert predictions.probabilities is not None
    assert predictions.probabilities.shape == (2, len(lonely), 10)
    assert predictions.probabilities[:, -1, 9].max() == 0


def test_a_recipe_that_fails_in_a_fold_has_no_answers_there(small: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    from polyculture.training.architectures import ARCHITECTURES

    original, fits = ARCHITECTURES["knn"].fit, []

    def fit(*arguments: object) -> object:
        fits.append(1)
        if len(fits) != 2:
            raise ValueError("no neighbours")
        return original(*arguments)

    object.__setattr__(ARCHITECTURES["knn"], "fit", fit)
    try:
        predictions = out_of_fold([*TWO, Recipe("knn")], small, folds=3, workers=1)
        with pytest.raises(TrainingError, match=r"^1 model could be trained; expected two or more; .*no neighbours"):
            out_of_fold([TWO[0], Recipe("knn")], small, folds=2, workers=1)
    finally:
        object.__delattr__(ARCHITECTURES["knn"], "fit")
    assert predictions.answers is not None
    absent = predictions.answers[2] == MISSING
    np.testing.assert_array_equal(np.flatnonzero(~absent), undivided_folds(small.split.train, 3, 0)[1])


def test_progress_counts_the_fits_of_all_folds(small: Problem) -> None:
    events: list[tuple[int, int]] = []
    out_of_fold(TWO, small, folds=2, workers=1, progress=lambda done, total, _: events.append((done, total)))
    assert events == [(0, 4), (1, 4), (2, 4), (2, 4), (3, 4), (4, 4)]


def test_what_cannot_be_predicted_out_of_fold_is_refused(small: Problem, sets: dict[str, Dataset]) -> None:
    cases = [
        ((TWO[:1], small), {}, "one recipe; expected two or more; "),
        (([], small), {}, "no recipe; expected one or more."),
        ((TWO, sets["numbers"]), {}, "out-of-fold predictions for regression; expected classes of single instances."),
        ((TWO, sets["tags"]), {}, "out-of-fold predictions for tagging; expected classes of single instances."),
        ((TWO, small), {"folds": 1}, "1 folds of 64 groups of instances; expected 2 or more, with a group in each."),
        ((TWO, small), {"groups": np.arange(3)}, "3 groups for 64 instances; expected one value per instance."),
    ]
    for arguments, options, message in cases:
        with pytest.raises(InputError) as caught:
            out_of_fold(*arguments, **options)
        assert str(caught.value).startswith(message)


def test_a_folder_of_other_folds_is_refused(small: Problem, tmp_path: Path) -> None:
    out_of_fold(TWO, small, tmp_path, folds=2, workers=1)
    with pytest.raises(InputError, match="was made for another problem or split"):
        out_of_fold(TWO, small, tmp_path, folds=2, workers=1, seed=1)
