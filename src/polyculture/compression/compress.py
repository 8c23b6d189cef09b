"""How is a model compressed? By one step after the other."""

from __future__ import annotations

from polyculture.models.fitted import Fitted

from .context import CompressionContext
from .levels import read_level
from .methods import check_fit


def compressed(model: Fitted, level: str, context: CompressionContext) -> Fitted:
    """The model after every step of a level; the same model for ``"none"``.

    Raises InputError for a step that does not fit the model.
    """
    for step in read_level(level):
        check_fit(step.method, model)
        model = step.rule.apply(model, step.strength, context)
    return model
