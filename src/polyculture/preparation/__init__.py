"""How is data made ready? Dataset in, Dataset out: problems (loaders), transforms, shifts and splits."""

from .problems import PROBLEMS, DataOptions, Problem, load_problem
from .shifts import shifted
from .transforms import TRANSFORMS, Transform, back_translation, find_transform, synonyms

__all__ = [
    "PROBLEMS",
    "TRANSFORMS",
    "DataOptions",
    "Problem",
    "Transform",
    "back_translation",
    "find_transform",
    "load_problem",
    "shifted",
    "synonyms",
]
