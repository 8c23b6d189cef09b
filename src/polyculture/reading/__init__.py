"""The door inwards: prediction tables and folders that anybody made become Predictions."""

from __future__ import annotations

from .files import read
from .folder import write

__all__ = ["read", "write"]
