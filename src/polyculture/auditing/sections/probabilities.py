"""Are the probabilities of the models alike? CAPA, Hellinger distance, and n_eff of the Brier residuals."""

from __future__ import annotations

from polyculture.results import SectionSpec

from ..outputs import probabilities

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
