"""What does every model predict for every instance? One noun for classes, outcomes and regression."""

from .columns import MISSING, are_classes, code_counts, fractions_error, smallest_integer
from .prediction_sets import PredictionSets
from .predictions import Predictions

__all__ = [
    "MISSING",
    "PredictionSets",
    "Predictions",
    "are_classes",
    "code_counts",
    "fractions_error",
    "smallest_integer",
]
