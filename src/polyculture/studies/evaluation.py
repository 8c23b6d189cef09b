"""How alike is a trained population? Tested on every part and every shift, and audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from polyculture.auditing import AuditOptions, audit
from polyculture.dataset import Split
from polyculture.errors import visible
from polyculture.formats import write, write_values
from polyculture.formats.folders.atomic_folder import replacing
from polyculture.population import Population
from polyculture.predictions import Predictions, PredictionSets
from polyculture.recipe import Recipe, readable_names
from polyculture.results import Audit
from polyculture.training import Problem, load_problem, predict

from .run_folder import PARTS, PREDICTIONS, RUN, VALUES
from .shell_words import shell_word
from .stored_run import write_facts, write_part

TEST = "as they are"
"""What the test set without a shift is called."""
PhaseProgress = Callable[[int, int, str], None]
ProblemSource = Problem | str | Path | Sequence[str | Path]
"""A problem, its name, or files to learn from."""


@dataclass(frozen=True, eq=False)
class RunResult:
    """A trained population and its audit.

    Parameters
    ----------
    problem : what the models learned.
    population : the trained models; ``population.failed`` has those that could not be trained.
    predictions : of the models on the test set.
    audit : of those predictions.
    folder : where models and predictions are stored.
    """

    problem: Problem
    population: Population
    predictions: Predictions
    audit: Audit
    folder: Path

    def __repr__(self) -> str:
        return (
            visible(f"RunResult in {self.folder}: {self.audit.sentence}")
            + "\nnext: pc.report(result.audit, 'page.html')"
        )

    @property
    def next_command(self) -> str:
        """The command to go on with: the few models to keep."""
        return f"polyculture select {shell_word(str(self.folder))}"


def open_problem(problem: ProblemSource, seed: int) -> Problem:
    """The problem itself, or the one of this name or in these files."""
    return problem if isinstance(problem, Problem) else load_problem(problem, seed)


def cluster_column(problem: Problem) -> str:
    """The instance column of what was sampled together; empty where there is none."""
    return "sequence" if problem.task == "tagging" else problem.cluster


def model_names(recipes: Sequence[Recipe], problem: Problem) -> dict[str, str]:
    """What the models of a run are called, by recipe id; never like a column of the predictions."""
    columns = {"instance", "label", "options", "target", "sequence", *map(str, problem.split.test.instances.columns)}
    return readable_names(recipes, columns)


def rename(population: Population, names: Mapping[str, str]) -> Population:
    """The same models under these names by recipe id, which goes into the column ``id`` of their factors."""
    factors = population.factors.assign(id=population.factors.index).rename(index=names)
    models = {names[key]: model for key, model in population.models.items()}
    failed = {names[key]: reason for key, reason in population.failed.items()}
    return Population(models, population.classes, factors, failed)


def evaluate(
    population: Population, problem: Problem, seed: int, folder: Path, progress: PhaseProgress | None = None
) -> RunResult:
    """The audit of these models on this problem; their predictions are stored in the folder."""
    source = f"{problem.name}: {len(population)} models trained here"
    sets = store_predictions(population, problem, folder, source, progress)
    result = audit_parts(sets.test, sets.companions, problem, source, seed)
    return RunResult(problem, population, sets.test, result, folder)


def store_predictions(
    population: Population, problem: Problem, folder: Path, source: str, progress: PhaseProgress | None
) -> PredictionSets:
    """Predictions on every part and shift, stored in the folder."""
    parts = ("train", "selection")
    (folder / RUN).unlink(missing_ok=True)  # until all is written, the folder is not complete
    if problem.task == "regression":
        by_part = predict_parts(population, problem.split, progress, parts)
    else:
        with replacing(folder / PARTS) as new_folder:

            def keep(name: str, predictions: Predictions) -> None:
                if name == TEST:
                    write(predictions, folder / PREDICTIONS)
                else:
                    write_part(predictions, new_folder, name, shifted=name not in parts)

            by_part = predict_parts(population, problem.split, progress, parts, keep)
    test, train, selection = (by_part.pop(name) for name in (TEST, *parts))
    sets = PredictionSets(test, selection, by_part, cluster_column(problem), problem.groups, train)
    if problem.task == "regression":
        write_values(sets, folder / VALUES)
    write_facts(folder, source, sets, problem.origin)
    return sets


def audit_parts(
    test: Predictions, shifted: Mapping[str, Predictions], problem: Problem, source: str, seed: int
) -> Audit:
    """The audit of models on the test set of a problem, and on its other parts and shifts."""
    options = AuditOptions(clusters=cluster_column(problem), groups=problem.groups, designed=True, seed=seed)
    dataset = problem.split.test if problem.task == "classification" else None
    return audit(test, source=source, shifted=shifted, dataset=dataset, options=options)


def predict_parts(
    population: Population,
    split: Split,
    progress: PhaseProgress | None,
    parts: Sequence[str],
    keep: Callable[[str, Predictions], None] | None = None,
) -> dict[str, Predictions]:
    """Predictions on the test set, on these parts of the split and on the shifted tests, by name.

    Only those on the test set keep their probabilities: an audit uses no others. `keep` is called with all of each.
    """
    datasets = {TEST: split.test} | {name: getattr(split, name) for name in parts} | dict(split.shifted)
    answers = {}
    for finished, (name, dataset) in enumerate(datasets.items()):
        if progress:
            progress(finished, len(datasets), name)
        predictions = predict(population, dataset)
        if keep:
            keep(name, predictions)
        answers[name] = predictions if name == TEST else replace(predictions, probabilities=None)
    if progress:
        progress(len(datasets), len(datasets), "")
    return answers
