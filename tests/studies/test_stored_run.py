"""Does the folder of a run keep all that the run learned, and do select and audit read it?"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.cli import main
from polyculture.errors import FileError, InputError
from polyculture.formats import read, write
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe
from polyculture.studies.evaluation import RunResult
from polyculture.studies.stored_run import is_run, read_run

pytest.importorskip("torch")

RECIPES = [Recipe("logistic"), Recipe("knn"), Recipe("naive-bayes"), Recipe("forest", seed=1)]


def log_losses(predictions: Predictions) -> np.ndarray:
    assert predictions.probabilities is not None
    assert predictions.labels is not None
    truth = predictions.probabilities[:, np.arange(len(predictions.labels)), predictions.labels]
    return np.asarray(-np.log(np.maximum(truth.astype(np.float64), 1e-12)).mean(axis=1))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    folder = tmp_path_factory.mktemp("run")
    problem = pc.load_problem("wine", 0, pc.DataOptions(shifts=("noise",)))
    return pc.run(problem, pc.RunOptions(recipes=RECIPES, workers=1), out=folder)


def test_every_part_and_shift_comes_back_with_its_probabilities(finished: RunResult) -> None:
    sets, split = read_run(finished.folder).sets, finished.problem.split
    assert sets.train is not None
    assert sets.selection is not None
    assert list(sets.shifted) == list(split.shifted)
    for part, dataset in [
        (sets.train, split.train),
        (sets.selection, split.selection),
        *zip(sets.shifted.values(), split.shifted.values(), strict=True),
    ]:
        exact = pc.predict(finished.population, dataset)
        np.testing.assert_array_equal(part.answers, exact.answers)
        np.testing.assert_array_equal(part.labels, exact.labels)
        assert list(part.instances.index) == list(exact.instances.index)
        assert part.probabilities is not None
        rows = np.arange(len(dataset))
        losses = [
            -np.log(np.maximum(p[:, rows, exact.labels], 1e-12)).mean(axis=1)
            for p in (part.probabilities, exact.probabilities)
        ]
        assert np.abs(losses[0] - losses[1]).max() <= 1e-3


def test_an_audit_of_the_folder_is_the_audit_of_the_run(finished: RunResult) -> None:
    again, run = pc.audit_run(finished.folder)
    first, second = (json.loads(audit.to_json()) for audit in (finished.audit, again))
    del first["facts"]["seconds"], second["facts"]["seconds"]
    assert first == second
    assert run.missing == ""


def test_select_chooses_on_the_selection_part_and_certifies_on_the_test_part_and_every_shift(
    finished: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = finished.problem.split
    assert main(["select", str(finished.folder), "--out", str(tmp_path / "kept"), "--json"]) == 0
    portfolio = pc.Portfolio.from_json(capsys.readouterr().out)
    assert (portfolio.chosen_on, portfolio.certified_on) == (len(split.selection), len(split.test))
    assert not np.isnan(portfolio.certificate.scores["worst_shift"].estimate)
    assert set(portfolio.certificate.shifts["shift"]) == set(split.shifted)


def test_a_goal_about_shifts_splits_the_test_part(
    finished: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["select", str(finished.folder), "--goal", "worst_shift", "--out", str(tmp_path / "kept"), "--json"]
    assert main(words) == 0
    portfolio = pc.Portfolio.from_json(capsys.readouterr().out)
    assert portfolio.chosen_on + portfolio.certified_on == len(finished.problem.split.test)


@pytest.mark.parametrize("command", ["select", "audit"])
def test_an_older_folder_opens_and_says_what_it_lacks(
    finished: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    old = tmp_path / "old"
    shutil.copytree(finished.folder / "predictions", old / "predictions")
    assert is_run(old)
    assert main([command, str(old), "--out", str(tmp_path / "out")]) == 0
    error = capsys.readouterr().err
    assert f"{old} was written by an earlier version and lacks the selection part and the shifted tests" in error
    assert error.count("\n") == 1


def test_some_models_are_audited_on_every_part(finished: RunResult, tmp_path: Path) -> None:
    ids = finished.predictions.model_ids[:2]
    audit, run = pc.audit_run(finished.folder, finished.predictions.take_models(ids))
    assert audit.n_models == 2
    assert len(audit.shifts) == 1 + len(finished.problem.split.shifted)
    assert all(part.model_ids == ids for part in run.sets.companions.values())


def test_a_damaged_or_newer_folder_is_one_sentence(finished: RunResult, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    (folder / "run.json").write_text("{")
    with pytest.raises(FileError, match=r"run\.json cannot be read"):
        read_run(folder)
    (folder / "run.json").write_text('{"format": 99}')
    with pytest.raises(InputError, match="is of format 99"):
        read_run(folder)
    shutil.copy(finished.folder / "run.json", folder / "run.json")
    part = folder / "parts" / "selection" / "probabilities.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(FileError, match="no complete Parquet file"):
        read_run(folder)
    shutil.copytree(folder / "parts" / "train", folder / "train")
    shutil.rmtree(folder / "parts" / "train")
    shutil.copy(finished.folder / "parts" / "selection" / "probabilities.parquet", part)
    with pytest.raises(FileError, match=r"parts/train is missing.*the same polyculture run adds it"):
        read_run(folder)
    shutil.move(folder / "train", folder / "parts" / "train")
    shutil.copy(finished.folder / "parts" / "train" / "probabilities.parquet", part)
    with pytest.raises(InputError, match="a row per instance and class"):
        read_run(folder)


def test_a_stopped_run_leaves_no_parts_of_another(finished: RunResult, tmp_path: Path) -> None:
    """Without run.json, which is written last, parts are not taken for those of the predictions beside them."""
    folder = tmp_path / "stopped"
    shutil.copytree(finished.folder, folder)
    (folder / "run.json").unlink()
    assert read_run(folder).sets.selection is None


def test_compact_probabilities_keep_the_log_loss_where_half_precision_ends(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tiny = 10.0 ** rng.uniform(-12, 0, (200, 1))
    extreme = np.hstack([tiny, 1 - tiny])
    usual = rng.dirichlet(np.ones(2), 200)
    labels = rng.integers(0, 2, 200)
    table = Predictions(
        pd.DataFrame(index=pd.Index(["extreme", "usual"])),
        pd.DataFrame(index=range(200)),
        answers=np.stack([extreme.argmax(axis=1), usual.argmax(axis=1)]),
        labels=labels,
        classes=("a", "b"),
        probabilities=np.stack([extreme, usual]).astype(np.float32),
    )
    back = read(write(table, tmp_path / "table", compact=True))
    losses = [
        -np.log(np.maximum(p[:, np.arange(200), labels], 1e-12)).mean(axis=1)
        for p in (table.probabilities, back.probabilities)
    ]
    assert np.abs(losses[0] - losses[1]).max() <= 1e-3
    np.testing.assert_array_equal(back.answers, table.answers)
    assert write(replace(table, probabilities=None), tmp_path / "table")  # replaces the folder
    assert read(tmp_path / "table").probabilities is None
