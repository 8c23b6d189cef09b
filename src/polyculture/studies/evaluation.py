"""How alike is a trained population? Tested on every part and every shift, and audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from polyculture.auditing import AuditOptions, audit
from polyculture.dataset import Split
from polyculture.errors import visible
from polyculture.formats import ValueSets, write, write_values
from polyculture.population import Population
from polyculture.predictions import Predictions
from polyculture.results import Audit
from polyculture.training import Problem, load_problem, predict

from .run_folder import PREDICTIONS, VALUES
from .shell_words import shell_word

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
        """The command to go on with: an audit of the most frequent architecture, or a selection."""
        if self.problem.task == "regression":
            return f"polyculture select {shell_word(str(self.folder))}"
        architectures = self.population.factors["architecture"]
        name = architectures.mode()[0]
        models = f" --models {shell_word(f'{name}*')}" if (architectures == name).sum() > 1 else ""
        clusters = cluster_column(self.problem)
        cluster = f" --cluster {shell_word(clusters)}" if clusters else ""
        return f"polyculture audit {shell_word(str(self.folder / PREDICTIONS))}{models}{cluster}"


def open_problem(problem: ProblemSource, seed: int) -> Problem:
    """The problem itself, or the one of this name or in these files."""
    return problem if isinstance(problem, Problem) else load_problem(problem, seed)


def cluster_column(problem: Problem) -> str:
    """The instance column of what was sampled together; empty where there is none."""
    return "sequence" if problem.task == "tagging" else problem.cluster


def evaluate(
    population: Population, problem: Problem, seed: int, folder: Path, progress: PhaseProgress | None = None
) -> RunResult:
    """The audit of these models on this problem; their predictions are stored in the folder."""
    predictions_by_part = predict_parts(population, problem.split, progress, ("train", "selection"))
    test = predictions_by_part.pop(TEST)
    if problem.task == "regression":
        shifted = {name: predictions_by_part[name] for name in problem.split.shifted}
        sets = ValueSets(test, predictions_by_part["selection"], shifted, problem.cluster, problem.groups)
        write_values(sets, folder / VALUES)
    else:
        write(test, folder / PREDICTIONS)
    source = f"{problem.name}: {len(population)} models trained here"
    return RunResult(problem, population, test, audit_parts(test, predictions_by_part, problem, source, seed), folder)


def audit_parts(
    test: Predictions, shifted: Mapping[str, Predictions], problem: Problem, source: str, seed: int
) -> Audit:
    """The audit of models on the test set of a problem, and on its other parts and shifts."""
    options = AuditOptions(clusters=cluster_column(problem), groups=problem.groups, designed=True, seed=seed)
    dataset = problem.split.test if problem.task == "classification" else None
    return audit(test, source=source, shifted=shifted, dataset=dataset, options=options)


def predict_parts(
    population: Population, split: Split, progress: PhaseProgress | None, parts: Sequence[str]
) -> dict[str, Predictions]:
    """Predictions on the test set, on these parts of the split and on the shifted tests, by name.

    Only those on the test set keep their probabilities: an audit uses no others.
    """
    datasets = {TEST: split.test} | {name: getattr(split, name) for name in parts} | dict(split.shifted)
    answers = {}
    for finished, (name, dataset) in enumerate(datasets.items()):
        if progress:
            progress(finished, len(datasets), name)
        predictions = predict(population, dataset)
        answers[name] = predictions if name == TEST else replace(predictions, probabilities=None)
    if progress:
        progress(len(datasets), len(datasets), "")
    return answers
