"""What is there to learn? Problems by name and from files, cut in three, with tests that are harder on purpose.

readers → `RawData` → `cut` → `Problem`
"""

from __future__ import annotations

from ..splits import stratified
from .data_options import KINDS, DataOptions
from .loading import PROBLEMS, load_problem
from .problem import Problem
from .raw_data import RawData
from .splitting import cut

__all__ = ["KINDS", "PROBLEMS", "DataOptions", "Problem", "RawData", "cut", "load_problem", "stratified"]
