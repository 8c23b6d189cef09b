"""Which chains of steps are tried? Those that the user names, completed by fine-tuning, or all that a search tries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from polyculture.compression import METHODS, Step, level_of, read_level
from polyculture.compression.levels import EQUALS, JOIN
from polyculture.compression.methods import ModelKind
from polyculture.errors import InputError

TUNE = "tune"


@dataclass(frozen=True)
class Chain:
    """Steps in order, some of which may leave their strength to a target.

    Parameters
    ----------
    steps : with the strengths that were given, or the defaults.
    free : positions of the steps without a given strength; all of them get the same one.
    """

    steps: tuple[Step, ...]
    free: tuple[int, ...] = ()

    @property
    def level(self) -> str:
        """As it is written."""
        return level_of(self.steps)

    @property
    def title(self) -> str:
        """As it is written, without the strengths that a target sets."""
        return JOIN.join(step.method if place in self.free else str(step) for place, step in enumerate(self.steps))

    @property
    def untuned(self) -> Chain:
        """The chain without fine-tuning, which changes neither size nor speed."""
        positions = [place for place, step in enumerate(self.steps) if not step.rule.counts]
        places = tuple(new for new, place in enumerate(positions) if place in self.free)
        return Chain(tuple(self.steps[place] for place in positions), places)

    def at(self, strength: float) -> Chain:
        """The chain with this strength in the free steps."""
        steps = [
            replace(step, strength=strength) if place in self.free else step for place, step in enumerate(self.steps)
        ]
        return Chain(tuple(steps))

    def fits(self, kind: ModelKind) -> bool:
        """Whether every step is for models of this kind."""
        return all(kind in step.rule.kinds for step in self.steps)


def read_chain(text: str, epochs: int, *, by_target: bool = False) -> Chain:
    """The chain that a text describes, with fine-tuning where that is of use and the text has none.

    Parameters
    ----------
    text : such as ``"prune-channels=0.5+int8"``.
    epochs : of fine-tuning; 0 for none.
    by_target : whether strengths that the text leaves out are free.

    Raises InputError for what is no chain.
    """
    steps = list(read_level(text))
    if not steps:
        raise InputError(f"the method {text!r}", f"one of {', '.join(METHODS)}", "such as int8 or prune-channels=0.5")
    explicit = [EQUALS in part for part in text.split(JOIN)]
    flexible = [
        by_target and not strength and bool(step.rule.strengths) and not step.rule.counts
        for step, strength in zip(steps, explicit, strict=True)
    ]
    places = [place for place, step in enumerate(steps) if step.rule.tuned]
    if epochs and places and not any(step.rule.counts for step in steps):
        steps.insert(places[-1] + 1, Step(TUNE, float(epochs)))
        flexible.insert(places[-1] + 1, False)
    return Chain(tuple(steps), tuple(place for place, value in enumerate(flexible) if value))


def search_chains(kinds: Sequence[ModelKind], epochs: int) -> list[Chain]:
    """Every method at every strength that is for models of these kinds, and what shrinks structure followed by int8."""
    methods = {
        name: rule for name, rule in METHODS.items() if not rule.counts and any(kind in rule.kinds for kind in kinds)
    }
    texts = []
    for name, rule in methods.items():
        texts += [f"{name}{EQUALS}{strength:g}" for strength in rule.strengths] or [name]
    texts += [f"{name}{JOIN}int8" for name in ("prune-channels", "low-rank") if name in methods]
    return [read_chain(text, epochs) for text in texts]


def read_share(text: str | float, name: str) -> float:
    """A share from ``"5%"``, ``"5 %"`` or ``"0.05"``; InputError for anything else."""
    try:
        number = text.strip().removesuffix("%").strip() if isinstance(text, str) else text
        share = float(number) / (100 if isinstance(text, str) and "%" in text else 1)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise InputError(f"{name} is {text or repr(text)}", "a share between 0 and 1, such as 5% or 0.05")
    return share
