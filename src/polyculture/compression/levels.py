"""What is done to a model? A chain of steps, each a method and how much of it, written as one level of the recipe.

``"prune-channels=0.5+tune=5+int8"``: remove half of the channels, fine-tune for five epochs, then store eight bits.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from polyculture.errors import InputError, near

from .methods import METHODS, Method

JOIN, EQUALS = "+", "="


@dataclass(frozen=True)
class Step:
    """One method with its strength.

    Parameters
    ----------
    method : name in `METHODS`.
    strength : what share is taken away, for ``tune…`` the number of epochs; nan for methods without one.

    Raises InputError for an unknown method and for a strength outside its range.
    """

    method: str
    strength: float = math.nan

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"no compression method {self.method!r}", "", near(self.method, METHODS))
        rule = self.rule
        if not rule.strengths and not math.isnan(self.strength):
            raise InputError(f"{self.method} has the strength {self.strength:g}", "no strength", f"write {self.method}")
        if rule.strengths and math.isnan(self.strength):
            object.__setattr__(self, "strength", rule.strengths[0])
        if rule.strengths and not (0 <= self.strength < math.inf and (rule.counts or self.strength < 1)):
            expected = "a whole number, 0 or more" if rule.counts else "0 or more and below 1: the share taken away"
            raise InputError(f"{self.method} has the strength {self.strength:g}", expected)
        if rule.counts and self.strength != int(self.strength):
            raise InputError(f"{self.method} has the strength {self.strength:g}", "a whole number of epochs")

    @property
    def rule(self) -> Method:
        """The method."""
        return METHODS[self.method]

    def __str__(self) -> str:
        return self.method if math.isnan(self.strength) else f"{self.method}{EQUALS}{self.strength:g}"


def read_level(text: str) -> tuple[Step, ...]:
    """The steps of a level, ``"none"`` for none; InputError, in one sentence, for what is no level."""
    if text.strip() in ("", "none"):
        return ()
    steps = []
    for part in text.split(JOIN):
        name, equals, number = part.strip().partition(EQUALS)
        try:
            strength = float(number) if equals else math.nan
        except ValueError:
            raise InputError(f"{name} has the strength {number!r}", "a number, such as 0.5") from None
        if equals and math.isnan(strength):
            raise InputError(f"{name} has the strength {number!r}", "a number, such as 0.5")
        steps.append(Step(name.strip(), strength))
    for step, after in itertools.pairwise(steps):
        if step.rule.last:
            raise InputError(f"{step} before {after}", "at the end of the chain: it stores numbers in fewer bits")
    return tuple(steps)


def level_of(steps: tuple[Step, ...]) -> str:
    """The level that `read_level` reads as these steps."""
    return JOIN.join(map(str, steps)) or "none"
