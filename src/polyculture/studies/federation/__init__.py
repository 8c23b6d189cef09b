"""What do clients gain by training together, and whom does nobody get right then? Alone, together, and personalized.

options · study (the steps) · mixes (what each client meets) · members (numbers of a set) · section (the answer)
"""

from .options import FederateOptions
from .study import FederationResult, federate

__all__ = ["FederateOptions", "FederationResult", "federate"]
