"""Is the data in order, and what would be left of it without its faults? From files to a page and a cleaned copy.

options · sources (rows by part and file) · masks (what is hidden) · records (bytes of rows) · suspects (labels that
models contradict) · removal (rows that are left out) · fault_table · examples (what is shown) · section and
label_section · copies (written and undone) · study (the steps) · training_set (before a run)
"""

from .copies import undo_clean
from .options import CleanOptions
from .study import CleanResult, clean

__all__ = ["CleanOptions", "CleanResult", "clean", "undo_clean"]
