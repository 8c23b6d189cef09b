"""What can be chosen when a panel is asked?"""

from __future__ import annotations

from dataclasses import dataclass

from polyculture.errors import InputError

ORDERS = ("one", "both")


@dataclass(frozen=True)
class JudgeOptions:
    """Options of `judge`.

    Parameters
    ----------
    orders : ``"both"`` asks about every item a second time with the two columns of ``swap`` exchanged.
    repeats : times that each judge is asked about each item and order.
    sequential : ask the next judge only while the chance that the whole panel would decide otherwise is above this
        rate, in (0, 1); None asks all judges about all items.
    calibration : items that all judges are asked about in sequential mode, from which that chance is estimated.
    limit : ask about the first items only; None for all of them.
    passes : times that a call that failed is made before it is left to the next run.
    level : of all intervals.

    Raises InputError for a value out of range.

    Examples
    --------
    >>> pc.JudgeOptions(orders="both").repeats
    1
    >>> pc.JudgeOptions(sequential=2.0)
    Traceback (most recent call last):
        ...
    polyculture.errors.InputError: sequential is 2.0; expected a rate between 0 and 1, such as 0.02.
    """

    orders: str = "one"
    repeats: int = 1
    sequential: float | None = None
    calibration: int = 100
    limit: int | None = None
    passes: int = 3
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.orders not in ORDERS:
            raise InputError(f"orders is {self.orders!r}", "one or both")
        if self.sequential is not None and not 0 < self.sequential < 1:
            raise InputError(f"sequential is {self.sequential}", "a rate between 0 and 1, such as 0.02")
        counts = {"repeats": self.repeats, "calibration": self.calibration, "passes": self.passes}
        for name, value in (counts | ({} if self.limit is None else {"limit": self.limit})).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} is {value!r}", "a whole number, 1 or more")
        if not 0 < self.level < 1:
            raise InputError(f"level is {self.level}", "a confidence level between 0 and 1, such as 0.95")
