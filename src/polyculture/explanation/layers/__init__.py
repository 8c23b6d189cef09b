"""What do the layers of a model hold?

activations (read by hooks) · similarity (of representations, pair by pair) · comparison (with alikeness in errors) ·
nearest (training instances) · visualisation (what excites a unit)
"""

from .activations import Representations, layer_names, represent
from .comparison import RepresentationComparison, compare_representations
from .nearest import Prototypes, nearest_instances, prototypes
from .similarity import SIMILARITIES, RepresentationSimilarity, representation_similarity
from .visualisation import (
    ExcitingInstances,
    UnitVisualisation,
    VisualisationOptions,
    exciting_instances,
    visualise_unit,
)

__all__ = [
    "SIMILARITIES",
    "ExcitingInstances",
    "Prototypes",
    "RepresentationComparison",
    "RepresentationSimilarity",
    "Representations",
    "UnitVisualisation",
    "VisualisationOptions",
    "compare_representations",
    "exciting_instances",
    "layer_names",
    "nearest_instances",
    "prototypes",
    "represent",
    "representation_similarity",
    "visualise_unit",
]
