"""What do the models of a run look at, and do they decide for the same reasons? From the folder of a run to a page.

sources (which models) · study (the steps) · comparison (agreement, floor and ceilings) · models (a row for each) ·
instances (where answers and reasons part) · pictures (what is drawn) · why_alike (attribution to ingredients) · section
"""

from .options import ExplainRunOptions
from .study import ExplainRunResult, explain_run

__all__ = ["ExplainRunOptions", "ExplainRunResult", "explain_run"]
