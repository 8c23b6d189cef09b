"""Which old names still work? Those of before the rooms were named anew, for one release, each with a warning."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

NAMES = {
    "Options": "polyculture.auditing.AuditOptions",
    "Terms": "polyculture.selection.SelectionOptions",
    "audit_shards": "polyculture.auditing.audit",
    "audit_values": "polyculture.auditing.audit",
    "combine_values": "polyculture.selection.combine",
    "select_values": "polyculture.selection.select",
    "read_pictures": "polyculture.preparation.problems.readers.images.read_images",
    "Source": "polyculture.preparation.problems.DataOptions",
    "ask": "polyculture.formats.predictions_of_models",
    "Rules": "polyculture.formats.ReadingRules",
    "ValueSets": "polyculture.predictions.PredictionSets",
}
"""By old name of a class or function, where it is now; they are looked up in `polyculture` and in the old modules."""

MODULES = {
    "polyculture.reading": "polyculture.formats",
    "polyculture.training.problems": "polyculture.preparation.problems",
    "polyculture.training.problems.pictures": "polyculture.preparation.problems.readers.images",
    "polyculture.training.problems.source": "polyculture.preparation.problems.data_options",
    "polyculture.training.problems.tokens": "polyculture.preparation.problems.readers.tokens",
    "polyculture.training.shifts": "polyculture.preparation.shifts",
}
"""By old name of a module, its new one."""


def old_name(name: str) -> Any:
    """What an old name of a class or function stands for now; AttributeError where there was none."""
    if name not in NAMES:
        raise AttributeError(name)
    module, _, current = NAMES[name].rpartition(".")
    _warn(name, NAMES[name])
    return getattr(importlib.import_module(module), current)


class OldModules(MetaPathFinder, Loader):
    """Finds modules by their old names; each forwards to the new one."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """A module that forwards, for the names in `MODULES`."""
        return ModuleSpec(fullname, self, is_package=True) if fullname in MODULES else None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the old module from the new one; its old names are looked up when they are asked for."""
        current = MODULES[module.__name__]
        _warn(module.__name__, current)
        vars(module).update({k: v for k, v in vars(importlib.import_module(current)).items() if not k.startswith("__")})
        vars(module)["__getattr__"] = old_name


def install_old_modules() -> None:
    """Let `import` find the old modules, after all others."""
    if not any(isinstance(finder, OldModules) for finder in sys.meta_path):
        sys.meta_path.append(OldModules())


def _warn(old: str, current: str) -> None:
    warnings.warn(f"{old} is now {current}; the old name goes with the next release", DeprecationWarning, stacklevel=3)
