"""Which instances are worth a label next? Scores of a committee, batches of instances, and the committee itself.

scores (from probabilities to one number per instance) · batches (from scores to instances) · strategies (by name) ·
committee (fitted to what is labelled, calibrated where a score needs it)
"""

from .committee import Committee, default_chance, default_committee, fit_committee
from .strategies import STRATEGIES, Strategy, find_strategy

__all__ = [
    "STRATEGIES",
    "Committee",
    "Strategy",
    "default_chance",
    "default_committee",
    "find_strategy",
    "fit_committee",
]
