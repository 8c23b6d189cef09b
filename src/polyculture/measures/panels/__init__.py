"""What are the votes of a panel of judges worth? Agreement, correlation of errors, Condorcet's gap, and humans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .agreement import SCALES as SCALES
    from .agreement import Agreement as Agreement
    from .agreement import fleiss_kappa as fleiss_kappa
    from .agreement import gwet_ac as gwet_ac
    from .agreement import krippendorff_alpha as krippendorff_alpha
    from .agreement import verdict_counts as verdict_counts
    from .comparisons import PairedComparisons as PairedComparisons
    from .comparisons import PreferenceBias as PreferenceBias
    from .condorcet import CondorcetGap as CondorcetGap
    from .condorcet import best_aggregation_error as best_aggregation_error
    from .condorcet import condorcet_gap as condorcet_gap
    from .condorcet import majority_error as majority_error
    from .condorcet import majority_loss as majority_loss
    from .condorcet import one_factor_error as one_factor_error
    from .correlation import ErrorCorrelation as ErrorCorrelation
    from .correlation import error_correlation as error_correlation
    from .correlation import kish as kish
    from .humans import HumanEquivalents as HumanEquivalents
    from .humans import human_equivalents as human_equivalents
    from .humans import noise_ceiling as noise_ceiling
    from .lengths import length_bias as length_bias
    from .lengths import longer_wins as longer_wins
    from .positions import BothOrders as BothOrders
    from .positions import both_orders as both_orders
    from .positions import position_bias as position_bias
    from .positions import position_effect as position_effect
    from .positions import position_p as position_p
    from .sides import OwnPreference as OwnPreference
    from .sides import own_preference as own_preference

_HOMES = {
    "SCALES": "agreement",
    "Agreement": "agreement",
    "fleiss_kappa": "agreement",
    "gwet_ac": "agreement",
    "krippendorff_alpha": "agreement",
    "verdict_counts": "agreement",
    "PairedComparisons": "comparisons",
    "PreferenceBias": "comparisons",
    "CondorcetGap": "condorcet",
    "best_aggregation_error": "condorcet",
    "condorcet_gap": "condorcet",
    "majority_error": "condorcet",
    "majority_loss": "condorcet",
    "one_factor_error": "condorcet",
    "ErrorCorrelation": "correlation",
    "error_correlation": "correlation",
    "kish": "correlation",
    "HumanEquivalents": "humans",
    "human_equivalents": "humans",
    "noise_ceiling": "humans",
    "length_bias": "lengths",
    "longer_wins": "lengths",
    "OwnPreference": "sides",
    "own_preference": "sides",
    "BothOrders": "positions",
    "both_orders": "positions",
    "position_bias": "positions",
    "position_effect": "positions",
    "position_p": "positions",
}
"""Where each name is."""

__all__ = [*_HOMES]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
