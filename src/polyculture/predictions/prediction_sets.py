"""What do the same models predict on every part of a split, and under every shift?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .predictions import Predictions


@dataclass(frozen=True, eq=False)
class PredictionSets:
    """Predictions of the same models on several sets of instances.

    Parameters
    ----------
    test : on the test set.
    selection : on the instances to choose on; None where there are none.
    train : on the instances that the models learned from; None where they are not known.
    shifted : on shifted test sets, by name.
    cluster, groups : instance columns: what was sampled together, and what is worth comparing.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> sets = pc.PredictionSets(tiny_predictions(), shifted={"noise@1": tiny_predictions(seed=1)})
    >>> list(sets.companions)
    ['noise@1']
    """

    test: Predictions
    selection: Predictions | None = None
    shifted: Mapping[str, Predictions] = field(default_factory=dict)
    cluster: str = ""
    groups: tuple[str, ...] = ()
    train: Predictions | None = None

    @property
    def companions(self) -> dict[str, Predictions]:
        """Every set but the test set, by name, as `polyculture.audit` takes them."""
        parts = {"train": self.train, "selection": self.selection}
        return {name: part for name, part in parts.items() if part is not None} | dict(self.shifted)

    def take_models(self, ids: Sequence[str]) -> PredictionSets:
        """The same sets, of these models only."""
        return self.map(lambda predictions: predictions.take_models(ids))

    def map(self, function: Callable[[Predictions], Predictions]) -> PredictionSets:
        """The same sets, each put through a function."""
        return replace(
            self,
            test=function(self.test),
            selection=None if self.selection is None else function(self.selection),
            train=None if self.train is None else function(self.train),
            shifted={name: function(part) for name, part in self.shifted.items()},
        )
