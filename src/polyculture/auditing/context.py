"""What do the checks look at? The parts of an audit, and what they were made from."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from polyculture.measures.effective import Effective
from polyculture.results import Leaderboard, NullModel, Pairwise, Section, Systemic

from .options import AuditContext


@dataclass(frozen=True, eq=False)
class AuditParts:
    """The parts of an audit before its findings are drawn."""

    evidence: AuditContext
    null_models: tuple[NullModel, ...]
    null_model: NullModel
    effective: Effective
    leaderboard: Leaderboard
    pairwise: Pairwise
    systemic: Systemic
    shifts: pd.DataFrame
    sections: tuple[Section, ...]

    @property
    def outside(self) -> NullModel | None:
        """The rung given outside difficulty, where there is one."""
        return next((r for r in self.null_models if r.name == "N2"), None)

    def section(self, name: str) -> Section:
        """The chapter of that name."""
        return next(c for c in self.sections if c.name == name)
