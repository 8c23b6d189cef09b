"""What if an output is no right or wrong answer? Probabilities, numbers and texts through the same algebra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from polyculture.errors import InputError
from polyculture.measures.alikeness.probabilities import capa, hellinger_squared
from polyculture.measures.alikeness.texts import Similarity, effective_by_similarity, text_similarity
from polyculture.measures.effective import Effective
from polyculture.measures.effective_vectors import covariances, effective_residuals, effective_vectors
from polyculture.predictions import Predictions
from polyculture.results import Audit, NullModel, Section
from polyculture.rng import stream
from polyculture.stats import Interval, n_eff_interval, rho_interval
from polyculture.values import Values

from .options import AuditContext, AuditOptions


def audit_values(
    values: Values,
    *,
    source: str = "",
    options: AuditOptions | None = None,
    shifted: Mapping[str, Values] | None = None,
) -> Audit:
    """The audit of regressors: the headline comes from the residuals, the rest from errors beyond the tolerance.

    Rung R compares with independent residuals of the same size; the noise variance, if known, is taken off first. The
    other rungs and chapters are about failing by more than `tolerance`, on the shifted test sets by the same.

    Parameters
    ----------
    values : what was predicted, and the truth.
    source : what to call it in reports.
    options : what else is known.
    shifted : the same models on other test sets, by name as in `audit`.
    """
    from . import audit
    from .findings import effective_number

    options = options or AuditOptions()
    tolerance = float(np.median(_rmse(values))) if values.tolerance is None else values.tolerance
    elsewhere = {name: _within(there, tolerance) for name, there in (shifted or {}).items()}
    here = _within(values, tolerance)
    whole = audit(here, source=source, options=options, shifted=elsewhere)
    residuals, seen = _residuals(values), np.isfinite(values.predicted)
    observed = None if seen.all() else seen
    found = effective_residuals(residuals, observed, values.noise)
    null_model = _null_model(
        "R", "each model's mean squared residual", found, options, AuditContext.gather(here, options)
    )
    section = _residual_section(values, residuals, null_model, tolerance)
    first = effective_number(null_model, found.n_models)
    rest = tuple(f for f in whole.findings if f.code != "PC001")
    return replace(
        whole,
        null_models=(null_model, *whole.null_models),
        headline="R",
        sections=(section, *whole.sections),
        findings=(first, *rest),
        facts={**whole.facts, "tolerance": tolerance, "noise": values.noise},
    )


def _residuals(values: Values) -> Float[np.ndarray, "m n"]:
    """Predicted minus true; 0 where nothing was predicted."""
    residuals: Float[np.ndarray, "m n"] = np.where(
        np.isfinite(values.predicted), values.predicted - values.targets, 0.0
    )
    return residuals


def _rmse(values: Values) -> Float[np.ndarray, " m"]:
    seen = np.isfinite(values.predicted).sum(axis=1)
    rmse: Float[np.ndarray, " m"] = np.sqrt((_residuals(values) ** 2).sum(axis=1) / np.maximum(seen, 1))
    return rmse


def _within(values: Values, tolerance: float) -> Predictions:
    """Who is right to within the tolerance."""
    right = np.where(np.isfinite(values.predicted), np.abs(_residuals(values)) <= tolerance, -1).astype(np.int8)
    models = pd.DataFrame(index=pd.Index(values.models, name="model"))
    if values.factors is not None:
        models = values.factors.set_axis(models.index, axis="index")
    instances = values.instances
    if instances is None:
        instances = pd.DataFrame(index=pd.RangeIndex(len(values.targets), name="instance"))
    return Predictions(models.assign(rmse=_rmse(values)), instances, correct=right)


def _residual_section(
    values: Values, residuals: Float[np.ndarray, "m n"], null_model: NullModel, tolerance: float
) -> Section:
    """Residual correlations of all pairs."""
    c = covariances(residuals[:, :, None]) - values.noise
    size = np.sqrt(np.maximum(np.diag(c), 0))
    scale = np.outer(size, size)
    correlation = np.divide(c, scale, out=np.full(c.shape, np.nan), where=scale > 0)
    table = _pairs(values.models, {"residual_correlation": correlation})
    mean = table["residual_correlation"].mean()
    noise = f" after taking off a noise variance of {values.noise:g}" if values.noise else ""
    sentence = (
        f"Residuals of two models correlate at {mean:.2f} on average{noise}. Elsewhere here an instance counts as "
        f"failed where the error is larger than {tolerance:.4g}."
    )
    return Section(
        "values",
        "Do their residuals go together?",
        sentence,
        {"n_eff": null_model.n_eff, "rho": null_model.rho},
        {"pairs": table},
    )


def probabilities(evidence: AuditContext) -> Section:
    """Alikeness of the probabilities: CAPA, Hellinger distance, and n_eff of the Brier residuals."""
    name, title = "probabilities", "Are their probabilities alike?"
    p = evidence.predictions
    if p.probabilities is None or p.labels is None:
        return Section(name, title, "", reason="no probabilities")
    labels = p.labels.astype(np.int64)
    found = effective_vectors(p.probabilities, labels, evidence.classes, p.observed)
    null_model = _null_model("P", "", found, evidence.options, evidence)
    alike = capa(p.probabilities, labels, p.options, p.observed)
    table = _pairs(
        tuple(p.model_ids), {"capa": alike, "hellinger_squared": hellinger_squared(p.probabilities, p.observed)}
    )
    numbers = {
        "n_eff": null_model.n_eff,
        "rho": null_model.rho,
        "capa": Interval(float(table["capa"].mean()), n=len(table), method="mean over pairs"),
        "hellinger_squared": Interval(float(table["hellinger_squared"].mean()), n=len(table), method="mean over pairs"),
    }
    sentence = (
        f"By their probabilities less the truth the models vary like {null_model.n_eff.format()} independent ones; mean "
        f"CAPA (chance-adjusted probability of the same answer) is {numbers['capa'].estimate:.2f}."
    )
    return Section(name, title, sentence, numbers, {"pairs": table})


def text_alikeness(
    outputs: Float[np.ndarray, "m s n d"] | Shaped[np.ndarray, "m n"],
    models: tuple[str, ...],
    similarity: Similarity | None = None,
    options: AuditOptions | None = None,
) -> Section:
    """How alike generated texts are, beyond what the prompts make alike.

    Parameters
    ----------
    outputs : unit embeddings, models × samples × prompts × dimensions; or, with `similarity`, models × prompts of
        anything.
    models : ids of the rows.
    similarity : function of two models' outputs on the same prompts to one number per prompt (a kernel).

    What a prompt means plays the part of difficulty: similarity on the same prompt less that on different prompts. With
    two samples or more per prompt the ceiling is known: 1 means the same distribution of texts.
    """
    options = options or AuditOptions()
    name, title = "texts", "Do they write alike?"
    if similarity is not None:
        found = effective_by_similarity(outputs, similarity, stream(options.seed, "rotations"))
        null_model = _null_model("T", "", found, options)
        return Section(name, title, _text_sentence(null_model), {"n_eff": null_model.n_eff, "rho": null_model.rho})
    embeddings = np.asarray(outputs, dtype=np.float64)
    lengths = np.linalg.norm(embeddings, axis=-1)
    if not np.allclose(lengths, 1, atol=1e-3):
        raise InputError(f"embeddings with lengths from {lengths.min():.3g} to {lengths.max():.3g}", "unit vectors")
    found = effective_vectors(embeddings.mean(axis=1))
    null_model = _null_model("T", "", found, options)
    alike = text_similarity(embeddings)
    table = _pairs(
        models, {"matched": alike.matched, "mismatched": alike.mismatched, "ceiling_corrected": alike.corrected}
    )
    return Section(
        name, title, _text_sentence(null_model), {"n_eff": null_model.n_eff, "rho": null_model.rho}, {"pairs": table}
    )


def _text_sentence(null_model: NullModel) -> str:
    return (
        f"The texts of {null_model.informative} models vary like those of {null_model.n_eff.format()} independent ones."
    )


def _null_model(
    name: str, given: str, found: Effective, options: AuditOptions, evidence: AuditContext | None = None
) -> NullModel:
    if np.isnan(found.design_effect):
        nothing = Interval.undefined(found.reason)
        return NullModel(name, given, nothing, nothing, informative=found.n_models)
    clusters = None if evidence is None else evidence.clusters
    arguments = (found.n_models, found.design_effect, found.influence, clusters, options.level)
    return NullModel(
        name,
        given,
        n_eff_interval(*arguments),
        rho_interval(*arguments),
        informative=found.n_models,
        informative_instances=found.n_info,
    )


def _pairs(models: tuple[str, ...], matrices: Mapping[str, Float[np.ndarray, "m m"]]) -> pd.DataFrame:
    a, b = np.triu_indices(len(models), 1)
    names = np.array(models, dtype=object)
    return pd.DataFrame({"model_a": names[a], "model_b": names[b], **{k: v[a, b] for k, v in matrices.items()}})
