"""How far do the judges agree, whatever the truth is? Coefficients with limits, and what they cannot say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from polyculture.measures.panels import Agreement, fleiss_kappa, gwet_ac, krippendorff_alpha, verdict_counts
from polyculture.results import Section, SectionSpec
from polyculture.stats import Interval, block_of, jackknife

from .options import PanelOptions

CAUTION = (
    "Agreement does not identify whether errors are independent: judges that copy each other agree perfectly, and so "
    "do judges that are all right. Without a truth on some items neither effective votes nor the panel's error are "
    "known."
)


def agreement_section(
    verdicts: Float[np.ndarray, "m n"], clusters: np.ndarray | None, options: PanelOptions
) -> Section:
    """The agreement of the judges as a section: Krippendorff's α, Fleiss' κ and Gwet's AC with jackknife limits.

    Parameters
    ----------
    verdicts : codes of classes, or ratings; nan where there is none.
    """
    counts, values = verdict_counts(verdicts)
    return agreement_of_counts(counts, values, np.arange(len(counts)) if clusters is None else clusters, options)


def agreement_of_counts(
    counts: Float[np.ndarray, "n c"], values: Float[np.ndarray, " c"] | None, names: np.ndarray, options: PanelOptions
) -> Section:
    """The same from how many judges gave each value to each item; `names` say which items were sampled together."""
    block, scale = block_of(names.astype(str)), options.scale
    coefficients: dict[str, Callable[[Float[np.ndarray, "n c"]], Agreement]] = {
        "alpha": lambda part: krippendorff_alpha(part, values, scale),
        "fleiss": fleiss_kappa,
        "gwet": lambda part: gwet_ac(part, values, scale),
    }
    numbers = {name: _interval(function, counts, block, options.level) for name, function in coefficients.items()}
    alpha = numbers["alpha"]
    text = f"Krippendorff's α is {alpha.format('.2f')}" if alpha.defined else f"Agreement is undefined: {alpha.reason}"
    others = [f"Fleiss' κ {numbers['fleiss'].format('.2f')}", f"Gwet's AC {numbers['gwet'].format('.2f')}"]
    more = f", {', '.join(others)}" if alpha.defined else ""
    return SPEC.answer(f"{text} ({scale} scale){more}. {CAUTION}", numbers)


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


SPEC = SectionSpec(
    "panel_agreement",
    "How far do the judges agree, whatever the truth is?",
    numbers={
        "alpha": "Krippendorff's α",
        "fleiss": "Fleiss' κ",
        "gwet": "Gwet's AC1, or AC2 of ordered verdicts",
    },
)
