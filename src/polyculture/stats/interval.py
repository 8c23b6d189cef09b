"""How does an estimate travel? With its limits, what it rests on and how they were made."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SPELT_OUT = 9
"""Numbers of as many digits and more are written as powers of ten."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate that travels with how sure we are of it.

    Parameters
    ----------
    estimate : the number; nan where undefined (then `reason` says why), inf where the statistic has no upper bound.
    low, high : limits at `level`; nan where no interval can be given.
    level : confidence level in (0, 1).
    n : instances (or whatever was sampled) behind the estimate.
    method : how the limits were made, in the field's words.
    reason : why the estimate is undefined, or what to beware of; empty when all is well.

    Examples
    --------
    >>> print(pc.Interval(1.68, 1.67, 1.69, n=400))
    1.68 [1.67, 1.69]
    >>> print(pc.Interval(float("nan"), reason="a perfect model"))
    undefined (a perfect model)
    """

    estimate: float
    low: float = math.nan
    high: float = math.nan
    level: float = 0.95
    n: int = 0
    method: str = ""
    reason: str = ""

    @classmethod
    def undefined(cls, reason: str, n: int = 0) -> Interval:
        """An estimate that does not exist, and why."""
        return cls(math.nan, n=n, reason=reason)

    @property
    def defined(self) -> bool:
        """Whether there is an estimate at all."""
        return not math.isnan(self.estimate)

    def format(self, spec: str = ".2f") -> str:
        """As people read it: ``1.68 [1.67, 1.69]``, or the reason why there is none."""
        if not self.defined:
            return f"undefined ({self.reason})" if self.reason else "undefined"
        text = _number(self.estimate, spec)
        if not (math.isnan(self.low) or math.isnan(self.high)):
            text += f" [{_number(self.low, spec)}, {_number(self.high, spec)}]"
        return text

    def __str__(self) -> str:
        return self.format()


def _number(value: float, spec: str) -> str:
    """A number in words of its format; without bound it is ∞, however it is formatted."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return without_exponent(f"{value:{spec}}".replace("%", " %"))


def without_exponent(number: str) -> str:
    """A formatted number as people read it: 7,890 for 7.89e+03, 7.89 × 10^9 for 7.89e+09."""
    digits, _, exponent = number.partition("e")
    if not exponent:
        return number
    return f"{float(number):,.0f}" if 0 < int(exponent) < _SPELT_OUT else f"{digits} × 10^{int(exponent)}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: ``1 model``, ``2,000 models``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def every(count: int, noun: str) -> str:
    """All of so many: ``all 5 models``, ``both models``, ``the one model``."""
    return {1: f"the one {noun}", 2: f"both {noun}s"}.get(count, f"all {count:,} {noun}s")


def percent(share: float, digits: int = 1) -> str:
    """A share as people read it: ``25.0 %``; ``undefined`` where there is none."""
    if math.isnan(share):
        return "undefined"
    return f"{100 * share:.{digits}f} %"
