"""How is data made ready? Dataset in, Dataset out: problems (loaders), transforms, shifts and splits."""

from .problems import PROBLEMS, DataOptions, Problem, load_problem
from .shifts import shifted
from .transforms import TRANSFORMS, Transform, find_transform

__all__ = ["PROBLEMS", "TRANSFORMS", "DataOptions", "Problem", "Transform", "find_transform", "load_problem", "shifted"]
