"""Logs that the real packages write, once per session, each in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

WRITERS = Path(__file__).parent / "writers"


@pytest.fixture(scope="session")
def logs(tmp_path_factory):
    """Folder with what a writer wrote; the test is skipped where its package is not installed."""
    folders: dict[str, Path] = {}

    def written(writer: str, package: str) -> Path:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
        if writer not in folders:
            folder = tmp_path_factory.mktemp(writer)
            command = [sys.executable, "-W", "ignore", str(WRITERS / f"{writer}.py"), str(folder)]
            env = os.environ | {"HOME": str(folder), "PYTHONPATH": "", "GIT_PYTHON_REFRESH": "quiet"}
            ended = subprocess.run(
                command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
            )
            assert ended.returncode == 0, ended.stdout + ended.stderr
            folders[writer] = folder
        return folders[writer]

    return written
