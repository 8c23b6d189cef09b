"""How do the effects of an ablation become a section of the audit?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from polyculture.recipe import Recipe
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats.interval import percent

from .plan import BASELINE, describe_change

FALSE_DISCOVERY_RATE = 0.05

SPEC = SectionSpec(
    "ablation",
    "What does each change do, and what does it cost?",
    tables={
        "effects": TableSpec(
            "A row per change and number. Plain and pulled: the number without and with it; change: their difference, "
            "of n_eff and costs their ratio; q: p adjusted over changes, which costs do not have.",
            rows=400,
        ),
        "standings": TableSpec(
            "The replicates of each recipe: mean accuracy, and how many independent models they fail like (n_eff with "
            "its limits, ρ their mean error correlation)."
        ),
    },
)


def ablation_section(
    effects: pd.DataFrame, standings: pd.DataFrame, recipes: Mapping[str, Recipe], skipped: Mapping[str, str]
) -> Section:
    """Effects with the axis of each change, standings, and the changes that were skipped."""
    descriptions = [describe_change(name, recipes[BASELINE]) for name in effects["lever"]]
    effects = effects.copy()
    effects.insert(1, "axis", [axis for axis, _ in descriptions])
    effects.insert(2, "way", [words for _, words in descriptions])
    tables = {"effects": effects, "standings": standings}
    if skipped:
        tables["skipped"] = pd.DataFrame({"lever": list(skipped), "reason": list(skipped.values())})
    return SPEC.answer(_sentence(effects, standings), {}, tables)


def _sentence(effects: pd.DataFrame, standings: pd.DataFrame) -> str:
    baseline, count = standings.iloc[0], effects["lever"].nunique()
    parts = [
        f"{count} change{' was' if count == 1 else 's were'} tried, one at a time, on a baseline recipe with "
        f"{percent(baseline['accuracy'], 1)} test and {percent(baseline['train_accuracy'], 1)} train accuracy"
    ]
    for measure, title in (("accuracy", "test accuracy"), ("shifted_accuracy", "accuracy on shifted tests")):
        defined = effects[(effects["measure"] == measure) & effects["change"].notna()]
        if not len(defined):
            continue
        significant = defined[defined["q"] <= FALSE_DISCOVERY_RATE]
        gains, losses = significant[significant["change"] > 0], significant[significant["change"] < 0]
        best = f", most with {_points(gains.sort_values('change').iloc[-1])}" if len(gains) else ""
        parts.append(f"{title} rises with {len(gains) or 'none'} of them{best}, and falls with {len(losses) or 'none'}")
    return (
        "; ".join(parts)
        + ". The false discovery rate over changes is 5 %; that the others show no effect does not prove that they "
        "have none. The effects are those of these changes on this recipe and on instances like these."
    )


def _points(row: pd.Series[Any]) -> str:
    return f"{row['lever']} ({100 * row['change']:+.2f} points [{100 * row['low']:.2f}, {100 * row['high']:.2f}])"
