"""What does each model look at? Attributions of features to predictions, for every kind of model and modality.

explain (the verb) · options · methods (one visible dict) · features (what is explained) · scores (of what) · store
"""

from .explain import explain
from .methods import METHODS, ExplanationMethod, find_method
from .options import ExplainOptions
from .store import read_explanations, write_explanations

__all__ = [
    "METHODS",
    "ExplainOptions",
    "ExplanationMethod",
    "explain",
    "find_method",
    "read_explanations",
    "write_explanations",
]
