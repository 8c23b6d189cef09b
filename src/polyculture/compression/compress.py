"""How is a population compressed? Every model by the same chain of steps; those that it does not fit are refused."""

from __future__ import annotations

from collections.abc import Callable

from polyculture.errors import InputError
from polyculture.models.fitted import Fitted
from polyculture.population import Population

from .context import CompressionContext
from .levels import read_level
from .methods import check_fit


def compressed(model: Fitted, level: str, context: CompressionContext) -> Fitted:
    """The model after every step of a level; the same model for ``"none"``.

    Raises InputError for a step that does not fit the model.
    """
    for step in read_level(level):
        check_fit(step.method, model)
        model = step.rule.apply(model, step.strength, context)
    return model


def compress(population: Population, level: str, context_of: Callable[[str], CompressionContext]) -> Population:
    """The population after every model went through the steps of a level; its factors gain the column compression.

    Parameters
    ----------
    population : of fitted models.
    level : steps, such as ``"prune-channels=0.5+tune=5+int8"``; the same for all.
    context_of : from a model's name to its context.

    Models that the method does not fit are in `Population.failed` with the reason.
    """
    models, failed = {}, dict(population.failed)
    for name, model in population.models.items():
        try:
            models[name] = compressed(model, level, context_of(name))  # type: ignore[arg-type]
        except InputError as error:
            failed[name] = str(error)
    if not models:
        raise InputError(f"{level} fits none of the models", "", next(iter(failed.values()), ""))
    factors = population.factors.loc[list(models)].assign(compression=level)
    return Population(models, population.classes, factors, failed)
