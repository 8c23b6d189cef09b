"""What can be chosen about combining the labels of a crowd?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyculture.errors import InputError, near
from polyculture.measures.annotators import METHODS, SURE


@dataclass(frozen=True)
class CrowdOptions:
    """Options of `crowd`.

    Parameters
    ----------
    worker, item, label, truth : columns of the table, where they have other than the usual names; of a wide table
        (a row per item) only item and truth.
    method : that the consensus labels are taken from: vote, dawid-skene, one-coin, glad or mace.
    n_eff : effective number of independent workers, if it is known; None to estimate it from the items with truth.
    classes : names of classes that no worker may have given, such as one that only the truth has.
    sure : posterior above which a label counts as sure.
    iterations : rounds of each method at most.
    level : of all intervals.

    Raises InputError for an unknown method and numbers out of range.

    Examples
    --------
    >>> pc.CrowdOptions(method="one-coin").sure
    0.999
    """

    worker: str | None = None
    item: str | None = None
    label: str | None = None
    truth: str | None = None
    method: str = "dawid-skene"
    n_eff: float | None = None
    classes: Sequence[str] = ()
    sure: float = SURE
    iterations: int = 100
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(
                f"no method {self.method!r} to combine labels",
                f"one of {', '.join(METHODS)}",
                near(self.method, METHODS),
            )
        for name in ("sure", "level"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}", "a number between 0 and 1, such as 0.95")
        if self.n_eff is not None and not self.n_eff >= 1:
            raise InputError(f"n_eff is {self.n_eff}", "a number of 1 or more", "1 says that all workers are copies")
        if isinstance(self.iterations, bool) or int(self.iterations) != self.iterations or self.iterations < 1:
            raise InputError(f"iterations is {self.iterations}", "a whole number of 1 or more")
