"""What can be chosen about a panel of judges?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polyculture.errors import InputError

SCALES = ("nominal", "ordinal", "interval")


@dataclass(frozen=True)
class PanelOptions:
    """Options of `panel`.

    Parameters
    ----------
    family : column of the table of judges that says which family a judge is of; empty for a column called family, else
        the part of its name before the first slash where all names have one.
    prices : CSV file with one row per judge and what it costs per item (columns model and price); None for a column
        price or cost of the table of judges.
    humans : CSV file with how many humans gave each class to each item: the column instance, and one per class.
    truth : of Inspect logs, the field of the samples' metadata that holds the true verdict; empty where the scorers'
        verdicts themselves say what is right.
    cluster : column of items that were sampled together (same document, same prompt).
    scale : of verdicts when their agreement is measured: ``"nominal"``, ``"ordinal"`` or ``"interval"``.
    rating_range : lowest and highest rating there is; ratings outside of it are refused. None: those that lie outside
        of the true ratings by more than these differ.
    no_truth : no truth is known: agreement, and what models of a hidden truth claim.
    max_error : the error that the panel may have where it answers, in (0, 1): the least agreement of the judges that
        guarantees it is found, and certified on other items. None to leave it out.
    level : of all intervals.
    seed : of everything random: random orders of judges, halves of items.

    Raises InputError for an unknown scale, and an error, level or seed out of range.

    Examples
    --------
    >>> pc.PanelOptions(scale="ordinal").level
    0.95
    """

    family: str = ""
    prices: str | Path | None = None
    humans: str | Path | None = None
    truth: str = ""
    cluster: str = ""
    scale: str = "nominal"
    rating_range: tuple[float, float] | None = None
    no_truth: bool = False
    max_error: float | None = None
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise InputError(f"the scale {self.scale!r}", "nominal, ordinal or interval")
        if self.rating_range is not None and not self.rating_range[0] < self.rating_range[1]:
            raise InputError(f"the range {self.rating_range} of ratings", "the lowest rating, then the highest")
        if self.max_error is not None and not 0 < self.max_error < 1:
            raise InputError(f"a largest error of {self.max_error}", "a share between 0 and 1, such as 0.05")
        if not 0 < self.level < 1:
            raise InputError(f"level is {self.level}", "a confidence level between 0 and 1, such as 0.95")
        if isinstance(self.seed, bool) or self.seed < 0:
            raise InputError(f"seed is {self.seed}", "a whole number, 0 or more")
