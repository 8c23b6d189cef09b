"""What is the graph of a fitted model, whatever fitted it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..fitted import Fitted
from ..fitted_estimator import FittedEstimator
from ..fitted_net import FittedNet

if TYPE_CHECKING:
    from ..fitted_graph import FittedGraph


def fitted_graph(model: Fitted, view: str) -> Any:
    """The `onnx.ModelProto` of a fitted model, whose input has this name.

    Raises InputError for a model that has no graph.
    """
    from .feature_graphs import fitted_estimator_graph
    from .net_graphs import net_graph

    if isinstance(model, FittedNet):
        return net_graph(model, view).proto
    if isinstance(model, FittedEstimator):
        return fitted_estimator_graph(model, view).proto
    return cast("FittedGraph", model).proto(view)
