"""How is a cleaned copy of the data written, and the original given back? Files of the same kinds, and a log of rows.

manifest (what was written) · writing · undoing
"""

from .undoing import undo_clean
from .writing import write_copy

__all__ = ["undo_clean", "write_copy"]
