"""How do I use this from scikit-learn? Two estimators that keep the learners which compensate each other's errors.

ensemble (what both share) · classifier and regressor · preprocessing (tables) · default_learners · crossfitting ·
cache (folds and the folder) · member_weights · nested_validation (what the result is worth)"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from polyculture.errors import MissingExtraError

if TYPE_CHECKING:
    from .classifier import DiverseEnsembleClassifier as DiverseEnsembleClassifier
    from .regressor import DiverseEnsembleRegressor as DiverseEnsembleRegressor

__all__ = ["DiverseEnsembleClassifier", "DiverseEnsembleRegressor"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for package in ("sklearn", "skops"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "train")
    module = name.removeprefix("DiverseEnsemble").lower()
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
