"""What is there to learn? Problems by name and from files, cut in three, with tests that are harder on purpose.

readers → `Material` → `cut` → `Problem`
"""

from __future__ import annotations

from ..splits import stratified
from .cutting import cut
from .loading import PROBLEMS, load_problem
from .material import Material
from .problem import Problem
from .source import KINDS, Source

__all__ = ["KINDS", "PROBLEMS", "Material", "Problem", "Source", "cut", "load_problem", "stratified"]
