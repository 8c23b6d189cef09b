"""What can be chosen about the explanations of a run?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyculture.errors import InputError
from polyculture.explanation import ExplainOptions, find_method

AUTOMATIC = "auto"


@dataclass(frozen=True)
class ExplainRunOptions:
    """Options of `explain_run`.

    Parameters
    ----------
    method : name in `polyculture.explanation.METHODS`; ``"auto"`` for one that is deterministic and fits all models.
    models : names or patterns of the models to explain; all if left out.
    instances : of the test set, drawn by the seed.
    target : the class that is explained: ``"predicted"``, ``"label"`` or the name of a class.
    baseline : what an absent feature looks like: ``"mean"`` of the training set, or ``"zero"``.
    samples : steps or perturbations per instance; None for the method's default.
    k : attributions of largest size that count as the reasons.
    repeats : models that are explained again, with another seed and with slightly changed inputs; 0 for none.
    change : standard deviation of the small change, in standard deviations of each feature.
    faithful : instances on which it is checked whether models use what their explanations name; 0 for none.
    level : of all intervals.
    seed : of everything random.

    Raises InputError for an unknown method and numbers out of range.

    Examples
    --------
    >>> pc.ExplainRunOptions(method="occlusion", instances=50).k
    5
    """

    method: str = AUTOMATIC
    models: Sequence[str] = ()
    instances: int = 200
    target: str = "predicted"
    baseline: str = "mean"
    samples: int | None = None
    k: int = 5
    repeats: int = 6
    change: float = 0.02
    faithful: int = 30
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method != AUTOMATIC:
            find_method(self.method)
        if self.baseline not in ("mean", "zero"):
            raise InputError(f"the baseline {self.baseline!r}", "'mean' or 'zero'")
        for name, least in {"instances": 2, "k": 1, "repeats": 0, "faithful": 0, "seed": 0}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < least:
                raise InputError(f"{name} of an explanation is {value}", f"a whole number of {least} or more")
        if not 0 < self.change < 1:
            raise InputError(f"change is {self.change}", "standard deviations of a feature, above 0 and below 1")
        if not 0 < self.level < 1:
            raise InputError(f"level is {self.level}", "a confidence level between 0 and 1, such as 0.95")
        self.of_method()

    def of_method(self, seed_shift: int = 0) -> ExplainOptions:
        """The options of the method, with another seed."""
        return ExplainOptions(
            target=self.target,
            baseline=self.baseline,
            samples=self.samples,
            instances=None,
            seed=self.seed + seed_shift,
        )
