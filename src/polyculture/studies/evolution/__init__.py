"""Which models should be trained next, so that together they fail on fewer instances? Evolve a population.

generations (the loop) · archive (elites by their failures) · proposals (children of elites; suggestions of a model)
"""

from .archive import Archive
from .generations import EvolutionOptions, Generations, evolve_recipes
from .study import EvolutionResult, evolve

__all__ = ["Archive", "EvolutionOptions", "EvolutionResult", "Generations", "evolve", "evolve_recipes"]
