"""How is a portfolio told? As one chapter, so that it stands on the same page as the audit of its candidates."""

from __future__ import annotations

from dataclasses import fields

import pandas as pd

from polyculture.results import Portfolio, Section, SectionSpec
from polyculture.stats import Interval

OF_CLASSES = ("error", "log_loss", "calibration", "all_wrong", "ceiling")
OF_NUMBERS = ("squared_error", "r_squared")
"""Numbers of a certificate that mean something only where the truth is a class, or a number."""


def section(portfolio: Portfolio) -> Section:
    """Who was kept and why, the sets it was chosen among, what each member adds, and the certificate.

    Tables: members (see `Portfolio.contributions`), gains (one row per rival: loss, rival, gain, low, high; above 0 the
    portfolio is better), front, candidates, and groups and shifts where there are any.
    """
    certificate = portfolio.certificate
    named = {f.name: getattr(certificate, f.name) for f in fields(certificate)}
    known = {name: value for name, value in named.items() if isinstance(value, Interval) and "_gain_" not in name}
    without = OF_CLASSES if portfolio.loss == "squared_error" else OF_NUMBERS
    first = OF_NUMBERS if portfolio.loss == "squared_error" else ()
    numbers = {name: known[name] for name in (*first, *known) if name not in without}
    tables = {
        "members": portfolio.contributions,
        "gains": _gains(portfolio),
        "front": portfolio.front,
        "candidates": portfolio.candidates,
    }
    tables |= {name: named[name] for name in ("groups", "shifts") if len(named[name])}
    more = {"optimism": portfolio.optimism, "nested_optimism": portfolio.nested}
    return Section(
        "portfolio", "Which few should be kept, and what are they worth?", portfolio.sentence, numbers | more, tables
    )


def _gains(portfolio: Portfolio) -> pd.DataFrame:
    certificate = portfolio.certificate
    rivals = {
        "best": f"best single model ({certificate.best})",
        "top": f"the {portfolio.k} best single models together",
        "all": f"all {len(portfolio.candidates)} with equal weights",
    }
    rows = []
    for loss in ("log_loss", "error", "squared_error"):
        for key, rival in rivals.items():
            gain: Interval = getattr(certificate, f"{loss}_gain_over_{key}")
            if gain.defined:
                rows.append({"loss": loss, "rival": rival, "gain": gain.estimate, "low": gain.low, "high": gain.high})
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
