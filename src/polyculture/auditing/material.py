"""What do the checks look at? The parts of an audit, and what they were made from."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from polyculture.auditing.options import Evidence
from polyculture.measures.effective import Effective
from polyculture.results import Chapter, Pairwise, Rung, Standing, Systemic


@dataclass(frozen=True, eq=False)
class Material:
    """The parts of an audit before its findings are drawn."""

    evidence: Evidence
    ladder: tuple[Rung, ...]
    rung: Rung
    effective: Effective
    standing: Standing
    pairwise: Pairwise
    systemic: Systemic
    shifts: pd.DataFrame
    chapters: tuple[Chapter, ...]

    @property
    def outside(self) -> Rung | None:
        """The rung given outside difficulty, where there is one."""
        return next((r for r in self.ladder if r.name == "N2"), None)

    def chapter(self, name: str) -> Chapter:
        """The chapter of that name."""
        return next(c for c in self.chapters if c.name == name)
