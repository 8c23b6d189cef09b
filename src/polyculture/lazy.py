"""How does a room export names without loading the modules that have them?"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(room: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions ``__getattr__`` and ``__dir__`` of a package whose names are loaded on first use (PEP 562).

    Parameters
    ----------
    room : name of the package.
    homes : by public name its module in the package, and after a colon its name there if that is another one.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        module, _, attribute = homes[name].partition(":")
        return getattr(importlib.import_module(f"{room}.{module}"), attribute or name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[room]), *homes})

    return get, names
