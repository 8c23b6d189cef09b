"""How alike are these models, can they be told apart, and whom do all of them fail? Predictions in, Audit out.

ladder (n_eff and rho against each null) · pairs · standing and letters · failures · shifts · further chapters · checks
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from jaxtyping import Float, Int

from polyculture.dataset import Dataset
from polyculture.predictions import Predictions
from polyculture.results import Audit
from polyculture.stats import standard_error
from polyculture.values import Values

from .comparison import compare
from .context import AuditParts
from .findings import findings
from .leaderboard import leaderboard
from .null_models import fit_null_models, headline
from .options import AuditContext, AuditOptions
from .outputs import audit_values, text_alikeness
from .pairs import Measure, pairwise
from .sections import compute_sections
from .sections.similarity_by_scale import along_scale
from .shifts import along_shifts
from .streaming.sharded import audit_shards
from .systemic_failures import systemic_failures

__all__ = [
    "AuditOptions",
    "Values",
    "along_scale",
    "audit",
    "audit_shards",
    "audit_values",
    "compare",
    "text_alikeness",
]

MOST_PICTURES = 48


def audit(
    predictions: Predictions,
    *,
    source: str = "",
    options: AuditOptions | None = None,
    shifted: Mapping[str, Predictions] | None = None,
    dataset: Dataset | None = None,
    measures: Mapping[str, Measure] | None = None,
) -> Audit:
    """How alike a set of models is, with intervals: the whole audit of one prediction table.

    Parameters
    ----------
    predictions : who answered what.
    source : what to call the table in reports.
    options : what else is known about the table (clusters, strata, groups, verdicts, …) and the confidence level.
    shifted : the same models on other test sets, by name: ``"noise@3"`` for a shift and its severity; ``"train"`` and
        ``"selection"`` for the other parts of the split.
    dataset : the instances themselves; where they are images the hardest ones are shown.
    measures : further pair measures by name, functions of `polyculture.measures.counts.PairCounts`.
    """
    started = time.perf_counter()
    options = options or AuditOptions()
    evidence = AuditContext.gather(predictions, options)
    nulls, effectives = fit_null_models(evidence)
    name = headline(evidence)
    inflation = _inflation(evidence, effectives[name].influence)
    p = evidence.predictions
    material = AuditParts(
        evidence=evidence,
        null_models=nulls,
        null_model=next(r for r in nulls if r.name == name),
        effective=effectives[name],
        leaderboard=leaderboard(p, evidence.counts, options.level),
        pairwise=pairwise(p.model_ids, evidence.counts, measures, inflation, options.level),
        systemic=systemic_failures(evidence),
        shifts=along_shifts(evidence, shifted or {}),
        sections=compute_sections(evidence, nulls, shifted or {}),
    )
    return Audit(
        source=source,
        n_models=p.shape[0],
        n_instances=p.shape[1],
        null_models=nulls,
        headline=name,
        leaderboard=material.leaderboard,
        pairwise=material.pairwise,
        systemic=material.systemic,
        shifts=material.shifts,
        sections=material.sections,
        findings=findings(material),
        pictures={} if dataset is None else _pictures(dataset, predictions, material),
        facts=_facts(material, time.perf_counter() - started),
    )


def _inflation(evidence: AuditContext, influence: Float[np.ndarray, " n"]) -> float:
    """Design effect of the clusters on the headline, taken for every pair as well; 1 without clusters."""
    if evidence.clusters is None:
        return 1.0
    together, alone = standard_error(influence, evidence.clusters)[0], standard_error(influence)[0]
    return max(1.0, (together / alone) ** 2) if alone > 0 and together > 0 else 1.0


def _facts(material: AuditParts, seconds: float) -> dict[str, object]:
    p, options = material.evidence.predictions, material.evidence.options
    said = {k: v for k, v in asdict(options).items() if k != "verdicts" and v not in ("", (), False)}
    return {
        "version": _version(),
        **{k: ", ".join(v) if isinstance(v, tuple) else v for k, v in said.items()},
        "verdicts": len(options.verdicts),
        "classes": len(p.classes) if p.has_fixed_classes else 0,
        "missing_share": 0.0 if p.observed is None else float(1 - p.observed.mean()),
        "informative_models": material.effective.n_models,
        "informative_instances": material.effective.n_info,
        "seconds": round(seconds, 3),
    }


def _pictures(dataset: Dataset, predictions: Predictions, material: AuditParts) -> dict[str, Int[np.ndarray, "h w"]]:
    """Grey levels of the hardest instances, if the inputs are grey images."""
    if dataset.inputs.ndim != 3 or len(dataset) != predictions.shape[1]:
        return {}
    rows = {str(instance): at for at, instance in enumerate(predictions.instances.index)}
    shown = material.systemic.hardest["instance"].head(MOST_PICTURES)
    images = {name: dataset.inputs[rows[name]].astype(float) for name in shown}
    top = max((float(image.max()) for image in images.values()), default=1.0) or 1.0
    return {name: np.clip(np.rint(255 * image / top), 0, 255).astype(np.int64) for name, image in images.items()}


def _version() -> str:
    from polyculture.version import __version__

    return __version__
