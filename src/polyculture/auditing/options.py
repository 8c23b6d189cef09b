"""What may the user say about the table, and how sure should the audit be?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd

from polyculture.errors import InputError

LABEL_ERRORS = 0.033
"""Share of wrong labels in ten well-known test sets, on average at least (Northcutt et al. 2021)."""


@dataclass(frozen=True)
class AuditOptions:
    """What the audit should know about the table, and how sure it should be.

    Parameters
    ----------
    clusters : instance column that says which instances were sampled together (patient, document); one draw in every
        interval.
    strata : instance columns with external difficulty (a human score, a source, a length); null model N2 is
        independence within them. Columns with many numbers are cut into tenths.
    outside : names or patterns of reference models (such as humans) used only to estimate difficulty, not audited.
    groups : instance columns whose groups are compared in how often every model fails them.
    verdicts : by instance id, the probability that its label is valid, as judged by a person; those below ½ are left
        out, the others count with that weight in the effective number.
    label_errors : share of wrong labels that is plausible, to compare the tipping point with.
    scale : model column with sizes or dates, along which ability and alikeness are followed.
    designed : whether the models' factors were assigned by a crossed design; only then is attribution called an effect.
    similarity : what attribution splits among the models' factors: the error covariance, another measure of pairs by
        name (kappa, capa, both_wrong_agreement, …), or a symmetric matrix (a table with the models' names, or an array
        in their order).
    within : instance column of conditions, such as levels of noise: numbers are taken within each and averaged.
    population : whether to give intervals for the population of models of which these are a random sample, too.
    level : confidence level of every interval, in (0, 1).
    seed : of all resampling.
    engine, workers : where shards are counted: ``"local"``, or ``"ray"`` and its number of processes; see
        `polyculture.auditing.streaming.executors.summing`. Not for a table in memory.

    Raises InputError for a level outside of (0, 1), and for verdicts and shares of wrong labels outside of [0, 1].
    Columns and models are looked for by `audit`.

    Examples
    --------
    >>> options = pc.AuditOptions(clusters="patient", level=0.9)
    >>> options.level
    0.9
    """

    clusters: str = ""
    strata: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    verdicts: Mapping[str, float] = field(default_factory=dict)
    label_errors: float = LABEL_ERRORS
    scale: str = ""
    designed: bool = False
    similarity: str | pd.DataFrame | np.ndarray = field(default="covariance", compare=False)
    within: str = ""
    population: bool = False
    level: float = 0.95
    seed: int = 0
    engine: str = "local"
    workers: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError(f"level is {self.level}", "a confidence level between 0 and 1, such as 0.95")
        if not 0 <= self.label_errors < 1:
            raise InputError(f"label_errors is {self.label_errors}", "a share of instances, such as 0.033")
        for name, value in self.verdicts.items():
            if not 0 <= value <= 1:
                raise InputError(
                    f"verdict {value} on instance {name!r}", "the probability that its label is valid, 0 … 1"
                )

    def facts(self) -> dict[str, object]:
        """The options that were given, as an audit states them."""
        names = [f.name for f in fields(self) if f.name not in ("verdicts", "engine", "workers")]
        values = {name: getattr(self, name) for name in names}
        if not isinstance(self.similarity, str):
            values["similarity"] = "a given matrix"
        elif self.similarity == "covariance":
            del values["similarity"]
        return {k: ", ".join(v) if isinstance(v, tuple) else v for k, v in values.items() if v not in ("", (), False)}
