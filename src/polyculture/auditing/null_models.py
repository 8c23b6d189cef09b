"""As how many independent models do they fail, and beyond what? One rung per null, always shown together."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int

from polyculture.measures.effective import Effective, effective
from polyculture.measures.structure import structural
from polyculture.results import NullModel
from polyculture.rng import stream
from polyculture.stats import (
    Interval,
    block_of,
    jackknife,
    n_eff_bootstrap,
    n_eff_interval,
    rho_bootstrap,
    rho_interval,
)

from .options import AuditContext

GIVEN = {
    "N0": "each model's overall error rate",
    "N1": "each model's error rate within the true class",
    "N2": "each model's error rate within strata of outside difficulty",
    "N3": "any difficulty of the instances, estimated from these models (descriptive)",
}
BOOTSTRAP_BELOW = 100
"""Informative instances below which the influence function gives intervals that are too narrow."""
NOT_IDENTIFIED = "the errors of the same models cannot tell shared difficulty from shared causes"


def fit_null_models(evidence: AuditContext) -> tuple[tuple[NullModel, ...], dict[str, Effective]]:
    """n_eff and rho against each null that this table can carry, weakest null first; and what they were made from.

    N0 compares with independence at each model's overall error rate; N1, for tasks with fixed classes, within the true
    class; N2, where the user knows something about difficulty, within strata of it; N3 is n_struct, which sees only
    which models stand out and never how alike all are.
    """
    strata: dict[str, Int[np.ndarray, " n"] | None] = {"N0": None}
    if evidence.classes is not None:
        strata["N1"] = evidence.classes
    if evidence.strata is not None:
        strata["N2"] = evidence.strata
    found = {name: _effective(evidence, codes) for name, codes in strata.items()}
    nulls = [fit_null_model(name, e, evidence) for name, e in found.items()]
    return (*nulls, structural_null_model(evidence)), found


def headline(evidence: AuditContext) -> str:
    """Name of the rung of the first sentence: given the truth where there are classes, else raw."""
    return "N0" if evidence.classes is None else "N1"


def headline_null_model(evidence: AuditContext) -> NullModel:
    """The rung of the first sentence alone."""
    return fit_null_model(headline(evidence), _effective(evidence, evidence.classes), evidence)


def _effective(evidence: AuditContext, strata: Int[np.ndarray, " n"] | None) -> Effective:
    return effective(evidence.predictions.wrong, strata, evidence.predictions.observed, evidence.weights)


def fit_null_model(name: str, found: Effective, evidence: AuditContext) -> NullModel:
    """One rung with its intervals and its one-sided test of independence."""
    if math.isnan(found.design_effect):
        nothing = Interval.undefined(found.reason)
        return NullModel(name, GIVEN[name], nothing, nothing, informative=found.n_models)
    level, clusters = evidence.options.level, evidence.clusters
    m, d = found.n_models, found.design_effect
    if found.n_info < BOOTSTRAP_BELOW:
        parts = (found.influence, found.variation)
        n_eff = n_eff_bootstrap(m, d, parts, stream(evidence.options.seed, "bootstrap-t", name), clusters, level)
        rho = rho_bootstrap(m, d, parts, stream(evidence.options.seed, "bootstrap-t", name), clusters, level)
    else:
        n_eff = n_eff_interval(m, d, found.influence, clusters, level)
        rho = rho_interval(m, d, found.influence, clusters, level)
    return NullModel(name, GIVEN[name], n_eff, rho, float(found.z), found.p_value, m, found.n_info)


def structural_null_model(evidence: AuditContext) -> NullModel:
    """N3: the number of kinds of models beyond difficulty, with delete-a-block limits; descriptive."""
    names = evidence.predictions.instances.index if evidence.clusters is None else evidence.clusters
    complete = evidence.complete
    block = block_of(np.asarray(names)[complete])
    found = structural(evidence.predictions.wrong[:, complete], block)
    n_struct = Interval.undefined(found.reason, found.n)
    if not found.reason:
        n_struct = jackknife(found.n_struct, found.leave_outs, found.n, evidence.options.level, above=1.0)
    return NullModel(
        "N3", GIVEN["N3"], n_struct, Interval.undefined(NOT_IDENTIFIED), informative=int(found.informative.sum())
    )
