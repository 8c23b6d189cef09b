"""Old names work for one release: they warn, and forward to the new ones."""

from __future__ import annotations

import importlib

import pytest

import polyculture as pc
from polyculture.deprecated import MODULES, NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("Source", "Rules", "ask")])
def test_an_old_public_name_warns_and_is_the_new_one(name: str) -> None:
    module, _, current = NAMES[name].rpartition(".")
    with pytest.warns(DeprecationWarning, match=f"{name} is now {NAMES[name]}"):
        assert getattr(pc, name) is getattr(importlib.import_module(module), current)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", MODULES)
def test_an_old_module_forwards_to_the_new_one(name: str) -> None:
    pytest.importorskip("torch")
    current = importlib.import_module(MODULES[name])
    module = importlib.import_module(name)
    public = [key for key in vars(current) if not key.startswith("_")]
    assert all(getattr(module, key) is getattr(current, key) for key in public)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_names_are_found_in_old_modules() -> None:
    from polyculture.reading import Rules, ask
    from polyculture.reading import align as old_align

    from polyculture.formats import ReadingRules, align, predictions_of_models

    assert (Rules, ask, old_align) == (ReadingRules, predictions_of_models, align)


def test_a_name_that_never_was_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="audits"):
        _ = pc.audits
