"""How is one model made smaller or faster? One visible dict of methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from polyculture.errors import InputError
from polyculture.models.fitted import Fitted

from ..context import CompressionContext

ModelKind = Literal["net", "estimator", "graph"]
Apply = Callable[[Fitted, float, CompressionContext], Fitted]


@dataclass(frozen=True)
class Method:
    """A way to make one model smaller or faster.

    Parameters
    ----------
    summary : what it does, in a few words, for the help.
    function : where it is: module of this folder and name; from a model, a strength and the context to a new model.
    kinds : of models that it may fit; the function refuses, with InputError, those of the kind that it does not.
    strengths : that a search tries, the first is the default: the share that is taken away (0 changes nothing), or
        for ``counts`` a number of epochs; empty for a method without strength.
    counts : whether the strength is a whole number of epochs.
    tuned : whether fine-tuning after it is of use.
    last : whether nothing can follow: what is left is a graph.
    """

    summary: str
    function: str
    kinds: tuple[ModelKind, ...]
    strengths: tuple[float, ...] = ()
    counts: bool = False
    tuned: bool = False
    last: bool = False

    @property
    def apply(self) -> Apply:
        """The function."""
        module, _, name = self.function.rpartition(".")
        function: Apply = getattr(import_module(f"{__package__}.{module}"), name)
        return function


METHODS: dict[str, Method] = {
    "prune-weights": Method(
        "set the smallest weights to zero", "weight_pruning.prune_weights", ("net",), (0.5, 0.7, 0.9), tuned=True
    ),
    "prune-channels": Method(
        "remove channels and units", "channel_pruning.prune_channels", ("net",), (0.5, 0.3, 0.7), tuned=True
    ),
    "low-rank": Method(
        "factorize dense and convolution layers", "low_rank.low_rank", ("net",), (0.5, 0.3, 0.7), tuned=True
    ),
    "distil-self": Method(
        "a narrower net taught by the model itself", "distillation.distil_self", ("net",), (0.5, 0.3, 0.7)
    ),
    "distil-ensemble": Method(
        "a narrower net taught by all models together", "distillation.distil_ensemble", ("net",), (0.5, 0.3, 0.7)
    ),
    "distil-unlike": Method(
        "a narrower net taught by the most unlike model", "distillation.distil_unlike", ("net",), (0.5, 0.3, 0.7)
    ),
    "tune": Method("fine-tune on the labels, epochs", "tuning.tune", ("net",), (5.0, 10.0, 0.0), counts=True),
    "tune-self": Method(
        "fine-tune as the original taught it", "tuning.tune_self", ("net",), (5.0, 10.0, 0.0), counts=True
    ),
    "tune-ensemble": Method(
        "fine-tune as all models together teach it", "tuning.tune_ensemble", ("net",), (5.0, 10.0, 0.0), counts=True
    ),
    "cluster-weights": Method(
        "few different values per layer", "clustering.cluster_weights", ("net",), (0.75, 0.875), last=True
    ),
    "half": Method("weights in 16 bits", "precision.half", ("net",), last=True),
    "int8": Method("weights and activations in 8 bits", "precision.int8", ("net",), last=True),
    "fewer-trees": Method("keep a part of the trees", "trees.fewer_trees", ("estimator",), (0.5, 0.3, 0.7)),
    "shallower-trees": Method("fit again with less depth", "trees.shallower_trees", ("estimator",), (0.5, 0.3, 0.7)),
    "prune-trees": Method("cost-complexity pruning", "trees.prune_trees", ("estimator",), (0.5, 0.3, 0.7)),
    "fewer-prototypes": Method(
        "fewer support vectors or stored instances", "prototypes.fewer_prototypes", ("estimator",), (0.5, 0.3, 0.7)
    ),
    "fewer-features": Method(
        "fit again on the features that matter", "feature_selection.fewer_features", ("estimator",), (0.5, 0.3, 0.7)
    ),
}
"""Methods by name."""


KIND_WORDS: dict[ModelKind, str] = {"net": "a net", "estimator": "a scikit-learn estimator", "graph": "a graph"}
"""How the kinds of models are called in sentences."""


def kind_of(model: Fitted) -> ModelKind:
    """What kind of model this is."""
    from polyculture.models.fitted_estimator import FittedEstimator
    from polyculture.models.fitted_net import FittedNet

    return "net" if isinstance(model, FittedNet) else "estimator" if isinstance(model, FittedEstimator) else "graph"


def check_fit(name: str, model: Fitted) -> None:
    """Refuse a method for a kind of model that it is not for."""
    kind, method = kind_of(model), METHODS[name]
    if kind not in method.kinds:
        fitting = [other for other, rule in METHODS.items() if kind in rule.kinds]
        raise InputError(
            f"the method {name!r} for {KIND_WORDS[kind]}", f"one of {', '.join(fitting)}" if fitting else "a net"
        )
