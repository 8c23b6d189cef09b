"""How do the training curves of a population get into other tools? Read from its folder, after or while it is trained.

Nothing is sent while models learn: curves are in the folder anyway, and a run can be exported again at any time.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from polyculture.errors import FileError, need
from polyculture.models.store import all_records, read_cost
from polyculture.recipe import Recipe

_TAG = "polyculture.model"


def to_tensorboard(folder: Path, logs: Path) -> int:
    """Write the models of a population folder as TensorBoard runs, one subfolder of `logs` each; how many there are.

    A run has the training loss by epoch, the recipe as text, and parameters, steps and seconds as hyperparameter
    metrics. Models that failed are left out. Raises FileError if there is none, MissingExtraError without tensorboard.
    """
    records = _trained(folder)
    need("tensorboard", extra="track")
    from torch.utils.tensorboard import SummaryWriter

    for name, record in records.items():
        with SummaryWriter(str(logs / name)) as writer:
            for epoch, loss in enumerate(record["curve"], 1):
                writer.add_scalar("training loss", loss, epoch)
            for metric, value in _numbers(folder / name, record).items():
                writer.add_scalar(metric, value, 0)
            rows = "\n".join(f"| {axis} | {level} |" for axis, level in _levels(record).items())
            writer.add_text("recipe", f"| axis | level |\n|---|---|\n{rows}")
    return len(records)


def to_mlflow(folder: Path, experiment: str, tracking_uri: str | None = None) -> int:
    """Write the models of a population folder as finished runs of an MLflow experiment; how many there are.

    A run has the levels of the recipe as parameters, the training loss by epoch, parameters, steps and seconds as
    metrics, and the model's id as its name and as the tag ``polyculture.model``. Models that failed are left out, and
    so are those whose tag the experiment has already. The tracking server is the one that MLflow is set to if left out.

    Raises FileError if there is no model, MissingExtraError without MLflow.
    """
    records = _trained(folder)
    need("mlflow", extra="track")
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(tracking_uri)
    existing = client.get_experiment_by_name(experiment)
    experiment_id = existing.experiment_id if existing else client.create_experiment(experiment)
    exported = {run.data.tags.get(_TAG) for run in client.search_runs([experiment_id], max_results=50_000)}
    new = {name: record for name, record in records.items() if name not in exported}
    for name, record in new.items():
        run = client.create_run(experiment_id, run_name=name, tags={_TAG: name})
        moment = run.info.start_time
        metrics = [Metric("training loss", loss, moment, epoch) for epoch, loss in enumerate(record["curve"], 1)]
        metrics += [Metric(metric, value, moment, 0) for metric, value in _numbers(folder / name, record).items()]
        levels = [Param(axis, str(level)) for axis, level in _levels(record).items()]
        client.log_batch(run.info.run_id, metrics=metrics, params=levels)
        client.set_terminated(run.info.run_id)
    return len(new)


def _trained(folder: Path) -> dict[str, dict[str, Any]]:
    records = {name: record for name, record in all_records(folder).items() if not record["failed"]}
    if not records:
        raise FileError(f"{folder} holds no trained model", "one subfolder per model", "train some first")
    return records


def _levels(record: dict[str, Any]) -> dict[str, Any]:
    return Recipe.from_dict(record["recipe"]).factors()


def _numbers(folder: Path, record: dict[str, Any]) -> dict[str, float]:
    """What one number says about a model, as far as it is known."""
    values = {name: record.get(name) for name in ("parameters", "epochs", "steps", "flops")}
    values["seconds"] = read_cost(folder)
    return {name: float(value) for name, value in values.items() if value is not None and not math.isnan(value)}
