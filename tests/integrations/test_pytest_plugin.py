"""A test of a user's own panel passes and fails where the interval shows it."""

from __future__ import annotations

from importlib.metadata import entry_points

import numpy as np
import pytest

import polyculture as pc
from polyculture.integrations.pytest_plugin import hold_panel

PLUGIN = "polyculture.integrations.pytest_plugin"


def panel_of(shared: float, n: int = 500) -> pc.Predictions:
    rng = np.random.default_rng(0)
    together = rng.random(n) < 0.2
    wrong = np.where(rng.random((4, n)) < shared, together, rng.random((4, n)) < 0.2)
    return pc.Predictions.from_correct({f"judge{k}": (~row).astype(int) for k, row in enumerate(wrong)})


def test_a_panel_within_its_bounds_passes_and_is_given_back() -> None:
    result = hold_panel(panel_of(0.1), votes=3.0, gap=0.1, error=0.2)
    assert result.numbers["votes"].estimate > 3


@pytest.mark.parametrize(
    ("bounds", "message"),
    [({"votes": 3.0}, "not at least 3"), ({"gap": 0.01}, "not at most 0.01"), ({"error": 0.05}, "0.05")],
)
def test_a_panel_that_breaks_a_bound_fails(bounds, message) -> None:
    with pytest.raises(pytest.fail.Exception, match=message):
        hold_panel(panel_of(0.9), **bounds)


def test_the_fixture_is_there_where_the_package_is_installed(pytester_file, tmp_path) -> None:
    assert pytester_file(tmp_path) == 0


@pytest.fixture
def pytester_file():
    """Run a user's test file in a fresh pytest that has the plugin."""
    import os
    import subprocess
    import sys
    from pathlib import Path

    def run(folder: Path) -> int:
        rows = "\n".join(f"{i},{i % 2},{i % 2},{(i // 2) % 2},{(i // 3) % 2}" for i in range(60))
        (folder / "verdicts.csv").write_text(f"instance,label,a,b,c\n{rows}\n")
        (folder / "test_user.py").write_text(
            "def test_ours(assert_panel):\n"
            "    assert assert_panel('verdicts.csv', votes=1.0).numbers['votes'].defined\n"
        )
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        installed = {point.value for point in entry_points(group="pytest11")}  # pytest loads these by itself
        command += [] if PLUGIN in installed else ["-p", PLUGIN]
        command += [str(folder / "test_user.py")]
        env = os.environ | {"PYTHONPATH": str(Path(pc.__file__).parents[1])}
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False, timeout=120).returncode

    return run
