"""Which few models should I keep? Predictions in, a choice of models out."""

from __future__ import annotations

from .panels import Panel, co_failure, panel

__all__ = ["Panel", "co_failure", "panel"]
