"""What is in an MLflow experiment? Every run is a model; its evaluation table holds the answers.

mlflow:EXPERIMENT takes all runs of an experiment, mlflow:EXPERIMENT/RUN one of them; the store is the one that MLflow
is set to (MLFLOW_TRACKING_URI), or the one behind a question mark: mlflow:exam?sqlite:///mlflow.db. The parameters of a
run are the factors of its model.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near, need

from ..items.builder import PredictionsBuilder
from ..items.item import Item
from ..items.scores import NOT_SCORED
from ..json_lines import shorten
from ..tables.column_roles import MODEL_NAMES, first_name
from ..tables.dataframes import open_split_table
from ..tables.files import ColumnTable

SCHEME = "mlflow:"
MATCHED_BY = "their questions"
TABLE = "eval_results_table.json"
"""The artifact that MLflow's evaluation writes; else the only JSON table of the run counts."""
ANSWERS = ("outputs", "prediction", "predictions", "response", "output", "answer")
_EQUALITY = "equality with the true answer"
LABELS = ("targets", "target", "ground_truth", "expected_response", "label", "labels", "expectations")
QUESTIONS = ("inputs", "request", "question", "prompt", "id", "instance")


@dataclass(frozen=True)
class EvaluationTable:
    """Columns of an evaluation table: question, answer, expected answer and score; or None."""

    question: str | None
    answer: str | None
    label: str | None
    score: str | None


def read_runs(uri: str, builder: PredictionsBuilder) -> None:
    """Add the evaluation tables of the runs that the URI names."""
    name, _, store = uri.removeprefix(SCHEME).partition("?")
    for run, path in _downloads(name, store):
        title = run.info.run_name or run.info.run_id
        builder.add_factors(title, dict(run.data.params))
        read_table(open_split_table(path), title, builder)


def is_evaluation(names: Sequence[str]) -> bool:
    """Whether a table has the columns of an evaluation table: a question or a score, and no column of models."""
    if first_name(names, MODEL_NAMES):
        return False
    scored = any(name.endswith(("/score", "/value")) for name in names)
    return scored or bool(first_name(names, QUESTIONS[:4]) and first_name(names, ANSWERS))


def read_split(path: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add the rows of one table with columns and data, as MLflow stores it."""
    read_table(open_split_table(path), model or path.stem, builder)


def read_table(table: ColumnTable, model: str, builder: PredictionsBuilder) -> None:
    """Add the rows of one evaluation table."""
    roles = _roles(table, builder.rules.metric)
    metric = builder.metric_of("", roles.score or _EQUALITY)
    if (roles.score or _EQUALITY) != metric:
        if metric not in table.names and (metric != _EQUALITY or roles.label is None):
            raise InputError(
                f"{table.source} has no score {metric!r}, by which other tables are judged",
                "one score for all tables",
                "name a score that all of them have with metric (--metric)",
            )
        roles = replace(roles, score=None if metric == _EQUALITY else metric)
    columns = {name: table.values(name).tolist() for name in table.names if name in vars(roles).values()}
    cells: dict[str, list[Any]] = {k: columns[v] for k, v in vars(roles).items() if v is not None}
    builder.note(f"{roles.score or 'equality with ' + str(roles.label)} says what is right.")
    for row in range(len(next(iter(cells.values())))):
        cell = {k: v[row] for k, v in cells.items()}
        question = str(cell.get("question", row))
        answer = cell.get("answer")
        no_answer = answer is None or answer != answer
        score = cell.get("score")
        builder.add(
            Item(
                model,
                instance=question,
                display_id=shorten(question),
                place=f"row {row + 1} of {table.source}",
                answer=None if no_answer else str(answer),
                label=None if cell.get("label") is None else str(cell["label"]),
                score=NOT_SCORED if roles.score and score is None else score,
                state="unparsed" if no_answer else "",
                free=True,
                metric=roles.score or "",
            )
        )


def _roles(table: ColumnTable, metric: str | None) -> EvaluationTable:
    scores = [n for n in table.names if n.endswith(("/score", "/value")) or n in ("correct", "is_correct")]
    if metric and metric not in table.names:
        raise InputError(f"{table.source} has no score {metric!r}", "", near(metric, scores or table.names))
    label = first_name(table.names, LABELS)
    default_score = next(
        (n for n in scores if n.split("/")[0] in ("exact_match", "correctness", "correct", "is_correct")), None
    )
    score = metric or default_score
    if label is None and score is None:
        raise InputError(
            f"{table.source} has no true answers (its columns: {', '.join(table.names)})",
            f"targets in a column such as {LABELS[0]}, or a score",
            "name the score with metric (--metric)",
        )
    return EvaluationTable(first_name(table.names, QUESTIONS), first_name(table.names, ANSWERS), label, score)


def _downloads(name: str, store: str) -> Iterator[tuple[Any, Path]]:
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # it has no other switch
    need("mlflow", extra="logs")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=store or None)
    experiment_name, _, run_name = name.partition("/")
    try:
        experiment = client.get_experiment_by_name(experiment_name)
        experiments = [e.name for e in client.search_experiments()] if experiment is None else []
    except MlflowException as error:
        raise InputError(f"MLflow does not open {store!r}: {str(error).splitlines()[0]}", "a store it knows") from error
    if experiment is None:
        raise InputError(f"MLflow has no experiment {experiment_name!r}", "", near(experiment_name, experiments))
    runs = _runs(client, experiment.experiment_id)
    selected = [r for r in runs if run_name in ("", r.info.run_name, r.info.run_id)]
    if not selected:
        names = [str(r.info.run_name) for r in runs]
        raise InputError(f"the experiment {experiment_name!r} has no run {run_name!r}", "", near(run_name, names))
    with tempfile.TemporaryDirectory() as folder:
        for run in selected:
            artifact = _table_of(client, run)
            place = Path(folder, run.info.run_id)
            place.mkdir()
            yield run, Path(client.download_artifacts(run.info.run_id, artifact, str(place)))


def _runs(client: Any, experiment: str) -> list[Any]:
    """All runs, the oldest first."""
    runs: list[Any] = []
    token: str | None = None
    while True:
        page = client.search_runs([experiment], order_by=["attributes.start_time ASC"], page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _table_of(client: Any, run: Any) -> str:
    tables = [a.path for a in client.list_artifacts(run.info.run_id) if a.path.endswith(".json")]
    if TABLE in tables:
        return TABLE
    if len(tables) != 1:
        raise InputError(
            f"the run {run.info.run_name!r} has {len(tables)} JSON tables", f"one called {TABLE}, or a single one"
        )
    return str(tables[0])
