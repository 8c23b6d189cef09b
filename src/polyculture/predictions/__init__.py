"""What does every model predict for every instance? One noun for classes, outcomes and regression."""

from .columns import MISSING, are_classes, fractions_error, smallest_integer
from .predictions import Predictions

__all__ = ["MISSING", "Predictions", "are_classes", "fractions_error", "smallest_integer"]
