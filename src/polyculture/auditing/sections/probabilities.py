"""Are the probabilities alike? CAPA, Hellinger distance, and the effective number from Brier residuals."""

from __future__ import annotations

import numpy as np

from polyculture.measures.effective_vectors import effective_vectors
from polyculture.measures.similarity.probabilities import capa, hellinger_squared
from polyculture.results import Section, SectionSpec
from polyculture.stats import Interval, StandardError

from ..context import AuditContext
from ..null_models import linearized_null_model
from ..pairs import pair_table


def probabilities(context: AuditContext) -> Section:
    """Alikeness of the probabilities: CAPA, Hellinger distance, and n_eff of the Brier residuals."""
    p = context.predictions
    if p.probabilities is None or p.labels is None:
        return SPEC.skip("no probabilities")
    labels = p.labels.astype(np.int64)
    finite = np.isfinite(p.probabilities).all(axis=2)
    observed = p.observed if finite.all() else finite if p.observed is None else finite & p.observed
    estimate = effective_vectors(p.probabilities, labels, context.classes, observed)
    null_model = linearized_null_model(
        "P", "", estimate, StandardError.of(estimate.influence, context.clusters), context.options.level
    )
    agreement = capa(p.probabilities, labels, p.options, observed)
    table = pair_table(
        p.model_ids, {"capa": agreement, "hellinger_squared": hellinger_squared(p.probabilities, observed)}
    )
    numbers = {
        "n_eff": null_model.n_eff,
        "rho": null_model.rho,
        "capa": Interval(float(table["capa"].mean()), n=len(table), method="mean over pairs"),
        "hellinger_squared": Interval(float(table["hellinger_squared"].mean()), n=len(table), method="mean over pairs"),
    }
    sentence = (
        f"By their probabilities less the truth the models vary like {null_model.n_eff.format()} independent ones; "
        f"mean CAPA (chance-adjusted probability of the same answer) is {numbers['capa'].estimate:.2f}."
    )
    return SPEC.answer(sentence, numbers, {"pairs": table})


SPEC = SectionSpec(
    "probabilities",
    "Are their probabilities alike?",
    place=140,
    compute=lambda context, *_: probabilities(context),
    numbers={
        "capa": "mean CAPA, chance-adjusted probability of the same answer",
        "hellinger_squared": "mean squared Hellinger distance",
    },
)
