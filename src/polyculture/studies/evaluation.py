"""How does a trained population stand? Asked on every test set, and audited by what its task is."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyculture.cli.output import PREDICTIONS, Progress

if TYPE_CHECKING:
    from polyculture.dataset import Dataset, Split
    from polyculture.population import Population
    from polyculture.predictions import Predictions
    from polyculture.results import Audit
    from polyculture.training import Problem
    from polyculture.values import Values

AS_THEY_ARE = "as they are"
VALUES = "values"


def judge(population: Population, problem: Problem, seed: int, out: Path, progress: Progress) -> Audit:
    """The audit of these models on this problem.

    Answers to the test set are kept in `out`: a Predictions folder. Of regression the numbers for the selection and
    the test instances and for the shifted tests: a folder of values.
    """
    about = f"{problem.name}: {len(population)} models trained here"
    audit = _of_numbers if problem.task == "regression" else _of_answers
    return audit(population, problem, seed, out, progress, about)


def following(population: Population, problem: Problem, out: Path) -> str:
    """The command that goes on from what is kept: an audit of the architecture with most models, or a choice."""
    if problem.task == "regression":
        return f"polyculture select {shlex.quote(str(out))}"
    architectures = population.factors["architecture"]
    name = architectures.mode()[0]
    models = f" --models '{name}*'" if (architectures == name).sum() > 1 else ""
    cluster = "sequence" if problem.task == "tagging" else problem.cluster
    together = f" --cluster {shlex.quote(cluster)}" if cluster else ""
    return f"polyculture audit {shlex.quote(str(out / PREDICTIONS))}{models}{together}"


def _of_answers(
    population: Population, problem: Problem, seed: int, out: Path, progress: Progress, about: str
) -> Audit:
    from polyculture import auditing, formats, training

    def asked(dataset: Dataset, elsewhere: bool) -> Predictions:
        found = training.predict(population, dataset)
        return replace(found, probabilities=None) if elsewhere else found  # an audit looks at those of the test only

    answers = _on_all(problem.split, asked, progress)
    predictions = answers.pop(AS_THEY_ARE)
    formats.write(predictions, out / PREDICTIONS)
    tagging = problem.task == "tagging"
    return auditing.audit(
        predictions,
        source=about,
        shifted=answers,
        dataset=None if tagging else problem.split.test,
        options=auditing.AuditOptions(
            clusters="sequence" if tagging else problem.cluster, groups=problem.groups, designed=True, seed=seed
        ),
    )


def _of_numbers(
    population: Population, problem: Problem, seed: int, out: Path, progress: Progress, about: str
) -> Audit:
    from polyculture import auditing, formats, training
    from polyculture.values import Values

    def asked(dataset: Dataset, elsewhere: bool) -> Values:  # noqa: ARG001
        predicted = training.predict(population, dataset).values
        assert predicted is not None
        return auditing.Values(
            predicted.astype(float),
            dataset.labels.astype(float),
            tuple(population),
            factors=population.factors,
            instances=dataset.instances,
        )

    values = _on_all(problem.split, asked, progress)
    here = values.pop(AS_THEY_ARE)
    others = {name: there for name, there in values.items() if name not in ("train", "selection")}
    kept = formats.ValueSets(here, values["selection"], others, problem.cluster, problem.groups)
    formats.write_values(kept, out / VALUES)
    options = auditing.AuditOptions(clusters=problem.cluster, groups=problem.groups, designed=True, seed=seed)
    shifted = {name: there.predictions() for name, there in values.items()}
    return auditing.audit(here.predictions(), source=about, shifted=shifted, options=options)


def _on_all(split: Split, asked: Callable[[Dataset, bool], Any], progress: Progress) -> dict[str, Any]:
    """What the models answer to the test set, to the other parts of the split and to the shifted tests."""
    tests: dict[str, Mapping[str, Dataset]] = {
        name: {name: dataset}
        for name, dataset in ((AS_THEY_ARE, split.test), ("train", split.train), ("selection", split.selection))
    }
    tests |= dict.fromkeys(split.shifted, split.shifted)
    answers = {}
    for done, (name, where) in enumerate(tests.items()):
        progress(done, len(tests), name)
        answers[name] = asked(where[name], name != AS_THEY_ARE)
    progress(len(tests), len(tests), "")
    return answers
