"""Do the verbs of the command line work from Python, without a word on stdout?"""

from __future__ import annotations

from pathlib import Path

import pytest

import polyculture as pc
from polyculture.cli.application import VERBS
from polyculture.errors import InputError
from polyculture.recipe import Recipe

pytest.importorskip("torch")


def test_every_public_name_exists_and_every_command_is_a_public_verb() -> None:
    assert all(hasattr(pc, name) for name in pc.__all__)
    assert set(VERBS) <= set(pc.__all__)
    assert set(pc.__all__) <= set(dir(pc))


def test_run_returns_what_the_folder_has_and_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    phases: dict[str, list[tuple[int, int, str]]] = {}

    def progress(phase: str, finished: int, total: int, message: str) -> None:
        phases.setdefault(phase, []).append((finished, total, message))

    problem = pc.load_problem("wine", 0, pc.DataOptions(shifts=()))
    options = pc.RunOptions(recipes=[Recipe("knn"), Recipe("naive-bayes")], workers=1)
    result = pc.run(problem, options, out=tmp_path, progress=progress)
    assert capsys.readouterr() == ("", "")
    assert list(phases) == ["reading", "training", "testing"]
    assert phases["reading"] == [(1, 1, problem.sentence)]
    assert phases["training"][-1][:2] == (2, 2)
    assert result.predictions.shape == (2, len(problem.split.test))
    assert result.audit.n_models == len(result.population) == 2
    assert pc.read(tmp_path).model_ids == result.predictions.model_ids
    assert str(result).startswith(f"RunResult in {tmp_path}: {result.audit.sentence}")
    assert result.next_command == f"polyculture select {tmp_path}"


def test_run_keeps_regression_on_every_part(tmp_path: Path) -> None:
    problem = pc.load_problem("diabetes", 0, pc.DataOptions(shifts=("noise",)))
    options = pc.RunOptions(
        recipes=[Recipe("knn", objective="squared"), Recipe("ridge", objective="squared")], workers=1
    )
    result = pc.run(problem, options, out=tmp_path)
    assert result.predictions.task == "regression"
    assert result.audit.headline == "R"
    assert pc.read(tmp_path).model_ids == result.predictions.model_ids
    assert result.next_command == f"polyculture select {tmp_path}"


@pytest.mark.parametrize("study", ["ablate", "evolve"])
def test_studies_of_classes_refuse_regression(study: str, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    with pytest.raises(InputError, match="diabetes, whose labels are numbers; expected classes"):
        getattr(pc, study)("diabetes", out=tmp_path)
