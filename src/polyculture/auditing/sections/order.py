"""Which further questions does an audit answer, and in which order are they told?"""

from __future__ import annotations

from collections.abc import Mapping

from polyculture.predictions import Predictions
from polyculture.results import NullModel, Section

from ..context import AuditContext
from .attribution import attribute
from .calibration import calibration, classes
from .convergence import convergence
from .ensembles import ensembles, population
from .generalization import generalization
from .groups import groups
from .joint_failures import together
from .multiplicity import multiplicity_section
from .pair_excess import beyond
from .probabilities import probabilities
from .review_queue import queue
from .similarity_by_scale import along_scale


def tell(
    evidence: AuditContext, nulls: tuple[NullModel, ...], shifted: Mapping[str, Predictions]
) -> tuple[Section, ...]:
    """Every further chapter, in order; those that do not apply say why."""
    o = evidence.options
    return (
        attribute(evidence.predictions, clusters=o.clusters or None, seed=o.seed, level=o.level, designed=o.designed),
        convergence(evidence),
        *_along_scale(evidence),
        beyond(evidence, nulls[-1]),
        together(evidence),
        groups(evidence),
        queue(evidence),
        multiplicity_section(evidence),
        generalization(evidence, shifted),
        calibration(evidence),
        classes(evidence),
        ensembles(evidence),
        probabilities(evidence),
        population(evidence),
    )


def _along_scale(evidence: AuditContext) -> tuple[Section, ...]:
    o = evidence.options
    if not o.scale:
        reason = "no model column was named as the scale"
        return (Section("scaling", "Does ability appear suddenly with scale?", "", reason=reason),)
    return along_scale(evidence.predictions, o.scale, clusters=o.clusters or None, seed=o.seed, level=o.level)
