"""How are predictions audited? Classes, outcomes, numbers, one table or shards: one function, one Audit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.results import Audit
from polyculture.stats import StandardError, cluster_inflation
from polyculture.version import __version__

from .context import AuditContext, AuditParts
from .findings import findings
from .leaderboard import leaderboard
from .null_models import fit_null_models, headline, why_no_class
from .options import AuditOptions
from .pairs import Measure, pairwise
from .panel_sums import panel_sums
from .regression import add_residuals, outcomes
from .sections import compute_sections
from .shifts import along_shifts
from .streaming.sharded import shard_parts
from .systemic_failures import systemic_failures

MOST_PICTURES = 48


def audit(
    predictions: Predictions | Sequence[Predictions | Iterable[Predictions]],
    *,
    source: str = "",
    options: AuditOptions | None = None,
    within: str = "",
    shifted: Mapping[str, Predictions] | None = None,
    dataset: Dataset | None = None,
    measures: Mapping[str, Measure] | None = None,
) -> Audit:
    """How alike a set of models is, with intervals: the audit of one prediction table.

    Parameters
    ----------
    predictions : the models' answers, outcomes or predicted numbers. Or shards of a table of answers or outcomes that
        is larger than memory, such as `polyculture.formats.read_shards` makes: each yields Predictions of the same
        models and classes, every time it is iterated (three or four times in all). Predictions are a shard, too.
    source : what to call the table in reports.
    options : what else is known about the table (clusters, strata, groups, verdicts, …) and the confidence level.
    within : instance column of conditions, such as levels of noise: numbers are taken within each and averaged; short
        for `AuditOptions.within`.
    shifted : the same models on other test sets, by name: ``"noise@3"`` for a shift and its severity; ``"train"`` and
        ``"selection"`` for the other parts of the split.
    dataset : the instances themselves; where they are images the hardest ones are shown.
    measures : further pair measures by name, functions of `polyculture.measures.counts.PairCounts`.

    Of shards: memory is bounded by models × models and the chunk. Counts, tests and measures of pairs, failure counts
    and hardest instances are those of one table to the last bit; effective numbers and their limits up to rounding, and
    the same bits for any cut and engine. N3 and the sections are those of a random sample of the instances (all, if
    they are few). With clusters it also keeps a number per cluster, and with missing cells models × models numbers per
    class. With clusters the share that all fail has no limits, and n_eff none by resampling, however few they are.

    Of numbers: null model R compares with independent residuals of the same size; the noise variance, if known, is
    taken off first. The other null models and sections are about errors larger than the tolerance.

    Raises InputError for options that do not apply, and for shards that differ in models or classes.

    Source: the headline is Kish's design effect of clusters (Kish 1965); each section names its own.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> audit = pc.audit(tiny_predictions(sizes=(2, 1, 1)))  # two copies and two independent models
    >>> print(audit.sentence)
    4 models; they fail like 2.62 [2.38, 2.88].
    >>> [finding.code for finding in audit.findings][:2]
    ['PC003', 'PC014']
    """
    started = time.perf_counter()
    options, shifted = options or AuditOptions(), shifted or {}
    if within:
        options = replace(options, within=within)
    if not isinstance(predictions, Predictions):
        for name, value in (("shifted", shifted), ("dataset", dataset)):
            if value:
                raise InputError(f"{name} is given for a table in shards", "a table in one piece", f"leave {name} out")
        shards = [[shard] if isinstance(shard, Predictions) else shard for shard in predictions]
        return _assemble(shard_parts(shards, options, measures), source, {}, started)
    if options.engine != "local" or options.workers is not None:
        raise InputError(
            f"engine {options.engine!r} with workers {options.workers} for a table in memory",
            "shards, such as polyculture.read_shards gives",
            "leave engine and workers out",
        )
    regression = predictions.task == "regression"
    table = predictions
    if regression:
        tolerance = predictions.allowed_error
        table = outcomes(predictions, tolerance)
        shifted = {name: outcomes(p, tolerance) for name, p in shifted.items()}
    parts = _table_parts(AuditContext.gather(table, options), shifted, measures)
    if not regression:
        parts = replace(parts, panel=panel_sums(parts.context))
    pictures = {} if dataset is None else _pictures(dataset, predictions, parts)
    result = _assemble(parts, source, pictures, started)
    return add_residuals(result, predictions, parts.context) if regression else result


def _table_parts(
    context: AuditContext, shifted: Mapping[str, Predictions], measures: Mapping[str, Measure] | None
) -> AuditParts:
    null_models, estimates = fit_null_models(context)
    name, level = headline(context), context.options.level
    influence = estimates[name].influence
    inflation = cluster_inflation(StandardError.of(influence, context.clusters), StandardError.of(influence))
    return AuditParts(
        context=context,
        null_models=null_models,
        null_model=next(r for r in null_models if r.name == name),
        effective=estimates[name],
        leaderboard=leaderboard(context.predictions, context.counts, level),
        pairwise=pairwise(context.predictions.model_ids, context.counts, measures, inflation, level),
        systemic=systemic_failures(context),
        shifts=along_shifts(context, shifted),
        sections=compute_sections(context, null_models, shifted),
    )


def _assemble(parts: AuditParts, source: str, pictures: Mapping[str, Int[np.ndarray, "h w"]], started: float) -> Audit:
    return Audit(
        source=source,
        n_models=len(parts.pairwise.models),
        n_instances=parts.context.table_counts.n,
        null_models=parts.null_models,
        headline=parts.null_model.name,
        leaderboard=parts.leaderboard,
        pairwise=parts.pairwise,
        systemic=parts.systemic,
        shifts=parts.shifts,
        sections=parts.sections,
        findings=findings(parts),
        pictures=pictures,
        facts=_facts(parts) | {"seconds": round(time.perf_counter() - started, 3)},
        panel=parts.panel,
    )


def _facts(parts: AuditParts) -> dict[str, object]:
    """Where the numbers come from."""
    p, options = parts.context.predictions, parts.context.options
    return {
        "version": __version__,
        **options.facts(),
        "verdicts": len(options.verdicts),
        "classes": len(p.classes) if p.has_fixed_classes else 0,
        "class_not_used": parts.context.small_classes or why_no_class(p),
        "missing_share": parts.context.table_counts.missing_share,
        "informative_models": parts.effective.n_models,
        "informative_instances": parts.effective.n_info,
        **parts.facts,
    }


def _pictures(dataset: Dataset, predictions: Predictions, parts: AuditParts) -> dict[str, Int[np.ndarray, "h w"]]:
    """Grey levels of the hardest instances, if the inputs are grey images."""
    if dataset.array.ndim != 3 or len(dataset) != predictions.shape[1]:
        return {}
    rows = {str(instance): row for row, instance in enumerate(predictions.instances.index)}
    names = parts.systemic.hardest["instance"].head(MOST_PICTURES)
    images = {name: dataset.array[rows[name]].astype(float) for name in names}
    top = max((float(image.max()) for image in images.values()), default=1.0) or 1.0
    return {name: np.clip(np.rint(255 * image / top), 0, 255).astype(np.int64) for name, image in images.items()}
