"""Is the data in order? Duplicates, leaks, gaps in disguise, personal fields and more, told row by row and hidden."""

from .fault import KINDS, Fault, FaultKind
from .masking import MODES, mask
from .part import parts_of
from .search import find_faults

__all__ = ["KINDS", "MODES", "Fault", "FaultKind", "find_faults", "mask", "parts_of"]
