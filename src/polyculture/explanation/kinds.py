"""Which kind of model is it, and which nets can be explained in one stack?"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from polyculture.models.estimator_function import EstimatorFunction
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.fitted_net import FittedNet
from polyculture.population import Model

from .methods import ModelKind

STACKED = {
    *("Linear", "BatchNorm1d", "FeatureNorm", "LayerNorm", "Identity", "Dropout", "AlphaDropout", "Flatten"),
    *("ReLU", "SELU", "ELU", "GELU", "SiLU", "Tanh", "Sigmoid", "LeakyReLU", "Sequential"),
}
"""Layers of nets that are faster in a stack; convolutions are not."""


FORESTS = (
    *("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"),
    *("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"),
)
"""Estimators whose trees average probabilities, or predicted numbers."""
BOOSTED = (
    *("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
    *("GradientBoostingClassifier", "GradientBoostingRegressor"),
)
"""Estimators whose trees add up scores: the log-odds of two classes, the exponents of a softmax, or numbers."""


def kind_of(model: Model) -> ModelKind:
    """Whether the model is a net, an ensemble of trees, or any other callable."""
    if isinstance(model, FittedNet):
        return "net"
    if isinstance(model, (FittedEstimator, EstimatorFunction)):
        last = model.estimator.steps[-1][1] if hasattr(model.estimator, "steps") else model.estimator
        if type(last).__name__ in (*FORESTS, *BOOSTED):
            return "trees"
    return "any"


def tree_scale(models: Iterable[Model]) -> str | None:
    """The scale in which the trees of all these models add up; None where they differ or are no trees."""
    families = {type(getattr(model, "estimator", None)).__name__ for model in models}
    if families <= {*FORESTS}:
        return "probability"
    return "logit" if families <= {*BOOSTED} else None


def structure_of(model: Any) -> Hashable | None:
    """A key that is equal for nets that differ in their numbers only; None for what cannot be stacked."""
    if kind_of(model) != "net" or model.encoder.modality in ("text", "tags"):
        return None
    layers = [
        (name, type(module).__name__, "" if hasattr(module, "inplace") else module.extra_repr())
        for name, module in model.net.named_modules()
    ]
    if any(layer not in STACKED for _, layer, _ in layers):
        return None
    sizes = [(name, tuple(tensor.shape)) for name, tensor in model.net.state_dict().items()]
    return (*layers, *sizes, model.encoder.shape)
