"""Which few models should I keep, how do I combine them, what is that worth, and when is it better not to answer?

selecting (the verb) · choosing (floor, search, weights) · goals · search · weights · combining · blending (rules) ·
certificate · contributions · fronts · telling (as a chapter) · breeding (train more) · panels and judges (votes) ·
abstaining · splitting · questions and exam · nearby · averaging · regression (numbers) · estimators (scikit-learn)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .abstention import Conformal, Referral, RiskCoverage, budget_threshold, conformal, refer, risk_coverage
from .choice import SEARCH
from .combination import COMBINE, Outcome
from .mixture_weights import Mixture, mixture_weights
from .objectives import QUANTITIES, Goal
from .panel_sizes import panel_sizes
from .panels import Panel, co_failure, panel
from .portfolio import SelectionOptions, combine, select
from .portfolio_section import section
from .regression import combine_values, select_values

if TYPE_CHECKING:
    from .estimators import DiverseEnsembleClassifier as DiverseEnsembleClassifier
    from .estimators import DiverseEnsembleRegressor as DiverseEnsembleRegressor

__all__ = [
    "COMBINE",
    "QUANTITIES",
    "SEARCH",
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
    "co_failure",
    "combine",
    "combine_values",
    "conformal",
    "mixture_weights",
    "panel",
    "panel_sizes",
    "refer",
    "risk_coverage",
    "section",
    "select",
    "select_values",
]


def __getattr__(name: str) -> Any:
    if name in ("DiverseEnsembleClassifier", "DiverseEnsembleRegressor"):
        from . import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
