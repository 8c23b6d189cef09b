"""Which models are more alike than the difficulty of the instances explains? Never: how alike are all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr

from polyculture.measures.pair_excess import FEWEST_FOR_SLOPES, PairExcess, pair_excess
from polyculture.results import NullModel, Section, SectionSpec, Severity
from polyculture.stats import Interval, benjamini_hochberg

from ..context import AuditContext
from ..pairs import pair_table

ALPHA = 0.05
CAVEAT = "Difficulty is judged by these same models: this shows who stands out, never how alike all are."


def pair_excess_section(context: AuditContext, structure: NullModel) -> Section:
    """Pair excess over the two-parameter null, what its z was divided by, and n_struct (descriptive)."""
    predictions = context.predictions
    outcomes = np.where(predictions.wrong, 0, 1).astype(np.int8)
    if predictions.observed is not None:
        outcomes[~predictions.observed] = -1
    estimates = pair_excess(outcomes)
    if estimates.reason:
        return SPEC.skip(estimates.reason)
    table = _table(predictions.model_ids, estimates)
    if table["z_scaled"].isna().all():
        return SPEC.skip("no two models with right and wrong answers answered the same instance")
    spread = Interval(estimates.scale, n=estimates.n, method="median absolute deviation, lower half of the pairs")
    numbers = {"n_struct": structure.n_eff, "spread": spread}
    return SPEC.answer(_sentence(estimates, table, outcomes.shape[1]), numbers, {"pairs": table})


def _sentence(estimates: PairExcess, table: pd.DataFrame, n: int) -> str:
    """How many pairs stand out and which most; that the test cannot speak, where it cannot."""
    tested, significant = int(table["z_scaled"].notna().sum()), int(_significant(table).sum())
    top = table.iloc[0]
    pair = f"{top['model_a']} and {top['model_b']}"
    z = f"z = {top['z_scaled']:.1f}, after division by the spread {estimates.scale:.1f} of the z of most pairs"
    wide = estimates.scale > estimates.largest_scale
    reach = f"it is at most {estimates.largest_scale:.1f} where one difficulty per instance describes the models"
    if wide and not significant:
        result = (
            f"The test of {tested:,} pairs cannot speak: {z} ({pair}, the largest). That spread is too wide, {reach}: "
            "pairs that share something can hide in it"
        )
    else:
        result = (
            f"{significant:,} of {tested:,} pairs fail together more often than instances of any difficulty explain "
            f"(false discovery rate 5 %); most of all {pair} ({z})"
        )
        if wide:
            result += f". That spread is wide, {reach}: pairs that are not named can share something, too"
    if estimates.equal_slopes:
        result += f". This takes models to discriminate equally, which fewer than {FEWEST_FOR_SLOPES} cannot show"
    if estimates.n < n:
        result += f". Compared on the {estimates.n:,} of {n:,} instances that every model answered"
    elif not estimates.complete:
        result += ". Each pair is compared on the instances that both answered"
    return f"{result}. {CAVEAT}"


def _table(models: list[str], estimates: PairExcess) -> pd.DataFrame:
    """One row per pair, most alike first: excess (share of instances), z, z_scaled (empirical null), p and q."""
    table = pair_table(models, {"excess": estimates.excess, "z": estimates.z, "z_scaled": estimates.scaled})
    table["p"] = ndtr(-table["z_scaled"].to_numpy())
    table["q"] = benjamini_hochberg(table["p"].to_numpy())
    return table.sort_values("z_scaled", ascending=False, kind="stable", na_position="last", ignore_index=True)


def _significant(pairs: pd.DataFrame) -> pd.Series:
    """Which pairs stand out at a false discovery rate of 5 %."""
    return (pairs["q"] <= ALPHA) & (pairs["z_scaled"] > 0)


def severity(section: Section) -> Severity:
    """A warning where a pair is more alike than chance, and there are models enough to tell."""
    pairs = section.tables["pairs"]
    decidable = pairs["z_scaled"].notna().sum() >= FEWEST_FOR_SLOPES * (FEWEST_FOR_SLOPES - 1) // 2
    return "warning" if decidable and _significant(pairs).any() else "note"


SPEC = SectionSpec(
    "pair_excess",
    "Who is more alike than shared difficulty explains?",
    place=50,
    compute=lambda context, null_models, _: pair_excess_section(context, null_models[-1]),
    code="PC011",
    finding="pairs more alike than difficulty explains",
    severity=severity,
    numbers={
        "n_struct": "n_struct, distinct patterns of failing (descriptive)",
        "spread": "spread of the z of most pairs, by which every z is divided",
    },
)
