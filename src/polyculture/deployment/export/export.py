"""How is what was selected or fitted written as a bundle?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polyculture.errors import InputError

from ..bundle.bundle import Bundle


def export(source: Any, out: str | Path, *, run: str | Path | None = None) -> Bundle:
    """Write a bundle."""
    raise InputError("nothing to export yet")
