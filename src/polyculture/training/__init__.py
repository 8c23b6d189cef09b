"""How does a list of recipes become a population, and the population answers? Torch is loaded on first use only.

load_problem → default_design → train → predict
"""

from __future__ import annotations

from .architectures import ARCHITECTURES
from .data import DATA
from .design import breeding_axes, default_design, possible_recipe
from .fit import train
from .folder import load_population
from .objectives import OBJECTIVES
from .observe import estimate, predict
from .optimizers import OPTIMIZERS
from .pretraining import PRETRAINING
from .problems import PROBLEMS, Problem, Source, load_problem

__all__ = [
    "ARCHITECTURES",
    "DATA",
    "OBJECTIVES",
    "OPTIMIZERS",
    "PRETRAINING",
    "PROBLEMS",
    "Problem",
    "Source",
    "breeding_axes",
    "default_design",
    "estimate",
    "load_population",
    "load_problem",
    "possible_recipe",
    "predict",
    "train",
]
