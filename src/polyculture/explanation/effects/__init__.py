"""What does one feature do on average over many instances?

importance (how much worse a model is without it) · dependence (how answers change with its value)
"""

from .dependence import Dependence, accumulated_local_effects, partial_dependence
from .importance import LOSSES, PermutationImportance, permutation_importance

__all__ = [
    "LOSSES",
    "Dependence",
    "PermutationImportance",
    "accumulated_local_effects",
    "partial_dependence",
    "permutation_importance",
]
