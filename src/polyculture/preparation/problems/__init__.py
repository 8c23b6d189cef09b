"""Which problems can be loaded? Those with a name and those in files, split in three, with shifted test sets.

readers → `RawData` → `build_problem` → `Problem`
"""

from .data_options import KINDS, DataOptions
from .loading import PROBLEMS, load_problem, read_raw
from .problem import Problem
from .raw_data import RawData
from .splitting import build_problem, part_rows

__all__ = [
    "KINDS",
    "PROBLEMS",
    "DataOptions",
    "Problem",
    "RawData",
    "build_problem",
    "load_problem",
    "part_rows",
    "read_raw",
]
