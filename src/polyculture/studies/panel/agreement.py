"""How far do the judges agree, whatever the truth is? Coefficients with limits, and what they cannot say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from polyculture.measures.panels import Agreement, fleiss_kappa, gwet_ac, krippendorff_alpha, verdict_counts
from polyculture.results import Section, SectionSpec
from polyculture.stats import Interval, block_of, jackknife

CAUTION = (
    "Agreement does not identify whether errors are independent: judges that copy each other agree perfectly, and so "
    "do judges that are all right. Without a truth on some items neither effective votes nor the panel's error are "
    "known."
)


def agreement_numbers(
    verdicts: Float[np.ndarray, "m n"], scale: str, clusters: np.ndarray | None, level: float
) -> dict[str, Interval]:
    """Krippendorff's α, Fleiss' κ and Gwet's AC, each with delete-a-block limits.

    Parameters
    ----------
    verdicts : codes of classes, or ratings; nan where there is none.
    """
    counts, values = verdict_counts(verdicts)
    names = np.arange(len(counts)).astype(str) if clusters is None else clusters.astype(str)
    block = block_of(names)
    coefficients: dict[str, Callable[[Float[np.ndarray, "n c"]], Agreement]] = {
        "alpha": lambda part: krippendorff_alpha(part, values, scale),
        "fleiss": fleiss_kappa,
        "gwet": lambda part: gwet_ac(part, values, scale),
    }
    return {name: _interval(function, counts, block, level) for name, function in coefficients.items()}


def _interval(
    coefficient: Callable[[Float[np.ndarray, "n c"]], Agreement],
    counts: Float[np.ndarray, "n c"],
    block: np.ndarray,
    level: float,
) -> Interval:
    whole = coefficient(counts)
    if math.isnan(whole.value):
        return Interval.undefined(whole.reason, whole.items)
    leave_outs = np.array([coefficient(counts[block != b]).value for b in np.unique(block)])
    return jackknife(whole.value, leave_outs, whole.items, level)


def agreement_section(
    verdicts: Float[np.ndarray, "m n"], scale: str, clusters: np.ndarray | None, level: float
) -> Section:
    """The agreement of the judges as a section."""
    numbers = agreement_numbers(verdicts, scale, clusters, level)
    alpha = numbers["alpha"]
    text = f"Krippendorff's α is {alpha.format('.2f')}" if alpha.defined else f"Agreement is undefined: {alpha.reason}"
    others = [f"Fleiss' κ {numbers['fleiss'].format('.2f')}", f"Gwet's AC {numbers['gwet'].format('.2f')}"]
    more = f", {', '.join(others)}" if alpha.defined else ""
    return SPEC.answer(f"{text} ({scale} scale){more}. {CAUTION}", numbers)


SPEC = SectionSpec(
    "panel_agreement",
    "How far do the judges agree, whatever the truth is?",
    numbers={
        "alpha": "Krippendorff's α",
        "fleiss": "Fleiss' κ",
        "gwet": "Gwet's AC1, or AC2 of ordered verdicts",
    },
)
