"""How alike are the models within each condition, on average? What differs between conditions makes nobody alike.

Levels of noise or sources that are hard for every model make errors coincide over all instances. Numbers are
therefore taken within each condition and then averaged, as Geirhos, Meding and Wichmann (2020) do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import add

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped
from scipy.special import stdtrit

from polyculture.measures.attribution.hypothesis_tests import jackknife_error
from polyculture.measures.counts import PairCounts
from polyculture.measures.failure_ratio import failure_ratio
from polyculture.measures.pairs import MEASURES
from polyculture.predictions import Predictions
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval

from ..context import AuditContext
from ..counting import count_table, take
from ..pairs import pair_table

SMALLEST, BLOCKS = 10, 40
MISSING = "(missing)"
OF_OUTCOMES, OF_ANSWERS = ("outcome_agreement", "kappa", "phi"), ("agreement", "both_wrong_adjusted", "capa")
SCALARS = ("accuracy", "rho", "all_wrong", "expected")


def within(context: AuditContext) -> Section | None:
    """Numbers of each condition, and their averages by instances and by conditions, with limits; None if not asked.

    Averages: of pair measures (κ, φ, …) over the conditions where a pair has one, then over pairs; of accuracy, ρ, the
    share that all models fail and its expectation over conditions. Limits: jackknife over 40 blocks of instances (of
    clusters, which may lie in several conditions), each left out of all conditions at once. Conditions with fewer than
    10 instances are left out. Tables: averages, conditions, pairs.
    """
    column, predictions = context.options.within, context.predictions
    if not column:
        return None
    values = predictions.instances[column]
    names = np.where(values.isna(), MISSING, values.to_numpy().astype(str))
    conditions, codes, sizes = np.unique(names, return_inverse=True, return_counts=True)
    usable = np.flatnonzero(sizes >= SMALLEST)
    if len(usable) < 2:
        return SPEC.skip(f"{len(usable)} values of {column} with {SMALLEST} instances or more; two are needed")
    blocks = _blocks(codes, context.clusters)
    if blocks.max() < 1:
        return SPEC.skip("all instances are of one cluster")
    parts = [_Condition.of(predictions, codes, int(c), blocks) for c in usable]
    by_instances, by_conditions = (_Average(parts, w) for w in (sizes[usable].astype(float), np.ones(len(usable))))
    pooled = _Condition.of(predictions, np.where(np.isin(codes, usable), 0, 1), 0, blocks)
    n, level = int(sizes[usable].sum()), context.options.level
    numbers = by_instances.intervals(n, level)
    tables = {
        "averages": _averages(numbers, by_conditions.intervals(n, level), _Average([pooled], np.ones(1))),
        "conditions": pd.DataFrame(
            [
                {"condition": conditions[c], "n": int(sizes[c])} | _Average([part], np.ones(1)).estimates
                for c, part in zip(usable, parts, strict=True)
            ]
        ),
        "pairs": by_instances.pairs(predictions.model_ids, level),
    }
    return SPEC.answer(_sentence(column, numbers, tables["averages"], sizes, usable), numbers, tables)


def _blocks(codes: Int[np.ndarray, " n"], clusters: Int[np.ndarray, " n"] | None) -> Int[np.ndarray, " n"]:
    """Blocks of instances, none of them empty; without clusters every condition is spread evenly over them."""
    if clusters is not None:
        return np.unique(clusters % BLOCKS, return_inverse=True)[1].astype(np.int64)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], codes[order])
    position = np.empty(len(codes), dtype=np.int64)
    position[order] = np.arange(len(codes)) - starts
    return np.unique(position % BLOCKS, return_inverse=True)[1].astype(np.int64)


class _Condition:
    """Pair matrices and numbers of one condition: of all its instances first, then without each block in turn."""

    def __init__(self, matrices: dict[str, np.ndarray], scalars: dict[str, np.ndarray]) -> None:
        self.matrices, self.scalars = matrices, scalars

    @classmethod
    def of(
        cls, predictions: Predictions, codes: Int[np.ndarray, " n"], code: int, blocks: Int[np.ndarray, " n"]
    ) -> _Condition:
        rows = np.flatnonzero(codes == code)
        present = np.unique(blocks[rows])
        tables = [take(predictions, rows[blocks[rows] == g]) for g in present]
        counts = [count_table(p, p.has_fixed_classes).counts for p in tables]
        heads, tails = list(accumulate(counts, add)), list(accumulate(counts[::-1], add))[::-1]
        total = heads[-1]
        # A block that has nothing of this condition, or all of it, leaves its numbers as they are.
        subsets = [total] * (int(blocks.max()) + 2)
        if len(present) > 1:
            inner = [heads[k - 1] + tails[k + 1] for k in range(1, len(present) - 1)]
            for g, leave_out in zip(present, [tails[1], *inner, heads[-2]], strict=True):
                subsets[1 + int(g)] = leave_out
        names = [n for n in (*OF_OUTCOMES, *OF_ANSWERS) if n in OF_OUTCOMES or total.same_answer is not None]
        matrices = {name: np.stack([MEASURES[name](c) for c in subsets]) for name in names}
        table = take(predictions, rows)
        scalars = [_numbers(c, table, blocks[rows] != g - 1) for g, c in enumerate(subsets)]
        return cls(matrices, {name: np.array([s[name] for s in scalars]) for name in SCALARS})


def _numbers(counts: PairCounts, p: Predictions, included: Shaped[np.ndarray, " n"]) -> dict[str, float]:
    """Accuracy, ρ and joint failures of some instances."""
    wrong = np.diag(counts.n00) / np.maximum(np.diag(counts.n), 1)
    covariance = MEASURES["covariance"](counts)
    informative = np.flatnonzero(np.diag(covariance) > 0)
    inner = covariance[np.ix_(informative, informative)]
    off_diagonal = inner[~np.eye(len(inner), dtype=bool)]
    rho = float(np.nanmean(off_diagonal)) / float(np.diag(inner).mean()) if np.isfinite(off_diagonal).any() else np.nan
    rows = included if p.observed is None else included & p.observed.all(axis=0)
    joint = failure_ratio(p.wrong[:, rows]) if rows.any() else None
    return {
        "accuracy": float(1 - wrong.mean()),
        "rho": rho,
        "all_wrong": joint.observed if joint else np.nan,
        "expected": joint.expected if joint else np.nan,
    }


class _Average:
    """Weighted averages over conditions; conditions where a number is undefined have no part in it."""

    def __init__(self, parts: Sequence[_Condition], weights: Float[np.ndarray, " c"]) -> None:
        self.matrices = {n: _mean([p.matrices[n] for p in parts], weights) for n in parts[0].matrices}
        self.scalars = {n: _mean([p.scalars[n] for p in parts], weights) for n in SCALARS}

    @property
    def replicates(self) -> dict[str, Float[np.ndarray, " g1"]]:
        """Every number: of all instances first, then without each block."""
        m = next(iter(self.matrices.values())).shape[1]
        a, b = np.triu_indices(m, 1)
        pairs = {name: _defined_mean(matrix[:, a, b]) for name, matrix in self.matrices.items()}
        expected = self.scalars["expected"]
        ratio = np.divide(self.scalars["all_wrong"], expected, out=np.full(len(expected), np.nan), where=expected > 0)
        return {**self.scalars, "ratio": ratio, **pairs}

    @property
    def estimates(self) -> dict[str, float]:
        """Every number of all instances."""
        return {name: float(values[0]) for name, values in self.replicates.items()}

    def intervals(self, n: int, level: float) -> dict[str, Interval]:
        """Every number with limits."""
        n_blocks = len(self.scalars["rho"]) - 1
        reach, method = float(stdtrit(n_blocks - 1, 0.5 + level / 2)), f"jackknife over {n_blocks} blocks"
        out = {}
        for name, values in self.replicates.items():
            estimate, error = float(values[0]), reach * jackknife_error(values[1:])
            out[name] = Interval(estimate, estimate - error, estimate + error, level, n, method)
            if np.isnan(estimate):
                out[name] = Interval.undefined("undefined in every condition", n)
        return out

    def pairs(self, models: list[str], level: float) -> pd.DataFrame:
        """Every pair's averages, with limits of κ."""
        kappa = self.matrices["kappa"]
        n_blocks = len(kappa) - 1
        spread = ((kappa[1:] - kappa[1:].mean(axis=0)) ** 2).sum(axis=0) * (n_blocks - 1) / n_blocks
        reach = float(stdtrit(n_blocks - 1, 0.5 + level / 2)) * np.sqrt(spread)
        limits = {"kappa_low": kappa[0] - reach, "kappa_high": kappa[0] + reach}
        return pair_table(models, {name: matrix[0] for name, matrix in self.matrices.items()} | limits)


def _mean(values: Iterable[np.ndarray], weights: Float[np.ndarray, " c"]) -> np.ndarray:
    """Weighted mean where defined; a block without which a number is undefined changes nothing."""
    total, weight = 0.0, 0.0
    for value, w in zip(values, weights, strict=True):
        filled = np.where(np.isnan(value), value[:1], value)
        total = total + w * np.nan_to_num(filled)
        weight = weight + w * np.isfinite(filled)
    mean: np.ndarray = np.divide(total, weight, out=np.full(np.shape(total), np.nan), where=np.asarray(weight) > 0)
    return mean


def _defined_mean(values: Float[np.ndarray, "g p"]) -> Float[np.ndarray, " g"]:
    mask = np.isfinite(values)
    total, count = np.where(mask, values, 0.0).sum(axis=1), mask.sum(axis=1)
    mean: Float[np.ndarray, " g"] = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean


def _averages(by_instances: dict[str, Interval], by_conditions: dict[str, Interval], pooled: _Average) -> pd.DataFrame:
    """One row per number: the average by instances and by conditions, and the number over all instances at once."""
    rows = []
    for name, i in by_instances.items():
        c = by_conditions[name]
        row = {"number": name, "by_instances": i.estimate, "low": i.low, "high": i.high, "by_conditions": c.estimate}
        rows.append(row | {"conditions_low": c.low, "conditions_high": c.high, "pooled": pooled.estimates[name]})
    return pd.DataFrame(rows)


def _sentence(
    column: str,
    numbers: dict[str, Interval],
    averages: pd.DataFrame,
    sizes: Int[np.ndarray, " c"],
    usable: Int[np.ndarray, " k"],
) -> str:
    pooled = averages.set_index("number")["pooled"]
    text = (
        f"Within the {len(usable)} values of {column}, averaged by instances, mean κ is "
        f"{numbers['kappa'].format('.3f')} ({pooled['kappa']:.3f} over all instances at once) and ρ is "
        f"{numbers['rho'].format('.3f')} "
        f"({pooled['rho']:.3f}); all models fail {numbers['ratio'].format('.3g')} times as often as independent ones."
    )
    small = len(sizes) - len(usable)
    if small:
        n_small = int(sizes.sum() - sizes[usable].sum())
        text += f" Not included: {small} with fewer than {SMALLEST} instances ({n_small:,} in all)."
    return text


SPEC = SectionSpec(
    "within",
    "How alike are they within each condition?",
    place=65,
    compute=lambda context, *_: within(context),
    numbers={
        "rho": "ρ within conditions",
        "kappa": "mean κ within conditions",
        "phi": "mean φ within conditions",
        "capa": "mean CAPA within conditions",
        "all_wrong": "share that all models fail",
        "expected": "expected of independent models",
        "ratio": "observed over expected",
    },
    tables={
        "averages": TableSpec(
            caption="by instances: weighted by their number; by conditions: every condition counts the same; pooled: "
            "over all instances at once, where conditions that are hard for all make models look alike."
        ),
        "pairs": TableSpec(rows=20),
    },
)
