"""How alike are regressors? The headline comes from the residuals, the rest from errors beyond the tolerance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from polyculture.measures.effective_vectors import covariances, effective_residuals
from polyculture.predictions import Predictions
from polyculture.results import Audit, NullModel, Section
from polyculture.stats import StandardError

from .context import AuditContext
from .findings import effective_number
from .null_models import linearized_null_model
from .pairs import pair_table


def outcomes(predictions: Predictions, tolerance: float) -> Predictions:
    """Which predicted numbers are right to within the tolerance."""
    residuals = predictions.residuals
    correct = np.where(np.isfinite(residuals), np.abs(residuals) <= tolerance, -1).astype(np.int8)
    return Predictions(predictions.models.assign(rmse=predictions.rmse), predictions.instances, correct=correct)


def add_residuals(audit: Audit, predictions: Predictions, context: AuditContext) -> Audit:
    """The audit of the outcomes, with null model R (independent residuals of the same size) as its headline."""
    residuals = np.nan_to_num(predictions.residuals)
    estimate = effective_residuals(residuals, predictions.observed, predictions.noise)
    null_model = linearized_null_model(
        "R",
        "each model's mean squared residual",
        estimate,
        StandardError.of(estimate.influence, context.clusters),
        context.options.level,
    )
    first = effective_number(null_model, estimate.n_models)
    return replace(
        audit,
        null_models=(null_model, *audit.null_models),
        headline="R",
        sections=(_residual_section(predictions, residuals, null_model), *audit.sections),
        findings=(first, *(f for f in audit.findings if f.code != "PC001")),
        facts={**audit.facts, "tolerance": predictions.allowed_error, "noise": predictions.noise},
    )


def _residual_section(predictions: Predictions, residuals: Float[np.ndarray, "m n"], null_model: NullModel) -> Section:
    """Residual correlations of all pairs."""
    c = covariances(residuals[:, :, None]) - predictions.noise
    size = np.sqrt(np.maximum(np.diag(c), 0))
    scale = np.outer(size, size)
    correlation = np.divide(c, scale, out=np.full(c.shape, np.nan), where=scale > 0)
    table = pair_table(predictions.model_ids, {"residual_correlation": correlation})
    mean = float(table["residual_correlation"].mean())
    noise = f" after taking off a noise variance of {predictions.noise:g}" if predictions.noise else ""
    strength = f"correlate at {mean:.2f} on average" if np.isfinite(mean) else "have no correlation: none varies"
    sentence = (
        f"Residuals of two models {strength}{noise}. Elsewhere here an instance counts as "
        f"failed where the error is larger than {predictions.allowed_error:.4g}."
    )
    return Section(
        "values",
        "Do their residuals go together?",
        sentence,
        {"n_eff": null_model.n_eff, "rho": null_model.rho},
        {"pairs": table},
    )
