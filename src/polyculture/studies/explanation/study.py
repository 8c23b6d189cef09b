"""Why do the models of a run decide as they do, and for the same reasons? Explained, compared, and put on a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.dataset import Dataset
from polyculture.errors import InputError, visible
from polyculture.explanation import explain, find_method
from polyculture.explanations import Explanations
from polyculture.population import Population
from polyculture.predictions import Predictions
from polyculture.results import Section
from polyculture.rng import stream
from polyculture.stats import Interval
from polyculture.training import Problem

from ..evaluation import cluster_column
from ..progress import Progress, phase_progress
from ..run_folder import writable_folder
from .comparison import CHANGED, FLOOR, PAIRS, RECIPE, REPEAT, ReasonComparison, mean_defined
from .instances import leading_features, same_answer_other_reasons, same_reasons_other_answer
from .models import effective_models, faithful_models, model_table, reasons_and_errors
from .options import ExplainRunOptions
from .pictures import drawn_instances, drawn_models, map_table
from .representations import EFFECTIVE, representation_section
from .section import explanation_section
from .sources import ExplainedSource, explained_source
from .surrogate import surrogate_section
from .why_alike import reason_attribution

EXPLANATIONS, AGAIN, NEARBY = "explanations", "explanations-again", "explanations-changed"
"""Folders of the explanations, of those by another seed and of those of slightly changed inputs."""
SECTIONS = "explain.json"
"""File of the sections, next to their page."""


@dataclass(frozen=True, eq=False)
class ExplainRunResult:
    """Explanations of the models of a run, and how far they agree.

    Parameters
    ----------
    explanations : of every model on the same instances of the test set.
    comparison : agreement of pairs, its floor and its ceilings.
    sections : the answer, and which ingredients make reasons alike; `polyculture.report` makes their page.
    folder : where the explanations are stored.
    """

    explanations: Explanations
    comparison: ReasonComparison
    sections: tuple[Section, ...]
    folder: Path

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return self.sections[0].sentence

    def __repr__(self) -> str:
        return visible(f"ExplainRunResult in {self.folder}: {self.sentence}") + "\nnext: result.sections[0].tables"


def explain_run(
    source: str | Path,
    options: ExplainRunOptions | None = None,
    *,
    out: str | Path = "polyculture-explanation",
    problem: Problem | None = None,
    progress: Progress | None = None,
) -> ExplainRunResult:
    """What every model of a run looks at in the same instances of the test set, and whether the reasons agree.

    All models are explained by one method against one baseline. Agreement is set against what two models share on
    different instances (floor), two seeds of one recipe, and one model explained twice (ceilings).

    Parameters
    ----------
    source : folder of a run, or of a bundle or portfolio that was made of one.
    options : method, models, instances, ….
    out : folder of the explanations; the same call resumes an interrupted one.
    problem : that the models were trained on; None to load it again as the run did.
    progress : called in the phases explaining, explaining again, and with changed inputs.

    Raises InputError for a method that does not fit the models or the inputs, unknown models, and tags; FileError for a
    folder that cannot be read or written.

    Examples
    --------
    >>> recipes = [pc.Recipe("logistic"), pc.Recipe("knn"), pc.Recipe("naive-bayes")]
    >>> _ = pc.run("iris", pc.RunOptions(recipes=recipes, workers=1), out="iris-to-explain")
    >>> result = pc.explain_run("iris-to-explain", pc.ExplainRunOptions(instances=20, k=2), out="iris-reasons")
    >>> result.explanations.shape
    (3, 20, 4)
    """
    options = options or ExplainRunOptions()
    origin = explained_source(source, options.models, problem)
    if origin.problem.task == "tagging":
        raise InputError(
            "explanations of tags", "one prediction per instance", "explain a run on tables, images or texts"
        )
    folder = writable_folder(Path(out))
    test = _drawn(origin.problem.split.test, options)
    explaining = partial(explain, background=origin.problem.split.train)
    explanations = explaining(
        origin.population,
        test,
        options.method,
        options.of_method(),
        folder=folder / EXPLANATIONS,
        progress=phase_progress(progress, "explaining"),
    )
    columns = origin.problem.columns
    if columns is not None and len(columns.names) == explanations.shape[2]:
        explanations = replace(explanations, features=columns.names)
    comparison = _comparison(origin, explanations, test, options)
    comparison = _repeated(comparison, origin.population, test, explaining, options, folder, progress)
    return ExplainRunResult(explanations, comparison, _sections(comparison, origin, test, options), folder)


def _drawn(test: Dataset, options: ExplainRunOptions) -> Dataset:
    """Instances of the test set, drawn by the seed, in their order."""
    if options.instances >= len(test):
        return test
    rows = stream(options.seed, "explained instances").choice(len(test), options.instances, replace=False)
    return test.take(np.sort(rows))


def _comparison(
    origin: ExplainedSource, explanations: Explanations, test: Dataset, options: ExplainRunOptions
) -> ReasonComparison:
    answers = None
    if test.classes:
        predictions = _of_instances(origin.sets.test, explanations)
        answers = predictions.answers.astype(np.int64) if predictions.answers is not None else None
    column = cluster_column(origin.problem)
    clusters = None
    if column and column in test.instances.columns:
        clusters = np.unique(test.instances[column].astype(str), return_inverse=True)[1].astype(np.int64)
    strata = test.labels.astype(np.int64) if test.classes else None
    return ReasonComparison(explanations, answers, None, None, strata, clusters, options.k, options.level)


def _of_instances(predictions: Predictions, explanations: Explanations) -> Predictions:
    """The predictions of the run for the models and instances that are explained."""
    place = {str(name): row for row, name in enumerate(predictions.instances.index)}
    rows = np.array([place[str(name)] for name in explanations.instances.index])
    return predictions.take_models(explanations.model_ids).take_instances(rows)


def _repeated(
    comparison: ReasonComparison,
    population: Population,
    test: Dataset,
    explaining: partial[Explanations],
    options: ExplainRunOptions,
    folder: Path,
    progress: Progress | None,
) -> ReasonComparison:
    """The comparison with a few models explained again: by another seed, and on slightly changed inputs."""
    m, method = len(population), comparison.explanations.method
    if not options.repeats:
        return comparison
    models = np.unique(np.linspace(0, m - 1, min(options.repeats, m)).round().astype(np.int64))
    names = [list(population)[model] for model in models]
    part = Population({name: population[name] for name in names}, population.classes, population.factors.loc[names])

    def again(dataset: Dataset, seed_shift: int, name: str, phase: str) -> tuple[Int[np.ndarray, " r"], np.ndarray]:
        report = phase_progress(progress, phase)
        settings = options.of_method(seed_shift)
        return models, explaining(part, dataset, method, settings, folder=folder / name, progress=report).values

    if not find_method(method).deterministic:
        comparison = replace(comparison, repeats=again(test, 1, AGAIN, "explaining again"))
    nearby = changed_inputs(test, options)
    if nearby is not None:
        comparison = replace(comparison, changed=again(nearby, 0, NEARBY, "with changed inputs"))
    return comparison


def changed_inputs(dataset: Dataset, options: ExplainRunOptions) -> Dataset | None:
    """The dataset with a little noise in every feature that varies, within its range; None for texts."""
    inputs = dataset.array
    if inputs.dtype.kind not in "biuf":
        return None
    numbers = inputs.astype(np.float64)
    spread = numbers.std(axis=0, keepdims=True)
    noise = stream(options.seed, "changed inputs").normal(size=numbers.shape) * spread * options.change
    changed = np.clip(numbers + noise, numbers.min(axis=0), numbers.max(axis=0))
    return dataset.with_inputs(changed.astype(inputs.dtype if inputs.dtype.kind == "f" else np.float32))


def _sections(
    comparison: ReasonComparison, origin: ExplainedSource, test: Dataset, options: ExplainRunOptions
) -> tuple[Section, ...]:
    predictions = origin.sets.test.take_models(comparison.explanations.model_ids)
    faithful = faithful_models(comparison, origin, test, options)
    models = model_table(comparison, predictions, faithful)
    representations = representation_section(origin, predictions, options.seed)
    numbers = _numbers(comparison, predictions, cluster_column(origin.problem), faithful)
    if (number := representations.numbers.get(EFFECTIVE)) is not None:
        reason = "of the nets only" if "left_out" in representations.tables else ""
        numbers[EFFECTIVE] = replace(number, reason=number.reason or reason)
    return (
        explanation_section(comparison, numbers, _tables(comparison, models)),
        representations,
        surrogate_section(origin, options.seed),
        reason_attribution(comparison, predictions, options.seed),
    )


def _numbers(
    comparison: ReasonComparison,
    predictions: Predictions,
    cluster: str,
    faithful: Mapping[str, Float[np.ndarray, "m n"]],
) -> dict[str, Interval]:
    numbers = {"same_answer": comparison.agreed_answers, "pairs": comparison.interval(PAIRS)}
    numbers |= {"effective_models": effective_models(predictions, cluster, comparison.level)}
    numbers |= {"effective_reasons": comparison.effective_interval}
    for name in (RECIPE, REPEAT, FLOOR, CHANGED):
        if name in comparison.by_instance:
            numbers[name.replace(" ", "_")] = comparison.interval(name)
    for ceiling in (RECIPE, REPEAT):
        if ceiling in comparison.by_instance and not (ceiling == RECIPE and comparison.same_recipe.all()):
            numbers[f"below_{ceiling.replace(' ', '_')}"] = comparison.shortfall(ceiling)
    numbers["rank_correlation"] = comparison.interval(PAIRS, "correlation")
    numbers["reasons_and_errors"] = reasons_and_errors(comparison, predictions)
    for name, values in faithful.items():
        numbers[name] = comparison.mean(mean_defined(values))
    return {name: interval for name, interval in numbers.items() if interval.defined or name in ("same_answer", PAIRS)}


def _tables(comparison: ReasonComparison, models: pd.DataFrame) -> dict[str, pd.DataFrame]:
    contrary = same_answer_other_reasons(comparison), same_reasons_other_answer(comparison)
    accuracy = models["accuracy"].to_numpy(float) if "accuracy" in models else np.full(len(models), np.nan)
    instances = drawn_instances(comparison, (contrary[0], 3), (contrary[1], 1))
    tables = {"agreement": comparison.table(), "features": leading_features(comparison)}
    tables |= {"same_answer_other_reasons": contrary[0], "same_reasons_other_answer": contrary[1]}
    tables |= {"maps": map_table(comparison, instances, drawn_models(comparison, accuracy))}
    tables |= {"models": models, "pairs": comparison.pairs()}
    return {name: table for name, table in tables.items() if len(table)}
