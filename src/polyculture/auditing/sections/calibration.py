"""Do the models know how sure to be? Calibration error, Brier score and log-loss of each and of their mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.measures.calibration import brier, reliability
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import influence_interval

from ..context import AuditContext

VOTE = "(vote)"
SMALLEST = 1e-12


def calibration(context: AuditContext) -> Section:
    """Expected calibration error, Brier decomposition and log-loss of every model and of their mean probabilities."""
    p = context.predictions
    if p.probabilities is None or p.labels is None:
        return SPEC.skip("no probabilities")
    finite = np.isfinite(p.probabilities).all(axis=(0, 2))
    if not finite.any():
        return SPEC.skip("no instance with the probabilities of all models")
    labels, probabilities = p.labels[finite].astype(np.int64), p.probabilities[:, finite]
    clusters = None if context.clusters is None else context.clusters[finite]
    members = dict(zip(p.model_ids, probabilities, strict=True))
    voters = members | {VOTE: probabilities.mean(axis=0, dtype=np.float64)}
    results = [
        _calibration(model, np.asarray(q, dtype=np.float64), labels, (clusters, context.options.level))
        for model, q in voters.items()
    ]
    models = pd.DataFrame([row for row, _ in results])
    vote = models.iloc[-1]
    single = models.iloc[:-1]
    sentence = (
        f"The mean of the probabilities has an expected calibration error of {vote['ece']:.3f} "
        f"[{vote['low']:.3f}, {vote['high']:.3f}] and a log-loss of {vote['log_loss']:.3f}; single models lie between "
        f"{single['ece'].min():.3f} and {single['ece'].max():.3f}, and {single['log_loss'].min():.3f} and "
        f"{single['log_loss'].max():.3f}."
    )
    return SPEC.answer(sentence, tables={"models": models, "reliability": pd.concat([t for _, t in results])})


def _calibration(
    model: str,
    q: Float[np.ndarray, "n c"],
    labels: Int[np.ndarray, " n"],
    limits_by: tuple[Int[np.ndarray, " n"] | None, float],
) -> tuple[dict[str, Any], pd.DataFrame]:
    """One model's numbers, and its reliability table; limits by clusters and level."""
    table = reliability(q.max(axis=1), q.argmax(axis=1) == labels)
    limits = influence_interval(table.debiased, table.influence, *limits_by)
    score = brier(q, labels)
    row = {
        "model": model,
        "ece": table.debiased,
        "low": max(0.0, limits.low),
        "high": limits.high,
        "brier": score.score,
        "reliability": score.reliability,
        "resolution": score.resolution,
        "uncertainty": score.uncertainty,
        "log_loss": float(-np.log(np.maximum(q[np.arange(len(labels)), labels], SMALLEST)).mean()),
    }
    bins = {"model": model, "confidence": table.confidence, "accuracy": table.accuracy, "n": table.size}
    return row, pd.DataFrame(bins)


SPEC = SectionSpec(
    "calibration",
    "Do they know how sure to be?",
    place=110,
    compute=lambda context, *_: calibration(context),
    code="PC016",
    finding="calibration",
    severity=lambda section: "warning" if section.tables["models"]["low"].iloc[-1] > 0.05 else "note",
    tables={"models": TableSpec(headings={"ece": "ECE"})},
)
