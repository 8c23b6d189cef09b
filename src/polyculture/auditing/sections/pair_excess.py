"""Which models are more alike than the difficulty of the instances explains? Never: how alike are all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int
from scipy.special import ndtr

from polyculture.measures.counts import count
from polyculture.measures.pair_excess import PairExcess, pair_excess
from polyculture.results import NullModel, Section, SectionSpec, Severity
from polyculture.stats import benjamini_hochberg

from ..context import AuditContext
from ..pairs import pair_table

ALPHA = 0.05


def pair_excess_section(context: AuditContext, structure: NullModel) -> Section:
    """Pair excess over the conditional Rasch null, with the empirical null, and n_struct (descriptive).

    Only instances that every model answered count. The excess of all pairs sums to zero whatever the models share.
    """
    estimates = pair_excess(_both_wrong(context), context.systemic.histogram)
    if estimates.reason:
        return SPEC.skip(estimates.reason)
    table = _table(context.predictions.model_ids, estimates)
    if table["z_scaled"].isna().all():
        return SPEC.skip("given how many fail, it is settled which pairs fail together")
    significant = table[(table["q"] <= ALPHA) & (table["z_scaled"] > 0)]
    first = table.iloc[0]
    sentence = (
        f"{len(significant):,} of {len(table):,} pairs fail together more often than instances of any difficulty "
        f"explain (false discovery rate 5 %); most of all {first['model_a']} and {first['model_b']} "
        f"(z = {first['z_scaled']:.1f}). The excess of all pairs sums to zero: it shows who stands out, "
        "never how alike all are."
    )
    return SPEC.answer(sentence, {"n_struct": structure.n_eff}, {"pairs": table})


def _both_wrong(context: AuditContext) -> Int[np.ndarray, "m m"]:
    """Joint failures on the instances that every model answered; the diagonal holds each model's errors."""
    if context.complete.all():
        return context.counts.n00
    right = (~context.predictions.wrong[:, context.complete]).astype(np.int8)
    return count(None, None, right, 2).n00


def _table(models: list[str], estimates: PairExcess) -> pd.DataFrame:
    """One row per pair, most alike first: excess (share of instances), z, z_scaled (empirical null), p and q."""
    table = pair_table(models, {"excess": estimates.excess, "z": estimates.z, "z_scaled": estimates.scaled})
    table["p"] = ndtr(-table["z_scaled"].to_numpy())
    table["q"] = benjamini_hochberg(table["p"].to_numpy())
    return table.sort_values("z_scaled", ascending=False, kind="stable", na_position="last", ignore_index=True)


def severity(section: Section) -> Severity:
    """A warning where a pair is more alike than chance."""
    pairs = section.tables["pairs"]
    return "warning" if ((pairs["q"] <= ALPHA) & (pairs["z_scaled"] > 0)).any() else "note"


SPEC = SectionSpec(
    "pair_excess",
    "Who is more alike than shared difficulty explains?",
    place=50,
    compute=lambda context, null_models, _: pair_excess_section(context, null_models[-1]),
    code="PC011",
    finding="pairs more alike than difficulty explains",
    severity=severity,
    numbers={"n_struct": "n_struct, distinct patterns of failing (descriptive)"},
)
