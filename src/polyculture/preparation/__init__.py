"""How is data made ready? Dataset in, Dataset out: problems (loaders), transforms, shifts and splits."""

from __future__ import annotations

from .problems import KINDS, PROBLEMS, DataOptions, Problem, RawData, build_problem, load_problem
from .shifts import SEVERITIES, SUITES, shifted
from .transforms import TRANSFORMS, Transform, back_translation, find_transform, synonyms

__all__ = [
    "KINDS",
    "PROBLEMS",
    "SEVERITIES",
    "SUITES",
    "TRANSFORMS",
    "DataOptions",
    "Problem",
    "RawData",
    "Transform",
    "back_translation",
    "build_problem",
    "find_transform",
    "load_problem",
    "shifted",
    "synonyms",
]
