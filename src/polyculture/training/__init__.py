"""How does a list of recipes become a population of fitted models? Torch is loaded on first use only.

load_problem → default_design → train → predict
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from polyculture.deprecated import NAMES, old_name
from polyculture.errors import MissingExtraError
from polyculture.models.prediction import predict
from polyculture.preparation.problems import PROBLEMS, DataOptions, Problem, load_problem

from .architectures import ARCHITECTURES
from .data_levels import DATA
from .design import default_design, evolution_axes, possible_recipe
from .fit import load_population, train
from .objectives import OBJECTIVES
from .optimizers import OPTIMIZERS
from .pretraining import PRETRAINING

if TYPE_CHECKING:
    from .estimators import RecipeClassifier as RecipeClassifier
    from .estimators import RecipeRegressor as RecipeRegressor

__all__ = [
    "ARCHITECTURES",
    "DATA",
    "OBJECTIVES",
    "OPTIMIZERS",
    "PRETRAINING",
    "PROBLEMS",
    "DataOptions",
    "Problem",
    "RecipeClassifier",
    "RecipeRegressor",
    "default_design",
    "evolution_axes",
    "load_population",
    "load_problem",
    "possible_recipe",
    "predict",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in NAMES:
        return old_name(name)
    if name not in ("RecipeClassifier", "RecipeRegressor"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if importlib.util.find_spec("sklearn") is None:
        raise MissingExtraError("sklearn", "train")
    return getattr(importlib.import_module(f"{__name__}.estimators"), name)
