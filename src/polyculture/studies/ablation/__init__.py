"""What does one change do? One factor at a time against a baseline recipe.

study (the verb) · plan (which changes) · replicates and effects (how large, how sure) · section (the words)
"""

from .plan import BASELINE, CHANGES, REGULARIZERS
from .study import AblationOptions, AblationResult, ablate

__all__ = ["BASELINE", "CHANGES", "REGULARIZERS", "AblationOptions", "AblationResult", "ablate"]
