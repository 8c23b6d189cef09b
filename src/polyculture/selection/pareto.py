"""Which sets is it worth choosing among? Quality, effective number and cost of the sets that were compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from . import search
from .choice import Choice, Plan
from .contributions import losses
from .evaluation import EvaluationSet
from .objectives import QUANTITIES, ScoredSet, costs
from .panels import FEWEST_COMMON, co_failure, panel
from .splitting import SelectionSplit

LARGEST = 8
"""Sets of every size up to this, and up to the portfolio's size if that is larger."""
COLUMNS = ["size", "members", "quality", "keeps_bounds", "certified", "n_eff", "cost", "efficient", "chosen"]


def front(plan: Plan, choice: Choice, sides: SelectionSplit[EvaluationSet], loss: str, cost: str = "") -> pd.DataFrame:
    """One row per set that greedy search, least co-failure and best-of-all give at each size, and the chosen one.

    Columns: size, members (joined by " + "), quality (the goal's value on the selection instances; lower is better),
    keeps_bounds (the goal's), certified (loss on the certification instances: whoever chooses a row by it has to
    certify anew), n_eff (selection instances), cost (of the column `cost`, else the size), efficient (none of the
    other sets is at least as good in quality, n_eff and cost, and better in one of them), chosen.
    """
    exam = sides.chosen_on
    price = costs(cost, exam) if cost else np.ones(exam.predictions.shape[0])
    ids = np.array(exam.predictions.model_ids, dtype=object)
    rows = []
    for members in _sets(plan, choice, exam):
        blend = plan.blend(exam, members)
        missed, quality = plan.goal.value(ScoredSet(blend, exam))
        rows.append(
            {
                "size": len(members),
                "members": " + ".join(ids[blend.rows]),
                "quality": quality,
                "keeps_bounds": missed == 0,
                "certified": float(np.nanmean(losses(blend, sides.certified_on, loss))),
                "n_eff": QUANTITIES["n_eff"](ScoredSet(blend, exam)),
                "cost": float(price[members].sum()),
                "chosen": set(members.tolist()) == set(choice.blend.rows.tolist()),
            }
        )
    return compared(rows)


def compared(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The table of `front` from its rows: which of the sets are efficient, in the order of size and quality."""
    table = pd.DataFrame(rows)
    table["efficient"] = search.efficient(list(zip(table["quality"], -table["n_eff"], table["cost"], strict=True)))
    return table.sort_values(["size", "quality"], kind="stable", ignore_index=True)[COLUMNS]


def _sets(plan: Plan, choice: Choice, exam: EvaluationSet) -> list[Int[np.ndarray, " _"]]:
    """Positions of the members of every set, none twice; the chosen one first."""
    allowed = choice.allowed
    largest = min(len(allowed), max(LARGEST, plan.k or 0))
    best_first = allowed[np.argsort(exam.errors[allowed], kind="stable")]
    found = [choice.blend.rows, *map(np.array, search.greedy(plan.score(exam), allowed.tolist(), largest))]
    found += [best_first[:size] for size in range(1, largest + 1)]
    observed = None if exam.observed is None else exam.observed[allowed]
    if observed is None or (observed.astype(np.float32) @ observed.T).min() >= FEWEST_COMMON:
        together = co_failure(exam.wrong[allowed], observed)
        found += [allowed[list(panel(together, size).models)] for size in range(1, largest + 1)]
    return distinct(found)


def distinct(found: Sequence[Int[np.ndarray, " _"]]) -> list[Int[np.ndarray, " _"]]:
    """Each set once, as it came first."""
    by_members = {frozenset(members.tolist()): members for members in reversed(found)}
    return list(reversed(by_members.values()))
