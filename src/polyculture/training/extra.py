"""Is what training needs installed?"""

from __future__ import annotations

import importlib.util

from polyculture.errors import MissingExtraError


def need(*packages: str, extra: str = "train") -> None:
    """Refuse to go on without these packages of that extra; loads none of them."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra)
