"""How many independent ratings are the ratings of a panel worth? Correlation of their errors, and the panel's mean."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.errors import InputError
from polyculture.measures.effective_vectors import effective_residuals
from polyculture.measures.panels import kish
from polyculture.predictions import Predictions
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, block_of, jackknife, n_eff_interval

from .options import PanelOptions


def rating_section(predictions: Predictions, options: PanelOptions) -> Section:
    """The panel's ratings against the true numbers, as a section; a row per judge."""
    residuals = predictions.residuals.copy()
    if predictions.observed is not None:
        residuals[~predictions.observed] = np.nan
    ratings = residuals if predictions.values is None else predictions.values
    constant = [name for name, row in zip(predictions.model_ids, ratings, strict=True) if _spread(row) == 0]
    if len(constant) > len(residuals) - 2:
        raise InputError(f"the judge {constant[0]!r} rates every item alike", "two judges whose ratings vary")
    column = options.cluster
    names = predictions.instances[column] if column else predictions.instances.index
    block = block_of(names.astype(str).to_numpy())
    numbers = {name: _limits(function, residuals, block, options.level) for name, function in _NUMBERS.items()}
    ours = effective_residuals(predictions.residuals, predictions.observed, predictions.noise)
    clusters = predictions.instances[column].astype(str).to_numpy() if column else None
    numbers["votes_given_truth"] = (
        Interval.undefined(ours.reason)
        if math.isnan(ours.design_effect)
        else n_eff_interval(ours.n_models, ours.design_effect, ours.influence, clusters, options.level)
    )
    table = _judges(predictions, residuals)
    return SPEC.answer(_sentence(numbers, constant, len(residuals)), numbers, {"judges": table})


def _spread(row: Float[np.ndarray, " n"]) -> float:
    known = row[~np.isnan(row)]
    return float(np.ptp(known)) if len(known) else 0.0


def mean_correlation(residuals: Float[np.ndarray, "m n"]) -> float:
    """Mean Pearson correlation of two judges' errors, each pair on what both rated; nan where there is none."""
    matrix = pd.DataFrame(residuals.T).corr(min_periods=3).to_numpy(copy=True)
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    defined = pairs[~np.isnan(pairs)]
    return float(defined.mean()) if len(defined) else math.nan


def _votes(residuals: Float[np.ndarray, "m n"]) -> float:
    return kish(len(residuals), mean_correlation(residuals))


def _panel_error(residuals: Float[np.ndarray, "m n"]) -> float:
    """Root mean square error of the mean rating."""
    known = ~np.isnan(residuals)
    mean = np.where(known, residuals, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return float(np.sqrt((mean[known.any(axis=0)] ** 2).mean()))


def _independent_error(residuals: Float[np.ndarray, "m n"]) -> float:
    """The same of independent judges with the same biases and spreads."""
    biases, variances = np.nanmean(residuals, axis=1), np.nanvar(residuals, axis=1)
    return float(np.sqrt(biases.mean() ** 2 + variances.sum() / len(residuals) ** 2))


def _gap(residuals: Float[np.ndarray, "m n"]) -> float:
    return _panel_error(residuals) - _independent_error(residuals)


def _best(residuals: Float[np.ndarray, "m n"]) -> float:
    return float(np.sqrt(np.nanmean(residuals**2, axis=1)).min())


_NUMBERS = {
    "votes": _votes,
    "correlation": mean_correlation,
    "panel_error": _panel_error,
    "independent_error": _independent_error,
    "gap": _gap,
    "best_judge_error": _best,
}


def _limits(
    function: Callable[[Float[np.ndarray, "m n"]], float],
    residuals: Float[np.ndarray, "m n"],
    block: np.ndarray,
    level: float,
) -> Interval:
    leave_outs = np.array([function(residuals[:, block != b]) for b in np.unique(block)])
    return jackknife(function(residuals), leave_outs, residuals.shape[1], level)


def _judges(predictions: Predictions, residuals: Float[np.ndarray, "m n"]) -> pd.DataFrame:
    matrix = pd.DataFrame(residuals.T).corr(min_periods=3).to_numpy(copy=True)
    np.fill_diagonal(matrix, np.nan)
    rows = []
    for judge, name in enumerate(predictions.model_ids):
        others = np.delete(np.arange(len(residuals)), judge)
        pairs = matrix[judge][~np.isnan(matrix[judge])]
        without = _votes(residuals[others]) if len(others) > 1 else 1.0
        rows.append(
            {"judge": name, "rmse": float(np.sqrt(np.nanmean(residuals[judge] ** 2)))}
            | {"bias": float(np.nanmean(residuals[judge]))}
            | {"correlation": float(pairs.mean()) if len(pairs) else math.nan, "votes_without": without}
        )
    return pd.DataFrame(rows).sort_values("rmse", kind="stable", ignore_index=True)


def _sentence(numbers: dict[str, Interval], constant: list[str], judges: int) -> str:
    votes, gap = numbers["votes"], numbers["gap"]
    worth = f"{votes.format('.1f')} independent ratings" if votes.defined else f"an undefined number ({votes.reason})"
    text = (
        f"{judges} judges are worth {worth}; their mean rating is off by {numbers['panel_error'].format('.3g')} "
        f"(root mean square), {gap.format('.3g')} more than independent judges of the same errors would be, beside "
        f"{numbers['best_judge_error'].format('.3g')} of the best single judge."
    )
    if constant:
        text += f" {constant[0]} rates every item alike: its errors are those of the truth, not of a judgment."
    return text


SPEC = SectionSpec(
    "panel_ratings",
    "How many independent ratings is the panel worth?",
    numbers={
        "votes": "effective ratings (Kish, from the mean correlation of errors)",
        "votes_given_truth": "effective number given the truth",
        "correlation": "mean correlation of errors",
        "panel_error": "error of the mean rating (root mean square)",
        "independent_error": "the same of independent judges",
        "gap": "how much more the panel errs",
        "best_judge_error": "best single judge, on these items",
    },
    tables={"judges": TableSpec("Bias: mean of rating less truth.")},
)
