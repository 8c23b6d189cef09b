"""How does a list of recipes become a population, and the population answers? Torch is loaded on first use only.

load_problem → default_design → train → predict
"""

from __future__ import annotations

from .architectures import ARCHITECTURES
from .data import DATA
from .design import default_design
from .fit import train
from .folder import load_population
from .observe import predict
from .optimizers import OPTIMIZERS
from .problems import PROBLEMS, Problem, load_problem

__all__ = [
    "ARCHITECTURES",
    "DATA",
    "OPTIMIZERS",
    "PROBLEMS",
    "Problem",
    "default_design",
    "load_population",
    "load_problem",
    "predict",
    "train",
]
