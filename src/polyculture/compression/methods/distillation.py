"""How does a narrower net learn from others? From the model itself, from all models, or from the most unlike one."""

from __future__ import annotations

from polyculture.errors import InputError
from polyculture.models.fitted import Fitted

from ..context import CompressionContext, Teacher


def distil_self(model: Fitted, share: float, context: CompressionContext) -> Fitted:
    """A net with this share of the width taken away, trained from scratch and taught by the model (Hinton et al. 2015).

    Raises InputError where the net cannot be trained or made narrower.
    """
    return _student(model, share, context, context.teachers.get("self", model), "distil-self")


def distil_ensemble(model: Fitted, share: float, context: CompressionContext) -> Fitted:
    """The same, taught by the mean of all models: nets that learn from one teacher err more alike."""
    return _student(model, share, context, context.teachers.get("ensemble"), "distil-ensemble")


def distil_unlike(model: Fitted, share: float, context: CompressionContext) -> Fitted:
    """The same, taught by the model that errs least with this one."""
    return _student(model, share, context, context.teachers.get("unlike"), "distil-unlike")


def _student(model: Fitted, share: float, context: CompressionContext, teacher: Teacher | None, method: str) -> Fitted:
    if not share:
        return model
    if teacher is None:
        raise InputError(f"{method} of a model by itself", "a set of two models or more", "use distil-self")
    if context.fit_student is None:
        raise InputError(f"{method} of a model that cannot be trained here", "a net of a run")
    return context.fit_student(share, teacher)
