"""How is a prediction explained? One visible dict of methods, each a function that is imported on first use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, get_args

from polyculture.dataset import Modality
from polyculture.errors import InputError, near

ModelKind = Literal["net", "trees", "any"]
"""Fitted nets, fitted ensembles of trees, and any callable from inputs to probabilities."""
EVERYWHERE: tuple[Modality, ...] = tuple(name for name in get_args(Modality) if name != "tags")
GRIDS: tuple[Modality, ...] = ("image", "volume", "audio")

Explain = Callable[..., Any]
"""(models by id, inputs n × …, targets m × n, background `Dataset`, options) → m × n × d attributions, float32.

Inputs are as the dataset has them (waveforms, strings); d is the number of explained features (see `features`). Options
have their scale and samples resolved: neither is ``"auto"`` or None.
"""


@dataclass(frozen=True)
class ExplanationMethod:
    """A way to explain predictions.

    Parameters
    ----------
    summary : what it does, in a few words, for the help.
    function : where it is: module of this folder and name; see `Explain`.
    kinds : of models that it may explain; the function refuses, with InputError, those of the kind that it does not.
    modalities : of inputs that it explains.
    deterministic : whether another seed gives the same attributions.
    complete : whether attributions add up to the score of the instance less that of the baseline.
    signed : whether a negative attribution speaks against the class; otherwise it is an importance, 0 or more.
    scales : that it explains; the first is the one of ``"auto"``.
    samples : default number of steps or perturbations; 0 for a method without.
    fewest : smallest number of samples that it takes.
    stacked : whether nets of one structure are explained faster in one call.
    """

    summary: str
    function: str
    kinds: tuple[ModelKind, ...]
    modalities: tuple[Modality, ...] = EVERYWHERE
    deterministic: bool = True
    complete: bool = False
    signed: bool = True
    scales: tuple[str, ...] = ("logit", "probability")
    samples: int = 0
    fewest: int = 1
    stacked: bool = False

    @property
    def explain(self) -> Explain:
        """The function."""
        module, _, name = self.function.rpartition(".")
        function: Explain = getattr(import_module(f"{__package__}.{module}"), name)
        return function


_SHARES: tuple[str, ...] = ("probability", "logit")

METHODS: dict[str, ExplanationMethod] = {
    "saliency": ExplanationMethod("absolute gradient", "gradients.saliency", ("net",), signed=False),
    "gradient-input": ExplanationMethod("gradient × (input − baseline)", "gradients.gradient_input", ("net",)),
    "integrated-gradients": ExplanationMethod(
        "gradient along the way from the baseline × (input − baseline)",
        "gradients.integrated_gradients",
        ("net",),
        complete=True,
        samples=32,
        fewest=5,
        stacked=True,
    ),
    "deeplift": ExplanationMethod(
        "difference from the baseline, handed down by layers",
        "deeplift.deeplift",
        ("net",),
        modalities=("table", "image", "volume", "series", "audio"),
        complete=True,
        scales=("logit",),
    ),
    "smoothgrad": ExplanationMethod(
        "mean gradient of noisy copies",
        "gradients.smoothgrad",
        ("net",),
        modalities=("table", "image", "volume", "series", "audio"),
        deterministic=False,
        samples=50,
        fewest=2,
    ),
    "grad-cam": ExplanationMethod(
        "channels of the last convolution, weighted by their gradient",
        "grad_cam.grad_cam",
        ("net",),
        GRIDS,
        signed=False,
    ),
    "attention": ExplanationMethod(
        "attention weights of the last layer", "attention_maps.attention", ("net",), signed=False
    ),
    "attention-rollout": ExplanationMethod(
        "attention weights followed through all layers", "attention_maps.rollout", ("net",), signed=False
    ),
    "occlusion": ExplanationMethod(
        "change of the score when a feature is absent",
        "perturbation.occlusion",
        ("net", "trees", "any"),
        scales=_SHARES,
    ),
    "lime": ExplanationMethod(
        "local linear model of perturbed copies",
        "perturbation.lime",
        ("net", "trees", "any"),
        deterministic=False,
        scales=_SHARES,
        samples=500,
        fewest=20,
    ),
    "shapley-sampling": ExplanationMethod(
        "Shapley values from permutations",
        "perturbation.shapley_sampling",
        ("net", "trees", "any"),
        deterministic=False,
        complete=True,
        scales=_SHARES,
        samples=25,
        fewest=2,
    ),
    "kernel-shap": ExplanationMethod(
        "Shapley values from weighted coalitions",
        "perturbation.kernel_shap",
        ("net", "trees", "any"),
        deterministic=False,
        complete=True,
        scales=_SHARES,
        samples=500,
        fewest=20,
    ),
    "tree-shap": ExplanationMethod(
        "exact Shapley values of trees",
        "tree_shap.tree_shap",
        ("trees",),
        modalities=("table", "image", "volume", "series", "audio"),
        complete=True,
        scales=_SHARES,
    ),
}
"""Methods by name."""


def find_method(name: str) -> ExplanationMethod:
    """The method of that name; InputError, with the near names, if there is none."""
    if name not in METHODS:
        raise InputError(f"no method of explanation {name!r}", "", near(name, METHODS))
    return METHODS[name]
