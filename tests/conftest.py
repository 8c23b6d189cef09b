"""Shapes are types: every function of the package is checked against its jaxtyping annotations while tests run."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from jaxtyping import install_import_hook

install_import_hook("polyculture", "beartype.beartype")

import pytest
from hypothesis import settings

# No test depends on the clock: the machine may be busy. In CI every run draws the same examples.
settings.register_profile("suite", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("suite")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data that lies beside the checkout on some machines; tests that need it are skipped elsewhere."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return SHARED
