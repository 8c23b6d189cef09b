"""Do other tools show the curves and the ingredients of a population that was trained here?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from polyculture.errors import FileError, MissingExtraError
from polyculture.models.store import all_records
from polyculture.recipe import Recipe
from polyculture.training import Problem, train
from polyculture.training.tracking import to_mlflow, to_tensorboard

NET = Recipe("mlp", optimizer="adam", hyperparameters={"epochs": 2, "width": 8})
RECIPES = [Recipe("knn"), NET, Recipe("svm", hyperparameters={"C": -1})]


@pytest.fixture(scope="module")
def folder(small: Problem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner without epochs, a net, and one that failed."""
    folder = tmp_path_factory.mktemp("population")
    train(RECIPES, small, folder, workers=1)
    return folder


@pytest.mark.filterwarnings("ignore")  # tensorboard's own
def test_tensorboard_shows_a_run_per_model_with_its_curve_and_recipe(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert to_tensorboard(folder, tmp_path) == 2
    assert {path.name for path in tmp_path.iterdir()} == {RECIPES[0].id, NET.id}
    shown = EventAccumulator(str(tmp_path / NET.id))
    shown.Reload()
    curve = all_records(folder)[NET.id]["curve"]
    losses = {event.step: event.value for event in shown.Scalars("training loss")}
    assert losses == pytest.approx(dict(enumerate(curve, 1)), rel=1e-6)
    assert shown.Scalars("parameters")[0].value == 8 * 64 + 8 + 8 * 8 + 8 + 10 * 8 + 10
    text = shown.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| optimizer | adam |" in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow and its store warn about each other
def test_mlflow_gets_a_run_per_model_once(folder: Path, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    store = f"sqlite:///{tmp_path}/mlflow.db"
    assert [to_mlflow(folder, "exam", store), to_mlflow(folder, "exam", store)] == [2, 0]
    client = mlflow.MlflowClient(store)
    runs = client.search_runs([client.get_experiment_by_name("exam").experiment_id])
    by_name = {run.info.run_name: run for run in runs}
    assert set(by_name) == {RECIPES[0].id, NET.id}
    run = by_name[NET.id]
    assert run.info.status == "FINISHED"
    assert run.data.params["hyperparameters"] == "epochs=2, width=8"
    assert run.data.metrics["steps"] == 4
    losses = {metric.step: metric.value for metric in client.get_metric_history(run.info.run_id, "training loss")}
    assert losses == pytest.approx(dict(enumerate(all_records(folder)[NET.id]["curve"], 1)))


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    for export in (lambda: to_tensorboard(tmp_path, tmp_path / "logs"), lambda: to_mlflow(tmp_path, "exam")):
        with pytest.raises(FileError) as caught:
            export()
        assert str(caught.value) == (
            f"{tmp_path} holds no trained model; expected one subfolder per model; train some first."
        )


def test_without_the_tool_the_extra_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, export in (
        ("tensorboard", lambda: to_tensorboard(folder, tmp_path)),
        ("mlflow", lambda: to_mlflow(folder, "exam")),
    ):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
        with pytest.raises(MissingExtraError) as caught:
            export()
        assert str(caught.value) == f'the package {package!r} is not installed; pip install "polyculture[track]".'
