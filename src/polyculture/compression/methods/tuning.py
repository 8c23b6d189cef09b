"""How does a compressed net win back what it lost? By training further, on the labels or as a teacher answers."""

from __future__ import annotations

from polyculture.errors import InputError
from polyculture.models.fitted import Fitted

from ..context import CompressionContext


def tune(model: Fitted, strength: float | int, context: CompressionContext) -> Fitted:
    """The net after `strength` epochs on the labels; weights that were set to 0 stay 0."""
    return _tuned(model, strength, context)


def tune_self(model: Fitted, strength: float | int, context: CompressionContext) -> Fitted:
    """The net after `strength` epochs on the labels and the predictions of the uncompressed net."""
    return _tuned(model, strength, context, "self")


def tune_ensemble(model: Fitted, strength: float | int, context: CompressionContext) -> Fitted:
    """The net after `strength` epochs on the labels and the mean predictions of all uncompressed models."""
    return _tuned(model, strength, context, "ensemble")


def _tuned(model: Fitted, strength: float | int, context: CompressionContext, teacher: str = "") -> Fitted:
    if not strength:
        return model
    if context.fine_tune is None:
        raise InputError("fine-tuning without a trainer", "a net whose recipe says how it was trained", "leave it out")
    if teacher and teacher not in context.teachers:
        raise InputError(f"no teacher {teacher!r}", f"one of {', '.join(context.teachers) or 'none'}", "use tune")
    return context.fine_tune(model, int(strength), context.teachers[teacher] if teacher else None)
