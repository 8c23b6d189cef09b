"""What do several workers say of the same items, how good is each of them, and how sure may one be? From a table of
labels to consensus labels, workers and a page.

options · labels (tables of labels, long and wide) · study (the steps) · workers (a row for each) · section (the answer)
"""

from .options import CrowdOptions
from .study import CrowdResult, crowd

__all__ = ["CrowdOptions", "CrowdResult", "crowd"]
