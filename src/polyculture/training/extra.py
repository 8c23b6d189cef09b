"""Is what training needs installed?"""

from __future__ import annotations

import importlib.util

from polyculture.errors import MissingExtraError


def need(*packages: str) -> None:
    """Refuse to go on without these packages of the ``train`` extra; loads none of them."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "train")
