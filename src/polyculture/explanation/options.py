"""What can be chosen about an explanation, whatever the method?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from polyculture.errors import InputError

Scale = Literal["logit", "probability"]


@dataclass(frozen=True, eq=False)
class ExplainOptions:
    """Options of `explain`; a method reads those that it has a use for.

    Parameters
    ----------
    target : the class that is explained: ``"predicted"`` (by each model), ``"label"`` (the true one) or the name of a
        class, the same for all instances.
    baseline : what an absent feature looks like: ``"mean"`` of the background, ``"zero"``, or an array of the shape of
        one input. In texts an absent word is no word, whatever is chosen here.
    scale : in what attributions add up: ``"logit"`` (the score of the class less the mean score of the others; the
        log-odds where there are two classes), ``"probability"``, or ``"auto"`` for what suits the method.
    samples : steps of an integral, perturbations or permutations per instance; None for the method's default.
    instances : number of instances that are explained, drawn by the seed; None for all.
    background : number of background instances that methods look at, drawn by the seed.
    noise : standard deviation of the noise of SmoothGrad in multiples of the standard deviation of each feature.
    patch : side of the group of neighbouring pixels, bins or steps that is perturbed as one; 0 for the method's choice.
    seed : of everything random; what is drawn for one model does not depend on the other models.

    Raises InputError for numbers out of range.

    Examples
    --------
    >>> pc.ExplainOptions(baseline="zero", samples=100).samples
    100
    """

    target: str = "predicted"
    baseline: str | np.ndarray = "mean"
    scale: str = "auto"
    samples: int | None = None
    instances: int | None = 200
    background: int = 200
    noise: float = 0.2
    patch: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scale not in ("auto", "logit", "probability"):
            raise InputError(f"scale is {self.scale!r}", "'auto', 'logit' or 'probability'")
        if isinstance(self.baseline, str) and self.baseline not in ("mean", "zero"):
            raise InputError(f"baseline is {self.baseline!r}", "'mean', 'zero' or an array of the shape of one input")
        least = {"samples": 1, "instances": 1, "background": 1, "patch": 0, "seed": 0}
        for name, minimum in least.items():
            value = getattr(self, name)
            integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if value is not None and not (integer and value >= minimum):
                raise InputError(f"{name} of an explanation is {value}", f"a whole number of {minimum} or more")
        if not np.isfinite(self.noise) or self.noise <= 0:
            raise InputError(f"noise of an explanation is {self.noise}", "a number above 0")

    def baseline_words(self) -> str:
        """The baseline as the page names it."""
        if isinstance(self.baseline, str):
            return {"mean": "mean of the background", "zero": "zero"}[self.baseline]
        return "the given array"
