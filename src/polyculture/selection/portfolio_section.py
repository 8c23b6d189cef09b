"""How does a portfolio appear in a report? As one section on the same page as the audit of its candidates."""

from __future__ import annotations

import pandas as pd

from polyculture.results import Portfolio, Section, SectionSpec

CLASS_SCORES = ("error", "log_loss", "calibration", "all_wrong", "ceiling")
NUMBER_SCORES = ("squared_error", "r_squared")
"""Scores of a certificate that mean something only where the truth is a class, or a number."""


def section(portfolio: Portfolio) -> Section:
    """The members and why, the sets that were compared, what each member adds, and the certificate.

    Tables: members (see `Portfolio.contributions`), gains (one row per baseline: loss, rival, gain, low, high; above 0
    the portfolio is better), front, candidates, and where there are any groups, shifts and baselines.
    """
    certificate = portfolio.certificate
    first, excluded = (NUMBER_SCORES, CLASS_SCORES) if portfolio.loss == "squared_error" else ((), NUMBER_SCORES)
    scores = {name: certificate.scores[name] for name in (*first, *certificate.scores) if name not in excluded}
    tables = {
        "members": portfolio.contributions,
        "gains": _gains(portfolio),
        "front": portfolio.front,
        "candidates": portfolio.candidates,
        "groups": certificate.groups,
        "shifts": certificate.shifts,
        "baselines": certificate.baselines,
    }
    return SPEC.answer(
        portfolio.sentence,
        scores | {"optimism": portfolio.optimism, "nested_optimism": portfolio.nested},
        {name: table for name, table in tables.items() if name not in ("groups", "shifts", "baselines") or len(table)},
    )


def _gains(portfolio: Portfolio) -> pd.DataFrame:
    certificate = portfolio.certificate
    baselines = {
        "best": f"best single model ({certificate.best})",
        "top": f"the {portfolio.k} best single models together" if portfolio.k > 1 else "best single model by the rule",
        "all": f"{'both' if len(portfolio.candidates) == 2 else f'all {len(portfolio.candidates)}'} with equal weights",
    }
    rows = []
    for loss in ("log_loss", "error", "squared_error"):
        for name, baseline in baselines.items():
            gain = certificate.gains[loss][name]
            if gain.defined:
                rows.append(
                    {"loss": loss, "rival": baseline, "gain": gain.estimate, "low": gain.low, "high": gain.high}
                )
    return pd.DataFrame(rows, columns=["loss", "rival", "gain", "low", "high"])


SPEC = SectionSpec(
    "portfolio",
    "Which few should be kept, and what are they worth?",
    numbers={
        "error": "error of the portfolio",
        "log_loss": "log loss of the portfolio",
        "calibration": "calibration error of the portfolio, without what chance adds",
        "squared_error": "mean squared error of the portfolio",
        "r_squared": "R², share of the truth's variance that is predicted",
        "ceiling": "highest accuracy that any choice among their answers can reach",
        "n_eff": "n_eff of its members",
        "all_wrong": "instances that all members fail",
        "worst_group": "largest error over groups",
        "worst_shift": "largest error over shifted test sets",
        "optimism": "loss where it was certified less loss where it was chosen",
        "nested_optimism": "the same within the selection instances, the whole choice repeated",
    },
)
