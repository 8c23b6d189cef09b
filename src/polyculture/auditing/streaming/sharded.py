"""What are the parts of an audit when the table is larger than memory?

A first pass over the shards adds up whole numbers, a last one adds up, exactly, how much each instance moves the
estimates: the same bits however the table is cut and wherever the work is done. What needs to compare instances with
each other uses a sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from polyculture.errors import InputError
from polyculture.measures.effective import EffectiveNumber
from polyculture.measures.streaming.effective import StreamedEstimate
from polyculture.measures.streaming.exact_sums import InfluenceSums
from polyculture.results import Section
from polyculture.stats import StandardError, cluster_inflation

from ..context import AuditContext, AuditParts
from ..leaderboard import leaderboard
from ..null_models import GIVEN, linearized_null_model, structural_null_model
from ..options import AuditOptions
from ..pairs import Measure, pairwise
from ..sections import compute_sections
from ..shifts import COLUMNS
from ..systemic_failures import systemic_failures
from .executors import Shards, summing
from .passes import ShardTotals, add_shards

MEMORY_ONLY = ("strata", "outside", "verdicts", "within")
"""Options about single instances all over the table."""
MOST_ROWS = 1000
"""Rows of a section's table, of which the first are included."""


def shard_parts(shards: Shards, options: AuditOptions, measures: Mapping[str, Measure] | None) -> AuditParts:
    """The parts of an audit: those from all instances, and those from the sample."""
    for name in MEMORY_ONLY:
        if getattr(options, name):
            raise InputError(f"{name} is given for a table in shards", "a table in one piece", f"leave {name} out")
    with summing(shards, options.engine, options.workers) as shard_sum:
        totals = add_shards(shards, shard_sum, options.clusters)
    context, sample = _context(totals, options), AuditContext(totals.sample, options)
    effectives = {name: _effective(e, totals.sums.get(name)) for name, e in totals.estimates.items()}
    errors = {name: _standard_error(totals.sums.get(name)) for name in effectives}
    nulls = {
        name: linearized_null_model(name, GIVEN[name], e, errors[name], options.level) for name, e in effectives.items()
    }
    structure = structural_null_model(sample)
    null_models = (*nulls.values(), replace(structure, given=structure.given + _sample_note(totals)))
    name = list(nulls)[-1]
    inflation = cluster_inflation(errors[name], _standard_error(totals.sums.get(name), clustered=False))
    return AuditParts(
        context=context,
        null_models=null_models,
        null_model=nulls[name],
        effective=effectives[name],
        leaderboard=leaderboard(context.predictions, context.counts, options.level),
        pairwise=pairwise(context.predictions.model_ids, context.counts, measures, inflation, options.level),
        systemic=systemic_failures(context),
        shifts=pd.DataFrame(columns=list(COLUMNS)),
        sections=tuple(_of_sample(section, totals) for section in compute_sections(sample, null_models, {})),
        facts={"sampled_instances": totals.sample.shape[1], "engine": options.engine},
    )


def _context(totals: ShardTotals, options: AuditOptions) -> AuditContext:
    """The hardest instances, with the counts over all instances."""
    clusters = max((len(sums.clusters) for sums in totals.sums.values()), default=1) if options.clusters else None
    predictions = totals.sample if totals.hardest is None else totals.hardest
    return AuditContext(predictions, options, shard_counts=totals.counts, shard_clusters=clusters)


def _effective(estimate: StreamedEstimate, sums: InfluenceSums | None) -> EffectiveNumber:
    """Without the influence of single instances."""
    n_info = math.nan if sums is None else sums.n_info
    d, z, reason = estimate.design_effect, estimate.z, estimate.reason
    return EffectiveNumber(estimate.informative, d, np.zeros(0), np.zeros(0), n_info, z, reason=reason)


def _standard_error(sums: InfluenceSums | None, clustered: bool = True) -> StandardError:
    if sums is None:
        return StandardError(math.nan, 0, 0)
    sums = sums if clustered else replace(sums, clusters={})
    return StandardError(*sums.standard_error(), sums.n, bool(sums.clusters))


def _of_sample(section: Section, totals: ShardTotals) -> Section:
    """A section on the sample, which says so; of long tables the first rows."""
    tables = {name: table.head(MOST_ROWS) for name, table in section.tables.items()}
    return replace(section, tables=tables, sentence=section.sentence and section.sentence + _sample_note(totals))


def _sample_note(totals: ShardTotals) -> str:
    """That only a sample was used, where that is so."""
    size, n = totals.sample.shape[1], totals.counts.n
    return "" if size == n else f" (From a random sample of {size:,} of the {n:,} instances.)"
