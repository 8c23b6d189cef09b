"""How strong must a method be to reach a target? The smallest strength that does, by bisection on untuned models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from polyculture.errors import InputError

from .chains import Chain

GRID = 20
"""Strengths are multiples of one over this."""


def smallest_strength(reach: Callable[[float], float]) -> float:
    """The smallest strength on the grid whose reach is 1 or more; nan where none is.

    Parameters
    ----------
    reach : of a strength in (0, 1), what it attains over what is asked for; it grows with the strength.
    """
    low, high = 0, GRID - 1
    if reach(high / GRID) < 1:
        return float("nan")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reach(middle / GRID) >= 1 else (middle, high)
    return high / GRID


@dataclass
class Best:
    """The most that was attained until now.

    Parameters
    ----------
    factors : largest factor of any model by target.
    reach : largest, over models, of the least that a model attains over what is asked for.
    """

    factors: dict[str, float]
    reach: float = 0.0

    def add(self, factors: Mapping[str, float], targets: Mapping[str, float]) -> float:
        """Take in the factors of one model; returns its own reach, which is infinite without targets."""
        self.factors |= {name: max(self.factors[name], factors[name]) for name in targets}
        reach = min((factors[name] / target for name, target in targets.items()), default=math.inf)
        self.reach = max(self.reach, reach)
        return reach


def unmet(chains: list[Chain], best: Mapping[str, float], targets: Mapping[str, float]) -> InputError:
    """The error where nothing reaches the targets.

    Parameters
    ----------
    best : largest factor that any chain attains on any model, by target.
    """
    target_words = " and ".join(f"{target:g}× {name}" for name, target in targets.items())
    attained = " and ".join(f"{best[name]:.2g}× {name}" for name in targets)
    names = " or ".join(chain.title for chain in chains[:3]) + (", …" if len(chains) > 3 else "")
    return InputError(
        f"no member becomes {target_words} by {names}",
        f"{attained} or less",
        "ask for less, or for other methods",
    )
