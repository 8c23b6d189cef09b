"""Which of two outputs do judges prefer, in which order did they see them, and how long were the outputs?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped


@dataclass(frozen=True, eq=False)
class PairedComparisons:
    """Verdicts of judges on pairs of outputs, one per row; a judge who saw both orders has two.

    Parameters
    ----------
    judges, candidates, items : names, in the order of the codes; candidates made the outputs, items are what the
        outputs answer.
    judge, item : code of each verdict's judge and item.
    outputs : codes of the two candidates; the one that was shown first comes first where the order is known.
    credit : what the first of the two gets of the win: 1, ½ for a tie, 0, or a probability; nan where there is none.
    ordered : whether the order is the one in which the judge saw the two.
    lengths : of the two outputs, in any unit; nan where not known.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = np.array([[0, 1], [1, 0]])
    >>> verdicts = PairedComparisons(
    ...     ("j",), ("a", "b"), ("q",), np.zeros(2, int), np.zeros(2, int), pairs, np.ones(2), np.ones(2, bool)
    ... )
    >>> verdicts.valid.sum()
    2
    """

    judges: tuple[str, ...]
    candidates: tuple[str, ...]
    items: tuple[str, ...]
    judge: Int[np.ndarray, " r"]
    item: Int[np.ndarray, " r"]
    outputs: Int[np.ndarray, "r 2"]
    credit: Float[np.ndarray, " r"]
    ordered: Bool[np.ndarray, " r"]
    lengths: Float[np.ndarray, "r 2"] | None = None

    @property
    def valid(self) -> Bool[np.ndarray, " r"]:
        """Where there is a verdict on two different candidates."""
        return np.asarray(~np.isnan(self.credit) & (self.outputs[:, 0] != self.outputs[:, 1]))

    @property
    def longer(self) -> Int[np.ndarray, " r"]:
        """1 where the first output is the longer one, −1 where it is the shorter, 0 where equal or not known."""
        if self.lengths is None:
            return np.zeros(len(self.credit), np.int64)
        return np.asarray(np.nan_to_num(np.sign(self.lengths[:, 0] - self.lengths[:, 1])).astype(np.int64))

    def take(self, rows: Shaped[np.ndarray, " k"]) -> PairedComparisons:
        """Some of the verdicts, under the same names."""
        lengths = None if self.lengths is None else self.lengths[rows]
        return replace(
            self,
            judge=self.judge[rows],
            item=self.item[rows],
            outputs=self.outputs[rows],
            credit=self.credit[rows],
            ordered=self.ordered[rows],
            lengths=lengths,
        )


@dataclass(frozen=True, eq=False)
class PreferenceBias:
    """How much a judge's preference depends on what it should not depend on.

    Parameters
    ----------
    value : the mean; nan where undefined, with the reason.
    influence : effect of each verdict (or pair of verdicts) on the value; nan where it had no part.
    item : code of the item of each of them: what was sampled together.
    reason : why the value is undefined; empty otherwise.
    """

    value: float
    influence: Float[np.ndarray, " k"]
    item: Int[np.ndarray, " k"]
    reason: str = ""
