"""Which further questions does an audit answer, and in which order are they told?"""

from __future__ import annotations

from collections.abc import Mapping

from polyculture.auditing.attribution import attribute
from polyculture.auditing.beyond import beyond
from polyculture.auditing.calibration import calibration, classes
from polyculture.auditing.convergence import convergence
from polyculture.auditing.ensembles import ensembles, population
from polyculture.auditing.generalization import generalization
from polyculture.auditing.groups import groups
from polyculture.auditing.homogenization import along_scale
from polyculture.auditing.multiplicity import multiplicity_chapter
from polyculture.auditing.options import Evidence
from polyculture.auditing.outputs import probabilities
from polyculture.auditing.queue import queue
from polyculture.auditing.together import together
from polyculture.predictions import Predictions
from polyculture.results import Chapter, Rung


def tell(evidence: Evidence, rungs: tuple[Rung, ...], shifted: Mapping[str, Predictions]) -> tuple[Chapter, ...]:
    """Every further chapter, in order; those that do not apply say why."""
    o = evidence.options
    return (
        attribute(evidence.predictions, clusters=o.clusters or None, seed=o.seed, level=o.level, designed=o.designed),
        convergence(evidence),
        *_along_scale(evidence),
        beyond(evidence, rungs[-1]),
        together(evidence),
        groups(evidence),
        queue(evidence),
        multiplicity_chapter(evidence),
        generalization(evidence, shifted),
        calibration(evidence),
        classes(evidence),
        ensembles(evidence),
        probabilities(evidence),
        population(evidence),
    )


def _along_scale(evidence: Evidence) -> tuple[Chapter, ...]:
    o = evidence.options
    if not o.scale:
        reason = "no model column was named as the scale"
        return (Chapter("scaling", "Does ability appear suddenly with scale?", "", reason=reason),)
    return along_scale(evidence.predictions, o.scale, clusters=o.clusters or None, seed=o.seed, level=o.level)
