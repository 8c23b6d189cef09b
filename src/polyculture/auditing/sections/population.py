"""Would other models like these be as alike? ρ of the population that they are a sample of, if they are one."""

from __future__ import annotations

import numpy as np

from polyculture.measures.effective import effective
from polyculture.measures.leave_one_out import rho_without_each
from polyculture.results import Section, SectionSpec
from polyculture.stats import rho_population_interval

from ..context import AuditContext


def population(context: AuditContext) -> Section:
    """rho for a population of models of which these are a random sample; only where the user says that they are."""
    if not context.options.population:
        return SPEC.skip("not asked for: the numbers speak of these models, not of others like them")
    p, complete = context.predictions, context.complete
    strata = None if context.classes is None else context.classes[complete]
    estimate = effective(p.wrong[:, complete], strata)
    if estimate.n_models < 3 or np.isnan(estimate.design_effect):
        return SPEC.skip(estimate.reason or "fewer than three informative models")
    jackknife_rhos = rho_without_each(p.wrong[:, complete][estimate.informative], strata)
    clusters = None if context.clusters is None else context.clusters[complete]
    limits = rho_population_interval(
        estimate.rho, estimate.influence / (estimate.n_models - 1), jackknife_rhos, clusters, context.options.level
    )
    sentence = (
        f"If these {estimate.n_models} models are a random sample of a population of models, its ρ is "
        f"{limits.format('.3f')}. Which population that is, the user must say."
    )
    return SPEC.answer(sentence, {"rho_population": limits})


SPEC = SectionSpec(
    "population",
    "Would other models like these be as alike?",
    place=150,
    compute=lambda context, *_: population(context),
    numbers={"rho_population": "ρ of the population that these models are drawn from"},
)
