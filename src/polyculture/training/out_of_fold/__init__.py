"""What does each model say of instances that it did not learn from, for a whole training set?"""

from __future__ import annotations

from .cross_fitting import out_of_fold

__all__ = ["out_of_fold"]
