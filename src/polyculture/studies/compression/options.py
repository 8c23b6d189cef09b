"""Which methods are tried, and what may they do to a model and to the set?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from polyculture.compression.gate import Budget
from polyculture.errors import InputError

from .chains import Chain, read_chain


@dataclass(frozen=True)
class CompressOptions:
    """Methods, targets and budgets of a compression.

    Parameters
    ----------
    methods : chains of steps, such as ``"prune-channels=0.5+int8"``; several are alternatives.
    search : try every method that fits, at several strengths.
    into_one : one net that all members teach, in place of the set.
    tune : epochs of fine-tuning after pruning and factorizing, where a chain names none; 0 for none.
    smaller, faster, fewer_flops : how many times smaller, faster at one input, or less computation every member has to
        be, above 1; a method without a strength gets the smallest that is enough.
    churn, accuracy : most answers of a member that may change, most accuracy that it may lose; shares.
    more_alike : most by which the set may become more alike; a share of n_eff.
    models : names, ids or patterns of the models to compress; all if left out.
    seed : of everything random.

    Raises InputError for an unknown method, a strength or a share outside its range, and without any method.

    Examples
    --------
    >>> options = pc.CompressOptions(methods=("prune-channels=0.5+int8",), churn=0.02)
    >>> options.chains[0].level
    'prune-channels=0.5+tune=5+int8'
    """

    methods: Sequence[str] = ()
    search: bool = False
    into_one: bool = False
    tune: int = 5
    smaller: float | None = None
    faster: float | None = None
    fewer_flops: float | None = None
    churn: float = 0.05
    accuracy: float = 0.01
    more_alike: float = 0.05
    models: Sequence[str] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        methods = (self.methods,) if isinstance(self.methods, str) else tuple(self.methods)
        object.__setattr__(self, "methods", methods)
        if type(self.tune) is not int or self.tune < 0:
            raise InputError(f"tune is {self.tune}", "a whole number of epochs, 0 or more")
        for name, target in self.targets.items():
            if not 1 < target < math.inf:
                raise InputError(f"{target:g} times {name}", "a number above 1, such as 3")
        for name in ("churn", "accuracy", "more_alike"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name):g}", "a share between 0 and 1, such as 0.05")
        if sum(map(bool, (methods, self.search, self.into_one))) == 0:
            raise InputError("no method", "one or more, such as int8 or prune-channels=0.5", "add --method or --search")
        if self.search and methods:
            raise InputError("methods with a search", "one of the two", "leave --method or --search out")
        if self.into_one and (methods or self.search or self.targets):
            raise InputError("into one with methods or targets", "one or the other", "leave the others out")
        _ = self.chains

    @property
    def targets(self) -> Mapping[str, float]:
        """What is asked of every member: by ``smaller``, ``faster`` and ``fewer flops``."""
        targets = {"smaller": self.smaller, "faster": self.faster, "fewer flops": self.fewer_flops}
        return {name: float(target) for name, target in targets.items() if target is not None}

    @property
    def budget(self) -> Budget:
        """What the gate asks."""
        return Budget(self.smaller, self.faster, self.fewer_flops, self.churn, self.accuracy, self.more_alike)

    @property
    def chains(self) -> list[Chain]:
        """The chains that were named, completed by fine-tuning; none twice."""
        chains = [read_chain(text, self.tune, by_target=bool(self.targets)) for text in self.methods]
        return list(dict.fromkeys(chains))
