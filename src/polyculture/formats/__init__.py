"""How do tables, arrays, logs and ready models become Predictions, and Predictions files?"""

from .alignment import AlignedPredictions, AlignmentReport
from .folders.predictions_folder import write
from .folders.regression_folder import read_value_sets, read_values, values_folder, write_values
from .inference import predictions_of_models
from .normalization import NORMALIZERS
from .reader import align, read
from .rules import NAME_RULES, ReadingRules
from .tables.shards import read_shards

__all__ = [
    "NAME_RULES",
    "NORMALIZERS",
    "AlignedPredictions",
    "AlignmentReport",
    "ReadingRules",
    "align",
    "predictions_of_models",
    "read",
    "read_shards",
    "read_value_sets",
    "read_values",
    "values_folder",
    "write",
    "write_values",
]
