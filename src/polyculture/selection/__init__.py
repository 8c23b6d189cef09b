"""Which few models should I keep, how do I combine them, what is that worth, and when is it better not to answer?

portfolio (`select`, `combine`) · plan (floor, search, weights) · objectives · search · mixture_weights and
least_squares_weights · combination and opinion_pool (rules) · dynamic_selection · certificate · contributions ·
pareto · panels (votes) · abstention · evaluation and splitting · portfolio_section · estimators (scikit-learn)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .abstention import (
    CertifiedThreshold,
    Conformal,
    Referral,
    RiskCoverage,
    budget_threshold,
    certified_threshold,
    conformal,
    refer,
    risk_coverage,
)
from .combination import AVERAGES, COMBINE, Outcome
from .mixture_weights import Mixture, mixture_weights
from .objectives import QUANTITIES, REGRESSION_QUANTITIES, Goal
from .panel_sizes import panel_sizes
from .panels import Panel, co_failure, panel
from .plan import REGRESSION_SEARCH, SEARCH
from .portfolio import SelectionOptions, combine, select
from .portfolio_section import section

if TYPE_CHECKING:
    from .estimators import DiverseEnsembleClassifier as DiverseEnsembleClassifier
    from .estimators import DiverseEnsembleRegressor as DiverseEnsembleRegressor

__all__ = [
    "AVERAGES",
    "COMBINE",
    "QUANTITIES",
    "REGRESSION_QUANTITIES",
    "REGRESSION_SEARCH",
    "SEARCH",
    "CertifiedThreshold",
    "Conformal",
    "DiverseEnsembleClassifier",
    "DiverseEnsembleRegressor",
    "Goal",
    "Mixture",
    "Outcome",
    "Panel",
    "Referral",
    "RiskCoverage",
    "SelectionOptions",
    "budget_threshold",
    "certified_threshold",
    "co_failure",
    "combine",
    "conformal",
    "mixture_weights",
    "panel",
    "panel_sizes",
    "refer",
    "risk_coverage",
    "section",
    "select",
]


def __getattr__(name: str) -> Any:
    if name in ("DiverseEnsembleClassifier", "DiverseEnsembleRegressor"):
        from . import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
