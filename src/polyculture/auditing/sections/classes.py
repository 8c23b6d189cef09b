"""Which classes do the models take for which? Confusion matrices and ROC curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.measures.calibration import confusion, roc
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import influence_interval, percent

from ..context import AuditContext
from .calibration import VOTE

EVERY = "(all)"
MOST_CLASSES, MOST_CELLS, CURVE_POINTS = 20, 20_000, 101


def classes(context: AuditContext) -> Section:
    """Confusion matrices, pooled and per model, and ROC curves with areas of the mean probabilities and the models."""
    p = context.predictions
    if p.answers is None or context.classes is None:
        return SPEC.skip("there are no fixed classes with answers")
    c = len(p.classes)
    if c > MOST_CLASSES:
        return SPEC.skip(f"{c} classes are more than {MOST_CLASSES}")
    labels = context.classes.astype(np.int64)
    cells = np.stack([confusion(answers.astype(np.int64), labels, c) for answers in p.answers])
    tables = {"confusion": _cells(EVERY, cells.sum(axis=0), p.classes)}
    if cells.size <= MOST_CELLS:
        parts = [_cells(model, k, p.classes) for model, k in zip(p.model_ids, cells, strict=True)]
        tables["confusion"] = pd.concat([tables["confusion"], *parts], ignore_index=True)
    if p.probabilities is not None:
        tables |= _roc(context, labels)
    pooled = tables["confusion"]
    wrong = pooled[(pooled["model"] == EVERY) & (pooled["label"] != pooled["answer"])]
    worst = wrong.iloc[int(wrong["share"].to_numpy().argmax())]
    mistake = f"{worst['label']} is most often taken for {worst['answer']}"
    sentence = f"Over all models {mistake}: {percent(worst['share'], 1)} of its answers."
    return SPEC.answer(sentence, tables=tables)


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


def _roc(context: AuditContext, labels: Int[np.ndarray, " n"]) -> dict[str, pd.DataFrame]:
    """Curves of the mean probabilities per class, and areas of the mean and of every model per class."""
    p = context.predictions
    assert p.probabilities is not None
    curves, areas = [], []
    finite = np.isfinite(p.probabilities).all(axis=(0, 2))
    probabilities, labels = p.probabilities[:, finite], labels[finite]
    clusters = None if context.clusters is None else context.clusters[finite]
    members = dict(zip(p.model_ids, probabilities, strict=True))
    voters = {VOTE: probabilities.mean(axis=0, dtype=np.float64)} | members
    for model, q in voters.items():
        for k, name in enumerate(p.classes):
            curve = roc(np.asarray(q[:, k], dtype=np.float64), labels == k)
            area = influence_interval(curve.auc, curve.influence, clusters, context.options.level)
            limits = {"low": area.low, "high": min(1.0, area.high)}
            areas.append({"model": model, "class": name, "auc": curve.auc, **limits})
            if model == VOTE:
                curve_rows = np.unique(np.linspace(0, len(curve.false_positive) - 1, CURVE_POINTS).astype(np.int64))
                points = {"fpr": curve.false_positive[curve_rows], "tpr": curve.true_positive[curve_rows]}
                curves.append(pd.DataFrame({"model": model, "class": name, **points}))
    return {"roc": pd.concat(curves, ignore_index=True), "auc": pd.DataFrame(areas)}


SPEC = SectionSpec(
    "classes",
    "What do they take for what?",
    place=120,
    compute=lambda context, *_: classes(context),
    tables={"roc": TableSpec(headings={"fpr": "false positive rate", "tpr": "true positive rate"})},
)
