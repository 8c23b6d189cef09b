"""Which models are more alike than the difficulty of the instances explains? Never: how alike are all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int
from scipy.special import ndtr

from polyculture.measures.counts import count
from polyculture.measures.pair_excess import PairExcess, pair_excess
from polyculture.results import NullModel, Section
from polyculture.stats import benjamini_hochberg

from ..context import AuditContext

ALPHA = 0.05
NAME, TITLE = "beyond", "Who is more alike than shared difficulty explains?"


def beyond(evidence: AuditContext, structure: NullModel) -> Section:
    """Pair excess over the conditional Rasch null, with the empirical null, and n_struct (descriptive).

    Only instances that every model answered count. The excess of all pairs sums to zero whatever the models share.
    """
    found = pair_excess(_both_wrong(evidence), evidence.systemic.histogram)
    if found.reason:
        return Section(NAME, TITLE, "", reason=found.reason)
    table = _table(evidence.predictions.model_ids, found)
    if table["z_scaled"].isna().all():
        return Section(NAME, TITLE, "", reason="given how many fail, it is settled which pairs fail together")
    alike = table[(table["q"] <= ALPHA) & (table["z_scaled"] > 0)]
    first = table.iloc[0]
    sentence = (
        f"{len(alike):,} of {len(table):,} pairs fail together more often than instances of any difficulty explain "
        f"(false discovery rate 5 %); most of all {first['model_a']} and {first['model_b']} "
        f"(z = {first['z_scaled']:.1f}). The excess of all pairs sums to zero: it shows who stands out, "
        "never how alike all are."
    )
    return Section(NAME, TITLE, sentence, {"n_struct": structure.n_eff}, {"pairs": table})


def _both_wrong(evidence: AuditContext) -> Int[np.ndarray, "m m"]:
    """Joint failures on the instances that every model answered; the diagonal holds each model's errors."""
    if evidence.complete.all():
        return evidence.counts.n00
    right = (~evidence.predictions.wrong[:, evidence.complete]).astype(np.int8)
    return count(None, None, right, 2).n00


def _table(models: list[str], found: PairExcess) -> pd.DataFrame:
    """One row per pair, most alike first: excess (share of instances), z, z_scaled (empirical null), p and q."""
    a, b = np.triu_indices(len(models), 1)
    names = np.array(models, dtype=object)
    p = ndtr(-found.scaled[a, b])
    table = pd.DataFrame(
        {
            "model_a": names[a],
            "model_b": names[b],
            "excess": found.excess[a, b],
            "z": found.z[a, b],
            "z_scaled": found.scaled[a, b],
            "p": p,
            "q": benjamini_hochberg(p),
        }
    )
    return table.sort_values("z_scaled", ascending=False, kind="stable", na_position="last", ignore_index=True)
