"""What is known of each explained model: how accurate, how much it shares, how stable and faithful its explanations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from polyculture.auditing.counting import count_table
from polyculture.dataset import Dataset
from polyculture.explanation.faithfulness import faithfulness_of
from polyculture.measures.effective import effective
from polyculture.measures.effective_vectors import effective_residuals
from polyculture.measures.pairs import MEASURES
from polyculture.measures.similarity import repeat_agreement
from polyculture.predictions import Predictions
from polyculture.rng import stream
from polyculture.stats import Interval, jackknife, n_eff_interval

from .comparison import ReasonComparison, mean_defined, summed
from .options import ExplainRunOptions
from .sources import ExplainedSource

FEWEST_MODELS = 5
"""Models from which on a correlation over pairs is given."""


def effective_models(predictions: Predictions, cluster: str = "", level: float = 0.95) -> Interval:
    """Effective number of models by their errors on the whole test set, given the true class where there are classes.

    Parameters
    ----------
    cluster : column of its instances that says which were sampled together.
    """
    if predictions.values is not None and predictions.targets is not None:
        number = effective_residuals(predictions.values - predictions.targets, predictions.observed, predictions.noise)
    else:
        fixed = predictions.has_fixed_classes and predictions.labels is not None
        strata = predictions.labels.astype(np.int64) if fixed and predictions.labels is not None else None
        number = effective(predictions.wrong, strata, predictions.observed)
    if math.isnan(number.design_effect):
        return Interval.undefined(number.reason)
    clusters = predictions.instances[cluster].astype(str).to_numpy() if cluster in predictions.instances else None
    return n_eff_interval(number.n_models, number.design_effect, number.influence, clusters, level)


def reasons_and_errors(comparison: ReasonComparison, predictions: Predictions) -> Interval:
    """Correlation over pairs of the reasons in common and the similarity φ of errors, with limits over models."""
    m = comparison.agreement.models
    if predictions.values is not None:
        return Interval.undefined("φ is of right and wrong answers")
    if m < FEWEST_MODELS:
        return Interval.undefined(f"{m} models are too few for a correlation over pairs; {FEWEST_MODELS} are needed")
    phi = MEASURES["phi"](count_table(predictions, predictions.has_fixed_classes).counts)
    reasons = comparison.agreement.matrix()
    replicates = np.array([_correlation(reasons, phi, np.arange(m) != a) for a in range(m)])
    interval = jackknife(_correlation(reasons, phi, np.ones(m, bool)), replicates, m, comparison.level)
    method = f"delete-a-model jackknife, {m} models" if interval.method else ""
    return replace(interval, low=max(interval.low, -1.0), high=min(interval.high, 1.0), method=method)


def _correlation(
    first: Float[np.ndarray, "m m"], second: Float[np.ndarray, "m m"], models: Bool[np.ndarray, " m"]
) -> float:
    a, b = np.triu_indices(int(models.sum()), 1)
    x, y = (matrix[np.ix_(models, models)][a, b] for matrix in (first, second))
    defined = np.isfinite(x) & np.isfinite(y)
    if defined.sum() < 3 or np.ptp(x[defined]) == 0 or np.ptp(y[defined]) == 0:
        return math.nan
    return float(np.corrcoef(x[defined], y[defined])[0, 1])


def faithful_models(
    comparison: ReasonComparison, origin: ExplainedSource, test: Dataset, options: ExplainRunOptions
) -> Mapping[str, Float[np.ndarray, "m n"]]:
    """Deletion, insertion and infidelity of every model on some instances, nan on all others; empty for none."""
    explanations, count = comparison.explanations, min(options.faithful, len(test))
    if not count or explanations.targets is None:
        return {}
    rows = np.unique(np.linspace(0, len(test) - 1, count).round().astype(np.int64))
    part, background = test.take(rows), origin.problem.split.train
    areas = {"deletion": "deletion", "insertion": "insertion", "random_deletion": "random"}
    tables = {name: np.full(explanations.shape[:2], np.nan) for name in (*areas, "infidelity")}
    settings = replace(options.of_method(), scale="logit" if explanations.scale == "logit" else "probability")
    for position, model in enumerate(explanations.model_ids):
        generator = stream(options.seed, "faithfulness", model)
        result = faithfulness_of(
            origin.population[model],
            explanations.values[position, rows],
            part.array,
            explanations.targets[position, rows],
            background,
            settings,
            generator,
        )
        for name, area in areas.items():
            tables[name][position, rows] = result.relative(area)
        tables["infidelity"][position, rows] = result.infidelity
    return tables


def model_table(
    comparison: ReasonComparison, predictions: Predictions, faithful: Mapping[str, Float[np.ndarray, "m n"]]
) -> pd.DataFrame:
    """One row per model, in their order."""
    explanations = comparison.explanations
    matrix = comparison.agreement.matrix()
    np.fill_diagonal(matrix, np.nan)
    table: dict[str, object] = {"model": explanations.model_ids}
    if predictions.values is None:
        observed = predictions.observed
        answered = predictions.shape[1] if observed is None else observed.sum(axis=1)
        table["accuracy"] = 1 - predictions.wrong.sum(axis=1) / answered
    table["shared"] = mean_defined(matrix)
    table["without_reasons"] = (comparison.reasons == 0).all(axis=2).mean(axis=1)
    for name, repeat in (("repeated", comparison.repeats), ("changed", comparison.changed)):
        if repeat is not None:
            values = repeat_agreement(comparison.reasons[repeat[0]], summed(repeat[1], comparison.groups), comparison.k)
            column = np.full(len(explanations.model_ids), np.nan)
            column[repeat[0]] = mean_defined(values["feature"].T)
            table[name] = column
    table |= {name: mean_defined(values.T) for name, values in faithful.items()}
    table["seconds"] = explanations.seconds
    return pd.DataFrame(table)
