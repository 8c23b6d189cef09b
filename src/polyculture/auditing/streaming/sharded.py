"""How alike are these models, when the table is larger than memory? Shards in, the same Audit out.

A first pass over the shards adds up whole numbers, a last one adds up, exactly, how much each instance moves the
estimates: the same bits however the table is cut and wherever the work is done. What needs to look at instances beside
each other looks at a sample.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

from polyculture.errors import InputError
from polyculture.measures.effective import Effective
from polyculture.measures.streaming.effective import Estimate
from polyculture.measures.streaming.exact_sums import Sums, Tally
from polyculture.results import Audit, Finding, NullModel, Section
from polyculture.stats import Interval

from ..context import AuditParts
from ..findings import findings, missing_cells
from ..leaderboard import leaderboard
from ..null_models import GIVEN, structural_null_model
from ..options import AuditContext, AuditOptions
from ..pairs import Measure, pairwise
from ..sections import compute_sections
from ..shifts import COLUMNS
from ..systemic_failures import systemic_failures
from .executors import Shards, summing
from .passes import ShardTotals, see

__all__ = ["audit_shards"]

UNSEEN = ("strata", "outside", "verdicts")
"""Options that are about single instances all over the table."""
MISSING = "PC007"
MOST_ROWS = 1000
"""Rows of a chapter's table, of which the first are kept."""


def audit_shards(
    shards: Shards,
    *,
    source: str = "",
    options: AuditOptions | None = None,
    measures: Mapping[str, Measure] | None = None,
    engine: str = "local",
    workers: int | None = None,
) -> Audit:
    """The audit of a table that comes in shards; memory is bounded by models × models and the chunk.

    Counts, tests and measures of pairs, failure counts and hardest instances are those of `audit` to the last bit;
    effective numbers and their limits up to rounding, and the same bits for any cut and engine. N3 and the chapters are
    those of a random sample of the instances (all, if they are few). With clusters it also keeps a number per cluster,
    and with missing cells models × models numbers per class.

    Parameters
    ----------
    shards : parts of the table, such as `polyculture.formats.read_shards` makes; each yields Predictions of the same
        models and classes, every time it is gone through (three or four times in all).
    source, options, measures : as in `audit`; strata, outside models and verdicts are refused.
    engine, workers : ``"local"``, or ``"ray"`` and its number of processes; see `engines.summing`.

    Raises InputError for such options and for shards that differ in models or classes.
    """
    started = time.perf_counter()
    options = options or AuditOptions()
    for name in UNSEEN:
        if getattr(options, name):
            raise InputError(f"{name} is given for a table in shards", "a table in one piece", f"leave {name} out")
    with summing(shards, engine, workers) as over:
        seen = see(shards, over, options.clusters)
    material = _material(seen, options, measures)
    return Audit(
        source=source,
        n_models=len(material.pairwise.models),
        n_instances=seen.tally.n,
        null_models=material.null_models,
        headline=material.null_model.name,
        leaderboard=material.leaderboard,
        pairwise=material.pairwise,
        systemic=material.systemic,
        shifts=material.shifts,
        sections=material.sections,
        findings=_findings(material, seen.tally),
        facts=_facts(seen, material, options) | {"engine": engine, "seconds": round(time.perf_counter() - started, 3)},
    )


def _material(seen: ShardTotals, options: AuditOptions, measures: Mapping[str, Measure] | None) -> AuditParts:
    """The parts of the audit: those from all instances, and those from the sample."""

    sampled, level = AuditContext(seen.sample, options), options.level
    nulls = {name: _null_model(name, e, seen.sums.get(name), level) for name, e in seen.estimates.items()}
    structure = structural_null_model(sampled)
    null_models = (*nulls.values(), replace(structure, given=structure.given + _of_how_many(seen)))
    name = list(nulls)[-1]
    sums, whole = seen.sums.get(name), _whole(seen, options)
    systemic = systemic_failures(whole)
    return AuditParts(
        evidence=whole,
        null_models=null_models,
        null_model=nulls[name],
        effective=_effective(seen.estimates[name], sums),
        leaderboard=leaderboard(seen.sample, whole.counts, level),
        pairwise=pairwise(seen.sample.model_ids, whole.counts, measures, _inflation(sums), level),
        systemic=systemic if seen.hardest is not None else replace(systemic, hardest=systemic.hardest.head(0)),
        shifts=pd.DataFrame(columns=list(COLUMNS)),
        sections=tuple(_told(section, seen) for section in compute_sections(sampled, null_models, {})),
    )


def _whole(seen: ShardTotals, options: AuditOptions) -> AuditContext:
    """What was counted over all instances in the place of what would be counted on those in memory, the hardest."""
    evidence = AuditContext(seen.sample if seen.hardest is None else seen.hardest, options)
    counted = {"counts": seen.tally.counts, "systemic": seen.tally.systemic(), "clusters": None}
    if options.clusters:
        counted["clusters"] = np.arange(max(len(sums.clusters) for sums in seen.sums.values()) if seen.sums else 1)
    vars(evidence).update(counted)  # where cached_property keeps its values
    return evidence


def _null_model(name: str, found: Estimate, sums: Sums | None, level: float) -> NullModel:
    """One rung; its limits as `stats.n_eff_interval` and `rho_interval` make them from all influence values."""
    m = int(found.informative.sum())
    if sums is None:
        nothing = Interval.undefined(found.reason)
        return NullModel(name, GIVEN[name], nothing, nothing, informative=m)
    d, (error, draws) = found.design_effect, sums.standard_error()
    reason = found.reason or ("fewer than two independent clusters" if draws < 2 else "")
    reach = math.nan if reason else float(stdtrit(draws - 1, 0.5 + level / 2)) * error / d
    method = "" if reason else "influence function, log scale" + (f", {draws} clusters" if sums.clusters else "")

    def interval(transform: Callable[[float], float]) -> Interval:
        low, high = sorted(transform(d * math.exp(side * reach)) for side in (-1, 1)) if not reason else (math.nan,) * 2
        return Interval(transform(d), low, high, level, sums.n, method, reason)

    n_eff, rho = interval(lambda d: m / d if d > 0 else math.inf), interval(lambda d: (d - 1) / (m - 1))
    return NullModel(name, GIVEN[name], n_eff, rho, found.z, float(ndtr(-found.z)), m, sums.n_info)


def _effective(found: Estimate, sums: Sums | None) -> Effective:
    """Without the influence of single instances."""
    n_info = math.nan if sums is None else sums.n_info
    nobody = np.zeros(0)
    return Effective(found.informative, found.design_effect, nobody, nobody, n_info, found.z, reason=found.reason)


def _inflation(sums: Sums | None) -> float:
    """Design effect of the clusters on the headline, as in `audit`."""
    if sums is None or not sums.clusters:
        return 1.0
    together, alone = sums.standard_error()[0], replace(sums, clusters={}).standard_error()[0]
    return max(1.0, (together / alone) ** 2) if alone > 0 and together > 0 else 1.0


def _told(section: Section, seen: ShardTotals) -> Section:
    """A chapter on the sample, which says so; of long tables the first rows."""
    tables = {name: table.head(MOST_ROWS) for name, table in section.tables.items()}
    return replace(section, tables=tables, sentence=section.sentence and section.sentence + _of_how_many(seen))


def _of_how_many(seen: ShardTotals) -> str:
    """That only a sample was looked at, where that is so."""
    taken, n = seen.sample.shape[1], seen.tally.n
    return "" if taken == n else f" (From a random sample of {taken:,} of the {n:,} instances.)"


def _findings(material: AuditParts, tally: Tally) -> tuple[Finding, ...]:
    """All findings; the one on missing cells from the whole numbers."""
    found = [f for f in findings(material) if f.code != MISSING]
    return _in_order([*found, *([missing_cells(_missing_share(tally), _goes_with(tally))] if tally.missing else [])])


def _in_order(found: list[Finding]) -> tuple[Finding, ...]:
    """As `conclusions.findings` sorts them."""
    rank = {"alert": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda f: (bool(f.reason), rank[f.severity], f.code)))


def _missing_share(tally: Tally) -> float:
    cells = tally.n * (len(tally.joint) - 1)
    return 1 - (cells - tally.missing) / cells if tally.missing else 0.0


def _goes_with(tally: Tally) -> float:
    """Correlation over instances between the share of models that answered and the share of these that are wrong."""
    answered, wrong = np.nonzero(tally.joint)
    times = tally.joint[answered, wrong].astype(float)[answered > 0]
    x, y = (answered / (len(tally.joint) - 1))[answered > 0], (wrong / np.maximum(answered, 1))[answered > 0]
    n = times.sum()
    if n < 3:
        return math.nan
    dx, dy = (v - times @ v / n for v in (x, y))
    spread = math.sqrt(float(times @ dx**2) * float(times @ dy**2))
    return float(times @ (dx * dy)) / spread if spread > 0 else math.nan


def _facts(seen: ShardTotals, material: AuditParts, options: AuditOptions) -> dict[str, object]:
    """Where the numbers come from, as in `audit`."""
    from polyculture.version import __version__

    said = {k: v for k, v in asdict(options).items() if k != "verdicts" and v not in ("", (), False)}
    return {
        "version": __version__,
        **{k: ", ".join(v) if isinstance(v, tuple) else v for k, v in said.items()},
        "verdicts": 0,
        "classes": len(seen.sample.classes) if seen.by_class else 0,
        "missing_share": _missing_share(seen.tally),
        "informative_models": material.effective.n_models,
        "informative_instances": material.effective.n_info,
        "sampled_instances": seen.sample.shape[1],
    }
