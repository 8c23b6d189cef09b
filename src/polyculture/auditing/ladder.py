"""As how many independent models do they fail, and beyond what? One rung per null, always shown together."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int, Shaped

from polyculture.measures.effective import Effective, effective
from polyculture.predictions import Predictions
from polyculture.results import Rung
from polyculture.stats import Interval, n_eff_interval, rho_interval

GIVEN = {
    "N0": "each model's overall error rate",
    "N1": "each model's error rate within the true class",
}


def ladder(
    predictions: Predictions, clusters: Shaped[np.ndarray, " n"] | None = None, level: float = 0.95
) -> tuple[tuple[Rung, ...], dict[str, Effective]]:
    """n_eff and rho against each null that this table can carry, weakest null first; and what they were made from.

    N0 compares with independence at each model's overall error rate; N1, for tasks with fixed classes, with
    independence within the true class. The last rung is the headline.
    """
    strata = {"N0": None} | ({"N1": predictions.labels} if predictions.has_fixed_classes else {})
    found = {name: effective(predictions.wrong, s, predictions.observed) for name, s in strata.items()}
    return tuple(rung(name, e, clusters, level) for name, e in found.items()), found


def rung(name: str, found: Effective, clusters: Shaped[np.ndarray, " n"] | None, level: float) -> Rung:
    """One rung with its intervals and its one-sided test of independence."""
    if math.isnan(found.design_effect):
        nothing = Interval.undefined(found.reason)
        return Rung(name, GIVEN[name], nothing, nothing, informative=found.n_models)
    used = ~np.isnan(found.influence)
    codes = None if clusters is None else cluster_codes(clusters)[used]
    arguments = (found.n_models, found.design_effect, found.influence[used], codes, level)
    return Rung(
        name,
        GIVEN[name],
        n_eff_interval(*arguments),
        rho_interval(*arguments),
        float(found.z),
        found.p_value,
        found.n_models,
    )


def cluster_codes(clusters: Shaped[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Clusters of any kind (patients, documents) as codes."""
    codes: Int[np.ndarray, " n"] = np.unique(clusters.astype(str), return_inverse=True)[1]
    return codes
