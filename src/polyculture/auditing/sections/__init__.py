"""Which further questions does an audit answer? One file per question, each with a `SectionSpec` called SPEC."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from polyculture.predictions import Predictions
from polyculture.results import NullModel, Section, SectionSpec

from ..context import AuditContext

_SPECS: list[SectionSpec] = [import_module(f"{__name__}.{module.name}").SPEC for module in iter_modules(__path__)]

SECTIONS: dict[str, SectionSpec] = {spec.name: spec for spec in sorted(_SPECS, key=lambda spec: spec.place)}
"""The questions of an audit by name, in their order."""


def compute_sections(
    context: AuditContext, null_models: tuple[NullModel, ...], shifted: Mapping[str, Predictions]
) -> tuple[Section, ...]:
    """Every section, in order; those that do not apply say why."""
    answers = (spec.compute(context, null_models, shifted) for spec in SECTIONS.values() if spec.compute)
    return tuple(section for section in answers if section is not None)
