"""Which models should be trained next, so that together they fail fewer? Breed from those that cover for each other.

generations (the verb) · archive (who is kept alive: elites by whom they fail) · proposing (elites' children; a model's
advice)
"""

from __future__ import annotations

from .archive import Archive
from .generations import EvolutionOptions, EvolutionResult, breed

__all__ = ["Archive", "EvolutionOptions", "EvolutionResult", "breed"]
