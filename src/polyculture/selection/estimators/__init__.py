"""How do I use this from scikit-learn? Two estimators that keep the learners which cover for each other.

ensemble (what both share) · kinds (the estimators) · intake (tables) · learners (what is tried) · crossfitting ·
keeping (folds and the folder) · pooling (weights) · honesty (what the result is worth)
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from polyculture.errors import MissingExtraError

if TYPE_CHECKING:
    from .classifier_regressor import DiverseEnsembleClassifier as DiverseEnsembleClassifier
    from .classifier_regressor import DiverseEnsembleRegressor as DiverseEnsembleRegressor

__all__ = ["DiverseEnsembleClassifier", "DiverseEnsembleRegressor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for package in ("sklearn", "skops"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "train")
    return getattr(importlib.import_module(f"{__name__}.classifier_regressor"), name)
