"""Does the graph predict what the model predicts? Compared on probabilities: equal labels hide wrong converters."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError
from polyculture.models.graphs.runner import GraphRunner

from ..bundle.bundle import Bundle
from ..bundle.predictor import Predictor
from .sources.material import ExportSource, SourceMember

LARGEST_ERROR = 1e-4
"""Largest difference of a probability (of a number: in standard deviations of the truth) between graph and model."""
FUSED_ROWS = 256
MOST_ROWS = 2_000
"""Held-out instances on which graphs are compared with models."""


def checked_rows(source: ExportSource) -> Int[np.ndarray, " k"]:
    """Positions of the held-out instances that graphs are compared on, evenly spaced."""
    n = len(source.labels)
    return np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int))


def export_error(
    member: SourceMember, graph: Any, view: np.ndarray, source: ExportSource, rows: Int[np.ndarray, " k"]
) -> float:
    """Largest difference between the outputs of graph and model on these rows.

    Parameters
    ----------
    view : what the graph reads of these rows.

    Rows for which the model's own answer depends on the order of its training rows (tied nearest neighbours) are left
    out. Raises InputError, with the member's name, where the difference is above 1e-4 or no number.
    """
    expected = np.asarray(member.outputs(source.take(rows)))
    outputs = graph_outputs(member, graph, view)
    if source.task == "tagging":
        outputs = outputs[source.labels[rows] >= 0]
    if outputs.shape != expected.shape:
        raise InputError(
            f"the graph of {member.name!r} gives the shape {outputs.shape}", f"{expected.shape}, as the model does"
        )
    scale = (float(np.std(source.labels) or np.std(expected)) or 1.0) if source.task == "regression" else 1.0
    differences = np.abs(outputs.astype(np.float64) - expected).max(axis=1) / scale
    if member.undetermined is not None:  # for tags, as the outputs, a row per token
        differences = differences[~member.undetermined(source.take(rows))]
    error = float(differences.max(initial=0.0))
    if not error <= LARGEST_ERROR:
        unit = "predictions" if source.task == "regression" else "probabilities"
        raise InputError(
            f"the graph of {member.name!r} differs from the model by {error:.2g} in its {unit}",
            f"at most {LARGEST_ERROR:g}",
            "select without that model",
        )
    return error


def check_fused(bundle: Bundle, source: ExportSource) -> None:
    """Refuse a graph of all members that gives something else than its members and their combination in numpy."""
    rows = checked_rows(source)[:FUSED_ROWS]
    views = bundle.encode(np.asarray(source.raw)[rows])
    together, apart = Predictor(bundle)(views), Predictor(bundle, fused=False)(views)
    scale = (float(np.std(source.labels) or np.std(together.combined)) or 1.0) if source.task == "regression" else 1.0
    pairs = ((together.members, apart.members), (together.combined, apart.combined))
    error = max(float(np.abs(a.astype(np.float64) - b).max(initial=0.0)) for a, b in pairs) / scale
    if not error <= LARGEST_ERROR:
        raise InputError(
            f"the graph of all members differs from its members by {error:.2g}",
            f"at most {LARGEST_ERROR:g}",
            "report this: it is a fault of the export",
        )


def graph_outputs(member: SourceMember, graph: Any, view: np.ndarray) -> Float[np.ndarray, "k ..."]:
    """What a graph gives for these inputs."""
    try:
        return GraphRunner(graph)(view, batch=16 if member.view.kind == "mark_codes" else 256)
    except Exception as error:  # onnxruntime has errors of its own
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"the graph of {member.name!r} cannot be run: {reason}", "a graph that onnxruntime reads"
        ) from error
