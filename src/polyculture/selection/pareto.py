"""Which sets are worth choosing among? Quality, effective number and cost of the sets that were compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int

from . import search
from .combination import loss_of
from .evaluation import EvaluationSet
from .objectives import ScoredSet, costs, n_eff
from .panels import FEWEST_COMMON, co_failure, panel
from .plan import SelectionPlan, SelectionResult

LARGEST = 8
"""Sets of every size up to this, and up to the portfolio's size if that is larger."""
COLUMNS = ["size", "members", "quality", "keeps_bounds", "certified", "n_eff", "cost", "efficient", "chosen"]


def front(
    plan: SelectionPlan, result: SelectionResult, selection: EvaluationSet, certification: EvaluationSet, cost: str = ""
) -> pd.DataFrame:
    """One row per set that greedy search, least co-failure and best-of-all give at each size, and the chosen one.

    Columns: size, members (joined by " + "), quality (the goal's value on the selection instances; lower is better),
    keeps_bounds (the goal's), certified (loss on the certification instances: to choose a row by it, certify anew),
    n_eff (selection instances), cost (of the column `cost`, else the size), efficient (none of the other sets is at
    least as good in quality, n_eff and cost, and better in one of them), chosen.
    """
    price = costs(cost, selection) if cost else np.ones(len(selection.model_ids))
    ids = np.array(selection.model_ids, dtype=object)
    rows = []
    winner = frozenset(result.combination.rows.tolist())
    combinations = [plan.combination(selection, members) for members in _sets(plan, result, selection)]
    distinct = {frozenset(combination.rows.tolist()): combination for combination in combinations}
    for members, combination in distinct.items():
        scored = ScoredSet(combination, selection)
        excess, quality = plan.goal.value(scored)
        rows.append(
            {
                "size": len(members),
                "members": " + ".join(ids[scored.combination.rows]),
                "quality": quality,
                "keeps_bounds": excess == 0,
                "certified": scored.combination.mean_loss(certification, loss_of(plan.rule, selection)),
                "n_eff": n_eff(scored),
                "cost": float(price[combination.rows].sum()),
                "chosen": members == winner,
            }
        )
    table = pd.DataFrame(rows)
    table["efficient"] = search.efficient(list(zip(table["quality"], -table["n_eff"], table["cost"], strict=True)))
    return table.sort_values(["size", "quality"], kind="stable", ignore_index=True)[COLUMNS]


def _sets(plan: SelectionPlan, result: SelectionResult, evaluation: EvaluationSet) -> list[Int[np.ndarray, " _"]]:
    """Positions of the members of every set, none twice; the chosen one first."""
    candidates = result.candidates
    largest = min(len(candidates), max(LARGEST, plan.k or 0))
    best_first = candidates[np.argsort(evaluation.errors[candidates], kind="stable")]
    greedy = search.greedy(plan.score(evaluation), candidates.tolist(), largest)
    sets = [result.combination.rows, *map(np.array, greedy)]
    sets += [best_first[:size] for size in range(1, largest + 1)]
    observed = None if evaluation.observed is None else evaluation.observed[candidates]
    comparable = observed is None or (observed.astype(np.float32) @ observed.T).min() >= FEWEST_COMMON
    if comparable and not evaluation.is_regression:
        shares = co_failure(evaluation.wrong[candidates], observed)
        sets += [candidates[list(panel(shares, size).models)] for size in range(1, largest + 1)]
    by_members = {frozenset(members.tolist()): members for members in reversed(sets)}
    return list(reversed(by_members.values()))
