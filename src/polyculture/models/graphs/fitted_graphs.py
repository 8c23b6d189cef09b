"""What is the graph of a fitted model, whatever fitted it?"""

from __future__ import annotations

from typing import Any

from ..fitted import Fitted
from ..fitted_net import FittedNet


def fitted_graph(model: Fitted, view: str) -> Any:
    """The `onnx.ModelProto` of a fitted model, whose input has this name.

    Raises InputError for a model that has no graph.
    """
    from .feature_graphs import fitted_estimator_graph
    from .net_graphs import net_graph

    return net_graph(model, view).proto if isinstance(model, FittedNet) else fitted_estimator_graph(model, view).proto  # type: ignore[arg-type]
