"""Do the models know how sure to be, and what do they take for what? Calibration, Brier, ROC and confusion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.measures.calibration import brier, confusion, reliability, roc
from polyculture.results import Section
from polyculture.stats import influence_interval

from ..context import AuditContext

VOTE = "(vote)"
EVERY = "(all)"
SMALLEST = 1e-12
MOST_CLASSES, MOST_CELLS, CURVE_POINTS = 20, 20_000, 101


def calibration(evidence: AuditContext) -> Section:
    """Expected calibration error, Brier decomposition and log-loss of every model and of their mean probabilities."""
    name, title = "calibration", "Do they know how sure to be?"
    p = evidence.predictions
    if p.probabilities is None or p.labels is None:
        return Section(name, title, "", reason="no probabilities")
    labels = p.labels.astype(np.int64)
    members = dict(zip(p.model_ids, p.probabilities, strict=True))
    everyone = members | {VOTE: p.probabilities.mean(axis=0, dtype=np.float64)}
    found = [_calibration(model, np.asarray(q, dtype=np.float64), labels, evidence) for model, q in everyone.items()]
    models = pd.DataFrame([row for row, _ in found])
    vote = models.iloc[-1]
    inside = models.iloc[:-1]
    sentence = (
        f"The mean of the probabilities has an expected calibration error of {vote['ece']:.3f} "
        f"[{vote['low']:.3f}, {vote['high']:.3f}] and a log-loss of {vote['log_loss']:.3f}; single models lie between "
        f"{inside['ece'].min():.3f} and {inside['ece'].max():.3f}, and {inside['log_loss'].min():.3f} and "
        f"{inside['log_loss'].max():.3f}."
    )
    return Section(name, title, sentence, tables={"models": models, "reliability": pd.concat([t for _, t in found])})


def _calibration(
    model: str, q: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], evidence: AuditContext
) -> tuple[dict[str, Any], pd.DataFrame]:
    """One model's numbers, and its reliability table."""
    table = reliability(q.max(axis=1), q.argmax(axis=1) == labels)
    limits = influence_interval(table.debiased, table.influence, evidence.clusters, evidence.options.level)
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


def classes(evidence: AuditContext) -> Section:
    """Confusion matrices, pooled and per model, and ROC curves with areas of the mean probabilities and the models."""
    name, title = "classes", "What do they take for what?"
    p = evidence.predictions
    if p.answers is None or evidence.classes is None:
        return Section(name, title, "", reason="there are no fixed classes with answers")
    c = len(p.classes)
    if c > MOST_CLASSES:
        return Section(name, title, "", reason=f"{c} classes are more than {MOST_CLASSES}")
    labels = evidence.classes.astype(np.int64)
    cells = np.stack([confusion(answers.astype(np.int64), labels, c) for answers in p.answers])
    tables = {"confusion": _cells(EVERY, cells.sum(axis=0), p.classes)}
    if cells.size <= MOST_CELLS:
        parts = [_cells(model, k, p.classes) for model, k in zip(p.model_ids, cells, strict=True)]
        tables["confusion"] = pd.concat([tables["confusion"], *parts], ignore_index=True)
    if p.probabilities is not None:
        tables |= _roc(evidence, labels)
    pooled = tables["confusion"]
    wrong = pooled[(pooled["model"] == EVERY) & (pooled["label"] != pooled["answer"])]
    worst = wrong.iloc[int(wrong["share"].to_numpy().argmax())]
    mistake = f"{worst['label']} is most often taken for {worst['answer']}"
    sentence = f"Over all models {mistake}: {worst['share']:.1%} of its answers."
    return Section(name, title, sentence, tables=tables)


def _cells(model: str, cells: Int[np.ndarray, "c c"], names: tuple[str, ...]) -> pd.DataFrame:
    c = len(names)
    rows = np.maximum(cells.sum(axis=1, keepdims=True), 1)
    return pd.DataFrame(
        {
            "model": model,
            "label": np.repeat(np.array(names, dtype=object), c),
            "answer": np.tile(np.array(names, dtype=object), c),
            "n": cells.ravel(),
            "share": (cells / rows).ravel(),
        }
    )


def _roc(evidence: AuditContext, labels: Int[np.ndarray, " n"]) -> dict[str, pd.DataFrame]:
    """Curves of the mean probabilities per class, and areas of the mean and of every model per class."""
    p = evidence.predictions
    assert p.probabilities is not None
    curves, areas = [], []
    everyone = {VOTE: p.probabilities.mean(axis=0, dtype=np.float64)} | dict(
        zip(p.model_ids, p.probabilities, strict=True)
    )
    for model, q in everyone.items():
        for k, name in enumerate(p.classes):
            found = roc(np.asarray(q[:, k], dtype=np.float64), labels == k)
            area = influence_interval(found.auc, found.influence, evidence.clusters, evidence.options.level)
            limits = {"low": area.low, "high": min(1.0, area.high)}
            areas.append({"model": model, "class": name, "auc": found.auc, **limits})
            if model == VOTE:
                at = np.unique(np.linspace(0, len(found.false_positive) - 1, CURVE_POINTS).astype(np.int64))
                points = {"fpr": found.false_positive[at], "tpr": found.true_positive[at]}
                curves.append(pd.DataFrame({"model": model, "class": name, **points}))
    return {"roc": pd.concat(curves, ignore_index=True), "auc": pd.DataFrame(areas)}
