"""What does every model of a population look at in these instances?"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from polyculture.dataset import Dataset, Modality
from polyculture.errors import InputError, near
from polyculture.explanations import Explanations
from polyculture.models.estimator_function import population_of
from polyculture.models.fitted import Fitted
from polyculture.models.threads import one_thread
from polyculture.population import Model, Population
from polyculture.rng import stream

from .features import baseline_of, feature_shape, word_table
from .kinds import kind_of, structure_of, tree_scale
from .methods import METHODS, ExplanationMethod, find_method
from .options import ExplainOptions
from .store import Part, read_parts, write_explanations, write_part

Progress = Callable[[int, int, str], None]
"""Called with the number of finished models, of all models, and the latest event."""


def explain(
    population: Population | Mapping[str, Any],
    dataset: Dataset,
    method: str = "auto",
    options: ExplainOptions | None = None,
    *,
    background: Dataset | None = None,
    folder: str | Path | None = None,
    features: Sequence[str] = (),
    progress: Progress | None = None,
) -> Explanations:
    """Attribution of every feature to what every model predicts for each instance.

    Attributions of different models are comparable: all models are explained by one method, against one baseline, in
    one scale. Where models of several kinds are explained, ``"auto"`` is occlusion, which is deterministic and takes
    any callable; nets alone are explained by integrated gradients, ensembles of trees alone by exact Shapley values.

    Parameters
    ----------
    population : fitted models, or any callables from inputs to class probabilities; or such models by name, also fitted
        scikit-learn estimators.
    dataset : instances with labels, of the same classes in the same order; `options.instances` of them are explained.
    method : name in `polyculture.explanation.METHODS`.
    options : target, baseline, number of samples, seed, ….
    background : instances that the baseline is the mean of and that methods look at, such as the training set; None
        for the dataset itself.
    folder : where the result is stored, and each model's as soon as it is finished: the same call resumes an
        interrupted one, and computes only what is missing. None to store nothing.
    features : names of the columns of a table; their numbers where left out.
    progress : called when a model is finished.

    Raises InputError for a method that does not fit the models, the modality or the task, too few samples, an unknown
    class, and a baseline of another shape; FileError for a folder that cannot be written.

    Examples
    --------
    >>> from polyculture.explanation import explain
    >>> def odds(inputs):
    ...     positive = 1 / (1 + np.exp(-inputs @ [2.0, 0.0]))
    ...     return np.stack([1 - positive, positive], axis=1)
    >>> pets = pc.Dataset(np.array([[1.0, 1.0], [-1.0, 3.0]]), np.array([1, 0]), ("cat", "dog"))
    >>> explain(pc.Population({"odds": odds}, pets.classes), pets, "occlusion").mean_importance().round(2)
          odds
    0     0.38
    1     0.00
    """
    options, report = options or ExplainOptions(), progress or (lambda *_: None)
    population = population_of(population, dataset)
    name = automatic(population.models.values(), dataset.modality) if method == "auto" else method
    rule = find_method(name)
    dataset, background = _instances(population, dataset, background or dataset, options)
    options = _resolved(name, rule, population, dataset, options)
    if dataset.modality != "text":
        baseline_of(background, options)
    with one_thread():
        outputs = {model: np.asarray(population[model](dataset.array)) for model in population}
    targets = _targets(outputs, dataset, options)
    request = _request(name, dataset, background, options)
    keys = {model: _digest([request, model, _fingerprint(output)]) for model, output in outputs.items()}
    parts: dict[str, Part] = {} if folder is None else read_parts(Path(folder))
    pending = [model for model in population if keys[model] not in parts]
    report(len(population) - len(pending), len(population), "starting")
    task = partial(_attribute, rule, dataset, dict(zip(population, targets, strict=True)), background, options)
    for model, part in _results(task, list(_groups(rule, population, pending))):
        parts[keys[model]] = part
        if folder is not None:
            write_part(Path(folder), keys[model], part)
        report(sum(keys[model] in parts for model in population), len(population), model)
    ordered = [parts[keys[model]] for model in population]
    explanations = _explanations(name, population, dataset, targets, ordered, options)
    if features:
        explanations = replace(explanations, features=tuple(features))
    if folder is not None:
        write_explanations(explanations, folder, tuple(keys.values()))
    return explanations


def automatic(models: Iterable[Model], modality: Modality = "table") -> str:
    """Name of the method that suits all of these models, in one scale."""
    models = list(models)
    kinds = {kind_of(model) for model in models}
    if kinds == {"net"}:
        return "integrated-gradients"
    is_tree_shap = kinds == {"trees"} and modality in METHODS["tree-shap"].modalities and tree_scale(models)
    return "tree-shap" if is_tree_shap else "occlusion"


def _instances(
    population: Population, dataset: Dataset, background: Dataset, options: ExplainOptions
) -> tuple[Dataset, Dataset]:
    """The instances to explain and the background, drawn by the seed."""
    if not len(population):
        raise InputError("a population without models", "one model or more")
    for part in (dataset, background):
        if part.classes != population.classes:
            raise InputError(
                f"the dataset has the classes {', '.join(part.classes)}",
                f"those of the population: {', '.join(population.classes)}",
            )
        if not len(part):
            raise InputError("a dataset without instances", "one instance or more to explain and to compare with")
    if dataset.task == "tagging":
        raise InputError("explanations of tags", "a dataset with one prediction per instance, such as texts")
    shapes = [part.array.shape[1:] for part in (dataset, background)]
    if dataset.modality != background.modality or shapes[0] != shapes[1]:
        raise InputError(
            f"a background of modality {background.modality!r} and shape {shapes[1]}",
            f"that of the dataset: {dataset.modality!r} and {shapes[0]}",
        )
    sizes = {"instances": (dataset, options.instances), "background": (background, options.background)}
    sample, reference = (_draw(part, count, options.seed, name) for name, (part, count) in sizes.items())
    return sample, reference


def _draw(dataset: Dataset, count: int | None, seed: int, purpose: str) -> Dataset:
    if count is None or count >= len(dataset):
        return dataset
    return dataset.take(np.sort(stream(seed, "explain", purpose).choice(len(dataset), count, replace=False)))


def _resolved(
    name: str, rule: ExplanationMethod, population: Population, dataset: Dataset, options: ExplainOptions
) -> ExplainOptions:
    """The options with scale and samples of the method; InputError where it does not fit."""
    for model, function in population.models.items():
        kind = kind_of(function)
        if kind not in rule.kinds:
            fitting = ", ".join(key for key, method in METHODS.items() if kind in method.kinds)
            kinds = {"net": "a net", "trees": "a fitted ensemble of trees"}[rule.kinds[0]]
            raise InputError(f"the method {name!r} for the model {model!r}", kinds, f"use one of {fitting}")
    if dataset.modality not in rule.modalities:
        fitting = ", ".join(key for key, method in METHODS.items() if dataset.modality in method.modalities)
        raise InputError(
            f"the method {name!r} for inputs of modality {dataset.modality!r}",
            " or ".join(rule.modalities),
            f"use one of {fitting}",
        )
    samples = max(1, rule.samples) if options.samples is None or not rule.samples else options.samples
    if samples < rule.fewest:
        raise InputError(f"{samples} samples for the method {name!r}", f"{rule.fewest} or more", "raise samples")
    if dataset.task == "regression":
        return replace(options, scale="auto", samples=samples, target="number")
    own_scale: str | None = tree_scale(population.models.values()) if name == "tree-shap" else None
    scale = own_scale or rule.scales[0] if options.scale == "auto" else options.scale
    if scale not in rule.scales:
        raise InputError(f"the scale {scale!r} for the method {name!r}", " or ".join(rule.scales))
    return replace(options, scale=scale, samples=samples)


def _targets(
    outputs: Mapping[str, Float[np.ndarray, "n c"]], dataset: Dataset, options: ExplainOptions
) -> Int[np.ndarray, "m n"]:
    """Code of the class that is explained, for each model and instance."""
    n, columns = len(dataset), max(1, len(dataset.classes))
    for model, output in outputs.items():
        if output.shape != (n, columns) or not np.isfinite(output).all():
            problem = "nan or infinite values" if output.shape == (n, columns) else f"shape {output.shape}"
            raise InputError(f"the predictions of {model!r} have {problem}", f"{n} × {columns} finite numbers")
    predicted = np.stack([output.argmax(axis=1) for output in outputs.values()]).astype(np.int64)
    if dataset.task == "regression" or options.target == "predicted":
        return predicted
    if options.target == "label":
        return np.broadcast_to(dataset.labels.astype(np.int64), predicted.shape).copy()
    if options.target not in dataset.classes:
        cure = near(options.target, [*dataset.classes, "predicted", "label"])
        raise InputError(f"no class {options.target!r}", "'predicted', 'label' or the name of a class", cure)
    return np.full_like(predicted, dataset.classes.index(options.target))


def _groups(rule: ExplanationMethod, population: Population, pending: list[str]) -> Iterable[dict[str, Any]]:
    """The models that are explained in one call: nets of one structure where the method stacks them, else one each."""
    if not rule.stacked:
        yield from ({model: population[model]} for model in pending)
        return
    structures = {model: structure_of(population[model]) or model for model in pending}
    for _, models in groupby(sorted(pending, key=lambda model: str(structures[model])), key=structures.__getitem__):
        yield {model: population[model] for model in models}


def _results(
    task: Callable[[Mapping[str, Any]], dict[str, Part]], groups: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Part]]:
    """Attributions of each model as they are finished; fitted models that share no net are explained at once."""
    models = [model for group in groups for model in group.values()]
    nets = {id(getattr(model, "net", model)) for model in models}
    threads = all(isinstance(model, Fitted) for model in models) and len(nets) == len(models)
    with one_thread(), ThreadPoolExecutor(os.cpu_count() if threads else 1) as pool:
        jobs = [pool.submit(task, group) for group in groups]
        try:
            for job in as_completed(jobs):
                yield from job.result().items()
        finally:
            for job in jobs:
                job.cancel()


def _attribute(
    rule: ExplanationMethod,
    dataset: Dataset,
    targets: Mapping[str, Int[np.ndarray, " n"]],
    background: Dataset,
    options: ExplainOptions,
    models: Mapping[str, Any],
) -> dict[str, Part]:
    """Attributions of these models, and the seconds of each: equal shares where they are explained together."""
    start, codes = time.perf_counter(), np.stack([targets[model] for model in models])
    values = np.asarray(rule.explain(models, dataset.array, codes, background, options), np.float32)
    seconds = (time.perf_counter() - start) / len(models)
    shape = len(models), len(dataset), int(np.prod(feature_shape(dataset.modality, dataset.array)))
    return {model: (row, seconds) for model, row in zip(models, values.reshape(shape), strict=True)}


def _explanations(
    name: str,
    population: Population,
    dataset: Dataset,
    targets: Int[np.ndarray, "m n"],
    parts: list[Part],
    options: ExplainOptions,
) -> Explanations:
    texts = dataset.modality == "text"
    shape = feature_shape(dataset.modality, dataset.array)
    return Explanations(
        models=population.factors,
        instances=dataset.instances,
        values=np.stack([values for values, _ in parts]),
        feature_shape=shape,
        features=tuple(map(str, range(shape[0]))) if dataset.modality == "table" else (),
        words=word_table(dataset.array) if texts else None,
        method=name,
        target=options.target,
        baseline="no word" if texts else _baseline_words(name, options),
        seed=options.seed,
        seconds=tuple(seconds for _, seconds in parts),
        targets=targets,
        inputs=dataset.array,
        classes=dataset.classes,
        scale="number" if dataset.task == "regression" else options.scale,
        modality=dataset.modality,
    )


def _baseline_words(name: str, options: ExplainOptions) -> str:
    """With what an instance is compared; trees have the mean of their training rows in them."""
    words = options.baseline_words()
    return "training rows" if name == "tree-shap" and words == "mean of the background" else words


def _request(name: str, dataset: Dataset, background: Dataset, options: ExplainOptions) -> str:
    """A digest of everything that attributions depend on besides the model."""
    baseline = options.baseline if isinstance(options.baseline, str) else _fingerprint(np.asarray(options.baseline))
    choices = [options.target, options.scale, options.samples, options.noise, options.patch, options.seed, baseline]
    return _digest([name, choices, *map(_fingerprint, (dataset.array, background.array, dataset.labels))])


def _fingerprint(array: np.ndarray) -> str:
    array = np.ascontiguousarray(array.astype(str) if array.dtype.kind == "O" else array)
    return _digest([str(array.dtype), array.shape, hashlib.blake2b(array.tobytes()).hexdigest()])


def _digest(values: list[Any]) -> str:
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()
