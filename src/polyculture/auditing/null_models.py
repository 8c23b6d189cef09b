"""As how many independent models do they fail, given each null model? Null models are always shown side by side."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from polyculture.measures.effective import EffectiveNumber, effective
from polyculture.measures.structure import structural
from polyculture.predictions import Predictions
from polyculture.results import NullModel
from polyculture.rng import stream
from polyculture.stats import (
    Interval,
    StandardError,
    block_of,
    jackknife,
    n_eff_bootstrap,
    n_eff_interval,
    rho_bootstrap,
    rho_interval,
)

from .context import AuditContext

GIVEN = {
    "N0": "each model's overall error rate",
    "N1": "each model's error rate within the true class",
    "N2": "each model's error rate within strata of outside difficulty",
    "N3": "any difficulty of the instances, estimated from these models (descriptive)",
}
BOOTSTRAP_BELOW = 100
"""Informative instances, or clusters, below which the influence function gives intervals that are too narrow."""
NOT_IDENTIFIED = "the errors of the same models cannot tell shared difficulty from shared causes"


def fit_null_models(context: AuditContext) -> tuple[tuple[NullModel, ...], dict[str, EffectiveNumber]]:
    """n_eff and rho against each null that this table can carry, weakest null first; and the estimates behind them.

    N0 compares with independence at each model's overall error rate; N1, for tasks with fixed classes, within the true
    class; N2, where there is external difficulty, within strata of it; N3 is n_struct, which shows only which models
    stand out and never how alike all are.
    """
    strata: dict[str, Int[np.ndarray, " n"] | None] = {"N0": None}
    if context.classes is not None:
        strata["N1"] = context.classes
    if context.strata is not None:
        strata["N2"] = context.strata
    estimates = {name: _effective(context, codes) for name, codes in strata.items()}
    null_models = [fit_null_model(name, estimate, context) for name, estimate in estimates.items()]
    return (*null_models, structural_null_model(context)), estimates


def why_no_class(predictions: Predictions) -> str:
    """Why there is no null model given the true class; empty where there is one."""
    if predictions.has_fixed_classes:
        return ""
    if predictions.options is not None:
        return "every question has answers of its own"
    if predictions.labels is None:
        return "only right and wrong are known, not the true class"
    if len(np.unique(predictions.labels)) < 2:
        return "all instances are of one class"
    return "the labels are open-ended answers, most of which are too rare to be classes"


def headline(context: AuditContext) -> str:
    """Name of the null model of the first sentence: given the truth where there are classes, else raw."""
    return "N0" if context.classes is None else "N1"


def headline_null_model(context: AuditContext) -> NullModel:
    """The null model of the first sentence alone."""
    return fit_null_model(headline(context), _effective(context, context.classes), context)


def _effective(context: AuditContext, strata: Int[np.ndarray, " n"] | None) -> EffectiveNumber:
    return effective(context.predictions.wrong, strata, context.predictions.observed, context.weights)


def fit_null_model(name: str, estimate: EffectiveNumber, context: AuditContext) -> NullModel:
    """One null model with its intervals and its one-sided test of independence."""
    level, clusters = context.options.level, context.clusters
    null_model = linearized_null_model(
        name, GIVEN[name], estimate, StandardError.of(estimate.influence, clusters), level
    )
    draws = math.inf if context.n_clusters is None else context.n_clusters
    if math.isnan(estimate.design_effect) or min(estimate.n_info, draws) >= BOOTSTRAP_BELOW:
        return null_model
    m, d, parts = estimate.n_models, estimate.design_effect, (estimate.influence, estimate.variation)
    n_eff = n_eff_bootstrap(m, d, parts, stream(context.options.seed, "bootstrap-t", name), clusters, level)
    rho = rho_bootstrap(m, d, parts, stream(context.options.seed, "bootstrap-t", name), clusters, level)
    return replace(null_model, n_eff=n_eff, rho=rho)


def linearized_null_model(
    name: str, condition: str, estimate: EffectiveNumber, error: StandardError, level: float
) -> NullModel:
    """One null model with limits from influence values, whose standard error is known."""
    m, d = estimate.n_models, estimate.design_effect
    if math.isnan(d):
        undefined = Interval.undefined(estimate.reason)
        return NullModel(name, condition, undefined, undefined, informative=m)
    n_eff, rho = n_eff_interval(m, d, error, level=level), rho_interval(m, d, error, level=level)
    return NullModel(name, condition, n_eff, rho, float(estimate.z), estimate.p_value, m, estimate.n_info)


def structural_null_model(context: AuditContext) -> NullModel:
    """N3: the number of kinds of models beyond difficulty, with delete-a-block limits; descriptive."""
    names = context.predictions.instances.index if context.clusters is None else context.clusters
    complete = context.complete
    block = block_of(np.asarray(names)[complete])
    estimate = structural(context.predictions.wrong[:, complete], block)
    n_struct = Interval.undefined(estimate.reason, estimate.n)
    if not estimate.reason:
        n_struct = jackknife(estimate.n_struct, estimate.leave_outs, estimate.n, context.options.level, bound=1.0)
    return NullModel(
        "N3", GIVEN["N3"], n_struct, Interval.undefined(NOT_IDENTIFIED), informative=int(estimate.informative.sum())
    )
